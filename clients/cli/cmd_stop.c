// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "resolve.h"

struct stop_options {
    struct connection_options connection;
    bool json;
};

static int run_stop(struct cli *cli, void *given)
{
    const struct stop_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetRunResponse *found CLEANUP(message_release) = NULL;
    Besom__V1__StopRunRequest request = BESOM__V1__STOP_RUN_REQUEST__INIT;
    Besom__V1__StopRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = resolve_run(&options->connection, cli->given->arguments[0], &client, &found);
    if (code != CLI_OK)
        return code;
    request.sweep_id = found->run->sweep_id;
    request.run_id = found->run->run_id;
    if (!options->json)
        cli_say("Stopping run %s", request.run_id);
    if (besom_run_stop(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot stop run %s", request.run_id);
    if (options->json)
        return entity_print_json(entity_run_json(response->run));
    cli_say("Done.");
    return CLI_OK;
}

static const struct config_key keys[] = {
    JSON_KEY(struct stop_options),
    CONNECTION_KEYS(struct stop_options),
};

const struct cli_command cmd_stop = {
    .name = "stop",
    .group = "Change",
    .usage = "besom stop RUN",
    .summary =
        "Stop one run\n"
        "Its command gets SIGTERM, and SIGKILL after the grace time. `besom sweep --stop` stops a sweep.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct stop_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_stop,
};
