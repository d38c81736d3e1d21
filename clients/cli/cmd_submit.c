// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "commands.h"
#include "connection.h"
#include "stack_process.h"

#define PARAMS_LIMIT (1u << 20)

struct submit_options {
    struct connection_options connection;
    const char *project, *name, *params;
    const char *workdir, *run_dir, *gpus;
    int64_t gpus_per_run;
    bool wandb, quiet;
};

/* ---- parameters ---- */

/* False when it is not UTF-8. */
static bool put_quoted(struct buffer *out, const char *text, size_t length)
{
    json_t *value = json_stringn(text, length);
    char *quoted = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    if (quoted != NULL)
        buffer_puts(out, quoted);
    free(quoted);
    return quoted != NULL;
}

/* A value that is JSON stays as it was written, digit by digit; everything else is a text. */
static bool put_value(struct buffer *out, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        return put_quoted(out, text, strlen(text));
    buffer_puts(out, text);
    json_decref(value);
    return true;
}

static int read_pairs(const struct config_result *given, struct buffer *out)
{
    buffer_putc(out, '{');
    for (size_t i = 0; i < given->argument_count; i++) {
        const char *pair = given->arguments[i], *equals = strchr(pair, '=');
        if (equals == NULL || equals == pair)
            return cli_fail(CLI_USAGE, "'%s' is no parameter (KEY=VALUE)", pair);
        if (i > 0)
            buffer_puts(out, ", ");
        bool is_text = put_quoted(out, pair, (size_t)(equals - pair));
        buffer_puts(out, ": ");
        if (!is_text || !put_value(out, equals + 1))
            return cli_fail(CLI_USAGE, "'%s' is not UTF-8", pair);
    }
    buffer_putc(out, '}');
    return CLI_OK;
}

static int read_params(const struct submit_options *options, const struct config_result *given,
                       struct buffer *out)
{
    struct err err = ERR_INIT;
    if (options->params != NULL && given->argument_count > 0)
        return cli_fail(CLI_USAGE, "parameters come from --params or as KEY=VALUE, not both");
    if (options->params == NULL) {
        int code = read_pairs(given, out);
        if (code != CLI_OK)
            return code;
    } else if (file_read(options->params, PARAMS_LIMIT, out, &err) != STATUS_OK) {
        return cli_fail_err(&err, "cannot read the parameters");
    }
    json_error_t problem;
    json_t *params = json_loadb(buffer_text(out), out->length, JSON_REJECT_DUPLICATES, &problem);
    bool is_object = json_is_object(params);
    json_decref(params);
    if (!is_object)
        return cli_fail(CLI_USAGE, "the parameters are no JSON object%s%s", params == NULL ? ": " : "",
                        params == NULL ? problem.text : "");
    return CLI_OK;
}

/* As standard input: an argument would be seen by everybody and is bounded, a file would have to be deleted.
 */
static int become_input(const struct buffer *text)
{
    int fd CLEANUP(file_close) = memfd_create("besom-params", 0);
    if (fd < 0 || write(fd, buffer_text(text), text->length) != (ssize_t)text->length ||
        lseek(fd, 0, SEEK_SET) != 0 || dup2(fd, STDIN_FILENO) < 0)
        return cli_fail(CLI_FAILED, "cannot hand the parameters over: %s", strerror(errno));
    return CLI_OK;
}

/* ---- the agent's command line ---- */

struct arguments {
    const char **items;
    size_t count;
};

static void add(struct arguments *arguments, const char *item)
{
    arguments->items[arguments->count++] = item;
}

static void add_text(struct arguments *arguments, const char *flag, const char *value)
{
    if (value == NULL)
        return;
    add(arguments, flag);
    add(arguments, value);
}

static void fill_arguments(struct cli *cli, const struct submit_options *options, char *const *command,
                           struct arguments *out)
{
    const struct connection_options *connection = &options->connection;
    add_text(out, "--submit", "-");
    add_text(out, "--project", options->project);
    add_text(out, "--name", options->name);
    add_text(out, "--workdir", options->workdir);
    add_text(out, "--run-dir", options->run_dir);
    add_text(out, "--gpus", options->gpus);
    if (options->gpus_per_run > 0)
        add_text(out, "--gpus-per-run", arena_printf(&cli->arena, "%lld", (long long)options->gpus_per_run));
    add_text(out, "--address", connection->address);
    add_text(out, "--token-file", connection->token_file);
    add_text(out, "--ca-file", connection->ca_file);
    add_text(out, "--cert-file", connection->certificate_file);
    add_text(out, "--key-file", connection->key_file);
    add_text(out, "--server-name", connection->server_name);
    const struct {
        bool set;
        const char *flag;
    } flags[] = {{options->wandb, "--wandb"},
                 {options->quiet, "--quiet"},
                 {connection->tls, "--tls"},
                 {connection->insecure, "--insecure"}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].set)
            add(out, flags[i].flag);
    add(out, "--");
    while (*command != NULL)
        add(out, *command++);
}

#define OWN_ARGUMENTS_MAX 40

static int become_agent(struct cli *cli, const struct submit_options *options, char *const *command)
{
    struct err err = ERR_INIT;
    struct arguments arguments = {
        .items = arena_calloc(&cli->arena, (size_t)cli->argc + OWN_ARGUMENTS_MAX, sizeof *arguments.items)};
    const char *program = NULL;
    if (process_find_program(&cli->arena, "besom-agent", &program, &err) != STATUS_OK)
        return cli_fail(CLI_FAILED, "cannot start an agent: %s", err.text);
    if (arguments.items == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    add(&arguments, program);
    fill_arguments(cli, options, command, &arguments);
    /* an ignored signal would stay ignored in the agent and in the run */
    signal(SIGPIPE, SIG_DFL);
    execv(program, (char *const *)(uintptr_t)arguments.items);
    return cli_fail(CLI_FAILED, "cannot start %s: %s", program, strerror(errno));
}

/* ---- the command ---- */

static const struct config_key keys[] = {
    {.name = "project",
     .letter = 'p',
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, project),
     .environment = "BESOM_PROJECT",
     .value_name = "NAME",
     .help = "project of the run; unset: uncategorized"},
    {.name = "name",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, name),
     .value_name = "NAME",
     .help = "the run's name for people"},
    {.name = "params",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, params),
     .value_name = "FILE",
     .help = "file with the parameters, a JSON object, instead of KEY=VALUE"},
    {.name = "workdir",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, workdir),
     .value_name = "DIR",
     .help = "working directory of the run; unset: this one"},
    {.name = "run-dir",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, run_dir),
     .value_name = "DIR",
     .help = "the run has its folder in this one; unset: besom-runs in the working directory"},
    {.name = "gpus",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct submit_options, gpus),
     .value_name = "LIST",
     .help = "GPUs to choose from: auto, none or a list such as 0-3"},
    {.name = "gpus-per-run",
     .type = CONFIG_INT,
     .offset = offsetof(struct submit_options, gpus_per_run),
     .value_name = "N",
     .min = 1,
     .max = 1024,
     .help = "how many of them the run gets; unset: 1"},
    {.name = "wandb",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct submit_options, wandb),
     .help = "let `import wandb` of the run find Besom's stand-in"},
    {.name = "quiet",
     .letter = 'q',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct submit_options, quiet),
     .help = "do not show the run's output"},
    CONNECTION_KEYS(struct submit_options),
};

static int run_submit(struct cli *cli, void *unused)
{
    (void)unused;
    struct submit_options options;
    struct buffer params CLEANUP(buffer_free) = BUFFER_INIT;
    const struct config_command configuration = {
        .usage = cmd_submit.usage, .keys = keys, .key_count = ARRAY_LEN(keys), .arguments_max = SIZE_MAX};
    struct config_result given;
    struct err err = ERR_INIT;
    int end = 0;
    while (end < cli->argc && strcmp(cli->argv[end], "--") != 0)
        end++;
    /* the command's own name stands in front of its arguments */
    if (config_parse(&configuration, end + 1, cli->argv - 1, &cli->arena, &options, &given, &err) !=
        STATUS_OK)
        return cli_fail(CLI_USAGE, "submit: %s (see besom submit --help)", err.text);
    if (given.help) {
        cli_print_command_help(&cmd_submit);
        return CLI_OK;
    }
    if (given.version)
        return cmd_version.run(cli, NULL);
    if (end + 1 >= cli->argc)
        return cli_fail(CLI_USAGE, "submit: no command (usage: %s)", cmd_submit.usage);
    int code = read_params(&options, &given, &params);
    if (code == CLI_OK)
        code = become_input(&params);
    return code == CLI_OK ? become_agent(cli, &options, cli->argv + end + 1) : code;
}

const struct cli_command cmd_submit = {
    .name = "submit",
    .group = "Sweep",
    .usage = "besom submit [options] [KEY=VALUE ...] -- COMMAND [ARGS...]",
    .summary = "Run one command as a run of its own, outside any sweep\n"
               "COMMAND is started here; what it logs and prints is kept as of any run. Its parameters are "
               "given as\n"
               "KEY=VALUE (JSON, else text) or in a file; macros such as ${args} are expanded in COMMAND.",
    .footer = "Ctrl-C once stops the run, twice kills it. The exit code is COMMAND's, 128 + N when signal N "
              "ended it.\n"
              "besom-agent --help has further settings, by environment variable.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .passes_arguments = true,
    .run = run_submit,
};
