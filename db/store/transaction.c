// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "db/store/internal.h"

#define BACKOFF_FIRST_US 2000
#define BACKOFF_MOST_US 250000

struct arena *store_tx_arena(struct store_tx *tx)
{
    return tx->arena;
}

/* Between half and all of the doubled pause. The first try after a loss comes at once. */
static void back_off(int tries, bool lost)
{
    if (lost && tries == 1)
        return;
    int64_t pause_us = BACKOFF_FIRST_US;
    for (int i = 1; i < tries && pause_us < BACKOFF_MOST_US; i++)
        pause_us *= 2;
    if (pause_us > BACKOFF_MOST_US)
        pause_us = BACKOFF_MOST_US;
    pause_us = pause_us / 2 + (int64_t)random_below(&random_system, (uint64_t)pause_us / 2);
    struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)pause_us * 1000};
    nanosleep(&pause, NULL);
}

static enum status connect_once(struct store_tx *tx, struct err *err)
{
    struct connection *connection = tx->connection;
    if (connection->pg != NULL)
        return STATUS_OK;
    enum status status;
    connection->pg = connection_open(tx->store->url, tx->store->application_name, &status, err);
    if (connection->pg == NULL) {
        tx->failed = tx->lost = true;
        tx->again = status == STATUS_UNAVAILABLE;
    } else {
        atomic_fetch_add(&tx->store->connected, 1);
    }
    return status;
}

static enum status end_statement(struct store_tx *tx, const char *statement, const char *expected,
                                 struct err *err)
{
    PGresult *answer = PQexec(tx->connection->pg, statement);
    bool done = PQresultStatus(answer) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(answer), expected) == 0;
    enum status status = STATUS_OK;
    if (!done) {
        struct failure failure = sqlstate_classify(PQresultErrorField(answer, PG_DIAG_SQLSTATE));
        bool swallowed = PQresultStatus(answer) == PGRES_COMMAND_OK;
        tx->failed = true;
        tx->lost = PQstatus(tx->connection->pg) != CONNECTION_OK;
        tx->again = !swallowed && (tx->lost || failure.kind != FAILURE_REFUSED);
        status = swallowed ? err_set(err, STATUS_INTERNAL, "%s: a failed statement was ignored", statement)
                           : err_set(err, tx->lost ? STATUS_UNAVAILABLE : failure.status, "%s: %s", statement,
                                     PQerrorMessage(tx->connection->pg));
    }
    PQclear(answer);
    return status;
}

static void roll_back(struct store_tx *tx)
{
    struct err ignored = ERR_INIT;
    bool again = tx->again;
    if (tx->begun && !tx->lost && end_statement(tx, "ROLLBACK", "ROLLBACK", &ignored) != STATUS_OK)
        tx->lost = true;
    tx->again = again;
}

/* One try on one connection. */
static enum status try_once(struct store_tx *tx, store_work *work, void *context, struct err *err)
{
    TRY(connect_once(tx, err));
    enum status status = work(tx, context, err);
    if (status == STATUS_OK && tx->failed)
        status = err_set(err, STATUS_INTERNAL, "a failed statement was ignored");
    if (status == STATUS_OK && tx->begun)
        return end_statement(tx, "COMMIT", "COMMIT", err);
    if (status != STATUS_OK)
        roll_back(tx);
    return status;
}

static enum status attempt(struct store_tx *tx, store_work *work, void *context, struct err *err)
{
    const struct store_observer *observer = &tx->store->observer;
    int64_t begun_us = clock_monotonic_us(&clock_system);
    enum status status = pool_acquire(&tx->store->pool, &tx->connection, err);
    if (observer->waited != NULL)
        observer->waited(observer->context, clock_monotonic_us(&clock_system) - begun_us);
    if (status != STATUS_OK)
        return status;
    arena_reset(tx->arena);
    status = try_once(tx, work, context, err);
    if (tx->lost)
        pool_discard(&tx->store->pool, tx->connection);
    else
        pool_release(&tx->store->pool, tx->connection);
    return status;
}

static enum status run_tries(struct store *store, struct arena *arena, bool read_only, store_work *work,
                             void *context, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms(&clock_system) + store->retry_ms;
    atomic_fetch_add(&store->transactions, 1);
    for (int tries = 1;; tries++) {
        struct store_tx tx = {.store = store, .arena = arena, .read_only = read_only};
        enum status status = attempt(&tx, work, context, err);
        if (status == STATUS_OK)
            return status;
        if (!tx.again || clock_monotonic_ms(&clock_system) >= deadline_ms) {
            if (tx.failed)
                atomic_fetch_add(&store->failures, 1);
            return status;
        }
        atomic_fetch_add(&store->retries, 1);
        log_debug("store", "transaction_retried", LOG_INT("tries", tries), LOG_ERR(err));
        back_off(tries, tx.lost);
    }
}

static enum status run(struct store *store, struct arena *arena, bool read_only, store_work *work,
                       void *context, struct err *err)
{
    struct err unwanted;
    int64_t begun_us = clock_monotonic_us(&clock_system);
    enum status status = run_tries(store, arena, read_only, work, context, err != NULL ? err : &unwanted);
    if (store->observer.done != NULL)
        store->observer.done(store->observer.context, read_only, status,
                             clock_monotonic_us(&clock_system) - begun_us);
    return status;
}

enum status store_transaction(struct store *store, struct arena *arena, store_work *work, void *context,
                              struct err *err)
{
    return run(store, arena, false, work, context, err);
}

enum status store_read(struct store *store, struct arena *arena, store_work *work, void *context,
                       struct err *err)
{
    return run(store, arena, true, work, context, err);
}
