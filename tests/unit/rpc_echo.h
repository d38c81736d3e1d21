/*
 * The service of proto/echo.proto, for tests and benchmarks: one object that
 * counts what happens to it, and the client's side of its methods.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_TESTS_RPC_ECHO_H
#define BESOM_TESTS_RPC_ECHO_H

#include <pthread.h>
#include <stdatomic.h>

#include "echo.pb-c.h"
#include "rpc/client.h"
#include "rpc/server.h"

#define ECHO_ACCESS 1u
#define ECHO_ADMIN 2u

struct echo_parked;

struct echo {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct echo_parked *parked;                             /* lock */
    unsigned parked_count;                                  /* lock */
    unsigned cancels;                                       /* lock: parked calls that were cancelled */
    bool draining;                                          /* lock */
    unsigned opened, closed, closed_cancelled, half_closed; /* lock: streams */
    unsigned messages;                                      /* lock: inbound, on all streams */
    unsigned overlaps;                /* lock: callbacks of one stream at the same time */
    unsigned sent, refused, writable; /* lock: of streams that spread */
    unsigned flaky_failures;          /* lock */
    struct rpc_stream *held;          /* lock; a reference to the last stream with MODE_HOLD */
};

void echo_init(struct echo *echo);
void echo_destroy(struct echo *echo);

/* Adds the methods and the drain callback. */
void echo_serve(struct echo *echo, struct rpc_server *server);

/* Waits until the counter is at least `value`; false after ten seconds. */
bool echo_wait(struct echo *echo, const unsigned *counter, unsigned value);
unsigned echo_read(struct echo *echo, const unsigned *counter);

/* A reference to the stream of the last MODE_HOLD, once there is one; NULL after ten seconds. */
struct rpc_stream *echo_held(struct echo *echo);

/* Answers every parked call. */
void echo_release(struct echo *echo);

extern const struct rpc_client_method echo_unary, echo_unary_again, echo_collect, echo_spread, echo_chat,
    echo_admin, echo_unknown;
extern const unsigned char echo_proto_descriptor_set[];
extern const size_t echo_proto_descriptor_set_size;

#endif
