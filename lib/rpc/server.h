/*
 * gRPC server over the C core, with protobuf-c messages. This module is the
 * only user of gRPC: queues, tags, batches and shutdown order stay inside.
 *
 * Threads: `workers` threads serve one completion queue. A unary handler runs
 * on one of them and either answers before it returns or keeps the call and
 * answers later from any thread ("parks" it); a parked call holds no thread.
 * The callbacks of one stream never run at the same time, and on_close is the
 * last. Handlers may use the database (workers = pool size + 2).
 *
 * Inbound messages are uncompressed and at most max_message_bytes; malformed
 * ones, and texts that are not UTF-8 or hold a NUL, are refused with INVALID
 * before a handler sees them.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_SERVER_H
#define BESOM_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "rpc/tls_files.h"

struct rpc_server;
struct rpc_call;
struct rpc_stream;

enum rpc_kind { RPC_UNARY, RPC_CLIENT_STREAM, RPC_SERVER_STREAM, RPC_BIDI_STREAM };

/*
 * A unary handler answers exactly once, now or later, with rpc_call_reply or
 * rpc_call_fail. `request` lives in the call's arena until then.
 */
typedef void rpc_unary_handler(void *service, struct rpc_call *call, const ProtobufCMessage *request);

/* What a stream handler does. Unset callbacks are skipped. All get the stream. */
struct rpc_stream_handler {
    /* After the token check. For RPC_SERVER_STREAM `request` is the one request, else NULL. */
    void (*on_open)(void *service, struct rpc_stream *stream, const ProtobufCMessage *request);
    /* One inbound message, valid until return. The next is read only while there is credit. */
    void (*on_message)(void *service, struct rpc_stream *stream, const ProtobufCMessage *message);
    /* The peer sends no more. The default finishes the stream with OK. */
    void (*on_half_close)(void *service, struct rpc_stream *stream);
    /* The outbox fell to half of its bounds after it had refused a message. */
    void (*on_writable)(void *service, struct rpc_stream *stream);
    /* Always, once, last: finished by either side, cancelled, or connection lost. */
    void (*on_close)(void *service, struct rpc_stream *stream, bool cancelled);
};

struct rpc_method {
    const char *path; /* "/besom.v1.RunService/AcquireRun" */
    enum rpc_kind kind;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    unsigned access; /* handed to the token check; 0 = open to everybody (health, reflection) */
    rpc_unary_handler *unary;
    const struct rpc_stream_handler *stream;
};

/* Who calls. Filled by the token check, read by handlers. */
struct rpc_identity {
    char subject[64];  /* name of the token, or the certificate's common name */
    char token[16];    /* id of the token; "" = none */
    unsigned access;   /* bits granted */
    char project[256]; /* that the token is bound to; "" = any */
    char sweep[16];    /* likewise */
    int64_t retry_ms;  /* set with EXHAUSTED: when the caller may try again; 0 = not known */
};

/*
 * Checks one call. `token` is the text after "Bearer " or NULL; `peer_name` the verified certificate's common
 * name or NULL. Returns OK and fills `identity`, or UNAUTHENTICATED, DENIED, EXHAUSTED, UNAVAILABLE. Called
 * on worker threads before the message is decoded; it may ask the database like a handler, but rarely.
 */
typedef enum status rpc_token_check(void *context, const char *token, const char *peer_name, unsigned access,
                                    struct rpc_identity *identity, struct err *err);

/*
 * The end of a call or stream that the check let in, once for each. Any thread; must be quick, and calls
 * nothing of this module.
 */
typedef void rpc_token_release(void *context, const struct rpc_identity *identity);

/*
 * Told of every call when it begins and when it ends: answered, refused, or closed as a stream. Any thread;
 * must not block. `handle` is what `method` gave for the call's method.
 */
struct rpc_observer {
    /* At the start, for each method that is served, and NULL for calls of unknown ones. */
    void *(*method)(void *context, const struct rpc_method *method);
    void (*begun)(void *handle);
    void (*ended)(void *handle, enum status code, int64_t duration_us);
    void *context;
};

struct rpc_tls {
    const char *certificate_pem; /* chain; NULL = plaintext */
    const char *key_pem;
    const char *client_ca_pem; /* NULL = client certificates not asked for; set = demanded and verified */
    struct tls_files *files;   /* instead of all these; handshakes use what is in them now. Borrowed */
};

struct rpc_server_options {
    const char *const *addresses; /* "127.0.0.1:7070", "[::1]:0", "unix:/path"; at least one */
    size_t address_count;
    struct rpc_tls tls;            /* for TCP addresses; unix sockets are always plaintext */
    int workers;                   /* >= 2; 0 = 4 */
    size_t max_message_bytes;      /* either way; 0 = 4 MiB */
    size_t max_concurrent_calls;   /* open unary calls and streams together; 0 = 20000. Beyond:
                                      RESOURCE_EXHAUSTED. Streams that everybody may open: a hundredth of it */
    size_t max_connection_streams; /* HTTP/2 streams of one connection; 0 = 1000 */
    size_t stream_outbox_messages; /* bound of a stream's outbox; 0 = 64 */
    size_t stream_outbox_bytes;    /* likewise, but for a message that is alone; 0 = 256 KiB */
    int64_t keepalive_ms;          /* ping interval of idle connections; 0 = 30 s */
    int64_t handshake_timeout_ms;  /* connections that say nothing are closed after it; 0 = 20 s */
    rpc_token_check *check;        /* NULL = everybody, with every access bit (tests only) */
    rpc_token_release *release;    /* of who was let in; NULL = none */
    void *check_context;
    struct rpc_observer observer; /* all NULL = none */
    const unsigned char
        *descriptor_set; /* serialised FileDescriptorSet for reflection; NULL = no reflection */
    size_t descriptor_set_size;
};

/* Binds nothing yet. IO, INVALID. */
enum status rpc_server_new(const struct rpc_server_options *options, struct rpc_server **out,
                           struct err *err) MUST_USE;

/* Adds a service's methods before rpc_server_start; `methods` must outlive the server. */
void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *service);

/* Another check than the options', before rpc_server_start; `release` may be NULL. */
void rpc_server_set_check(struct rpc_server *server, rpc_token_check *check, rpc_token_release *release,
                          void *context);

/* Whether who has been let in may stay. Must be quick, and calls nothing of this module. */
typedef enum status rpc_identity_check(void *context, const struct rpc_identity *identity, struct err *err);
/* Asks about everybody who has a stream or a parked call open; ends the calls of those who are refused with
 * the error, as if they were cancelled (on_cancel, on_close). Any thread, while the server is there. How
 * many. */
size_t rpc_server_recheck(struct rpc_server *server, rpc_identity_check *check, void *context);

/* Binds and serves. UNAVAILABLE when an address is taken (never shared), IO. Health is NOT_SERVING until set.
 */
enum status rpc_server_start(struct rpc_server *server, struct err *err) MUST_USE;

/* The port bound for addresses[index] (0 for unix sockets). */
int rpc_server_port(const struct rpc_server *server, size_t index);

/* Health of `service` ("" = the whole server, "live" for liveness, "besom.v1.RunService", ...). */
void rpc_server_set_health(struct rpc_server *server, const char *service, bool serving);

/*
 * Drains: health NOT_SERVING, no new calls, on_drain callbacks below run, calls get grace_ms to end, then are
 * cancelled. Returns when every call has ended. Once.
 */
void rpc_server_shutdown(struct rpc_server *server, int64_t grace_ms);

/* Called at the start of a shutdown, so that services can end their parked calls and long streams. */
void rpc_server_on_drain(struct rpc_server *server, void (*callback)(void *context), void *context);

/* After rpc_server_shutdown (or a failed start). NULL is fine. */
void rpc_server_free(struct rpc_server *server);

/* Figures for metrics endpoints and tests. */
struct rpc_server_stats {
    uint64_t calls, cancelled, refused; /* since start; refused = RESOURCE_EXHAUSTED by the bounds above */
    uint64_t open;                      /* calls and streams now */
};
struct rpc_server_stats rpc_server_stats(const struct rpc_server *server);

/* ---- request ids ---- */

/*
 * Each call has an id: the client's "x-request-id" or one that the server makes. While a handler or callback
 * of a call runs, it is the thread's log_request; whoever goes on with the call on another thread sets it
 * there. The text of an INTERNAL error names it.
 */
#define RPC_REQUEST_ID_MAX 64
/* A new one, for work that no call asked for. */
void rpc_request_id_make(char out[RPC_REQUEST_ID_MAX + 1]);

/* ---- unary calls ---- */

/* Packs `response` and sends it with OK; the call is gone for the caller. Any thread. */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response);

/* Ends the call with the error's gRPC status and text (and google.rpc.Status details). Any thread. */
void rpc_call_fail(struct rpc_call *call, const struct err *err);

/* Memory of this call, freed after the answer. One thread at a time. */
struct arena *rpc_call_arena(struct rpc_call *call);

const struct rpc_identity *rpc_call_identity(const struct rpc_call *call);

/* Lives as long as the call. */
const char *rpc_call_request_id(const struct rpc_call *call);

/* Milliseconds until the caller's deadline; INT64_MAX without one; <= 0 when past. */
int64_t rpc_call_remaining_ms(const struct rpc_call *call);

/*
 * `callback` runs (on a worker, once) when the caller cancels, its deadline passes or its connection breaks
 * before the answer; the call must still be answered exactly once. Set it before parking. When the call is
 * cancelled already it runs at once. It is not called after rpc_call_reply/fail began.
 */
void rpc_call_on_cancel(struct rpc_call *call, void (*callback)(void *context, struct rpc_call *call),
                        void *context);

/* ---- streams ---- */

/* Queues one message; EXHAUSTED when the outbox is full (on_writable follows), CANCELLED when closing. Any
 * thread. */
enum status rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message) MUST_USE;

/* Ends the stream after what is queued was sent; `err` NULL = OK. Later calls do nothing. Any thread. */
void rpc_stream_finish(struct rpc_stream *stream, const struct err *err);

/* A new stream may read 1 message; each call adds `messages` that may be read. Without calls to
 * rpc_stream_hold_credit credit is refilled by itself after each on_message. Any thread. */
void rpc_stream_add_credit(struct rpc_stream *stream, unsigned messages);

/* From on_open: turns the automatic refill off; the service adds credit when there is room. Starts with
 * `initial`. */
void rpc_stream_hold_credit(struct rpc_stream *stream, unsigned initial);

/* The service's own state for the stream; freed by it in on_close. */
void rpc_stream_set_context(struct rpc_stream *stream, void *context);
void *rpc_stream_context(const struct rpc_stream *stream);

const struct rpc_identity *rpc_stream_identity(const struct rpc_stream *stream);

/* A reference lets another thread use send/finish/add_credit after on_close (they then do nothing). */
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
