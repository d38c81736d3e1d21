/*
 * The tag of a core operation: what runs when it completes. Embedded in the
 * object that the operation belongs to.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_EVENT_H
#define BESOM_RPC_EVENT_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct rpc_event {
    void (*run)(struct rpc_event *event, bool ok);
};

/* The core hands memory from the thread that starts an operation to the one that gets its completion; the
 * thread sanitizer, which sees nothing of the core, is told. */
#if defined(__SANITIZE_THREAD__)
#define EVENT_HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EVENT_HAS_TSAN 1
#endif
#endif
#ifdef EVENT_HAS_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define EVENT_GIVE(tag) __tsan_release(tag)
#define EVENT_TAKE(tag) __tsan_acquire(tag)
#else
#define EVENT_GIVE(tag) ((void)(tag))
#define EVENT_TAKE(tag) ((void)(tag))
#endif

/* The object of type `type` whose `member` is `event`. */
#define EVENT_OWNER(event, type, member) ((type *)(void *)((char *)(event)-offsetof(type, member)))

/* Runs events until the queue is shut down and empty. */
static inline void event_loop(grpc_completion_queue *queue)
{
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        EVENT_TAKE(event.tag);
        ((struct rpc_event *)event.tag)->run(event.tag, event.success != 0);
    }
}

/* A batch that the core refuses is our bug: the operation's completion would never come. */
static inline void event_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_event *event)
{
    EVENT_GIVE(event);
    if (grpc_call_start_batch(call, ops, count, event, NULL) != GRPC_CALL_OK)
        abort();
}

#endif
