/*
 * The line between an agent and a shim: a unix SEQPACKET socket, so that each
 * message is one struct and arrives whole or not at all. Both ends are the
 * same program on the same machine; `version` guards an upgrade of the binary
 * while shims run.
 *
 *   agent → shim   ACKNOWLEDGED a = sequence            segments up to it may go
 *                  STOP, KILL   a = generation, b = enum end_cause, text = reason
 *                  SIGNAL       a = number              forwarded to the command's group
 *                  LEASE        a = milliseconds        on_disconnect: stop
 *   shim → agent   SEQUENCE     a = last in the spool   also the greeting
 *                  TAKEN        a = generation          the order is being carried out
 *                  EXITED                               exit.json is there
 *                  TROUBLE      text = what keeps the run's data from the disk, "" = it is over
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_CONTROL_H
#define BESOM_AGENT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CONTROL_VERSION 1

enum control_kind {
    CONTROL_ACKNOWLEDGED = 1,
    CONTROL_STOP,
    CONTROL_KILL,
    CONTROL_SIGNAL,
    CONTROL_LEASE,
    CONTROL_SEQUENCE,
    CONTROL_TAKEN,
    CONTROL_EXITED,
    CONTROL_TROUBLE
};

/* Who ended a command. Written into exit.json by number. */
enum end_cause {
    END_CAUSE_NONE = 0,      /* nobody: it ended by itself */
    END_CAUSE_DIRECTED = 1,  /* a directive of the controller */
    END_CAUSE_USER = 2,      /* the agent's user */
    END_CAUSE_PREEMPTED = 3, /* the machine goes away */
    END_CAUSE_ORPHANED = 4,  /* no agent for lost_after */
    END_CAUSE_LEASE = 5,     /* on_disconnect: stop, and the lease ran out */
    END_CAUSE_SUPERSEDED = 6 /* another attempt has taken over */
};

struct control_message {
    uint32_t version;
    uint32_t kind;
    int64_t a, b;
    char text[232];
};

/* Sockets listening at / connected to `path` (non-blocking, close-on-exec). IO; UNAVAILABLE when nobody
 * listens. */
enum status control_listen(const char *path, int *out, struct err *err) MUST_USE;
enum status control_connect(const char *path, int *out, struct err *err) MUST_USE;

/* False when the peer is gone or does not read. `text` may be NULL. */
bool control_send(int fd, enum control_kind kind, int64_t a, int64_t b, const char *text);

/* 1 = a message, 0 = nothing now, -1 = the peer is gone or speaks another version. */
int control_receive(int fd, struct control_message *out);

/* A unix stream socket listening at `path`. IO. */
enum status control_listen_stream(const char *path, int *out, struct err *err) MUST_USE;

#endif
