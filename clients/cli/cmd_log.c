// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <jansson.h>
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
    struct config_list summary;
    bool preempting;
};

/* A number, true or false, or any other text. The run socket takes numbers that JSON has none for as text. */
static json_t *plain_value(const char *text)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end != text && *end == '\0')
        return entity_number_json(number);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    return json_string(text);
}

/* JSON of any type, else as plain_value. */
static json_t *summary_value(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    return value != NULL ? value : plain_value(text);
}

static int add_value(json_t *values, const char *assignment, json_t *(*read)(const char *text))
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        return cli_fail(CLI_USAGE, "log: '%.80s' is no KEY=VALUE", assignment);
    char *key = strndup(assignment, (size_t)(equals - assignment));
    bool added = key != NULL && json_object_set_new(values, key, read(equals + 1)) == 0;
    free(key);
    return added ? CLI_OK : cli_fail(CLI_USAGE, "log: '%.80s' is not UTF-8", assignment);
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

/* Appends the line and drops the reference. */
static int add_line(struct buffer *lines, json_t *line)
{
    char *text = space_config_text(line);
    json_decref(line);
    if (text == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    buffer_printf(lines, "%s\n", text);
    free(text);
    return CLI_OK;
}

/* What stands under one key of a line: "log" with its step, or "summary". */
static int add_values(struct buffer *lines, const char *key, const char *const *assignments, size_t count,
                      const char *step, json_t *(*read)(const char *text))
{
    json_t *line = json_object(), *values = json_object();
    json_object_set_new(line, key, values);
    int code = add_step(line, step);
    for (size_t i = 0; i < count && code == CLI_OK; i++)
        code = add_value(values, assignments[i], read);
    if (code == CLI_OK && count > 0)
        return add_line(lines, line);
    json_decref(line);
    return code;
}

static int run_log(struct cli *cli, void *given)
{
    const struct log_options *options = given;
    const struct config_result *values = cli->given;
    struct buffer lines CLEANUP(buffer_free) = BUFFER_INIT;
    if (options->socket == NULL)
        return cli_fail(CLI_USAGE,
                        "log: BESOM_RUN_SOCKET is not set (this works inside a run: see besom agent)");
    int code =
        add_values(&lines, "log", values->arguments, values->argument_count, options->step, plain_value);
    if (code == CLI_OK)
        code = add_values(&lines, "summary", options->summary.items, options->summary.count, NULL,
                          summary_value);
    if (code == CLI_OK && options->preempting)
        code = add_line(&lines, json_pack("{s:b}", "preempting", 1));
    if (code == CLI_OK && lines.length == 0)
        return cli_fail(CLI_USAGE,
                        "log: nothing to log (give KEY=VALUE, --summary KEY=VALUE or --preempting)");
    return code == CLI_OK ? send_line(options->socket, buffer_text(&lines)) : code;
}

static const struct config_key keys[] = {
    {.name = "step",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct log_options, step),
     .value_name = "N",
     .help = "step of the values; unset: one above the greatest so far, 0 at first"},
    {.name = "summary",
     .type = CONFIG_LIST,
     .offset = offsetof(struct log_options, summary),
     .value_name = "KEY=VALUE",
     .help = "an entry of the run's summary: a number, a text, or JSON of any type"},
    {.name = "preempting",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct log_options, preempting),
     .help = "the machine is going away: a bad end of the run queues it again"},
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
    .usage = "besom log [KEY=VALUE...] [--step N] [--summary KEY=VALUE]... [--preempting]",
    .summary =
        "Log metrics from a script\n"
        "Values are numbers (nan and inf among them), true or false, which count as 1 and 0; any other text\n"
        "becomes an entry of the run's summary. All values of one call make one row.",
    .footer = "Example: besom log loss=0.3 accuracy=0.91 --step 5 --summary best_epoch=5",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct log_options),
    .arguments_max = 1000,
    .run = run_log,
};
