// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *bench_name = "bench";

void bench_begin(const char *name)
{
    bench_name = name;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

_Noreturn void bench_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_%s: %s: %s\n", bench_name, what, why);
    exit(2);
}

void bench_sleep_ms(int64_t ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

double bench_argument(int argc, char *const argv[], int index, double otherwise, double least, double most)
{
    if (index >= argc)
        return otherwise;
    char *end;
    double value = strtod(argv[index], &end);
    if (end == argv[index] || *end != '\0' || !(value >= least && value <= most))
        bench_fail("argument out of range", argv[index]);
    return value;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int verdict(double value, const char *unit, const char *side, double goal, bool met)
{
    (void)printf("%s %.2f %s (goal at %s %.2f) %s\n", bench_name, value, unit, side, goal,
                 met ? "ok" : "missed");
    return met ? 0 : 1;
}

int bench_at_least(double value, const char *unit, double goal)
{
    return verdict(value, unit, "least", goal, value >= goal);
}

int bench_at_most(double value, const char *unit, double goal)
{
    return verdict(value, unit, "most", goal, value <= goal);
}

besom_client *bench_connect(void)
{
    besom_client *client;
    besom_error error;
    if (besom_client_new(NULL, &client, &error) != BESOM_OK)
        bench_fail("controller", error.text);
    return client;
}

void bench_create_sweep(besom_client *client, const char *text, char out[ID_SIZE])
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

void bench_cancel_sweep(besom_client *client, const char *sweep_id)
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

void bench_delete_sweep(besom_client *client, const char *sweep_id)
{
    Besom__V1__DeleteSweepRequest request = BESOM__V1__DELETE_SWEEP_REQUEST__INIT;
    Besom__V1__DeleteSweepResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)sweep_id;
    if (besom_sweep_delete(client, &request, &response, &error) != BESOM_OK)
        bench_fail("DeleteSweep", error.text);
    besom_message_free(response);
}

void bench_register_agent(besom_client *client, const char *sweep_id, int number,
                          char out[BENCH_AGENT_ID_SIZE])
{
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    Besom__V1__RegisterAgentResponse *response;
    besom_error error;
    (void)snprintf(out, BENCH_AGENT_ID_SIZE, "bench%011u", (unsigned)number);
    request.agent_id = out;
    request.sweep_id = (char *)(uintptr_t)sweep_id;
    request.host = (char *)(uintptr_t) "bench";
    request.slots = 1;
    request.protocol_min = request.protocol_max = 1;
    if (besom_agent_register(client, &request, &response, &error) != BESOM_OK)
        bench_fail("RegisterAgent", error.text);
    besom_message_free(response);
}
