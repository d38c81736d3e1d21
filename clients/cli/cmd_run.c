// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "best.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "progress.h"
#include "resolve.h"
#include "stack_layout.h"
#include "stack_lock.h"
#include "stack_log.h"
#include "stack_process.h"
#include "stop_table.h"
#include "sweep_file.h"
#include "watch.h"

#define TURN_MS 200
#define LAST_PICTURE_TRIES 4
#define AGENT_LOG_LINES 1
#define ARGUMENTS_MAX 32

struct run_options {
    struct connection_options connection;
    struct sweep_flags flags;
    int64_t slots;
    int64_t count;
    const char *workdir;
};

/* One `besom run` from the sweep on. */
struct one_liner {
    struct cli *cli;
    const struct run_options *options;
    besom_client *client;
    const Besom__V1__Sweep *sweep;
    const char *logs; /* folder of the agent's log */
    const char *log_name;
    pid_t agent;
    int agent_end; /* its wait status */
    struct progress_view view;
};

/* Signals that came; the agent gets each of them. */
static volatile sig_atomic_t interrupts, terminations;

static void note_signal(int number)
{
    if (number == SIGINT)
        interrupts++;
    else
        terminations++;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static bool has_address(const struct run_options *options)
{
    return options->connection.address != NULL && *options->connection.address != '\0';
}

/* Starts the local stack when there is none. */
static int bring_up(struct cli *cli)
{
    struct err err = ERR_INIT;
    struct stack_layout layout;
    const char *argv[] = {NULL, "up", "--detach", NULL};
    struct process_spec spec = {.argv = argv, .output = -1, .keep = -1, .new_group = true};
    if (stack_layout_find(&cli->arena, &layout, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot start the local stack");
    if (stack_lock_holder(layout.lock_file) > 0 && access(layout.endpoint_file, R_OK) == 0)
        return CLI_OK;
    enum status status = process_find_program(&cli->arena, "besom", &argv[0], &err);
    if (status == STATUS_OK)
        status = process_run(&spec, &err);
    if (status == STATUS_PRECONDITION) /* it has said why */
        return CLI_FAILED;
    return status == STATUS_OK ? CLI_OK : cli_fail_err(&err, "cannot start the local stack");
}

static int prepare_log(struct one_liner *run, int *fd)
{
    struct err err = ERR_INIT;
    const char *home = NULL;
    enum status status = stack_home_path(&run->cli->arena, &home, &err);
    if (status != STATUS_OK)
        return cli_fail_err(&err, "cannot start an agent");
    run->logs = arena_printf(&run->cli->arena, "%s/log", home);
    run->log_name = arena_printf(&run->cli->arena, "agent-%s", run->sweep->sweep_id);
    if (run->logs == NULL || run->log_name == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    status = file_make_dirs(run->logs, 0700, &err);
    if (status == STATUS_OK)
        status = stack_log_open(run->logs, run->log_name, fd, &err);
    return status == STATUS_OK ? CLI_OK : cli_fail_err(&err, "cannot start an agent");
}

static void add_text(const char **argv, size_t *count, const char *flag, const char *value)
{
    if (value == NULL || *count + 3 > ARGUMENTS_MAX)
        return;
    argv[(*count)++] = flag;
    argv[(*count)++] = value;
}

static void fill_arguments(const struct one_liner *run, const char *program, const char **argv)
{
    const struct connection_options *connection = &run->options->connection;
    size_t count = 0;
    argv[count++] = program;
    add_text(argv, &count, "-j", arena_printf(&run->cli->arena, "%lld", (long long)run->options->slots));
    if (run->options->count > 0)
        add_text(argv, &count, "--count",
                 arena_printf(&run->cli->arena, "%lld", (long long)run->options->count));
    argv[count++] = "--quiet";
    add_text(argv, &count, "--workdir", run->options->workdir);
    add_text(argv, &count, "--address", connection->address);
    add_text(argv, &count, "--token-file", connection->token_file);
    add_text(argv, &count, "--ca-file", connection->ca_file);
    add_text(argv, &count, "--cert-file", connection->certificate_file);
    add_text(argv, &count, "--key-file", connection->key_file);
    add_text(argv, &count, "--server-name", connection->server_name);
    if (connection->tls)
        argv[count++] = "--tls";
    if (connection->insecure)
        argv[count++] = "--insecure";
    argv[count++] = run->sweep->sweep_id;
    argv[count] = NULL;
}

static int start_agent(struct one_liner *run)
{
    struct err err = ERR_INIT;
    const char *program = NULL;
    const char *argv[ARGUMENTS_MAX + 2];
    int log CLEANUP(file_close) = -1;
    int code = prepare_log(run, &log);
    if (code != CLI_OK)
        return code;
    if (process_find_program(&run->cli->arena, "besom-agent", &program, &err) != STATUS_OK)
        return cli_fail(CLI_FAILED, "cannot start an agent: %s", err.text);
    fill_arguments(run, program, argv);
    /* a group of its own, so that Ctrl-C reaches it once, through us; if we are killed it waits for its runs
     */
    struct process_spec spec = {
        .argv = argv, .output = log, .keep = -1, .death_signal = SIGINT, .new_group = true};
    if (process_spawn(&spec, &run->agent, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot start an agent");
    return CLI_OK;
}

static void forward_signals(struct one_liner *run, int *sent_interrupts, int *sent_terminations)
{
    static const char *const words[] = {"waiting for running runs to end (Ctrl-C again stops them)",
                                        "stopping the running runs (Ctrl-C again kills them)",
                                        "killing the running runs"};
    for (; *sent_interrupts < interrupts; (*sent_interrupts)++) {
        kill(run->agent, SIGINT);
        progress_view_note(&run->view, words[*sent_interrupts < 2 ? *sent_interrupts : 2]);
    }
    for (; *sent_terminations < terminations; (*sent_terminations)++)
        kill(run->agent, SIGTERM);
}

static bool agent_has_ended(struct one_liner *run)
{
    pid_t ended = waitpid(run->agent, &run->agent_end, WNOHANG);
    return ended == run->agent || (ended < 0 && errno == ECHILD);
}

/* The agent is gone: one more picture, that of the end. */
static void show_end(struct one_liner *run, struct watch *watch)
{
    bool done = false;
    for (int tries = 0; tries < LAST_PICTURE_TRIES && !done; tries++) {
        Besom__V1__WatchSweepResponse *picture CLEANUP(message_release) = NULL;
        besom_error error = {.code = BESOM_OK};
        done = watch_next(watch, TURN_MS, &picture, &error) >= WATCH_AWAY;
        if (picture == NULL)
            continue;
        progress_view_show(&run->view, picture);
        done = picture->n_running == 0;
    }
}

/* Shows the sweep until the agent has left. */
static void follow(struct one_liner *run, struct watch *watch)
{
    Besom__V1__WatchSweepResponse *last CLEANUP(message_release) = NULL;
    int sent_interrupts = 0, sent_terminations = 0;
    bool watching = true, away = false;
    while (!agent_has_ended(run)) {
        Besom__V1__WatchSweepResponse *picture = NULL;
        besom_error error = {.code = BESOM_OK};
        forward_signals(run, &sent_interrupts, &sent_terminations);
        enum watch_event event = WATCH_NOTHING;
        if (watching)
            event = watch_next(watch, TURN_MS, &picture, &error);
        else
            poll(NULL, 0, TURN_MS);
        if (event == WATCH_ENDED || event == WATCH_FAILED)
            watching = false;
        if (event == WATCH_AWAY && !away)
            progress_view_note(&run->view, "the controller is away, waiting for it");
        away = event == WATCH_AWAY || (away && event != WATCH_PICTURE);
        if (picture != NULL) {
            besom_message_free(last);
            last = picture;
        }
        if (last != NULL && !away)
            progress_view_show(&run->view, last);
    }
    if (watching && !away)
        show_end(run, watch);
}

static void tell_agent_failure(const struct one_liner *run)
{
    struct buffer tail CLEANUP(buffer_free) = BUFFER_INIT;
    char how[32];
    stack_log_tail(run->logs, run->log_name, 0, AGENT_LOG_LINES, &tail);
    fputs(buffer_text(&tail), stderr);
    cli_fail(CLI_FAILED, "the agent ended with %s (see %s/%s.log)", process_describe_end(run->agent_end, how),
             run->logs, run->log_name);
}

static int agent_exit_code(const struct one_liner *run)
{
    if (run->agent_end == 0)
        return CLI_OK;
    return WIFEXITED(run->agent_end) && WEXITSTATUS(run->agent_end) <= CLI_DENIED
               ? WEXITSTATUS(run->agent_end)
               : CLI_FAILED;
}

/* The last line of what a failed run wrote to stderr is what its user wants to see first. */
static void tell_failed_run(const struct one_liner *run)
{
    Besom__V1__RunState states[] = {BESOM__V1__RUN_STATE__RUN_STATE_FAILED,
                                    BESOM__V1__RUN_STATE__RUN_STATE_CRASHED};
    Besom__V1__ListRunsRequest request = BESOM__V1__LIST_RUNS_REQUEST__INIT;
    Besom__V1__ListRunsResponse *response CLEANUP(message_release) = NULL;
    request.sweep_id = run->sweep->sweep_id;
    request.states = states;
    request.n_states = ARRAY_LEN(states);
    request.page_size = 1;
    if (besom_run_list(run->client, &request, &response, NULL) != BESOM_OK || response->n_runs == 0)
        return;
    const Besom__V1__Run *failed = response->runs[0];
    size_t length = strlen(failed->error_text);
    while (length > 0 && failed->error_text[length - 1] == '\n')
        length--;
    const char *text = arena_strndup(&run->cli->arena, failed->error_text, length);
    const char *line = text != NULL ? strrchr(text, '\n') : NULL;
    const char *last = text_clean(&run->cli->arena, line != NULL ? line + 1 : failed->error_text);
    cli_note("Run %s %s: %s%s%s (besom logs %s)", failed->run_id, entity_run_state(failed->state),
             failed->end_reason, *last != '\0' ? ": " : "", last, failed->run_id);
}

static void say_counts(const Besom__V1__Sweep *sweep, const Besom__V1__RunCounts *counts)
{
    int64_t failed = counts->failed + counts->killed + counts->crashed;
    printf("\n");
    cli_say("Sweep %s is %s: %lld runs ended, %lld finished, %lld stopped early, %lld failed",
            sweep->sweep_id, entity_sweep_state(sweep->state), (long long)entity_ended_runs(counts),
            (long long)counts->finished, (long long)counts->stopped, (long long)failed);
}

static void say_best(struct one_liner *run, const Besom__V1__GetSweepResponse *response)
{
    const char *id = run->sweep->sweep_id;
    if (response->best != NULL) {
        cli_say("Best run:");
        best_print(run->cli, response->sweep, response->best);
        cli_say("Next: besom best %s --command", id);
    } else {
        cli_say("Next: besom runs %s", id);
    }
    if (!entity_sweep_has_ended(response->sweep))
        cli_say("Go on with: besom agent %s -j %lld", id, (long long)run->options->slots);
}

/* The counts, the best run and what to type next. */
static int conclude(struct one_liner *run)
{
    const Besom__V1__RunCounts zero = BESOM__V1__RUN_COUNTS__INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    const char *id = run->sweep->sweep_id;
    if (run->agent_end != 0)
        tell_agent_failure(run);
    int code = resolve_read(run->client, id, &response);
    if (code != CLI_OK)
        return code;
    const Besom__V1__RunCounts *counts = response->sweep->counts != NULL ? response->sweep->counts : &zero;
    if (counts->failed + counts->crashed > 0)
        tell_failed_run(run);
    say_counts(response->sweep, counts);
    say_best(run, response);
    code = agent_exit_code(run);
    if (entity_ended_runs(counts) > 0 && counts->finished + counts->stopped == 0)
        code = cli_fail(CLI_FAILED, "no run of sweep %s succeeded (besom runs %s, besom logs RUN)", id, id);
    return code;
}

static int run_sweep_here(struct cli *cli, const struct run_options *options, besom_client *client,
                          const Besom__V1__Sweep *sweep)
{
    struct one_liner run = {.cli = cli, .options = options, .client = client, .sweep = sweep};
    struct watch *watch = watch_new(client, sweep->sweep_id);
    if (watch == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    run.view = progress_view_make();
    catch_signals();
    int code = start_agent(&run);
    if (code == CLI_OK) {
        follow(&run, watch);
        code = conclude(&run);
    }
    watch_free(watch);
    return code;
}

static int run_run(struct cli *cli, void *given)
{
    const struct run_options *options = given;
    struct sweep_file file CLEANUP(sweep_file_free);
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__CreateSweepResponse *response CLEANUP(message_release) = NULL;
    int code = sweep_file_load(cli->given->arguments[0], &options->flags, true, &file);
    if (code == CLI_OK && !has_address(options))
        code = bring_up(cli);
    if (code == CLI_OK)
        code = connection_open(&options->connection, &client);
    if (code == CLI_OK)
        code = sweep_file_create(client, &file, &options->flags, NULL, &response);
    if (code != CLI_OK)
        return code;
    cli_say("Created sweep %s from %s", response->sweep->sweep_id, file.path);
    stop_table_print(&cli->arena, file.spec);
    return run_sweep_here(cli, options, client, response->sweep);
}

static const struct config_key keys[] = {
    {.name = "jobs",
     .letter = 'j',
     .type = CONFIG_INT,
     .offset = offsetof(struct run_options, slots),
     .initial = "1",
     .value_name = "N",
     .min = 1,
     .max = 1024,
     .help = "runs side by side"},
    {.name = "count",
     .type = CONFIG_INT,
     .offset = offsetof(struct run_options, count),
     .value_name = "N",
     .min = 0,
     .max = 1000000000,
     .help = "leave after so many runs; 0 = when the sweep has ended"},
    {.name = "workdir",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct run_options, workdir),
     .value_name = "DIR",
     .help = "working directory of the runs; unset: this one"},
    SWEEP_FLAG_KEYS(struct run_options),
    CONNECTION_KEYS(struct run_options),
};

const struct cli_command cmd_run = {
    .name = "run",
    .group = "Sweep",
    .usage = "besom run FILE [-j N] [--count N]",
    .summary =
        "Do a whole sweep on this machine\n"
        "Starts the local stack if there is none, creates the sweep, runs an agent, shows how it goes and\n"
        "prints the best run at the end. With --address the sweep is created there.",
    .footer =
        "Ctrl-C once waits for running runs, twice stops them, three times kills them. The stack stays up:\n"
        "besom down stops it. What the runs print: besom logs RUN.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct run_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_run,
};
