// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "db/store/runs.h"
#include "db/store/sweeps.h"
#include "tests/bench/acquire_finish.h"
#include "tests/bench/bench.h"

#define AGENT_ID_SIZE 17
#define LEASE_MS 60000
#define RUNS_PER_INSERT 1000
#define RUNS_PER_SECOND 8000 /* prepared; more than the database hands out */

struct filling {
    const char *sweep_id, *spec_json;
    int64_t count; /* of runs */
    int agents;
    int64_t epoch;
};

struct worker {
    pthread_t thread;
    struct store *store;
    const char *sweep_id;
    char agent_id[AGENT_ID_SIZE];
    atomic_bool *running;
    struct store_claim_key key;
    struct store_claim claim;
    struct store_finish end;
    long cycles;
};

static void transact(struct store *store, struct arena *arena, store_work *work, void *context)
{
    struct err err = ERR_INIT;
    if (store_transaction(store, arena, work, context, &err) != STATUS_OK)
        bench_fail("database", err.text);
}

/* ---- sweeps with full queues ---- */

static void name_agent(int number, char out[AGENT_ID_SIZE])
{
    (void)snprintf(out, AGENT_ID_SIZE, "direct%010u", (unsigned)number);
}

static enum status add_agents(struct store_tx *tx, const struct filling *filling, struct err *err)
{
    for (int i = 0; i < filling->agents; i++) {
        char agent_id[AGENT_ID_SIZE];
        name_agent(i, agent_id);
        const struct store_agent agent = {.sweep_id = filling->sweep_id,
                                          .agent_id = agent_id,
                                          .host = "bench",
                                          .features = "",
                                          .version = "",
                                          .slots = 1,
                                          .protocol = 1};
        TRY(store_register_agent(tx, &agent, err));
    }
    return STATUS_OK;
}

static enum status add_runs(struct store_tx *tx, const struct filling *filling, int64_t first, int64_t count,
                            bool last, struct err *err)
{
    static const unsigned char hash[32];
    struct store_new_run *runs = arena_calloc(store_tx_arena(tx), (size_t)count, sizeof *runs);
    int64_t inserted;
    if (runs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        char id[ID_SIZE];
        id_make(&random_system, id);
        runs[i] = (struct store_new_run){.run_id = arena_strdup(store_tx_arena(tx), id),
                                         .ordinal = first + i,
                                         .params_json = "{\"x\":0.5}",
                                         .why_json = "{}",
                                         .config_hash = hash};
    }
    return store_insert_runs(tx, filling->sweep_id, "bench", filling->epoch, 1, 0, false, runs, (size_t)count,
                             last, &inserted, err);
}

/* In one transaction, and exhausted at its end, so that no controller fills the queue as well. */
static enum status add_sweep(struct store_tx *tx, void *context, struct err *err)
{
    struct filling *filling = context;
    const char *existing;
    bool taken;
    const struct store_sweep_new sweep = {.sweep_id = filling->sweep_id,
                                          .project = "bench",
                                          .name = "bench",
                                          .method = "random",
                                          .metric = "loss",
                                          .program = "x",
                                          .file_name = "",
                                          .spec_json = filling->spec_json,
                                          .source = "",
                                          .seed = 1};
    TRY(store_create_sweep(tx, &sweep, &existing, err));
    TRY(add_agents(tx, filling, err));
    TRY(store_take_refill(tx, filling->sweep_id, "bench", 60000, &taken, &filling->epoch, err));
    for (int64_t first = 0; first < filling->count; first += RUNS_PER_INSERT) {
        int64_t left = filling->count - first;
        bool last = left <= RUNS_PER_INSERT;
        TRY(add_runs(tx, filling, first, last ? left : RUNS_PER_INSERT, last, err));
    }
    return STATUS_OK;
}

static enum status cancel_sweep(struct store_tx *tx, void *context, struct err *err)
{
    return store_set_sweep_state(tx, context, "canceled", "", err);
}

/* ---- the same two transactions ---- */

static enum status claim_one(struct store_tx *tx, void *context, struct err *err)
{
    struct worker *worker = context;
    struct store_claim_sweep sweep;
    return store_claim_runs(tx, worker->sweep_id, &worker->key, 1, LEASE_MS, &worker->claim, &sweep, err);
}

static enum status finish_one(struct store_tx *tx, void *context, struct err *err)
{
    const struct worker *worker = context;
    struct store_finish_result result;
    TRY(store_finish_runs(tx, &worker->end, 1, &result, err));
    return result.verdict == STORE_FINISH_DONE ? STATUS_OK
                                               : err_set(err, STATUS_INTERNAL, "a run did not end");
}

static void *cycle(void *argument)
{
    struct worker *worker = argument;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    for (; atomic_load(worker->running); worker->key.counter++) {
        transact(worker->store, &arena, claim_one, worker);
        if (worker->claim.verdict != STORE_CLAIM_RUN)
            bench_fail("straight", "the prepared runs are used up");
        char run_id[ID_SIZE];
        (void)snprintf(run_id, sizeof run_id, "%s", worker->claim.run_id);
        worker->end = (struct store_finish){.sweep_id = worker->sweep_id,
                                            .run_id = run_id,
                                            .agent_id = worker->agent_id,
                                            .attempt = worker->claim.attempt,
                                            .state = "finished",
                                            .end_reason = "",
                                            .error_text = "",
                                            .has_objective = true};
        transact(worker->store, &arena, finish_one, worker);
        worker->cycles++;
    }
    return NULL;
}

static double run_workers(struct worker *workers, int count, atomic_bool *running, int64_t ms)
{
    long cycles = 0;
    atomic_store(running, true);
    int64_t begin_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < count; i++)
        if (pthread_create(&workers[i].thread, NULL, cycle, &workers[i]) != 0)
            bench_fail("straight", "a thread was not started");
    bench_sleep_ms(ms);
    atomic_store(running, false);
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        cycles += workers[i].cycles;
    }
    return (double)cycles * 1e6 / (double)(clock_monotonic_us(&clock_system) - begin_us);
}

double straight_cycles(struct store *store, const char *spec_json, int connections, int sweeps, int64_t ms)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    char(*sweep_ids)[ID_SIZE] = calloc((size_t)sweeps, sizeof *sweep_ids);
    struct worker *workers = calloc((size_t)connections, sizeof *workers);
    atomic_bool running = false;
    if (sweep_ids == NULL || workers == NULL)
        bench_fail("straight", "out of memory");
    for (int i = 0; i < sweeps; i++) {
        id_make(&random_system, sweep_ids[i]);
        struct filling filling = {.sweep_id = sweep_ids[i],
                                  .spec_json = spec_json,
                                  .count = RUNS_PER_SECOND * (ms / 1000 + 1) / sweeps,
                                  .agents = connections};
        transact(store, &arena, add_sweep, &filling);
    }
    for (int i = 0; i < connections; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.store = store, .sweep_id = sweep_ids[i % sweeps], .running = &running};
        name_agent(i, worker->agent_id);
        worker->key.agent_id = worker->agent_id;
    }
    double rate = run_workers(workers, connections, &running, ms);
    for (int i = 0; i < sweeps; i++)
        transact(store, &arena, cancel_sweep, sweep_ids[i]);
    free(workers);
    free(sweep_ids);
    return rate;
}
