/*
 * The run socket: where the command logs. Accepts connections, cuts lines,
 * keeps each connection's open row, hands all to the batcher, answers what
 * asks, tells of stops. Belongs to the shim's loop.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_SOCKET_H
#define BESOM_AGENT_RUN_SOCKET_H

#include <stdbool.h>

#include "attempt.h"
#include "base/err.h"
#include "batcher.h"
#include "loop.h"
#include "row.h"

struct run_socket;

struct run_socket_options {
    const char *path;
    const struct attempt_spec *spec; /* what questions are answered from */
    struct loop *loop;
    struct batcher *batcher;
    struct row_steps *steps;
    /* After lines were taken in: batches may be due now. */
    void (*on_input)(void *context);
    void *context;
};

/* What `options` points to must outlive it. IO, NO_MEMORY. */
enum status run_socket_new(const struct run_socket_options *options, struct run_socket **out,
                           struct err *err) MUST_USE;

/* Sends {"stop": reason} on every connection, those to come too. */
void run_socket_announce_stop(struct run_socket *socket, const char *reason);

/* Stops or goes on reading, as the batcher has room. */
void run_socket_hold(struct run_socket *socket, bool hold);

/* Reads what the command left behind in the connections. After its end. */
void run_socket_drain(struct run_socket *socket);

/* The run said that it is being preempted. */
bool run_socket_preempting(const struct run_socket *socket);

/* The exit code that the run said it ends with, 0 when it said none, and why: "" = not said. */
int run_socket_exit_code(const struct run_socket *socket, const char **text);

void run_socket_free(struct run_socket *socket);

#endif
