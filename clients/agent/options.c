// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 255

#define ROW(flag, character, kind, field, ...)                                                            \
    {                                                                                                     \
        .name = flag, .letter = character, .type = kind, .offset = offsetof(struct agent_options, field), \
        __VA_ARGS__                                                                                       \
    }

static const struct config_key keys[] = {
    ROW("count", 0, CONFIG_INT, count, .initial = "0", .environment = "BESOM_AGENT_COUNT", .value_name = "N",
        .min = 0, .max = INT64_MAX,
        .help = "Leave after N runs have ended, whatever became of them (0: no bound)"),
    ROW("submit", 0, CONFIG_TEXT, submit, .value_name = "FILE",
        .help = "Instead of serving a sweep: one run of COMMAND with the parameters in FILE, a JSON object "
                "(-: standard input); ends with COMMAND's exit code"),
    ROW("name", 0, CONFIG_TEXT, name, .value_name = "NAME",
        .help = "With --submit: the run's name for people"),
    ROW("project", 'p', CONFIG_TEXT, project, .environment = "BESOM_PROJECT", .value_name = "NAME",
        .help = "With --submit: the run's project; a sweep's id says it all"),
    ROW("entity", 'e', CONFIG_TEXT, entity, .value_name = "NAME", .help = "Taken for W&B's sake and ignored"),
    ROW("slots", 'j', CONFIG_INT, slots, .environment = "BESOM_AGENT_SLOTS", .value_name = "N", .min = 1,
        .max = SLOTS_MAX, .help = "Runs side by side (default: 1; with --gpus as many as they suffice for)"),
    ROW("gpus", 0, CONFIG_TEXT, gpus, .initial = "none", .environment = "BESOM_AGENT_GPUS",
        .value_name = "LIST",
        .help = "GPUs to share out: auto (all that CUDA_VISIBLE_DEVICES or this machine has), none (runs see "
                "what the agent sees), or a list such as 0-3 or GPU-8932f937,GPU-1ab4"),
    ROW("gpus-per-run", 0, CONFIG_INT, gpus_per_run, .initial = "1",
        .environment = "BESOM_AGENT_GPUS_PER_RUN", .value_name = "N", .min = 1, .max = SLOTS_MAX,
        .help = "With --gpus: how many each run gets, as its CUDA_VISIBLE_DEVICES"),
    ROW("time-left-from", 0, CONFIG_TEXT, time_left_from, .environment = "BESOM_AGENT_TIME_LEFT_FROM",
        .value_name = "SYSTEM",
        .help = "slurm: take no further run when the time left of this job is less than the longest run here "
                "has taken, and leave"),
    ROW("time-per-run", 0, CONFIG_DURATION_MS, time_per_run_ms, .environment = "BESOM_AGENT_TIME_PER_RUN",
        .value_name = "TIME", .min = 0, .max = INT64_MAX / 2,
        .help = "With --time-left-from: a run takes at least so long, the first one too, such as 30m"),
    ROW("wandb", 0, CONFIG_BOOL, wandb, .environment = "BESOM_AGENT_WANDB",
        .help = "Let `import wandb` of the runs find Besom's stand-in"),
    ROW("forward-signals", 'f', CONFIG_BOOL, forward_signals, .environment = "BESOM_AGENT_FORWARD_SIGNALS",
        .help = "Pass signals on to the runs"),
    ROW("term-timeout", 't', CONFIG_DURATION_MS, term_timeout_ms, .environment = "BESOM_AGENT_TERM_TIMEOUT",
        .value_name = "S", .help = "With -f: kill runs that live this long after a signal"),
    ROW("workdir", 0, CONFIG_TEXT, workdir, .environment = "BESOM_AGENT_WORKDIR", .value_name = "DIR",
        .help = "Folder in which commands are started (default: this one)"),
    ROW("run-dir", 0, CONFIG_TEXT, run_dir, .environment = "BESOM_AGENT_RUN_DIR", .value_name = "DIR",
        .help = "Each run has its folder in this one, the same for all its attempts (default: besom-runs in "
                "the working folder)"),
    ROW("allow-program", 0, CONFIG_LIST, allowed_programs, .environment = "BESOM_AGENT_ALLOW_PROGRAM",
        .value_name = "GLOB", .help = "Refuse commands whose program does not match; may be given again"),
    ROW("host", 0, CONFIG_TEXT, host, .environment = "BESOM_AGENT_HOST", .value_name = "NAME",
        .help = "Name of this machine, in lists and for quarantine (default: the host's name)"),
    ROW("ignore-quarantine", 0, CONFIG_BOOL, ignore_quarantine,
        .environment = "BESOM_AGENT_IGNORE_QUARANTINE",
        .help = "Serve even if runs of the sweep failed at once on this host; ends its quarantine"),
    ROW("state-dir", 0, CONFIG_TEXT, state_dir, .environment = "BESOM_AGENT_STATE_DIR", .value_name = "DIR",
        .help = "Where runs are remembered (default: $XDG_STATE_HOME/besom/agents)"),
    ROW("spool-limit", 0, CONFIG_SIZE, spool_limit_bytes, .initial = "1G",
        .environment = "BESOM_AGENT_SPOOL_LIMIT", .value_name = "SIZE", .min = 1 << 20, .max = INT64_MAX,
        .help = "Most bytes kept per run while the controller is away"),
    ROW("quiet", 'q', CONFIG_BOOL, quiet, .environment = "BESOM_AGENT_QUIET",
        .help = "Do not show the runs' output"),
    ROW("log-file", 0, CONFIG_TEXT, log_file, .environment = "BESOM_AGENT_LOG_FILE", .value_name = "FILE",
        .help = "Append structured log lines to FILE"),
    ROW("log-level", 0, CONFIG_TEXT, log_level, .initial = "info", .environment = "BESOM_LOG_LEVEL",
        .value_name = "LEVEL", .help = "debug, info, warn, error or off, for --log-file"),
    ROW("address", 0, CONFIG_TEXT, address, .environment = "BESOM_ADDRESS", .value_name = "ADDRESS",
        .help = "Controller: host:port or unix:/path (default: the one of `besom up`)"),
    ROW("token-file", 0, CONFIG_TEXT, token_file, .environment = "BESOM_TOKEN_FILE", .value_name = "FILE",
        .help = "File with the token, which others may not read (default: BESOM_TOKEN, or the local stack's "
                "own)"),
    ROW("ca-file", 0, CONFIG_TEXT, ca_file, .environment = "BESOM_CA_FILE", .value_name = "FILE",
        .help = "TLS with this root certificate"),
    ROW("cert-file", 0, CONFIG_TEXT, certificate_file, .environment = "BESOM_CERT_FILE", .value_name = "FILE",
        .help = "Client certificate"),
    ROW("key-file", 0, CONFIG_TEXT, key_file, .environment = "BESOM_KEY_FILE", .value_name = "FILE",
        .help = "Its key"),
    ROW("server-name", 0, CONFIG_TEXT, server_name, .value_name = "NAME",
        .help = "Name expected in the controller's certificate"),
    ROW("tls", 0, CONFIG_BOOL, tls, .environment = "BESOM_TLS", .help = "TLS with the system's roots"),
    ROW("insecure", 0, CONFIG_BOOL, insecure, .environment = "BESOM_INSECURE",
        .help = "Let the token go over TCP without TLS"),
};

static const struct config_command command = {
    .usage = "besom-agent [options] SWEEP [-- COMMAND [ARGS...]]",
    .summary =
        "Takes runs of a sweep, starts them, reports what they log, stops them when told.\n"
        "SWEEP is a sweep's id; project/id works too. COMMAND takes the place of the sweep's own in this\n"
        "agent's runs; macros such as ${args} are expanded in it.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .footer =
        "Ctrl-C once: no new runs, wait for those that run. Twice: stop them. Three times: kill them.\n"
        "SIGTERM, SIGHUP, SIGQUIT and, without -f, SIGUSR1 (a warning of SLURM): runs are stopped with their "
        "grace\n"
        "time and queued again with their next attempt; the agent leaves with 0. A SIGTERM 3 s "
        "later: at once.\n"
        "An agent leaves when 3 runs failed in its first 60 seconds or all of its first 5 (WANDB_AGENT_\n"
        "DISABLE_FLAPPING, WANDB_AGENT_MAX_INITIAL_FAILURES); its host is then in quarantine for the sweep.\n"
        "Exit codes: 0 ok, 1 failed, in quarantine, or runs are not reported; 2 usage, 3 no such sweep,\n"
        "4 unavailable, 5 not permitted.",
    .arguments_max = 1,
};

/* Where the options end: at "--", whatever a flag before it takes. */
static int find_end(int argc, char *const argv[])
{
    int at = 1;
    while (at < argc && strcmp(argv[at], "--") != 0)
        at++;
    return at;
}

/* It becomes a folder's name. */
static enum status check_host(const char *host, struct err *err)
{
    if (host != NULL && (host[0] == '.' || strchr(host, '/') != NULL || strlen(host) > HOST_MAX))
        return err_set(err, STATUS_INVALID, "--host: '%s' is no name of a machine", host);
    return STATUS_OK;
}

static enum status check_time_left(const struct agent_options *options, struct err *err)
{
    if (options->time_left_from != NULL && strcmp(options->time_left_from, "slurm") != 0)
        return err_set(err, STATUS_INVALID, "--time-left-from: '%.40s' is not known (slurm is)",
                       options->time_left_from);
    if (options->time_left_from == NULL && options->time_per_run_ms > 0)
        return err_set(err, STATUS_INVALID, "--time-per-run goes with --time-left-from slurm");
    return STATUS_OK;
}

static enum status read_sweep(const struct config_result *result, struct agent_options *out, struct err *err)
{
    if (result->argument_count == 0)
        return err_set(err, STATUS_INVALID, "missing argument (usage: %s)", command.usage);
    const char *slash = strrchr(result->arguments[0], '/');
    out->sweep_id = slash != NULL ? slash + 1 : result->arguments[0];
    if (*out->sweep_id == '\0' || strchr(out->sweep_id, '.') != NULL)
        return err_set(err, STATUS_INVALID, "'%s' is no sweep (a sweep's id has eight letters and digits)",
                       result->arguments[0]);
    return STATUS_OK;
}

/* One run in one slot, whatever the environment says of agents. */
static enum status check_submit(const struct config_result *result, struct agent_options *out,
                                struct err *err)
{
    if (result->argument_count > 0)
        return err_set(err, STATUS_INVALID, "--submit takes no sweep, and a command behind '--'");
    if (out->command == NULL)
        return err_set(err, STATUS_INVALID, "--submit needs a command: --submit FILE -- COMMAND [ARGS...]");
    out->slots = 1;
    out->count = 0;
    out->time_left_from = NULL;
    return STATUS_OK;
}

enum status options_parse(int argc, char *const argv[], struct arena *arena, struct agent_options *out,
                          bool *done, struct err *err)
{
    struct config_result result;
    int end = find_end(argc, argv);
    *out = (struct agent_options){.command = end < argc ? argv + end + 1 : NULL};
    TRY(config_parse(&command, end, argv, arena, out, &result, err));
    *done = result.help || result.version;
    if (result.help)
        config_print_help(&command, stdout);
    if (result.version)
        printf("besom-agent %s\n", BESOM_VERSION);
    if (*done)
        return STATUS_OK;
    if (out->command != NULL && out->command[0] == NULL)
        return err_set(err, STATUS_INVALID, "no command behind '--' (usage: %s)", command.usage);
    TRY(check_host(out->host, err));
    TRY(check_time_left(out, err));
    return out->submit != NULL ? check_submit(&result, out, err) : read_sweep(&result, out, err);
}
