// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/compact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "services/common/ticker.h"
#include "services/controller/compact_attempt.h"
#include "services/controller/metrics.h"

#define INTERVAL_MS 1000
#define LOOKS_MAX 16      /* of one tick */
#define ATTEMPTS_MAX 1024 /* that one look judges */
#define TURNS_MAX 64      /* of one attempt between two looks */
#define WORKERS_MAX 4
#define POOL_SHARE 4 /* a worker for so many connections of the pool: requests have the others */

/* What is worth packing: a chunk or more of each metric, unless there are very many metrics. */
static const struct store_pack_rule rule = {COMPACT_CHUNK_MAX, COMPACT_POINTS_MAX};

struct due {
    char sweep_id[ID_SIZE], run_id[ID_SIZE];
    int32_t attempt;
    int turns;
};

struct compact {
    struct controller *controller;
    struct ticker *workers[WORKERS_MAX]; /* owned */
    int worker_count;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct due queue[ATTEMPTS_MAX]; /* lock; a ring */
    size_t first, waiting;          /* lock */
    struct due seen;                /* the last one that was looked at; first worker only */
};

/* ---- the queue ---- */

static bool pop(struct compact *compact, struct due *out)
{
    pthread_mutex_lock(&compact->lock);
    bool any = compact->waiting > 0 && !atomic_load(&compact->stopping);
    if (any) {
        *out = compact->queue[compact->first];
        compact->first = (compact->first + 1) % ATTEMPTS_MAX;
        compact->waiting--;
    }
    pthread_mutex_unlock(&compact->lock);
    return any;
}

/* What finds no room is found again by the next look. */
static void push(struct compact *compact, const struct due *due)
{
    pthread_mutex_lock(&compact->lock);
    if (compact->waiting < ATTEMPTS_MAX)
        compact->queue[(compact->first + compact->waiting++) % ATTEMPTS_MAX] = *due;
    pthread_mutex_unlock(&compact->lock);
}

static void pack_due(struct compact *compact)
{
    struct due due;
    while (pop(compact, &due)) {
        const struct store_compaction key = {due.sweep_id, due.run_id, due.attempt, true};
        struct err err = ERR_INIT;
        bool more;
        enum status status = compact_attempt(compact->controller->store, &key, &more, &err);
        controller_count(CONTROLLER_COMPACTIONS,
                         status == STATUS_OK ? OUTCOME_METRIC_DONE : OUTCOME_METRIC_FAILED);
        if (status != STATUS_OK)
            log_warn(CONTROLLER_LOG, "metrics_not_packed", LOG_TEXT("sweep", key.sweep_id),
                     LOG_TEXT("run", key.run_id), LOG_INT("attempt", key.attempt), LOG_ERR(&err));
        if (more && ++due.turns < TURNS_MAX)
            push(compact, &due);
    }
}

/* ---- looking ---- */

struct look {
    const struct store_compaction *after;
    struct store_compaction *found;
    size_t count;
};

static enum status list_attempts(struct store_tx *tx, void *context, struct err *err)
{
    struct look *look = context;
    return store_list_compactions(tx, look->after, ATTEMPTS_MAX, &rule, &look->found, &look->count, err);
}

static struct due make_due(const struct store_compaction *key)
{
    struct due due = {.attempt = key->attempt};
    (void)snprintf(due.sweep_id, sizeof due.sweep_id, "%s", key->sweep_id);
    (void)snprintf(due.run_id, sizeof due.run_id, "%s", key->run_id);
    return due;
}

/* Queues the next attempts that are due; *round: it was the inbox's last. */
static size_t look_on(struct compact *compact, bool *round)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    const struct store_compaction after = {compact->seen.sweep_id, compact->seen.run_id,
                                           compact->seen.attempt, false};
    struct look look = {.after = &after};
    struct err err = ERR_INIT;
    size_t due = 0;
    *round = true;
    if (store_read(compact->controller->store, &arena, list_attempts, &look, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "compactions_not_read", LOG_ERR(&err));
        return 0;
    }
    *round = look.count < ATTEMPTS_MAX;
    compact->seen = (struct due){.attempt = 0};
    if (!*round)
        compact->seen = make_due(&look.found[look.count - 1]);
    for (size_t i = 0; i < look.count; i++) {
        if (!look.found[i].due)
            continue;
        const struct due one = make_due(&look.found[i]);
        push(compact, &one);
        due++;
    }
    return due;
}

static void look_and_pack(void *context)
{
    struct compact *compact = context;
    bool round = false;
    for (int look = 0; look < LOOKS_MAX && !atomic_load(&compact->stopping); look++) {
        size_t due = look_on(compact, &round);
        for (int i = 1; i < compact->worker_count && (size_t)i < due; i++)
            ticker_wake(compact->workers[i]);
        pack_due(compact);
        if (due == 0 || round)
            return;
    }
}

static void help(void *context)
{
    pack_due(context);
}

/* ---- start and end ---- */

static int choose_workers(const struct controller *controller)
{
    int64_t count = controller->options->service.pool_size / POOL_SHARE;
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (int)count;
}

/* The first one last: it wakes the others. */
static enum status start_workers(struct compact *compact, struct err *err)
{
    for (int i = compact->worker_count - 1; i >= 0; i--)
        TRY(ticker_start("compact", INTERVAL_MS, i == 0 ? look_and_pack : help, compact, &compact->workers[i],
                         err));
    return STATUS_OK;
}

enum status compact_start(struct controller *controller, struct compact **out, struct err *err)
{
    struct compact *compact = calloc(1, sizeof *compact);
    *out = NULL;
    if (compact == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    compact->controller = controller;
    compact->worker_count = choose_workers(controller);
    pthread_mutex_init(&compact->lock, NULL);
    enum status status = start_workers(compact, err);
    if (status == STATUS_OK)
        *out = compact;
    else
        compact_stop(compact);
    return status;
}

void compact_stop(struct compact *compact)
{
    if (compact == NULL)
        return;
    atomic_store(&compact->stopping, true);
    for (int i = 0; i < compact->worker_count; i++)
        ticker_stop(compact->workers[i]);
    pthread_mutex_destroy(&compact->lock);
    free(compact);
}
