// SPDX-License-Identifier: Apache-2.0
/*
 * What lib/rpc costs: unary echoes per second of the bare gRPC core (bytes in, the same bytes out, no
 * messages, no checks) and of lib/rpc (unpacked, checked, authorised, counted, packed), both with one
 * completion queue and two workers, client and server in this process. Rounds alternate; the medians' ratio
 * is what counts.
 *
 *     bench_rpc_echo [SECONDS [ROUNDS]]
 */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/runtime.h"
#include "services/common/service_metrics.h"
#include "tests/bench/bench.h"
#include "tests/unit/rpc_echo.h"

#define METHOD "/besom.test.v1.Echo/Unary"
#define GOAL 0.8
#define ARMED 8
#define WORKERS 2

/* ---- bare server ---- */

struct bare_call {
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    int cancelled;
    bool answering;
};

static struct {
    grpc_server *server;
    grpc_completion_queue *queue;
    void *method;
    int port;
    pthread_t workers[WORKERS];
} bare;

static void bare_arm(void)
{
    struct bare_call *call = calloc(1, sizeof *call);
    grpc_metadata_array_init(&call->metadata);
    grpc_server_request_registered_call(bare.server, bare.method, &call->call, &call->deadline,
                                        &call->metadata, &call->payload, bare.queue, bare.queue, call);
}

static void bare_answer(struct bare_call *call)
{
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
    ops[1].data.send_message.send_message = call->payload;
    ops[3].data.recv_close_on_server.cancelled = &call->cancelled;
    call->answering = true;
    grpc_call_start_batch(call->call, ops, 4, call, NULL);
}

static void bare_free(struct bare_call *call)
{
    grpc_metadata_array_destroy(&call->metadata);
    if (call->payload != NULL)
        grpc_byte_buffer_destroy(call->payload);
    if (call->call != NULL)
        grpc_call_unref(call->call);
    free(call);
}

static void *bare_work(void *unused)
{
    (void)unused;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(bare.queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct bare_call *call = event.tag;
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (call == NULL)
            continue;
        if (call->answering || !event.success) {
            bare_free(call);
        } else {
            bare_arm();
            bare_answer(call);
        }
    }
}

static void bare_start(void)
{
    grpc_arg reuse = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ALLOW_REUSEPORT};
    grpc_channel_args args = {.num_args = 1, .args = &reuse};
    bare.server = grpc_server_create(&args, NULL);
    bare.queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(bare.server, bare.queue, NULL);
    bare.method =
        grpc_server_register_method(bare.server, METHOD, NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    bare.port = grpc_server_add_http2_port(bare.server, "127.0.0.1:0", plain);
    grpc_server_credentials_release(plain);
    grpc_server_start(bare.server);
    for (int i = 0; i < ARMED; i++)
        bare_arm();
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&bare.workers[i], NULL, bare_work, NULL);
}

static void bare_stop(void)
{
    grpc_server_shutdown_and_notify(bare.server, bare.queue, NULL);
    grpc_server_cancel_all_calls(bare.server);
    grpc_completion_queue_shutdown(bare.queue);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(bare.workers[i], NULL);
    grpc_server_destroy(bare.server);
    grpc_completion_queue_destroy(bare.queue);
}

/* ---- bare client ---- */

struct bare_request {
    grpc_call *call;
    grpc_metadata_array head, trailers;
    grpc_byte_buffer *response;
    grpc_status_code code;
    grpc_slice text;
};

static grpc_byte_buffer *pack_request(void)
{
    Besom__Test__V1__EchoRequest request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.text = (char *)(uintptr_t) "ten bytes.";
    grpc_slice slice = grpc_slice_malloc(besom__test__v1__echo_request__get_packed_size(&request));
    besom__test__v1__echo_request__pack(&request, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void bare_send(struct bare_request *request, grpc_channel *channel, void *method,
                      grpc_completion_queue *queue)
{
    *request = (struct bare_request){.text = grpc_empty_slice()};
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(30, GPR_TIMESPAN));
    request->call = grpc_channel_create_registered_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method,
                                                        deadline, NULL);
    grpc_byte_buffer *bytes = pack_request();
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    ops[1].data.send_message.send_message = bytes;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &request->head;
    ops[4].data.recv_message.recv_message = &request->response;
    ops[5].data.recv_status_on_client.trailing_metadata = &request->trailers;
    ops[5].data.recv_status_on_client.status = &request->code;
    ops[5].data.recv_status_on_client.status_details = &request->text;
    grpc_call_start_batch(request->call, ops, 6, request, NULL);
    grpc_byte_buffer_destroy(bytes);
}

static void bare_receive(struct bare_request *request)
{
    if (request->code != GRPC_STATUS_OK || request->response == NULL)
        abort();
    grpc_byte_buffer_destroy(request->response);
    grpc_slice_unref(request->text);
    grpc_metadata_array_destroy(&request->head);
    grpc_metadata_array_destroy(&request->trailers);
    grpc_call_unref(request->call);
}

/* Echoes per second with `flying` calls in flight, all driven by this thread. */
static double bare_measure(grpc_channel *channel, void *method, unsigned flying, int64_t ms)
{
    struct bare_request requests[64];
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    int64_t start = clock_monotonic_us(&clock_system), now = start;
    unsigned long count = 0;
    unsigned live = flying;
    for (unsigned i = 0; i < flying; i++)
        bare_send(&requests[i], channel, method, queue);
    while (live > 0) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        bare_receive(event.tag);
        count++;
        now = clock_monotonic_us(&clock_system);
        if (now - start < ms * 1000)
            bare_send(event.tag, channel, method, queue);
        else
            live--;
    }
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
    return (double)count * 1e6 / (double)(now - start);
}

/* ---- lib/rpc ---- */

struct load {
    struct rpc_channel *channel;
    int64_t end_us;
    atomic_ulong count;
    atomic_uint live;
};

static void load_send(struct load *load);

static void load_done(void *context, const ProtobufCMessage *response, const struct err *err)
{
    struct load *load = context;
    if (response == NULL) {
        fprintf(stderr, "%s\n", err->text);
        abort();
    }
    atomic_fetch_add_explicit(&load->count, 1, memory_order_relaxed);
    if (clock_monotonic_us(&clock_system) < load->end_us)
        load_send(load);
    else
        atomic_fetch_sub(&load->live, 1);
}

static void load_send(struct load *load)
{
    Besom__Test__V1__EchoRequest request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.text = (char *)(uintptr_t) "ten bytes.";
    rpc_unary_async(load->channel, &echo_unary, &request.base, 30000, load_done, load);
}

static void load_blocking(struct load *load)
{
    Besom__Test__V1__EchoRequest request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.text = (char *)(uintptr_t) "ten bytes.";
    while (clock_monotonic_us(&clock_system) < load->end_us) {
        ProtobufCMessage *response;
        if (rpc_unary(load->channel, &echo_unary, &request.base, NULL, &response, NULL) != STATUS_OK)
            abort();
        protobuf_c_message_free_unpacked(response, NULL);
        atomic_fetch_add_explicit(&load->count, 1, memory_order_relaxed);
    }
}

static double rpc_measure(struct rpc_channel *channel, unsigned flying, int64_t ms)
{
    int64_t start = clock_monotonic_us(&clock_system);
    struct load load = {.channel = channel, .end_us = start + ms * 1000};
    atomic_init(&load.live, flying);
    if (flying == 1) {
        load_blocking(&load);
    } else {
        for (unsigned i = 0; i < flying; i++)
            load_send(&load);
        while (atomic_load(&load.live) > 0) {
            struct timespec pause = {.tv_nsec = 1000000};
            nanosleep(&pause, NULL);
        }
    }
    return (double)atomic_load(&load.count) * 1e6 / (double)(clock_monotonic_us(&clock_system) - start);
}

static enum status check_token(void *context, const char *token, const char *peer_name, unsigned access,
                               struct rpc_identity *identity, struct err *err)
{
    (void)context;
    (void)peer_name;
    if (token == NULL || strcmp(token, "secret") != 0)
        return err_set(err, STATUS_UNAUTHENTICATED, "wrong token");
    identity->access = access;
    return STATUS_OK;
}

static int compare_at(unsigned flying, int64_t ms, int rounds, grpc_channel *channel, void *method,
                      struct rpc_channel *ours)
{
    double theirs_qps[BENCH_ROUNDS_MAX], ours_qps[BENCH_ROUNDS_MAX];
    bare_measure(channel, method, flying, 200);
    rpc_measure(ours, flying, 200);
    for (int i = 0; i < rounds; i++) {
        theirs_qps[i] = bare_measure(channel, method, flying, ms);
        ours_qps[i] = rpc_measure(ours, flying, ms);
    }
    double theirs = bench_median(theirs_qps, rounds), mine = bench_median(ours_qps, rounds);
    printf("%u in flight: %.0f calls/s through lib/rpc, %.0f through the bare core\n", flying, mine, theirs);
    static char name[32];
    snprintf(name, sizeof name, "rpc_echo/%u", flying);
    bench_begin(name);
    return bench_at_least(mine / theirs, "of the limit", GOAL);
}

static int compare_all(int64_t ms, int rounds, int port)
{
    char address[32];
    struct err err = ERR_INIT;
    struct rpc_channel *ours;
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    struct rpc_channel_options options = {.address = address, .token = "secret", .insecure = true};
    if (rpc_channel_new(&options, &ours, &err) != STATUS_OK)
        abort();
    snprintf(address, sizeof address, "127.0.0.1:%d", bare.port);
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, plain, NULL);
    grpc_channel_credentials_release(plain);
    void *method = grpc_channel_register_call(channel, METHOD, NULL, NULL);
    static const unsigned loads[] = {1, 8, 64};
    int code = 0;
    for (size_t i = 0; i < ARRAY_LEN(loads); i++)
        code |= compare_at(loads[i], ms, rounds, channel, method, ours);
    grpc_channel_destroy(channel);
    rpc_channel_free(ours);
    return code;
}

int main(int argc, char **argv)
{
    bench_begin("rpc_echo");
    int64_t ms = (int64_t)(1000 * bench_argument(argc, argv, 1, 1, 0.01, 600));
    int rounds = (int)bench_argument(argc, argv, 2, 5, 1, BENCH_ROUNDS_MAX);
    static const char *const addresses[] = {"127.0.0.1:0"};
    struct rpc_server_options options = {.addresses = addresses,
                                         .address_count = 1,
                                         .workers = WORKERS,
                                         .check = check_token,
                                         .observer = service_rpc_observer};
    struct echo echo;
    struct rpc_server *server;
    struct err err = ERR_INIT;
    log_set_level(LOG_LEVEL_ERROR);
    rpc_runtime_init();
    echo_init(&echo);
    bare_start();
    if (service_metrics_open(&err) != STATUS_OK || rpc_server_new(&options, &server, &err) != STATUS_OK)
        return 1;
    echo_serve(&echo, server);
    if (rpc_server_start(server, &err) != STATUS_OK)
        return 1;
    int code = compare_all(ms, rounds, rpc_server_port(server, 0));
    rpc_server_shutdown(server, 1000);
    rpc_server_free(server);
    bare_stop();
    echo_destroy(&echo);
    return code;
}
