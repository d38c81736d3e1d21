// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define LINE_LIMIT 4096
#define PEM_LIMIT (1 << 20)

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

static enum status resolve_address(const besom_client_options *options, struct arena *arena,
                                   struct rpc_channel_options *out, struct err *err)
{
    out->address = option_or_variable(options->address, "BESOM_ADDRESS");
    out->token = option_or_variable(options->token, "BESOM_TOKEN");
    if (out->address != NULL)
        return STATUS_OK;
    char *home = home_folder(arena);
    if (home == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(read_home_line(home, "endpoint", arena, &out->address, err));
    if (out->address == NULL)
        return err_set(err, STATUS_UNAVAILABLE,
                       "no controller is known (run `besom up`, or set BESOM_ADDRESS to one)");
    if (out->token == NULL)
        TRY(read_home_line(home, "token", arena, &out->token, err));
    return STATUS_OK;
}

static enum status read_pem(const char *path, struct arena *arena, const char **out, struct err *err)
{
    if (path == NULL)
        return STATUS_OK;
    struct buffer content CLEANUP(buffer_free) = BUFFER_INIT;
    TRY(file_read(path, PEM_LIMIT, &content, err));
    *out = arena_strndup(arena, buffer_text(&content), content.length);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status resolve_tls(const besom_client_options *options, struct arena *arena,
                               struct rpc_channel_options *out, struct err *err)
{
    TRY(read_pem(option_or_variable(options->ca_file, "BESOM_CA_FILE"), arena, &out->ca_pem, err));
    TRY(read_pem(option_or_variable(options->certificate_file, "BESOM_CERT_FILE"), arena,
                 &out->certificate_pem, err));
    TRY(read_pem(option_or_variable(options->key_file, "BESOM_KEY_FILE"), arena, &out->key_pem, err));
    if ((out->certificate_pem == NULL) != (out->key_pem == NULL))
        return err_set(err, STATUS_INVALID,
                       "a client certificate needs its key and the other way round (BESOM_CERT_FILE, "
                       "BESOM_KEY_FILE)");
    out->tls = options->tls != 0 || out->ca_pem != NULL || out->certificate_pem != NULL;
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
    return resolve_tls(options, arena, out, err);
}
