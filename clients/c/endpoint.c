// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"

#define LINE_LIMIT 4096

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static const char *option_or_variable(const char *option, const char *name)
{
    return option != NULL && *option != '\0' ? option : variable(name);
}

static char *home_folder(struct arena *arena)
{
    if (variable("BESOM_HOME") != NULL)
        return arena_strdup(arena, variable("BESOM_HOME"));
    if (variable("XDG_DATA_HOME") != NULL)
        return arena_printf(arena, "%s/besom", variable("XDG_DATA_HOME"));
    const char *home = variable("HOME");
    return arena_printf(arena, "%s/.local/share/besom", home != NULL ? home : "");
}

/* The first line of HOME/name; *out stays NULL when there is no such file. */
static enum status read_home_line(const char *home, const char *name, struct arena *arena, const char **out,
                                  struct err *err)
{
    char *path = arena_printf(arena, "%s/%s", home, name);
    struct buffer content CLEANUP(buffer_free) = BUFFER_INIT;
    enum status status = file_read(path, LINE_LIMIT, &content, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    size_t length = strcspn(buffer_text(&content), " \t\r\n");
    if (length > 0)
        *out = arena_strndup(arena, buffer_text(&content), length);
    return STATUS_OK;
}

/* The one word in the file. */
static enum status take_word(const char *path, struct buffer *content, struct arena *arena, const char **out,
                             struct err *err)
{
    static const char blanks[] = " \t\r\n";
    const char *word = buffer_text(content) + strspn(buffer_text(content), blanks);
    size_t length = strcspn(word, blanks);
    if (length == 0 || word[length + strspn(word + length, blanks)] != '\0')
        return err_set(err, STATUS_INVALID, "%s does not hold one word", path);
    *out = arena_strndup(arena, word, length);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status read_token(const char *path, struct arena *arena, const char **out, struct err *err)
{
    struct buffer content CLEANUP(buffer_free) = BUFFER_INIT;
    enum status status = file_read_secret(path, LINE_LIMIT, &content, err);
    if (status == STATUS_OK)
        status = take_word(path, &content, arena, out, err);
    if (status == STATUS_OK)
        return STATUS_OK;
    /* that a file is not there says nothing of what the caller asked for */
    return err_set(err, status == STATUS_DENIED ? status : STATUS_INVALID,
                   "--token-file or BESOM_TOKEN_FILE: %s", err->text);
}

static enum status resolve_token(const besom_client_options *options, struct arena *arena, const char **out,
                                 struct err *err)
{
    const char *file =
        option_or_variable(options->version >= 2 ? options->token_file : NULL, "BESOM_TOKEN_FILE");
    *out = options->token;
    if (*out != NULL) {
        *out = **out != '\0' ? *out : NULL;
        return STATUS_OK;
    }
    if (file != NULL)
        return read_token(file, arena, out, err);
    *out = variable("BESOM_TOKEN");
    return STATUS_OK;
}

static enum status resolve_address(const besom_client_options *options, struct arena *arena,
                                   struct rpc_channel_options *out, struct err *err)
{
    out->address = option_or_variable(options->address, "BESOM_ADDRESS");
    TRY(resolve_token(options, arena, &out->token, err));
    if (out->address != NULL)
        return STATUS_OK;
    char *home = home_folder(arena);
    if (home == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(read_home_line(home, "endpoint", arena, &out->address, err));
    if (out->address == NULL)
        return err_set(err, STATUS_UNAVAILABLE,
                       "no controller is known (run `besom up`, or set BESOM_ADDRESS to one)");
    if (out->token == NULL && options->token == NULL)
        TRY(read_home_line(home, "token", arena, &out->token, err));
    return STATUS_OK;
}

static enum status resolve_tls(const besom_client_options *options, struct rpc_channel_options *out,
                               struct err *err)
{
    const struct tls_paths paths = {
        .certificate = option_or_variable(options->certificate_file, "BESOM_CERT_FILE"),
        .key = option_or_variable(options->key_file, "BESOM_KEY_FILE"),
        .authorities = option_or_variable(options->ca_file, "BESOM_CA_FILE"),
    };
    if ((paths.certificate == NULL) != (paths.key == NULL))
        return err_set(err, STATUS_INVALID,
                       "a client certificate needs its key and the other way round (BESOM_CERT_FILE, "
                       "BESOM_KEY_FILE)");
    bool named = paths.certificate != NULL || paths.authorities != NULL;
    if (named)
        TRY(tls_files_open(&paths, &clock_system, &out->files, err));
    out->tls = options->tls != 0 || named;
    out->server_name = options->server_name;
    const char *insecure = variable("BESOM_INSECURE");
    out->insecure = options->insecure != 0 || (insecure != NULL && strcmp(insecure, "1") == 0);
    return STATUS_OK;
}

enum status endpoint_resolve(const besom_client_options *options, struct arena *arena,
                             struct rpc_channel_options *out, struct err *err)
{
    *out = (struct rpc_channel_options){.address = NULL};
    TRY(resolve_address(options, arena, out, err));
    return resolve_tls(options, out, err);
}
