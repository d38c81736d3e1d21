/**
 * libbesom: the C client of Besom.
 *
 * A client holds one connection to a controller (or to a suggestion or scheduler service), reconnects by
 * itself and may be used by many threads. Requests and responses are the protobuf-c messages of besom/v1; a
 * response belongs to the caller and is freed with besom_message_free().
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BESOM_CLIENT_H
#define BESOM_CLIENT_H

#include <besom/v1/run_service.pb-c.h>
#include <besom/v1/scheduler_service.pb-c.h>
#include <besom/v1/suggestion_service.pb-c.h>
#include <besom/v1/sweep_service.pb-c.h>
#include <besom/v1/token_service.pb-c.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BESOM_API __attribute__((visibility("default")))
#define BESOM_MUST_USE __attribute__((warn_unused_result))
#else
#define BESOM_API
#define BESOM_MUST_USE
#endif

/** Results; numbers are those of gRPC. */
typedef enum besom_status {
    BESOM_OK = 0,
    BESOM_CANCELLED = 1,
    BESOM_INVALID = 3,
    BESOM_DEADLINE = 4,
    BESOM_NOT_FOUND = 5,
    BESOM_ALREADY_EXISTS = 6,
    BESOM_DENIED = 7,
    BESOM_EXHAUSTED = 8,
    BESOM_PRECONDITION = 9,
    BESOM_CONFLICT = 10,
    BESOM_UNIMPLEMENTED = 12,
    BESOM_INTERNAL = 13,
    BESOM_UNAVAILABLE = 14,
    BESOM_UNAUTHENTICATED = 16
} besom_status;

/** Filled by a function that fails; owned by the caller. */
typedef struct besom_error {
    besom_status code;
    char text[1024];
} besom_error;

/** "not found", ...; never NULL. */
BESOM_API const char *besom_status_name(besom_status code);
/** Exit code of a command that ends with it: 0, 1, 2 (invalid), 3 (not found), 4 (unavailable), 5 (not
 * permitted). */
BESOM_API int besom_status_exit_code(besom_status code);

typedef struct besom_client besom_client;

#define BESOM_CLIENT_OPTIONS_VERSION 2
/** Initialise with BESOM_CLIENT_OPTIONS_INIT; unset fields (NULL, 0) mean what their comment says. */
typedef struct besom_client_options {
    int version;
    const char *address; /**< "host:port" or "unix:/path"; NULL: BESOM_ADDRESS, else BESOM_HOME/endpoint */
    /** "" = none; NULL: the one in token_file, else BESOM_TOKEN, else BESOM_HOME/token when the endpoint
     * comes from there */
    const char *token;
    const char *ca_file;          /**< PEM; set = TLS with this root. NULL: BESOM_CA_FILE */
    const char *certificate_file; /**< client certificate (mTLS), PEM. NULL: BESOM_CERT_FILE */
    const char *key_file;         /**< its key, PEM. NULL: BESOM_KEY_FILE */
    const char *server_name;      /**< name expected in the server's certificate; NULL = the address's host */
    int tls;                      /**< TLS with the system's roots even without ca_file */
    int insecure;                 /**< lets a token go over TCP without TLS */
    int64_t timeout_ms;           /**< of each unary call with its retries; 0 = 30 s */
    const char *token_file; /**< since version 2; holds the token, and others may not read it (mode 0600).
                               NULL: BESOM_TOKEN_FILE */
} besom_client_options;
/* by position: C++ before 20 has no designators */
#define BESOM_CLIENT_OPTIONS_INIT                                  \
    {                                                              \
        BESOM_CLIENT_OPTIONS_VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/** Connects lazily. BESOM_INVALID, BESOM_DENIED (a token over plain TCP), BESOM_UNAVAILABLE (no address is
 * known: the text says to run `besom up` or to set BESOM_ADDRESS). */
BESOM_API besom_status besom_client_new(const besom_client_options *options, besom_client **out,
                                        besom_error *error) BESOM_MUST_USE;
BESOM_API void besom_client_free(besom_client *client);
/** The address in use. */
BESOM_API const char *besom_client_address(const besom_client *client);

/** Frees any response. NULL is fine. */
BESOM_API void besom_message_free(void *message);

/** One row per unary call: X(function, type of Request and Response, the same in lower case, service, 1 when
 * it may be sent twice). besom_sweep_create may be sent twice as well when its request_id is set. */
#define BESOM_UNARY_CALLS(X)                                                                 \
    X(besom_sweep_create, CreateSweep, create_sweep, SweepService, 0)                        \
    X(besom_project_open, OpenProject, open_project, SweepService, 1)                        \
    X(besom_sweep_get, GetSweep, get_sweep, SweepService, 1)                                 \
    X(besom_sweep_list, ListSweeps, list_sweeps, SweepService, 1)                            \
    X(besom_sweep_change, ChangeSweep, change_sweep, SweepService, 1)                        \
    X(besom_sweep_update, UpdateSweep, update_sweep, SweepService, 1)                        \
    X(besom_sweep_delete, DeleteSweep, delete_sweep, SweepService, 0)                        \
    X(besom_run_list, ListRuns, list_runs, SweepService, 1)                                  \
    X(besom_band_list, ListBands, list_bands, SweepService, 1)                               \
    X(besom_importance_get, GetImportance, get_importance, SweepService, 1)                  \
    X(besom_predict, Predict, predict, SweepService, 1)                                      \
    X(besom_recommendation_get, GetRecommendation, get_recommendation, SweepService, 1)      \
    X(besom_agent_list, ListAgents, list_agents, SweepService, 1)                            \
    X(besom_agent_register, RegisterAgent, register_agent, RunService, 1)                    \
    X(besom_agent_retire, RetireAgent, retire_agent, RunService, 1)                          \
    X(besom_run_acquire, AcquireRun, acquire_run, RunService, 1)                             \
    X(besom_run_submit, SubmitRun, submit_run, RunService, 1)                                \
    X(besom_run_finish, FinishRun, finish_run, RunService, 1)                                \
    X(besom_run_get, GetRun, get_run, RunService, 1)                                         \
    X(besom_run_stop, StopRun, stop_run, RunService, 1)                                      \
    X(besom_run_delete, DeleteRun, delete_run, RunService, 0)                                \
    X(besom_runs_edit, EditRuns, edit_runs, RunService, 1)                                   \
    X(besom_run_explain, ExplainRun, explain_run, RunService, 1)                             \
    X(besom_token_create, CreateToken, create_token, TokenService, 0)                        \
    X(besom_token_list, ListTokens, list_tokens, TokenService, 1)                            \
    X(besom_token_revoke, RevokeToken, revoke_token, TokenService, 1)                        \
    X(besom_event_list, ListEvents, list_events, TokenService, 1)                            \
    X(besom_suggest, Suggest, suggest, SuggestionService, 1)                                 \
    X(besom_importance_compute, ComputeImportance, compute_importance, SuggestionService, 1) \
    X(besom_slice_predict, PredictSlice, predict_slice, SuggestionService, 1)                \
    X(besom_run_recommend, RecommendRun, recommend_run, SuggestionService, 1)                \
    X(besom_stops_decide, DecideStops, decide_stops, SchedulerService, 1)

/* besom_status besom_sweep_get(besom_client *, const Besom__V1__GetSweepRequest *,
 * Besom__V1__GetSweepResponse **out, besom_error *): blocking, with retries where the call is idempotent;
 * *out is NULL on failure. */
#define BESOM_DECLARE_UNARY(function, Name, name, Service, idempotent)                               \
    BESOM_API besom_status function(besom_client *client, const Besom__V1__##Name##Request *request, \
                                    Besom__V1__##Name##Response **out, besom_error *error) BESOM_MUST_USE;
BESOM_UNARY_CALLS(BESOM_DECLARE_UNARY)
#undef BESOM_DECLARE_UNARY

/** Runs once, on the library's thread: `response` (of the call's response type) is valid until return, NULL
 * on failure. */
typedef void besom_done(void *context, const void *response, const besom_error *error);
/** A call under way. Every one is given back with besom_call_free, before or after `done` was called. */
typedef struct besom_call besom_call;

/* besom_call *besom_run_acquire_async(besom_client *, const Besom__V1__AcquireRunRequest *, int64_t
 * timeout_ms, besom_done *, void *context): one try, without waiting. NULL only without memory (`done` is not
 * called then). */
#define BESOM_DECLARE_ASYNC(function, Name, name, Service, idempotent)                                      \
    BESOM_API besom_call *function##_async(besom_client *client, const Besom__V1__##Name##Request *request, \
                                           int64_t timeout_ms, besom_done *done, void *context)             \
        BESOM_MUST_USE;
BESOM_UNARY_CALLS(BESOM_DECLARE_ASYNC)
#undef BESOM_DECLARE_ASYNC
/** Asks for an early end: `done` is called with BESOM_CANCELLED unless the answer was there already. */
BESOM_API void besom_call_cancel(besom_call *call);
/** Gives the handle back; the call goes on and `done` is still called. NULL is fine. */
BESOM_API void besom_call_free(besom_call *call);

/** A stream. Callbacks run on the library's thread, never two at a time; on_close is the last. */
typedef struct besom_stream besom_stream;
typedef struct besom_stream_handler {
    /** `message` (of the stream's response type) is valid until return. */
    void (*on_message)(void *context, const void *message);
    /** A send that was refused with BESOM_EXHAUSTED may be tried again. May be NULL. */
    void (*on_writable)(void *context);
    /** error->code is BESOM_OK at a normal end. */
    void (*on_close)(void *context, const besom_error *error);
} besom_stream_handler;

BESOM_API besom_status besom_run_track(besom_client *client, const besom_stream_handler *handler,
                                       void *context, besom_stream **out, besom_error *error) BESOM_MUST_USE;
/** Queues; BESOM_EXHAUSTED when the bounded queue is full, BESOM_CANCELLED when closed. Any thread. */
BESOM_API besom_status besom_run_track_send(besom_stream *stream,
                                            const Besom__V1__TrackRunRequest *message) BESOM_MUST_USE;

BESOM_API besom_status besom_sweep_watch(besom_client *client, const Besom__V1__WatchSweepRequest *request,
                                         const besom_stream_handler *handler, void *context,
                                         besom_stream **out, besom_error *error) BESOM_MUST_USE;
BESOM_API besom_status besom_run_metrics(besom_client *client, const Besom__V1__ReadMetricsRequest *request,
                                         const besom_stream_handler *handler, void *context,
                                         besom_stream **out, besom_error *error) BESOM_MUST_USE;
BESOM_API besom_status besom_run_logs(besom_client *client, const Besom__V1__ReadLogsRequest *request,
                                      const besom_stream_handler *handler, void *context, besom_stream **out,
                                      besom_error *error) BESOM_MUST_USE;

BESOM_API void besom_stream_half_close(besom_stream *stream);
/** Releases the handle, cancelling what is open. on_close is called before it returns or has been called,
 * unless this is called from a callback, of this stream or of anything else: then it comes later. */
BESOM_API void besom_stream_free(besom_stream *stream);
/** Waits until on_close has returned; BESOM_DEADLINE after timeout_ms (< 0 = for ever). Not from a callback.
 */
BESOM_API besom_status besom_stream_wait(besom_stream *stream, int64_t timeout_ms) BESOM_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
