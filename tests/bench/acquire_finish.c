// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * AcquireRun + FinishRun cycles per second of 64 concurrent agents, each on a connection of its own, through
 * a running controller, over those of the same two transactions sent straight to its database over as many
 * connections as its pool has. The controller's side pays for the refill of its queue, too.
 *
 *     bench_acquire_finish [SECONDS [ROUNDS [CONNECTIONS [SWEEPS]]]]
 *
 * Sides alternate; the medians' ratio counts. Both commit synchronously, which is checked. Agents (or
 * connections) are spread over the sweeps.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/store/sweeps.h"
#include "tests/bench/acquire_finish.h"
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"
#include "tests/bench/database.h"

#define AGENTS 64
#define CONNECTIONS_MAX 64
#define SWEEPS_MAX 16
#define WARM_UP_MS 1500 /* the queue learns the pace, second by second */
#define WAIT_MS 10000
#define TIMEOUT_MS 30000
#define GOAL 0.5

static const char sweep_file[] = "method: random\nprogram: x\nmetric: {name: loss}\nparameters:\n"
                                 "  x: {distribution: uniform, min: 0, max: 1}\n";

struct agent {
    besom_client *client;
    const char *sweep_id;
    char agent_id[CALLS_AGENT_ID_SIZE], run_id[ID_SIZE];
    int64_t counter;
    int32_t attempt;
};

static struct agent agents[AGENTS];
static atomic_bool running;
static atomic_long cycles;
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle_changed = PTHREAD_COND_INITIALIZER;
static int busy_agents; /* idle_lock */

static void acquire(struct agent *agent);

static void go_idle(void)
{
    pthread_mutex_lock(&idle_lock);
    busy_agents--;
    pthread_cond_signal(&idle_changed);
    pthread_mutex_unlock(&idle_lock);
}

static void go_on(struct agent *agent)
{
    if (atomic_load(&running))
        acquire(agent);
    else
        go_idle();
}

static void finished(void *context, const void *response, const besom_error *error)
{
    const Besom__V1__FinishRunResponse *answer = response;
    struct agent *agent = context;
    if (answer == NULL)
        bench_fail("FinishRun", error->text);
    if (answer->verdict_case != BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE || answer->done->superseded)
        bench_fail("FinishRun", "the run did not end");
    agent->counter++;
    atomic_fetch_add(&cycles, 1);
    go_on(agent);
}

static void finish(struct agent *agent)
{
    Besom__V1__FinishRunRequest request = BESOM__V1__FINISH_RUN_REQUEST__INIT;
    request.sweep_id = (char *)(uintptr_t)agent->sweep_id;
    request.run_id = agent->run_id;
    request.agent_id = agent->agent_id;
    request.attempt = agent->attempt;
    request.end_class = BESOM__V1__END_CLASS__END_CLASS_EXITED;
    besom_call *call = besom_run_finish_async(agent->client, &request, TIMEOUT_MS, finished, agent);
    if (call == NULL)
        bench_fail("FinishRun", "out of memory");
    besom_call_free(call);
}

static void acquired(void *context, const void *response, const besom_error *error)
{
    struct agent *agent = context;
    const Besom__V1__AcquireRunResponse *answer = response;
    if (answer == NULL)
        bench_fail("AcquireRun", error->text);
    if (answer->verdict_case == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_WAIT) {
        go_on(agent);
        return;
    }
    if (answer->verdict_case != BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN)
        bench_fail("AcquireRun", "the sweep has no runs any more");
    (void)snprintf(agent->run_id, sizeof agent->run_id, "%s", answer->run->run_id);
    agent->attempt = answer->run->attempt;
    finish(agent);
}

static void acquire(struct agent *agent)
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    request.sweep_id = (char *)(uintptr_t)agent->sweep_id;
    request.agent_id = agent->agent_id;
    request.counter = agent->counter;
    request.wait_ms = WAIT_MS;
    besom_call *call = besom_run_acquire_async(agent->client, &request, TIMEOUT_MS, acquired, agent);
    if (call == NULL)
        bench_fail("AcquireRun", "out of memory");
    besom_call_free(call);
}

static void await_idle(void)
{
    pthread_mutex_lock(&idle_lock);
    while (busy_agents > 0)
        pthread_cond_wait(&idle_changed, &idle_lock);
    pthread_mutex_unlock(&idle_lock);
}

static double count_cycles(int64_t ms)
{
    busy_agents = AGENTS;
    atomic_store(&running, true);
    for (int i = 0; i < AGENTS; i++)
        acquire(&agents[i]);
    bench_sleep_ms(WARM_UP_MS);
    atomic_store(&cycles, 0);
    int64_t begin_us = clock_monotonic_us(&clock_system);
    bench_sleep_ms(ms);
    double done = (double)atomic_load(&cycles);
    double seconds = (double)(clock_monotonic_us(&clock_system) - begin_us) / 1e6;
    atomic_store(&running, false);
    await_idle();
    return done / seconds;
}

static double served_cycles(int sweeps, int64_t ms)
{
    static char sweep_ids[SWEEPS_MAX][ID_SIZE];
    for (int i = 0; i < sweeps; i++)
        calls_create_sweep(agents[0].client, sweep_file, sweep_ids[i]);
    for (int i = 0; i < AGENTS; i++) {
        agents[i].sweep_id = sweep_ids[i % sweeps];
        agents[i].counter = 0;
        calls_register_agent(agents[i].client, agents[i].sweep_id, i, agents[i].agent_id);
    }
    double rate = count_cycles(ms);
    for (int i = 0; i < sweeps; i++)
        calls_cancel_sweep(agents[0].client, sweep_ids[i]);
    return rate;
}

/* ---- both ---- */

static enum status read_spec(struct store_tx *tx, void *context, struct err *err)
{
    const char **sweep_then_spec = context;
    struct store_spec spec;
    TRY(store_get_spec(tx, sweep_then_spec[0], 1, &spec, err));
    sweep_then_spec[1] = spec.json;
    return STATUS_OK;
}

/* The spec that the controller makes of the sweep file. */
static char *make_spec(struct store *store)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    char sweep_id[ID_SIZE];
    calls_create_sweep(agents[0].client, sweep_file, sweep_id);
    const char *sweep_then_spec[2] = {sweep_id, NULL};
    if (store_read(store, &arena, read_spec, (void *)sweep_then_spec, &err) != STATUS_OK)
        bench_fail("database", err.text);
    calls_cancel_sweep(agents[0].client, sweep_id);
    return strdup(sweep_then_spec[1]);
}

static double compare(struct store *store, PGconn *watcher, int connections, int sweeps, int64_t ms,
                      int rounds)
{
    double straight[BENCH_ROUNDS_MAX], served[BENCH_ROUNDS_MAX];
    char *spec_json = make_spec(store);
    if (spec_json == NULL)
        bench_fail("database", "out of memory");
    for (int i = 0; i < rounds; i++) {
        straight[i] = straight_cycles(store, spec_json, connections, sweeps, ms);
        served[i] = served_cycles(sweeps, ms);
        (void)printf("cycles/s: %.0f through the controller, %.0f straight, ratio %.2f\n", served[i],
                     straight[i], served[i] / straight[i]);
    }
    free(spec_json);
    if (database_pool_in_use(watcher) > connections)
        bench_fail("connections", "the controller's pool has more");
    return bench_median(served, rounds) / bench_median(straight, rounds);
}

int main(int argc, char *argv[])
{
    static char name[32] = "acquire_finish";
    bench_begin(name);
    int64_t ms = (int64_t)(1000 * bench_argument(argc, argv, 1, 4, 0.1, 600));
    int rounds = (int)bench_argument(argc, argv, 2, 3, 1, BENCH_ROUNDS_MAX);
    int connections = (int)bench_argument(argc, argv, 3, 8, 1, CONNECTIONS_MAX);
    int sweeps = (int)bench_argument(argc, argv, 4, 1, 1, SWEEPS_MAX);
    if (sweeps > 1)
        (void)snprintf(name, sizeof name, "acquire_finish/%d", sweeps);
    const struct store_options options = {.url = database_url(), .pool_size = connections};
    struct store *store;
    struct err err = ERR_INIT;
    PGconn *watcher = database_connect();
    database_check_durable(watcher);
    if (store_open(&options, &store, &err) != STATUS_OK)
        bench_fail("database", err.text);
    for (int i = 0; i < AGENTS; i++)
        agents[i].client = calls_connect();
    (void)printf("%d agents, %d connections, %d sweep%s\n", AGENTS, connections, sweeps,
                 sweeps > 1 ? "s" : "");
    double ratio = compare(store, watcher, connections, sweeps, ms, rounds);
    for (int i = 0; i < AGENTS; i++)
        besom_client_free(agents[i].client);
    PQfinish(watcher);
    store_close(store);
    return bench_at_least(ratio, "of the limit", GOAL);
}
