// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "connection.h"
#include "resolve.h"

struct delete_options {
    struct connection_options connection;
    bool force;
};

static int delete_run(besom_client *client, const char *id, const Besom__V1__Run *run)
{
    Besom__V1__DeleteRunRequest request = BESOM__V1__DELETE_RUN_REQUEST__INIT;
    Besom__V1__DeleteRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = run->sweep_id;
    request.run_id = run->run_id;
    if (besom_run_delete(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot delete run %s", id);
    cli_say("Deleted run %s", id);
    return CLI_OK;
}

/* The id named no sweep. */
static int try_run(besom_client *client, const char *id)
{
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.run_id = message_text(id);
    besom_status status = besom_run_get(client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return cli_fail(CLI_NOT_FOUND, "cannot delete %s: there is no such sweep or run (see besom ls)", id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot delete %s", id);
    return delete_run(client, id, response->run);
}

static int run_delete(struct cli *cli, void *given)
{
    const struct delete_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__DeleteSweepRequest request = BESOM__V1__DELETE_SWEEP_REQUEST__INIT;
    Besom__V1__DeleteSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    const char *id = NULL;
    int code = id_argument(cli->given->arguments[0], "sweep or run", &id);
    if (code == CLI_OK)
        code = connection_open(cli, &options->connection, &client);
    if (code != CLI_OK)
        return code;
    request.sweep_id = message_text(id);
    request.force = options->force;
    besom_status status = besom_sweep_delete(client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return try_run(client, id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot delete sweep %s", id);
    cli_say("Deleted sweep %s", id);
    return CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "force",
     .letter = 'f',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct delete_options, force),
     .help = "also a sweep with running runs: they are killed"},
    CONNECTION_KEYS(struct delete_options),
};

const struct cli_command cmd_delete = {
    .name = "delete",
    .group = "Change",
    .usage = "besom delete [--force] ID",
    .summary = "Delete a sweep, or an ended run, with its metrics for good",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct delete_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_delete,
};
