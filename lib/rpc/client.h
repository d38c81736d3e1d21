/*
 * gRPC client over the C core. A channel connects by itself, again after a
 * failure (100-500 ms apart), and may be used by many threads at once. All
 * channels of a process share one event thread, which runs the callbacks:
 * they must not wait for other callbacks (blocking calls are fine, but hold
 * up the rest).
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_CLIENT_H
#define BESOM_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"
#include "rpc/tls_files.h"

struct rpc_channel;
struct rpc_client_stream;

struct rpc_channel_options {
    const char *address;         /* "host:port" or "unix:/path" */
    const char *token;           /* sent as "authorization: Bearer ..."; NULL = none */
    bool tls;                    /* TLS to a TCP address; ignored for unix sockets */
    const char *ca_pem;          /* NULL = the system's roots */
    const char *certificate_pem; /* client certificate for mTLS; NULL = none */
    const char *key_pem;
    struct tls_files *files; /* instead of these three; a new connection uses what is in them now. Borrowed */
    const char *server_name; /* name expected in the server's certificate; NULL = the address's host */
    bool insecure;           /* lets a token go over TCP without TLS; otherwise that is DENIED */
    size_t max_message_bytes;           /* 0 = 16 MiB */
    int64_t keepalive_ms;               /* 0 = 30 s */
    const struct random_source *random; /* for jitter; NULL = random_system */
};

/* Connects lazily. INVALID (address, certificates), DENIED (a token over plain TCP). */
enum status rpc_channel_new(const struct rpc_channel_options *options, struct rpc_channel **out,
                            struct err *err) MUST_USE;

/* Calls and streams of the channel must have ended. NULL is fine. */
void rpc_channel_free(struct rpc_channel *channel);

struct rpc_client_method {
    const char *path; /* static: the core keeps the pointer while a call lives */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    bool idempotent; /* safe to send again when it is unknown whether the server acted */
};

struct rpc_call_options {
    int64_t timeout_ms;         /* deadline of the whole call with all its tries; 0 = 30 s */
    int64_t attempt_timeout_ms; /* deadline of one try; 0 = the rest of timeout_ms */
    int max_attempts;           /* of idempotent methods on UNAVAILABLE/EXHAUSTED; 0 = 5, 1 = no retry */
};

/*
 * Blocking unary call with retries (exponential backoff from 100 ms to 2 s, full jitter) where the method is
 * idempotent. *response is allocated with malloc: free with protobuf_c_message_free_unpacked(*response,
 * NULL).
 */
enum status rpc_unary(struct rpc_channel *channel, const struct rpc_client_method *method,
                      const ProtobufCMessage *request, const struct rpc_call_options *options,
                      ProtobufCMessage **response, struct err *err) MUST_USE;

/*
 * Asynchronous unary call, one try. `done` runs once on the event thread: response is NULL on error
 * and is freed after `done` returns. Returns a handle for rpc_async_cancel, valid until `done` has run; NULL
 * never.
 */
struct rpc_async_call;
typedef void rpc_async_done(void *context, const ProtobufCMessage *response, const struct err *err);
struct rpc_async_call *rpc_unary_async(struct rpc_channel *channel, const struct rpc_client_method *method,
                                       const ProtobufCMessage *request, int64_t timeout_ms,
                                       rpc_async_done *done, void *context);
void rpc_async_cancel(struct rpc_async_call *call);

/* Callbacks of one stream run on the event thread, never two at a time; on_close is the last. */
struct rpc_client_stream_handler {
    void (*on_message)(void *context, struct rpc_client_stream *stream, const ProtobufCMessage *message);
    void (*on_writable)(void *context,
                        struct rpc_client_stream *stream); /* after rpc_client_stream_send said EXHAUSTED */
    void (*on_close)(void *context, struct rpc_client_stream *stream,
                     const struct err *status); /* code OK at a normal end */
};

/* Opens a stream of any kind (client, server or bidirectional). timeout_ms 0 = no deadline. */
enum status rpc_client_stream_open(struct rpc_channel *channel, const struct rpc_client_method *method,
                                   int64_t timeout_ms, const struct rpc_client_stream_handler *handler,
                                   void *context, struct rpc_client_stream **out, struct err *err) MUST_USE;

/* Queues a message: EXHAUSTED when 64 are queued, CANCELLED when closed (also by a message that is too
 * large). Any thread. */
enum status rpc_client_stream_send(struct rpc_client_stream *stream,
                                   const ProtobufCMessage *message) MUST_USE;
/* No more messages from here. */
void rpc_client_stream_half_close(struct rpc_client_stream *stream);
void rpc_client_stream_cancel(struct rpc_client_stream *stream);
/* Every opened stream is released once; allowed from on_close and before it: then it is cancelled, and the
 * callbacks go on until on_close, so the context must last that long. */
void rpc_client_stream_release(struct rpc_client_stream *stream);

#endif
