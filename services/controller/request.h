/*
 * The frame of every unary call: decode → check → run → respond. A plan names
 * the parts; `check` sees only the message, `run` is one transaction (and is
 * run again as a whole when it conflicts), `after` follows the commit.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_REQUEST_H
#define BESOM_CONTROLLER_REQUEST_H

#include "services/controller/controller.h"

struct request {
    struct controller *controller;
    struct rpc_call *call;
    const void *message;              /* of the method's request type */
    const ProtobufCMessage *response; /* set by run; lives in the transaction's arena */
    struct arena *kept;               /* lives as long as the call; for what `check` prepares */
    void *state;                      /* from check to run and after */
    const char *woken;                /* sweep to wake after the commit, NULL = none */
};

struct request_plan {
    enum status (*check)(struct request *request, struct err *err); /* may be NULL */
    enum status (*run)(struct store_tx *tx, struct request *request, struct err *err);
    bool read_only;
    void (*after)(struct request *request);   /* may be NULL */
    void (*release)(struct request *request); /* frees `state`; whatever happened; may be NULL */
};

/* Carries the plan out and answers the call. */
void request_serve(void *controller, struct rpc_call *call, const ProtobufCMessage *message,
                   const struct request_plan *plan);

/* A handler for the method table: REQUEST_HANDLER(get_sweep) uses `get_sweep_plan`. */
#define REQUEST_HANDLER(name)                                                                \
    void serve_##name(void *service, struct rpc_call *call, const ProtobufCMessage *message) \
    {                                                                                        \
        request_serve(service, call, message, &name##_plan);                                 \
    }

/* Fails the call and logs what is our own fault. */
void request_fail(struct rpc_call *call, const struct err *err);

/* Whether a token reaches a sweep of that project. */
bool request_reaches(const struct rpc_identity *identity, const char *sweep_id, const char *project);
/* NOT_FOUND, as if there were no such sweep, when the caller's token is bound to another one or another
 * project; may read the database. */
enum status request_allow(struct controller *controller, const struct rpc_identity *identity,
                          const char *sweep_id, struct err *err) MUST_USE;
/* NOT_FOUND when the caller's token is bound to another project, or to a sweep: then nothing can be made.
 * Says nothing of whether the project exists. */
enum status request_allow_project(const struct rpc_identity *identity, const char *project,
                                  struct err *err) MUST_USE;

/* INVALID when it is no id of a sweep or run. */
enum status request_check_id(const char *what, const char *id, struct err *err) MUST_USE;
/* Both for a call about one sweep: it is an id, and the caller's token reaches it. */
enum status request_check_sweep(const struct request *request, const char *sweep_id,
                                struct err *err) MUST_USE;

#endif
