// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/store/internal.h"

struct waiter {
    pthread_cond_t cond;
    struct connection *given; /* pool lock; handed over by the releasing thread */
    struct waiter *next;
};

enum status pool_init(struct pool *pool, int size, int64_t wait_ms, struct err *err)
{
    *pool = (struct pool){.size = size, .wait_ms = wait_ms};
    pool->connections = calloc((size_t)size, sizeof *pool->connections);
    if (pool->connections == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %d connections", size);
    pthread_mutex_init(&pool->lock, NULL);
    return STATUS_OK;
}

void pool_free(struct pool *pool)
{
    for (int i = 0; i < pool->size; i++)
        connection_close(&pool->connections[i]);
    free(pool->connections);
    pthread_mutex_destroy(&pool->lock);
}

/* A free one, rather an open one. */
static struct connection *find_free(struct pool *pool)
{
    struct connection *closed = NULL;
    for (int i = 0; i < pool->size; i++) {
        struct connection *connection = &pool->connections[i];
        if (connection->in_use)
            continue;
        if (connection->pg != NULL)
            return connection;
        if (closed == NULL)
            closed = connection;
    }
    return closed;
}

static void leave_queue(struct pool *pool, struct waiter *gone)
{
    struct waiter *before = NULL;
    for (struct waiter *w = pool->first; w != gone; w = w->next)
        before = w;
    if (before == NULL)
        pool->first = gone->next;
    else
        before->next = gone->next;
    if (pool->last == gone)
        pool->last = before;
}

static struct connection *wait_in_queue(struct pool *pool)
{
    struct waiter self = {.given = NULL};
    clock_cond_init(&self.cond);
    if (pool->last == NULL)
        pool->first = &self;
    else
        pool->last->next = &self;
    pool->last = &self;
    int64_t deadline_ms = clock_monotonic_ms(&clock_system) + pool->wait_ms;
    while (self.given == NULL) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms(&clock_system);
        if (left_ms <= 0) {
            leave_queue(pool, &self);
            break;
        }
        clock_cond_wait(&self.cond, &pool->lock, left_ms);
    }
    pthread_cond_destroy(&self.cond);
    return self.given;
}

enum status pool_acquire(struct pool *pool, struct connection **out, struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    struct connection *connection = pool->first == NULL ? find_free(pool) : NULL;
    if (connection != NULL)
        connection->in_use = true;
    else
        connection = wait_in_queue(pool);
    uint64_t generation = pool->generation;
    pthread_mutex_unlock(&pool->lock);
    if (connection == NULL)
        return err_set(err, STATUS_EXHAUSTED, "no free database connection within %lld ms (all %d are busy)",
                       (long long)pool->wait_ms, pool->size);
    if (connection->pg != NULL && (connection->generation != generation || !connection_is_alive(connection)))
        connection_close(connection);
    connection->generation = generation;
    *out = connection;
    return STATUS_OK;
}

void pool_release(struct pool *pool, struct connection *connection)
{
    pthread_mutex_lock(&pool->lock);
    struct waiter *next = pool->first;
    if (next == NULL) {
        connection->in_use = false;
    } else {
        pool->first = next->next;
        if (pool->first == NULL)
            pool->last = NULL;
        next->given = connection;
        pthread_cond_signal(&next->cond);
    }
    pthread_mutex_unlock(&pool->lock);
}

void pool_discard(struct pool *pool, struct connection *connection)
{
    bool was_open = connection->pg != NULL;
    connection_close(connection);
    pthread_mutex_lock(&pool->lock);
    /* One loss of many at once (a restart) counts once. A session that was refused says nothing of the
     * others. */
    if (was_open && connection->generation == pool->generation)
        pool->generation++;
    pthread_mutex_unlock(&pool->lock);
    pool_release(pool, connection);
}

void pool_count(struct pool *pool, int *open, int *busy)
{
    *open = *busy = 0;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->size; i++) {
        *busy += pool->connections[i].in_use;
        *open += pool->connections[i].in_use || pool->connections[i].pg != NULL;
    }
    pthread_mutex_unlock(&pool->lock);
}
