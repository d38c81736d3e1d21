/*
 * The only user of libpq: a bounded pool of connections, transactions that
 * are run again as a whole, and (in the other headers of this folder) one
 * function per query of db/queries. Thread-safe. Queries run inside a
 * transaction on the calling thread; results live in the caller's arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_STORE_H
#define BESOM_DB_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct store;
struct store_tx;

/* What a caller may see: "" = no bound; a sweep bounds more than a project. */
struct store_reach {
    const char *project, *sweep_id;
};

/* Told of each transaction. Any thread; must not block. */
struct store_observer {
    /* How long it waited for a connection of the pool; each try. */
    void (*waited)(void *context, int64_t wait_us);
    /* With all its tries and waits. */
    void (*done)(void *context, bool read_only, enum status status, int64_t duration_us);
    void *context;
};

struct store_options {
    const char *url;              /* conninfo or postgresql:// URI */
    const char *application_name; /* shown in pg_stat_activity */
    int pool_size;                /* most connections; 0 = 8 */
    bool unprepared;              /* no prepared statements (PgBouncer in transaction mode before 1.21) */
    int64_t wait_ms;              /* longest wait for a free connection; 0 = 10 s */
    int64_t
        retry_ms; /* how long a transaction is tried again after conflicts and lost connections; 0 = 5 s */
    struct store_observer observer; /* all NULL = none */
};

/* Opens connections lazily. UNAVAILABLE never: the first transaction tells. INVALID for a malformed url. */
enum status store_open(const struct store_options *options, struct store **out, struct err *err) MUST_USE;
void store_close(struct store *store);

/*
 * Runs `work` between BEGIN and COMMIT (read committed). When it returns CONFLICT (serialization failure,
 * deadlock, unique race) or the connection is lost, the whole transaction is run again with jittered backoff
 * until retry_ms is over; a lost COMMIT counts as lost, so `work` must be idempotent. When it returns
 * anything else but OK: ROLLBACK, and that status. `work` sees a reset arena in each try.
 */
typedef enum status store_work(struct store_tx *tx, void *context, struct err *err);
enum status store_transaction(struct store *store, struct arena *arena, store_work *work, void *context,
                              struct err *err) MUST_USE;
/* As store_transaction, but READ ONLY. */
enum status store_read(struct store *store, struct arena *arena, store_work *work, void *context,
                       struct err *err) MUST_USE;

/* The arena of the transaction, for results. */
struct arena *store_tx_arena(struct store_tx *tx);

/* The schema is there, not older than this binary needs, and does not refuse it as too old. PRECONDITION says
 * which and what to do ("run besom-controller migrate"). */
enum status store_check_schema(struct store *store, struct err *err) MUST_USE;

/* A constraint's definition as PostgreSQL prints it, such as runs_state_check's list of states. NOT_FOUND. */
enum status store_get_constraint(struct store_tx *tx, const char *name, const char **definition,
                                 struct err *err) MUST_USE;

/* Applies what is missing under an advisory lock, connecting directly; two at once are harmless. *applied
 * counts. */
enum status store_migrate(const char *url, int *applied, struct err *err) MUST_USE;

struct store_stats {
    int open, busy, size;
    uint64_t transactions, retries, failures;
    uint64_t connected; /* connections opened since the start */
};
struct store_stats store_stats(struct store *store);

/* ---- wake-ups (LISTEN/NOTIFY), each replica on a connection of its own ---- */

struct store_listener;
/* Connects when first waited on, and again after losses. */
enum status store_listener_new(const char *url, struct store_listener **out, struct err *err) MUST_USE;
void store_listener_free(struct store_listener *listener);
/*
 * Waits up to timeout_ms for wake-ups on channel besom_wake and calls `heard` for each payload. *reconnected
 * is set when notifications may have been missed (first connection, or a new one): the caller then looks
 * everywhere. UNAVAILABLE when the database is away (returns after a backoff).
 */
enum status store_listener_wait(struct store_listener *listener, int64_t timeout_ms,
                                void (*heard)(void *context, const char *payload), void *context,
                                bool *reconnected, struct err *err) MUST_USE;
/* From another thread: makes the wait return now. */
void store_listener_interrupt(struct store_listener *listener);
/* Sends one NOTIFY in a transaction of its own; payload at most 7999 bytes: who sends it, then the ids of
 * sweeps to look at or "*" for all, blanks between. */
enum status store_wake(struct store *store, const char *payload, struct err *err) MUST_USE;

#endif
