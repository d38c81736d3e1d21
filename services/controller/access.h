/*
 * Who calls the controller: tokens of files and tokens of the database, how
 * often each may call, and how long what was read of it counts. A token that is
 * in use costs no query per call: one query every 1.5 s reads all of them again,
 * and a call for which that did not happen for 5 s reads its own. So a token
 * counts no longer than 5 s after it was revoked; streams and parked calls of
 * one that is revoked or has expired are ended by the same look, and stay
 * while the database is away. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_ACCESS_H
#define BESOM_CONTROLLER_ACCESS_H

#include "rpc/server.h"
#include "services/common/token_text.h"
#include "services/common/tokens.h"
#include "services/controller/gate.h"

struct access;

struct access_options {
    struct store *store;
    struct gate *gate;
    struct rpc_server *server;     /* whose open calls are looked at; NULL = none */
    const struct token_set *files; /* tokens that are in no database */
    const struct token_keys *keys;
    int64_t rate;  /* calls a second of each token; 0 = any number */
    int64_t burst; /* calls at once after a pause */
    int64_t open;  /* calls and streams of a token open at a time; 0 = any number */
};

/* What is in the options must outlive it. NO_MEMORY, IO. */
enum status access_start(const struct access_options *options, struct access **out, struct err *err) MUST_USE;
void access_stop(struct access *access);

/* The check of an rpc server; `context` is the access. UNAUTHENTICATED, DENIED, EXHAUSTED with a hint in the
 * identity, UNAVAILABLE when the token must be read and the database is away. */
enum status access_check(void *context, const char *token, const char *peer_name, unsigned roles,
                         struct rpc_identity *identity, struct err *err);

/* The release that goes with it: one call of the token has ended. */
void access_release(void *context, const struct rpc_identity *identity);

/* The token was changed: it is read again, and its open calls are looked at, now. */
void access_forget(struct access *access, const char *token_id);

struct access_stats {
    uint64_t refused; /* no token, or one that does not count */
    uint64_t limited; /* too many calls, in a second or at a time */
    uint64_t reads;   /* tokens read for a call that waited for it */
};
struct access_stats access_stats(struct access *access);

#endif
