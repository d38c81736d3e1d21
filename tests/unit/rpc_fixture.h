/*
 * A running echo server and a channel to it, for the tests of lib/rpc.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_TESTS_RPC_FIXTURE_H
#define BESOM_TESTS_RPC_FIXTURE_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "rpc_echo.h"

struct fixture {
    struct echo echo;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[64]; /* of the server, as a client gives it */
};

/* Starts a server as `options` says (addresses: a free port of 127.0.0.1 when there are none), and a plain
 * channel. */
void fixture_start(struct fixture *fixture, struct rpc_server_options options);
void fixture_stop(struct fixture *fixture, int64_t grace_ms);

/* cmocka group teardown. */
int fixture_end_process(void **state);

/* One unary echo; the answer is freed. */
enum status fixture_echo(struct rpc_channel *channel, const struct rpc_client_method *method,
                         const char *text, struct err *err);

/* An asynchronous result that a test waits for. */
struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done;       /* lock */
    unsigned messages;   /* lock */
    unsigned writable;   /* lock */
    unsigned last_count; /* lock: of the last message */
    char text[4096];     /* lock: of the last message */
    struct err err;      /* lock: valid when done */
};

void outcome_init(struct outcome *outcome);
void outcome_destroy(struct outcome *outcome);
bool outcome_wait(struct outcome *outcome, const unsigned *counter, unsigned value);
/* An rpc_async_done; the context is the outcome. */
void outcome_done(void *context, const ProtobufCMessage *response, const struct err *err);
/* Fills an outcome. */
extern const struct rpc_client_stream_handler outcome_stream;

#endif
