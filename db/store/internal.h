/*
 * What the files of this folder share: connections, the pool, and one
 * transaction with its retry marks. A connection belongs to one thread
 * between pool_acquire and pool_release; the pool's lock guards the rest.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_INTERNAL_H
#define BESOM_DB_STORE_INTERNAL_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "db/store/store.h"
#include "queries.h"

/* ---- sqlstate.c ---- */

enum failure_kind {
    FAILURE_REFUSED,  /* the statement was wrong or not possible: tell the caller */
    FAILURE_CONFLICT, /* a concurrent transaction won: run it again */
    FAILURE_AWAY,     /* the database is not there or gives no connection: run it again */
    FAILURE_STALE     /* this session's cached plans are: run it again on another connection */
};
struct failure {
    enum failure_kind kind;
    enum status status;
};
/* NULL (no SQLSTATE: libpq's own errors) is a lost connection. */
struct failure sqlstate_classify(const char *sqlstate);

/* ---- connection.c ---- */

struct connection {
    PGconn *pg; /* owned; NULL when not connected */
    bool prepared[QUERY_COUNT];
    bool in_use;         /* pool lock */
    uint64_t generation; /* of the pool when connected */
};
/* INVALID for a malformed url. */
enum status connection_check_url(const char *url, struct err *err) MUST_USE;
/* A new session with this project's settings; on failure NULL, UNAVAILABLE or what the server said. */
PGconn *connection_open(const char *url, const char *application_name, enum status *status, struct err *err);
void connection_close(struct connection *connection);
/* False when the server closed it meanwhile. No round trip. */
bool connection_is_alive(struct connection *connection);

/* ---- pool.c ---- */

struct waiter;
struct pool {
    pthread_mutex_t lock;
    struct connection *connections; /* owned; pool lock for `in_use` */
    int size;
    struct waiter *first, *last; /* FIFO; pool lock */
    uint64_t generation; /* pool lock; goes up when a connection is lost: older ones are checked no more */
    int64_t wait_ms;
};
enum status pool_init(struct pool *pool, int size, int64_t wait_ms, struct err *err) MUST_USE;
void pool_free(struct pool *pool);
/* A connection for this thread alone, connected or not. EXHAUSTED after wait_ms. */
enum status pool_acquire(struct pool *pool, struct connection **out, struct err *err) MUST_USE;
void pool_release(struct pool *pool, struct connection *connection);
/* Closes it, and makes every other connection be opened anew. */
void pool_discard(struct pool *pool, struct connection *connection);
void pool_count(struct pool *pool, int *open, int *busy);

/* ---- store.c, transaction.c ---- */

struct store {
    char *url, *application_name; /* owned */
    bool unprepared;
    int64_t retry_ms;
    struct pool pool;
    struct store_observer observer;
    atomic_uint_fast64_t transactions, retries, failures, connected;
};

struct store_tx {
    struct store *store;
    struct connection *connection;
    struct arena *arena;
    bool read_only;
    bool begun;
    bool failed; /* a statement failed: only ROLLBACK is left */
    bool again;  /* the failure is one that another try can cure */
    bool lost;   /* the connection is of no use any more */
};

#endif
