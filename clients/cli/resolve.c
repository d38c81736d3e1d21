// SPDX-License-Identifier: GPL-3.0-or-later
#include "resolve.h"

#include <stdint.h>

char *message_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

int resolve_run(const struct connection_options *options, const char *text, besom_client **client,
                Besom__V1__GetRunResponse **run)
{
    const char *id = NULL;
    int code = id_argument(text, "run", &id);
    if (code == CLI_OK)
        code = connection_open(options, client);
    if (code != CLI_OK)
        return code;
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    request.run_id = message_text(id);
    if (besom_run_get(*client, &request, run, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read run %s", id);
    if ((*run)->run == NULL)
        return cli_fail(CLI_FAILED, "cannot read run %s: the answer is empty", id);
    return CLI_OK;
}

int resolve_sweep(const struct connection_options *options, const char *text, besom_client **client,
                  const char **sweep_id)
{
    int code = id_argument(text, "sweep", sweep_id);
    return code == CLI_OK ? connection_open(options, client) : code;
}

int resolve_read(besom_client *client, const char *sweep_id, Besom__V1__GetSweepResponse **out)
{
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(sweep_id);
    if (besom_sweep_get(client, &request, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read sweep %s", sweep_id);
    if ((*out)->sweep == NULL)
        return cli_fail(CLI_FAILED, "cannot read sweep %s: the answer is empty", sweep_id);
    return CLI_OK;
}

int resolve_whole_sweep(const struct connection_options *options, const char *text, besom_client **client,
                        Besom__V1__GetSweepResponse **out)
{
    const char *sweep_id = NULL;
    int code = resolve_sweep(options, text, client, &sweep_id);
    return code == CLI_OK ? resolve_read(*client, sweep_id, out) : code;
}
