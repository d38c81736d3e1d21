// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "commands.h"
#include "confirm.h"
#include "connection.h"
#include "entity.h"
#include "meter.h"
#include "resolve.h"
#include "run_targets.h"

struct delete_options {
    struct connection_options connection;
    bool force;
    bool yes;
    bool json;
    struct run_query_options query;
};

/* One sweep or run to delete. */
struct doomed {
    bool is_sweep;
    const char *id;
    const char *sweep_id;
    long long runs; /* of a sweep that were handed out */
};

struct deletion {
    struct cli *cli;
    const struct delete_options *options;
    besom_client *client;
    struct doomed *things; /* in the arena */
    size_t count;
    const char **deleted[2]; /* ids of runs, of sweeps; in the arena */
    size_t deleted_count[2];
};

static bool is_chosen(const struct deletion *deletion)
{
    return run_targets_are_chosen(&deletion->options->query);
}

static int make_room(struct deletion *deletion, size_t count)
{
    deletion->things = arena_calloc(&deletion->cli->arena, count + 1, sizeof *deletion->things);
    deletion->deleted[0] = arena_calloc(&deletion->cli->arena, count + 1, sizeof(char *));
    deletion->deleted[1] = arena_calloc(&deletion->cli->arena, count + 1, sizeof(char *));
    bool has_room = deletion->things != NULL && deletion->deleted[0] != NULL && deletion->deleted[1] != NULL;
    return has_room ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static int add_run(struct deletion *deletion, const Besom__V1__Run *run)
{
    struct doomed *thing = &deletion->things[deletion->count++];
    *thing = (struct doomed){.id = arena_strdup(&deletion->cli->arena, run->run_id),
                             .sweep_id = arena_strdup(&deletion->cli->arena, run->sweep_id)};
    return thing->id != NULL && thing->sweep_id != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static long long runs_of(const Besom__V1__Sweep *sweep)
{
    const Besom__V1__RunCounts *counts = sweep->counts;
    return counts == NULL
               ? 0
               : (long long)(entity_ended_runs(counts) + counts->pending + counts->running + counts->paused);
}

/* The id named no sweep. */
static int find_run(struct deletion *deletion, const char *id)
{
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.run_id = message_text(id);
    besom_status status = besom_run_get(deletion->client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return cli_fail(CLI_NOT_FOUND, "cannot delete %s: there is no such sweep or run (see besom ls)", id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot delete %s", id);
    return add_run(deletion, response->run);
}

static int find_thing(struct deletion *deletion, const char *text)
{
    const char *id = NULL;
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = id_argument(text, "sweep or run", &id);
    for (size_t i = 0; i < deletion->count && code == CLI_OK; i++)
        if (strcmp(deletion->things[i].id, id) == 0)
            return CLI_OK;
    if (code != CLI_OK)
        return code;
    request.sweep_id = message_text(id);
    besom_status status = besom_sweep_get(deletion->client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return find_run(deletion, id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot delete %s", id);
    deletion->things[deletion->count++] =
        (struct doomed){.is_sweep = true, .id = id, .runs = runs_of(response->sweep)};
    return CLI_OK;
}

static int find_named(struct deletion *deletion)
{
    const struct config_result *given = deletion->cli->given;
    int code = make_room(deletion, given->argument_count);
    for (size_t i = 0; i < given->argument_count && code == CLI_OK; i++)
        code = find_thing(deletion, given->arguments[i]);
    return code;
}

static int find_chosen(struct deletion *deletion, struct run_query *query)
{
    const struct config_result *given = deletion->cli->given;
    struct run_targets targets CLEANUP(run_targets_release) = {.runs = NULL};
    int code = run_targets_find(query, deletion->client, given->arguments, given->argument_count, &targets);
    if (code == CLI_OK)
        code = make_room(deletion, targets.count);
    for (size_t i = 0; i < targets.count && code == CLI_OK; i++)
        code = add_run(deletion, targets.runs[i]);
    return code;
}

static bool ask(const struct deletion *deletion)
{
    const struct doomed *first = &deletion->things[0];
    if (deletion->count > 1) {
        size_t sweeps = 0;
        for (size_t i = 0; i < deletion->count; i++)
            sweeps += deletion->things[i].is_sweep;
        return confirm_ask("Delete %zu run%s and %zu whole sweep%s with their metrics for good?",
                           deletion->count - sweeps, deletion->count - sweeps == 1 ? "" : "s", sweeps,
                           sweeps == 1 ? "" : "s");
    }
    if (first->is_sweep)
        return confirm_ask("Delete sweep %s with its %lld run%s for good?", first->id, first->runs,
                           first->runs == 1 ? "" : "s");
    return confirm_ask("Delete run %s with its metrics for good?", first->id);
}

/* A person is asked; a script says --yes when it means more than one. */
static int make_sure(const struct deletion *deletion)
{
    if (deletion->options->yes || deletion->count == 0)
        return CLI_OK;
    if (confirm_can_ask())
        return ask(deletion) ? CLI_OK : cli_fail(CLI_FAILED, "nothing was deleted");
    if (deletion->count == 1)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "delete: this deletes %zu %s (say --yes if it is meant)", deletion->count,
                    is_chosen(deletion) ? "runs" : "runs or sweeps");
}

static int delete_sweep(struct deletion *deletion, const struct doomed *thing)
{
    Besom__V1__DeleteSweepRequest request = BESOM__V1__DELETE_SWEEP_REQUEST__INIT;
    Besom__V1__DeleteSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(thing->id);
    request.force = deletion->options->force;
    if (besom_sweep_delete(deletion->client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot delete sweep %s", thing->id);
    return CLI_OK;
}

static int delete_run(struct deletion *deletion, const struct doomed *thing)
{
    Besom__V1__DeleteRunRequest request = BESOM__V1__DELETE_RUN_REQUEST__INIT;
    Besom__V1__DeleteRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(thing->sweep_id);
    request.run_id = message_text(thing->id);
    if (besom_run_delete(deletion->client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot delete run %s", thing->id);
    return CLI_OK;
}

/* Goes on after what cannot be deleted; the exit code is that of the first such. */
static int delete_all(struct deletion *deletion)
{
    struct meter meter = meter_make("deleted");
    int first = CLI_OK;
    for (size_t i = 0; i < deletion->count; i++) {
        const struct doomed *thing = &deletion->things[i];
        int code = thing->is_sweep ? delete_sweep(deletion, thing) : delete_run(deletion, thing);
        first = first == CLI_OK ? code : first;
        if (code == CLI_UNAVAILABLE || code == CLI_DENIED)
            break;
        if (code != CLI_OK)
            continue;
        deletion->deleted[thing->is_sweep][deletion->deleted_count[thing->is_sweep]++] = thing->id;
        if (!deletion->options->json && !is_chosen(deletion))
            cli_say("Deleted %s %s", thing->is_sweep ? "sweep" : "run", thing->id);
        meter_add(&meter, 1);
    }
    meter_end(&meter);
    return first;
}

static json_t *ids_json(const struct deletion *deletion, bool sweeps)
{
    json_t *array = json_array();
    for (size_t i = 0; i < deletion->deleted_count[sweeps]; i++)
        json_array_append_new(array, json_string(deletion->deleted[sweeps][i]));
    return array;
}

static int tell(const struct deletion *deletion)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    size_t count = deletion->deleted_count[0];
    if (deletion->options->json)
        return entity_print_json(json_pack("{s:I,s:o,s:o}", "deleted",
                                           (json_int_t)(count + deletion->deleted_count[1]), "run_ids",
                                           ids_json(deletion, false), "sweep_ids", ids_json(deletion, true)));
    if (!is_chosen(deletion))
        return CLI_OK;
    run_targets_append_ids(&text, deletion->deleted[0], count);
    cli_say("Deleted %zu run%s%s%s", count, count == 1 ? "" : "s", count > 0 ? ":" : "", buffer_text(&text));
    return CLI_OK;
}

static int run_delete(struct cli *cli, void *given)
{
    const struct delete_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    struct run_query query CLEANUP(run_query_release) = {.cli = NULL};
    struct deletion deletion = {.cli = cli, .options = options};
    int code = run_query_prepare(cli, "delete", &options->query, &query);
    const char *checked = NULL;
    for (size_t i = 0; i < cli->given->argument_count && code == CLI_OK; i++)
        code =
            id_argument(cli->given->arguments[i], is_chosen(&deletion) ? "sweep" : "sweep or run", &checked);
    if (code == CLI_OK)
        code = connection_open(&options->connection, &client);
    deletion.client = client;
    if (code == CLI_OK)
        code = is_chosen(&deletion) ? find_chosen(&deletion, &query) : find_named(&deletion);
    if (code == CLI_OK)
        code = make_sure(&deletion);
    if (code != CLI_OK)
        return code;
    code = delete_all(&deletion);
    int told = tell(&deletion);
    return code != CLI_OK ? code : told;
}

static const struct config_key keys[] = {
    {.name = "yes",
     .letter = 'y',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct delete_options, yes),
     .help = "do not ask"},
    {.name = "force",
     .letter = 'f',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct delete_options, force),
     .help = "also a sweep with running or paused runs: they are killed"},
    RUN_FILTER_KEY(struct delete_options),
    RUN_STATE_KEY(struct delete_options),
    JSON_KEY(struct delete_options),
    CONNECTION_KEYS(struct delete_options),
};

const struct cli_command cmd_delete = {
    .name = "delete",
    .group = "Change",
    .usage = "besom delete [--force] ID... | besom delete SWEEP --filter EXPR",
    .summary = "Delete sweeps, or ended runs, with their metrics for good\n"
               "An ID is a sweep's or a run's. With --filter or --state the arguments are sweeps, of which "
               "only the\n"
               "runs chosen are deleted. Asks on a terminal; elsewhere more than one needs --yes.",
    .footer = RUN_FILTER_HELP,
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct delete_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_delete,
};
