// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/calls.h"

#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"

besom_client *calls_connect(void)
{
    besom_client *client;
    besom_error error;
    if (besom_client_new(NULL, &client, &error) != BESOM_OK)
        bench_fail("controller", error.text);
    return client;
}

void calls_create_sweep(besom_client *client, const char *text, char out[ID_SIZE])
{
    Besom__V1__CreateSweepRequest request = BESOM__V1__CREATE_SWEEP_REQUEST__INIT;
    Besom__V1__CreateSweepResponse *response;
    besom_error error;
    request.source.data = (uint8_t *)(uintptr_t)text;
    request.source.len = strlen(text);
    if (besom_sweep_create(client, &request, &response, &error) != BESOM_OK)
        bench_fail("CreateSweep", error.text);
    (void)snprintf(out, ID_SIZE, "%s", response->sweep->sweep_id);
    besom_message_free(response);
}

void calls_cancel_sweep(besom_client *client, const char *sweep_id)
{
    Besom__V1__ChangeSweepRequest request = BESOM__V1__CHANGE_SWEEP_REQUEST__INIT;
    Besom__V1__ChangeSweepResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)sweep_id;
    request.action = BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_CANCEL;
    if (besom_sweep_change(client, &request, &response, &error) != BESOM_OK)
        bench_fail("ChangeSweep", error.text);
    besom_message_free(response);
}

void calls_delete_sweep(besom_client *client, const char *sweep_id)
{
    Besom__V1__DeleteSweepRequest request = BESOM__V1__DELETE_SWEEP_REQUEST__INIT;
    Besom__V1__DeleteSweepResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)sweep_id;
    if (besom_sweep_delete(client, &request, &response, &error) != BESOM_OK)
        bench_fail("DeleteSweep", error.text);
    besom_message_free(response);
}

void calls_register_agent(besom_client *client, const char *sweep_id, int number,
                          char out[CALLS_AGENT_ID_SIZE])
{
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    Besom__V1__RegisterAgentResponse *response;
    besom_error error;
    (void)snprintf(out, CALLS_AGENT_ID_SIZE, "bench%011u", (unsigned)number);
    request.agent_id = out;
    request.sweep_id = (char *)(uintptr_t)sweep_id;
    request.host = (char *)(uintptr_t) "bench";
    request.slots = 1;
    request.protocol_min = request.protocol_max = 1;
    if (besom_agent_register(client, &request, &response, &error) != BESOM_OK)
        bench_fail("RegisterAgent", error.text);
    besom_message_free(response);
}
