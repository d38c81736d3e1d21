// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"

int connection_open(const struct connection_options *options, besom_client **out)
{
    besom_client_options settings = BESOM_CLIENT_OPTIONS_INIT;
    settings.token_file = options->token_file;
    settings.address = options->address;
    settings.ca_file = options->ca_file;
    settings.certificate_file = options->certificate_file;
    settings.key_file = options->key_file;
    settings.server_name = options->server_name;
    settings.tls = options->tls;
    settings.insecure = options->insecure;
    settings.timeout_ms = options->timeout_ms;
    besom_error error = {.code = BESOM_OK};
    if (besom_client_new(&settings, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot connect");
    return CLI_OK;
}

void connection_close(besom_client **client)
{
    besom_client_free(*client);
    *client = NULL;
}

void message_release(void *message_at)
{
    besom_message_free(*(void **)message_at);
}

int connection_fail(const besom_error *error, const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    bool needs_hint = error->code == BESOM_UNAVAILABLE && strchr(error->text, '(') == NULL;
    return cli_fail((enum cli_exit)besom_status_exit_code(error->code), "%s: %s%s", what, error->text,
                    needs_hint ? " (is the controller running? besom up starts one here)" : "");
}

int id_argument(const char *text, const char *kind, const char **out)
{
    const char *slash = strrchr(text, '/');
    *out = slash != NULL ? slash + 1 : text;
    if (id_is_valid(*out))
        return CLI_OK;
    return cli_fail(CLI_USAGE, "'%.80s' is no %s id: expected %d lower-case letters and digits", text, kind,
                    ID_LENGTH);
}
