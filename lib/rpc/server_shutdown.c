// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/log.h"
#include "rpc/server_internal.h"

#define PUBLIC_SHARE 100
#define PUBLIC_STREAMS_MIN 8

bool server_call_enter(struct rpc_server *server)
{
    atomic_fetch_add_explicit(&server->calls, 1, memory_order_relaxed);
    return atomic_fetch_add(&server->open, 1) < server->max_concurrent_calls;
}

bool server_public_enter(struct rpc_server *server)
{
    size_t most = server->max_concurrent_calls / PUBLIC_SHARE;
    if (atomic_fetch_add(&server->public_streams, 1) <
        (most > PUBLIC_STREAMS_MIN ? most : PUBLIC_STREAMS_MIN))
        return true;
    server_public_leave(server);
    return false;
}

void server_public_leave(struct rpc_server *server)
{
    atomic_fetch_sub(&server->public_streams, 1);
}

void server_release(struct rpc_server *server, const struct rpc_identity *identity)
{
    if (server->release != NULL)
        server->release(server->check_context, identity);
}

void server_call_leave(struct rpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    if (atomic_fetch_sub(&server->open, 1) == 1)
        pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

static bool is_idle(struct rpc_server *server)
{
    return server->core_is_down && server->armed == 0 && atomic_load(&server->open) == 0;
}

bool server_wait_idle(struct rpc_server *server, int64_t timeout_ms)
{
    int64_t end = clock_monotonic_ms(&clock_system) + timeout_ms;
    pthread_mutex_lock(&server->lock);
    while (!is_idle(server)) {
        int64_t left = timeout_ms < 0 ? 1000 : end - clock_monotonic_ms(&clock_system);
        if (left <= 0)
            break;
        clock_cond_wait(&server->idle, &server->lock, left);
    }
    bool idle = is_idle(server);
    pthread_mutex_unlock(&server->lock);
    return idle;
}

static void on_core_down(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_server *server = EVENT_OWNER(event, struct rpc_server, core_down);
    pthread_mutex_lock(&server->lock);
    server->core_is_down = true;
    pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

static void run_drain_callbacks(struct rpc_server *server)
{
    for (size_t i = 0; i < server->drain_count; i++)
        server->drains[i].run(server->drains[i].context);
}

/* The core asserts when a queue is shut down while a call can still start an operation: hence the live count.
 */
static void stop_core(struct rpc_server *server)
{
    grpc_completion_queue_shutdown(server->queue);
    for (int i = 0; i < server->thread_count; i++)
        pthread_join(server->threads[i], NULL);
    if (server->thread_count == 0)
        event_loop(server->queue);
    grpc_server_destroy(server->core);
    grpc_completion_queue_destroy(server->queue);
    server->core = NULL;
    server->queue = NULL;
}

void rpc_server_shutdown(struct rpc_server *server, int64_t grace_ms)
{
    if (server->core == NULL)
        return;
    atomic_store(&server->draining, true);
    health_drain(server->health);
    run_drain_callbacks(server);
    server->core_down.run = on_core_down;
    EVENT_GIVE(&server->core_down);
    grpc_server_shutdown_and_notify(server->core, server->queue, &server->core_down);
    if (!server_wait_idle(server, grace_ms > 0 ? grace_ms : 0)) {
        log_warn("rpc", "grace_over", LOG_INT("open", atomic_load(&server->open)));
        grpc_server_cancel_all_calls(server->core);
        server_wait_idle(server, -1);
    }
    stop_core(server);
}

/* After a failed start: nothing was armed or accepted. */
static void drop_unstarted(struct rpc_server *server)
{
    server->core_down.run = on_core_down;
    EVENT_GIVE(&server->core_down);
    grpc_server_shutdown_and_notify(server->core, server->queue, &server->core_down);
    stop_core(server);
}

static void free_slots(struct rpc_server *server)
{
    for (size_t i = 0; i < server->slot_count; i++)
        grpc_metadata_array_destroy(&server->slots[i].arrival.metadata);
    free(server->slots);
}

void rpc_server_free(struct rpc_server *server)
{
    if (server == NULL)
        return;
    if (server->core != NULL)
        drop_unstarted(server);
    free_slots(server);
    reflection_free(server->reflection);
    health_free(server->health);
    for (size_t i = 0; i < server->address_count; i++) {
        credentials_server_clear(&server->credentials[i]);
        free(server->addresses[i]);
    }
    free(server->credentials);
    free(server->addresses);
    free(server->ports);
    free(server->entries);
    free(server->threads);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->stays_lock);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
