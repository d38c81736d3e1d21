/*
 * What the server's files share: methods, arriving calls, the live count that
 * a shutdown waits for, and the built-in services. Not for other modules.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_SERVER_INTERNAL_H
#define BESOM_RPC_SERVER_INTERNAL_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "rpc/credentials.h"
#include "rpc/event.h"
#include "rpc/server.h"

struct rpc_health;
struct rpc_reflection;

/* A method as served: the contract's row, its service, and the core's handle. */
struct rpc_entry {
    struct rpc_server *server;
    const struct rpc_method *method; /* NULL = any method that nobody registered */
    void *service;
    void *registered; /* the core's */
    void *observed;   /* the observer's */
};

/* Which call it is and since when. */
struct rpc_origin {
    int64_t begun_us; /* monotonic */
    char request_id[RPC_REQUEST_ID_MAX + 1];
};

/* A call that the core handed over. `core`, `metadata` and `payload` are owned until passed on. */
struct rpc_arrival {
    grpc_call *core;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
};

/* An armed request; armed again on each arrival until the server drains. */
struct rpc_slot {
    struct rpc_event event;
    struct rpc_entry *entry;
    struct rpc_arrival arrival;
    grpc_call_details details; /* of unregistered methods */
};

struct rpc_service_rows {
    const struct rpc_method *methods; /* borrowed */
    size_t count;
    void *service;
};

/* A call that stays: a stream, or a parked one. In the list of those from server_stay to server_unstay. */
struct rpc_stay {
    struct rpc_stay *next, **at; /* stays_lock; at NULL = not in the list */
    grpc_call *core;
    const struct rpc_identity *identity;
    bool ended; /* stays_lock: rpc_server_recheck ended it */
};

struct rpc_drain_callback {
    void (*run)(void *context);
    void *context;
};

#define RPC_SERVICES_MAX 64
#define RPC_DRAIN_MAX 32

struct rpc_server {
    /* fixed by rpc_server_new */
    char **addresses; /* owned, and each of them */
    size_t address_count;
    int *ports;                             /* owned */
    struct server_credentials *credentials; /* owned, one for each address */
    bool peer_names;                        /* client certificates are demanded */
    bool tls;
    int workers;
    size_t max_message_bytes, max_concurrent_calls, max_connection_streams, outbox_messages, outbox_bytes;
    int64_t keepalive_ms, handshake_timeout_ms;
    rpc_token_check *check;
    rpc_token_release *release; /* NULL without */
    void *check_context;
    struct rpc_observer observer;
    struct rpc_health *health;         /* owned */
    struct rpc_reflection *reflection; /* owned; NULL without */

    /* fixed by rpc_server_start */
    struct rpc_service_rows services[RPC_SERVICES_MAX];
    size_t service_count;
    struct rpc_entry *entries; /* owned; the last is the one for unregistered methods */
    size_t entry_count;
    struct rpc_slot *slots; /* owned */
    size_t slot_count;
    pthread_t *threads; /* owned */
    int thread_count;
    grpc_completion_queue *queue;
    grpc_server *core;

    struct rpc_drain_callback drains[RPC_DRAIN_MAX];
    size_t drain_count;

    atomic_bool draining;
    atomic_ullong calls, cancelled, refused, open; /* open changes under lock */
    atomic_size_t public_streams;                  /* open ones of methods without a token */

    pthread_mutex_t lock;
    pthread_cond_t idle;
    pthread_mutex_t stays_lock;
    struct rpc_stay *stays; /* stays_lock */

    size_t armed;      /* lock: slots that the core holds */
    bool core_is_down; /* lock */
    struct rpc_event core_down;
};

/* Counts a call in; false (counted all the same) when there are too many. */
bool server_call_enter(struct rpc_server *server);
/* A stream of a method that everybody may call begins or ends. False when too many are open, so that who has
 * no token cannot take the room of those who have one. */
bool server_public_enter(struct rpc_server *server);
void server_public_leave(struct rpc_server *server);
/* Tells who let the caller in that the call is over. */
void server_release(struct rpc_server *server, const struct rpc_identity *identity);
/* Tells the observer. */
void server_call_ended(const struct rpc_entry *entry, const struct rpc_origin *origin, enum status code);
/* What the client is told: `text`, and of an INTERNAL error, which is logged, the request too (in `shown`).
 */
const char *server_call_text(const struct rpc_entry *entry, const struct rpc_origin *origin, enum status code,
                             const char *text, char shown[ERR_TEXT_MAX]);
/* The call no longer touches the server; the caller must not either. */
void server_call_leave(struct rpc_server *server);

/* Enters a call into the list; `core` and `identity` live until it is taken out (twice is harmless). */
void server_stay(struct rpc_server *server, struct rpc_stay *stay, grpc_call *core,
                 const struct rpc_identity *identity);
void server_unstay(struct rpc_server *server, struct rpc_stay *stay);

/* Hands a slot to the core. */
void server_arm(struct rpc_slot *slot);
/* The completion of an armed slot. */
void server_on_arrival(struct rpc_event *event, bool ok);
/* Waits until the core, its slots and all calls are done, or timeout_ms (< 0 = for ever) has passed. */
bool server_wait_idle(struct rpc_server *server, int64_t timeout_ms);

/* Binds all addresses. UNAVAILABLE, INVALID, IO. */
enum status server_listen(struct rpc_server *server, struct err *err) MUST_USE;

/* Takes the call over: bounds, token, decoding, then the handler. */
void server_call_accept(struct rpc_entry *entry, struct rpc_arrival *arrival, const char *unknown_method);
/* Takes a checked call of a streaming kind over. `request` lives in `arena`; both pass to the stream, and so
 * does the release of an `admitted` identity. */
void server_stream_accept(struct rpc_entry *entry, grpc_call *core, const struct rpc_identity *identity,
                          bool admitted, const struct rpc_origin *origin, const ProtobufCMessage *request,
                          struct arena arena);

enum status health_new(struct rpc_health **out, struct err *err) MUST_USE;
void health_free(struct rpc_health *health);
void health_add(struct rpc_health *health, struct rpc_server *server);
void health_set(struct rpc_health *health, const char *service, bool serving);
/* Everything NOT_SERVING, for good; watches are told and ended. */
void health_drain(struct rpc_health *health);
/* True for Health.Check, which is answered even when the server is full. */
bool health_is_check(const struct rpc_method *method);

/* Copies the descriptors. INVALID. */
enum status reflection_new(const unsigned char *descriptor_set, size_t size, struct rpc_reflection **out,
                           struct err *err) MUST_USE;
void reflection_free(struct rpc_reflection *reflection);
void reflection_add(struct rpc_reflection *reflection, struct rpc_server *server);

#endif
