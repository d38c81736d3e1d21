// SPDX-License-Identifier: Apache-2.0
#include "rpc_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/runtime.h"

typedef Besom__Test__V1__EchoRequest echo_request;
typedef Besom__Test__V1__EchoResponse echo_response;

static void connect_plain(struct fixture *fixture, const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        snprintf(fixture->address, sizeof fixture->address, "%s", address);
    else
        snprintf(fixture->address, sizeof fixture->address, "127.0.0.1:%d",
                 rpc_server_port(fixture->server, 0));
    struct rpc_channel_options options = {.address = fixture->address};
    struct err err = ERR_INIT;
    assert_int_equal(rpc_channel_new(&options, &fixture->channel, &err), STATUS_OK);
}

void fixture_start(struct fixture *fixture, struct rpc_server_options options)
{
    static const char *const any[] = {"127.0.0.1:0"};
    struct err err = ERR_INIT;
    log_set_level(LOG_LEVEL_OFF);
    if (options.address_count == 0) {
        options.addresses = any;
        options.address_count = 1;
    }
    echo_init(&fixture->echo);
    if (rpc_server_new(&options, &fixture->server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    echo_serve(&fixture->echo, fixture->server);
    if (rpc_server_start(fixture->server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    rpc_server_set_health(fixture->server, "", true);
    connect_plain(fixture, options.addresses[0]);
}

void fixture_stop(struct fixture *fixture, int64_t grace_ms)
{
    rpc_channel_free(fixture->channel);
    rpc_server_shutdown(fixture->server, grace_ms);
    assert_int_equal(rpc_server_stats(fixture->server).open, 0);
    rpc_server_free(fixture->server);
    assert_int_equal(fixture->echo.overlaps, 0);
    assert_int_equal(fixture->echo.opened, fixture->echo.closed);
    if (fixture->echo.held != NULL)
        rpc_stream_unref(fixture->echo.held);
    echo_destroy(&fixture->echo);
}

int fixture_end_process(void **state)
{
    (void)state;
    rpc_runtime_shutdown();
    return 0;
}

enum status fixture_echo(struct rpc_channel *channel, const struct rpc_client_method *method,
                         const char *text, struct err *err)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.text = (char *)(uintptr_t)text;
    struct rpc_call_options options = {.timeout_ms = 10000};
    ProtobufCMessage *message;
    enum status status = rpc_unary(channel, method, &request.base, &options, &message, err);
    if (status != STATUS_OK)
        return status;
    assert_string_equal(((echo_response *)message)->text, text);
    protobuf_c_message_free_unpacked(message, NULL);
    return STATUS_OK;
}

void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){.done = 0};
    pthread_mutex_init(&outcome->lock, NULL);
    clock_cond_init(&outcome->changed);
}

void outcome_destroy(struct outcome *outcome)
{
    pthread_cond_destroy(&outcome->changed);
    pthread_mutex_destroy(&outcome->lock);
}

bool outcome_wait(struct outcome *outcome, const unsigned *counter, unsigned value)
{
    int64_t end = clock_monotonic_ms(&clock_system) + 10000;
    pthread_mutex_lock(&outcome->lock);
    while (*counter < value && clock_monotonic_ms(&clock_system) < end)
        clock_cond_wait(&outcome->changed, &outcome->lock, 1000);
    bool reached = *counter >= value;
    pthread_mutex_unlock(&outcome->lock);
    return reached;
}

static void take_message(struct outcome *outcome, const ProtobufCMessage *message)
{
    const echo_response *response = (const echo_response *)message;
    outcome->messages++;
    outcome->last_count = response->count;
    snprintf(outcome->text, sizeof outcome->text, "%s", response->text);
}

void outcome_done(void *context, const ProtobufCMessage *response, const struct err *err)
{
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->lock);
    if (response != NULL)
        take_message(outcome, response);
    outcome->err = *err;
    outcome->done++;
    pthread_cond_broadcast(&outcome->changed);
    pthread_mutex_unlock(&outcome->lock);
}

static void on_message(void *context, struct rpc_client_stream *stream, const ProtobufCMessage *message)
{
    (void)stream;
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->lock);
    take_message(outcome, message);
    pthread_cond_broadcast(&outcome->changed);
    pthread_mutex_unlock(&outcome->lock);
}

static void on_writable(void *context, struct rpc_client_stream *stream)
{
    (void)stream;
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->lock);
    outcome->writable++;
    pthread_cond_broadcast(&outcome->changed);
    pthread_mutex_unlock(&outcome->lock);
}

static void on_close(void *context, struct rpc_client_stream *stream, const struct err *status)
{
    (void)stream;
    outcome_done(context, NULL, status);
}

const struct rpc_client_stream_handler outcome_stream = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};
