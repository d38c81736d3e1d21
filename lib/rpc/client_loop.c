// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include "rpc/client_internal.h"

#define IDLE_QUEUES 64u

/* The process's client side: one event thread for all channels, and idle queues of blocking calls. */
static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    grpc_completion_queue *events;            /* lock; NULL until needed */
    grpc_completion_queue *idle[IDLE_QUEUES]; /* lock */
    unsigned idle_count;                      /* lock */
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *run_events(void *queue)
{
    event_loop(queue);
    return NULL;
}

grpc_completion_queue *client_loop_queue(void)
{
    pthread_mutex_lock(&loop.lock);
    if (loop.events == NULL) {
        loop.events = grpc_completion_queue_create_for_next(NULL);
        if (pthread_create(&loop.thread, NULL, run_events, loop.events) != 0)
            abort(); /* no call could ever be completed */
    }
    grpc_completion_queue *queue = loop.events;
    pthread_mutex_unlock(&loop.lock);
    return queue;
}

grpc_completion_queue *client_loop_borrow(void)
{
    grpc_completion_queue *queue = NULL;
    pthread_mutex_lock(&loop.lock);
    if (loop.idle_count > 0)
        queue = loop.idle[--loop.idle_count];
    pthread_mutex_unlock(&loop.lock);
    return queue != NULL ? queue : grpc_completion_queue_create_for_pluck(NULL);
}

static void destroy_plucked(grpc_completion_queue *queue)
{
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
}

void client_loop_return(grpc_completion_queue *queue)
{
    pthread_mutex_lock(&loop.lock);
    if (loop.idle_count < IDLE_QUEUES) {
        loop.idle[loop.idle_count++] = queue;
        queue = NULL;
    }
    pthread_mutex_unlock(&loop.lock);
    if (queue != NULL)
        destroy_plucked(queue);
}

void client_loop_stop(void)
{
    pthread_mutex_lock(&loop.lock);
    grpc_completion_queue *events = loop.events;
    loop.events = NULL;
    while (loop.idle_count > 0)
        destroy_plucked(loop.idle[--loop.idle_count]);
    pthread_mutex_unlock(&loop.lock);
    if (events == NULL)
        return;
    grpc_completion_queue_shutdown(events);
    pthread_join(loop.thread, NULL);
    grpc_completion_queue_destroy(events);
}
