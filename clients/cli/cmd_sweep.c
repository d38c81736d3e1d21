// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "dry_run.h"
#include "entity.h"
#include "resolve.h"
#include "stop_table.h"
#include "sweep_file.h"

struct sweep_options {
    struct connection_options connection;
    bool json;
    struct sweep_flags flags;
    bool pause, resume, stop, cancel;
    const char *update; /* sweep, NULL = make a new one */
    struct config_list prior_runs;
    bool dry_run;
    int64_t shown; /* 0 = not given */
};

#define DRY_RUN_SHOWN 5

struct change {
    size_t offset; /* of its flag */
    Besom__V1__SweepAction action;
    const char *doing;
    const char *verb;
};

static const struct change changes[] = {
    {offsetof(struct sweep_options, pause), BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_PAUSE, "Pausing", "pause"},
    {offsetof(struct sweep_options, resume), BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_RESUME, "Resuming",
     "resume"},
    {offsetof(struct sweep_options, stop), BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_STOP, "Stopping", "stop"},
    {offsetof(struct sweep_options, cancel), BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_CANCEL, "Cancelling",
     "cancel"},
};

static int change_sweep(struct cli *cli, const struct sweep_options *options, const struct change *change)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__ChangeSweepRequest request = BESOM__V1__CHANGE_SWEEP_REQUEST__INIT;
    Besom__V1__ChangeSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    const char *sweep_id = NULL;
    int code = resolve_sweep(&options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    if (!options->json)
        cli_say("%s sweep %s", change->doing, cli->given->arguments[0]);
    request.sweep_id = message_text(sweep_id);
    request.action = change->action;
    if (besom_sweep_change(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot %s sweep %s", change->verb, sweep_id);
    if (options->json)
        return entity_print_json(entity_sweep_json(response->sweep));
    cli_say("Done.");
    return CLI_OK;
}

static void say_created(struct cli *cli, const Besom__V1__Sweep *sweep, const struct spec *spec)
{
    cli_say("Creating sweep with ID: %s", sweep->sweep_id);
    if (sweep->expected_runs > 0)
        cli_say("Runs: %lld", (long long)sweep->expected_runs);
    stop_table_print(&cli->arena, spec);
    cli_say("Run sweep agent with: besom agent %s", sweep->sweep_id);
    cli_say("Watch with: besom status %s --watch", sweep->sweep_id);
}

static int send_new(struct cli *cli, const struct sweep_options *options, const struct sweep_file *file)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__CreateSweepResponse *response CLEANUP(message_release) = NULL;
    int code = connection_open(&options->connection, &client);
    if (code != CLI_OK)
        return code;
    if (!options->json)
        cli_say("Creating sweep from: %s", file->path);
    code = sweep_file_create(client, file, &options->flags, &options->prior_runs, &response);
    if (code != CLI_OK)
        return code;
    sweep_file_tell_warnings(file, response->warnings, response->n_warnings);
    if (options->json)
        return entity_print_json(entity_sweep_json(response->sweep));
    say_created(cli, response->sweep, file->spec);
    return CLI_OK;
}

static int send_update(const struct sweep_options *options, const struct sweep_file *file)
{
    const char *sweep_id = NULL;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__UpdateSweepResponse *response CLEANUP(message_release) = NULL;
    int code = resolve_sweep(&options->connection, options->update, &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    if (!options->json)
        cli_say("Updating sweep from: %s", file->path);
    code = sweep_file_update(client, sweep_id, file, &options->flags, &response);
    if (code != CLI_OK)
        return code;
    sweep_file_tell_warnings(file, response->warnings, response->n_warnings);
    if (options->json)
        return entity_print_json(entity_sweep_json(response->sweep));
    cli_say("Updating sweep with ID: %s", sweep_id);
    if (!response->changed)
        cli_say("Nothing has changed: the sweep is like that already (version %d)",
                (int)response->sweep->spec_version);
    else if (response->sweep->expected_runs > 0)
        cli_say("Version %d, runs: %lld", (int)response->sweep->spec_version,
                (long long)response->sweep->expected_runs);
    else
        cli_say("Version %d", (int)response->sweep->spec_version);
    cli_say("Done.");
    return CLI_OK;
}

static int send_file(struct cli *cli, const struct sweep_options *options)
{
    struct sweep_file file CLEANUP(sweep_file_free);
    int code = sweep_file_load(cli->given->arguments[0], &options->flags, true, &file);
    if (code != CLI_OK)
        return code;
    if (options->dry_run)
        return dry_run_print(cli, file.path, file.spec,
                             options->shown > 0 ? (uint64_t)options->shown : DRY_RUN_SHOWN, options->json);
    return options->update != NULL ? send_update(options, &file) : send_new(cli, options, &file);
}

/* Flags that do not go together. */
static int check_options(const struct sweep_options *options, const struct change *chosen)
{
    if (chosen != NULL && (options->dry_run || options->update != NULL))
        return cli_fail(CLI_USAGE, "sweep: --%s is for making a sweep, not for --%s (leave one out)",
                        options->dry_run ? "dry-run" : "update", chosen->verb);
    if (options->dry_run && options->update != NULL)
        return cli_fail(CLI_USAGE, "sweep: --dry-run shows a new sweep, not an update (leave one out)");
    if (options->shown > 0 && !options->dry_run)
        return cli_fail(CLI_USAGE, "sweep: -n says how many configurations --dry-run shows (add --dry-run)");
    if (options->update != NULL && (options->flags.seed != NULL || options->prior_runs.count > 0))
        return cli_fail(CLI_USAGE,
                        "sweep: --%s is fixed when a sweep is made (leave it out, or make a new sweep)",
                        options->flags.seed != NULL ? "seed" : "prior-run");
    return CLI_OK;
}

static int run_sweep(struct cli *cli, void *given)
{
    const struct sweep_options *options = given;
    const struct change *chosen = NULL;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        if (!*(const bool *)((const char *)given + changes[i].offset))
            continue;
        if (chosen != NULL)
            return cli_fail(CLI_USAGE, "sweep: --%s and --%s exclude each other (give one)", chosen->verb,
                            changes[i].verb);
        chosen = &changes[i];
    }
    int code = check_options(options, chosen);
    if (code != CLI_OK)
        return code;
    return chosen != NULL ? change_sweep(cli, options, chosen) : send_file(cli, options);
}

static const struct config_key keys[] = {
    SWEEP_FLAG_KEYS(struct sweep_options),
    {.name = "dry-run",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sweep_options, dry_run),
     .help = "create nothing: show the number of points and the first configurations with their commands, "
             "without a server"},
    {.name = "show",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct sweep_options, shown),
     .value_name = "N",
     .min = 1,
     .max = 1000000,
     .help = "how many configurations --dry-run shows; unset: 5"},
    {.name = "update",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct sweep_options, update),
     .value_name = "SWEEP",
     .help = "make FILE the next version of this sweep: what was run is kept and, in a grid, not run again"},
    {.name = "prior-run",
     .letter = 'R',
     .type = CONFIG_LIST,
     .offset = offsetof(struct sweep_options, prior_runs),
     .value_name = "RUN",
     .help = "begin with this ended run of another sweep (may be repeated): a grid leaves out its point"},
    {.name = "pause",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sweep_options, pause),
     .help = "hand out no more runs of the sweep; running ones go on"},
    {.name = "resume",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sweep_options, resume),
     .help = "hand out runs again"},
    {.name = "stop",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sweep_options, stop),
     .help = "finish the sweep: running runs complete, no new ones start"},
    {.name = "cancel",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sweep_options, cancel),
     .help = "kill running runs and end the sweep"},
    JSON_KEY(struct sweep_options),
    CONNECTION_KEYS(struct sweep_options),
};

const struct cli_command cmd_sweep = {
    .name = "sweep",
    .group = "Sweep",
    .usage = "besom sweep [--dry-run [-n N]] [--update SWEEP] [options] FILE | besom sweep "
             "--pause|--resume|--stop|--cancel SWEEP",
    .summary = "Create a sweep from a file, or change the state of one\n"
               "FILE is a W&B sweep file, YAML or JSON (- reads stdin). SWEEP is an id, PROJECT/ID or\n"
               "ENTITY/PROJECT/ID.",
    .footer = "A dry run shows commands as an agent with this PATH and environment starts them:\n"
              "${interpreter} is python, or python3 where only that is found.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct sweep_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_sweep,
};
