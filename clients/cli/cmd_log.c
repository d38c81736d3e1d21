// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "commands.h"
#include "entity.h"
#include "space/space.h"

struct log_options {
    const char *step;
    const char *socket;
};

/* The run socket takes numbers that JSON has none for as text. */
static int add_value(json_t *values, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        return cli_fail(CLI_USAGE, "log: '%.80s' is no KEY=VALUE", assignment);
    char *end = NULL;
    double number = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0')
        return cli_fail(CLI_USAGE, "log: '%.80s' is no number (in %.80s)", equals + 1, assignment);
    char *key = strndup(assignment, (size_t)(equals - assignment));
    bool added = key != NULL && json_object_set_new(values, key, entity_number_json(number)) == 0;
    free(key);
    return added ? CLI_OK : cli_fail(CLI_USAGE, "log: the key of '%.80s' is not UTF-8", assignment);
}

static int add_step(json_t *line, const char *text)
{
    char *end = NULL;
    if (text == NULL)
        return CLI_OK;
    errno = 0;
    long long step = strtoll(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0')
        return cli_fail(CLI_USAGE, "log: --step: '%.40s' is no whole number", text);
    json_object_set_new(line, "step", json_integer(step));
    return CLI_OK;
}

static int send_line(const char *path, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return cli_fail(CLI_USAGE, "log: the socket's path is too long: %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd CLEANUP(file_close) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return cli_fail(CLI_UNAVAILABLE, "cannot log: %s: %s (is the run's agent alive?)", path,
                        strerror(errno));
    for (size_t left = strlen(text); left > 0;) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return cli_fail(CLI_UNAVAILABLE, "cannot log: %s: %s", path, strerror(errno));
        text += sent;
        left -= (size_t)sent;
    }
    return CLI_OK;
}

static int send_json(const char *path, const json_t *line)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    char *json = space_config_text(line);
    if (json == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    buffer_printf(&text, "%s\n", json);
    free(json);
    return send_line(path, buffer_text(&text));
}

static int run_log(struct cli *cli, void *given)
{
    const struct log_options *options = given;
    if (options->socket == NULL)
        return cli_fail(CLI_USAGE,
                        "log: BESOM_RUN_SOCKET is not set (this works inside a run: see besom agent)");
    json_t *line = json_object(), *values = json_object();
    json_object_set(line, "log", values);
    int code = add_step(line, options->step);
    for (size_t i = 0; i < cli->given->argument_count && code == CLI_OK; i++)
        code = add_value(values, cli->given->arguments[i]);
    if (code == CLI_OK)
        code = send_json(options->socket, line);
    json_decref(values);
    json_decref(line);
    return code;
}

static const struct config_key keys[] = {
    {.name = "step",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct log_options, step),
     .value_name = "N",
     .help = "step of the values; unset: 0, 1, 2, ... by call"},
    {.name = "socket",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct log_options, socket),
     .environment = "BESOM_RUN_SOCKET",
     .value_name = "PATH",
     .help = "socket of the run, which its agent sets"},
};

const struct cli_command cmd_log = {
    .name = "log",
    .group = "Inside a run",
    .usage = "besom log KEY=VALUE... [--step N]",
    .summary = "Log metrics from a script\n"
               "Values are numbers, nan and inf among them.",
    .footer = "Example: besom log loss=0.3 accuracy=0.91 --step 5",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct log_options),
    .arguments_min = 1,
    .arguments_max = 1000,
    .run = run_log,
};
