// SPDX-License-Identifier: Apache-2.0
/* What a server tells an observer, and the ids of requests. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc_fixture.h"

struct seen {
    pthread_mutex_t lock;
    unsigned begun, ended, unknown; /* lock */
    unsigned of_code[STATUS_COUNT]; /* lock */
    int64_t longest_us;             /* lock */
};

struct handle {
    struct seen *seen;
    bool unknown;
};

static struct handle handles[2];

static void *observe_method(void *context, const struct rpc_method *method)
{
    struct handle *handle = &handles[method == NULL];
    *handle = (struct handle){context, method == NULL};
    return handle;
}

static void begun(void *argument)
{
    struct handle *handle = argument;
    pthread_mutex_lock(&handle->seen->lock);
    handle->seen->begun++;
    handle->seen->unknown += handle->unknown;
    pthread_mutex_unlock(&handle->seen->lock);
}

static void ended(void *argument, enum status code, int64_t duration_us)
{
    struct seen *seen = ((struct handle *)argument)->seen;
    pthread_mutex_lock(&seen->lock);
    seen->ended++;
    seen->of_code[code]++;
    seen->longest_us = duration_us > seen->longest_us ? duration_us : seen->longest_us;
    pthread_mutex_unlock(&seen->lock);
}

static void start(struct fixture *fixture, struct seen *seen)
{
    *seen = (struct seen){.begun = 0};
    pthread_mutex_init(&seen->lock, NULL);
    fixture_start(fixture, (struct rpc_server_options){.observer = {observe_method, begun, ended, seen},
                                                       .max_concurrent_calls = 50});
}

static void every_call_begins_and_ends_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct seen seen;
    struct err err = ERR_INIT;
    start(&fixture, &seen);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "x", &err), STATUS_OK);
    assert_int_equal(fixture_echo(fixture.channel, &echo_unknown, "x", &err), STATUS_UNIMPLEMENTED);
    struct rpc_client_stream *stream;
    struct outcome outcome;
    outcome_init(&outcome);
    assert_int_equal(
        rpc_client_stream_open(fixture.channel, &echo_chat, 0, &outcome_stream, &outcome, &stream, &err),
        STATUS_OK);
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    rpc_client_stream_release(stream);
    outcome_destroy(&outcome);
    fixture_stop(&fixture, 1000);
    assert_int_equal(seen.begun, 22);
    assert_int_equal(seen.ended, 22);
    assert_int_equal(seen.unknown, 1);
    assert_int_equal(seen.of_code[STATUS_OK], 21);
    assert_int_equal(seen.of_code[STATUS_UNIMPLEMENTED], 1);
    pthread_mutex_destroy(&seen.lock);
}

static void a_parked_call_lasts_until_its_answer(void **state)
{
    (void)state;
    struct fixture fixture;
    struct seen seen;
    struct outcome outcome;
    Besom__Test__V1__EchoRequest request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    start(&fixture, &seen);
    outcome_init(&outcome);
    struct rpc_async_call *call =
        rpc_unary_async(fixture.channel, &echo_unary, &request.base, 5000, outcome_done, &outcome);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 1));
    assert_int_equal(seen.ended, 0);
    rpc_async_cancel(call);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.cancels, 1));
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    fixture_stop(&fixture, 1000);
    assert_int_equal(seen.of_code[STATUS_CANCELLED], 1);
    assert_int_equal(seen.ended, 1);
    outcome_destroy(&outcome);
    pthread_mutex_destroy(&seen.lock);
}

/* ---- request ids ---- */

/* Answers with the id; fails with INTERNAL when that is asked for. */
static void tell_id(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__Test__V1__EchoRequest *request = (const void *)message;
    Besom__Test__V1__EchoResponse response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    struct err err = ERR_INIT;
    (void)service;
    assert_string_equal(log_request(), rpc_call_request_id(call));
    response.text = (char *)(uintptr_t)rpc_call_request_id(call);
    if (strcmp(request->text, "broken") == 0) {
        err_set(&err, STATUS_INTERNAL, "it broke");
        rpc_call_fail(call, &err);
    } else {
        rpc_call_reply(call, &response.base);
    }
}

struct teller {
    struct rpc_server *server;
    struct rpc_channel *channel;
    char address[64];
};

static void start_teller(struct teller *teller)
{
    static const char *const addresses[] = {"127.0.0.1:0"};
    static struct rpc_method method;
    const struct rpc_server_options options = {.addresses = addresses, .address_count = 1};
    struct err err = ERR_INIT;
    log_set_level(LOG_LEVEL_OFF);
    method = (struct rpc_method){.path = echo_unary.path,
                                 .kind = RPC_UNARY,
                                 .request = echo_unary.request,
                                 .response = echo_unary.response,
                                 .unary = tell_id};
    assert_int_equal(rpc_server_new(&options, &teller->server, &err), STATUS_OK);
    rpc_server_add(teller->server, &method, 1, NULL);
    assert_int_equal(rpc_server_start(teller->server, &err), STATUS_OK);
    snprintf(teller->address, sizeof teller->address, "127.0.0.1:%d", rpc_server_port(teller->server, 0));
    const struct rpc_channel_options to = {
        .address = teller->address, .token = "sixteen-characters", .insecure = true};
    assert_int_equal(rpc_channel_new(&to, &teller->channel, &err), STATUS_OK);
}

static void stop_teller(struct teller *teller)
{
    rpc_channel_free(teller->channel);
    rpc_server_shutdown(teller->server, 1000);
    rpc_server_free(teller->server);
}

static void ask(struct teller *teller, const char *id, char out[128])
{
    Besom__Test__V1__EchoRequest request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    ProtobufCMessage *response;
    struct err err = ERR_INIT;
    request.text = "tell";
    const char *before = log_set_request(id);
    assert_int_equal(rpc_unary(teller->channel, &echo_unary, &request.base, NULL, &response, &err),
                     STATUS_OK);
    (void)log_set_request(before);
    snprintf(out, 128, "%s", ((const Besom__Test__V1__EchoResponse *)(const void *)response)->text);
    protobuf_c_message_free_unpacked(response, NULL);
}

static void the_clients_request_id_is_kept_or_one_is_made(void **state)
{
    (void)state;
    struct teller teller;
    char first[128], second[128], longest[RPC_REQUEST_ID_MAX + 2];
    start_teller(&teller);
    ask(&teller, "5f0c-a.B_9", first);
    assert_string_equal(first, "5f0c-a.B_9");
    ask(&teller, NULL, first);
    ask(&teller, NULL, second);
    assert_true(strlen(first) >= 10 && strlen(first) <= RPC_REQUEST_ID_MAX);
    assert_string_not_equal(first, second);
    assert_memory_equal(first, second, 9);
    ask(&teller, "two words", second);
    assert_string_not_equal(second, "two words");
    memset(longest, 'x', sizeof longest - 1);
    longest[RPC_REQUEST_ID_MAX] = '\0';
    ask(&teller, longest, second);
    assert_string_equal(second, longest);
    longest[RPC_REQUEST_ID_MAX] = 'x';
    longest[RPC_REQUEST_ID_MAX + 1] = '\0';
    ask(&teller, longest, second);
    assert_memory_equal(second, first, 9);
    stop_teller(&teller);
}

static void an_internal_error_names_the_request(void **state)
{
    (void)state;
    struct teller teller;
    struct err err = ERR_INIT;
    start_teller(&teller);
    (void)log_set_request("abc-7");
    assert_int_equal(fixture_echo(teller.channel, &echo_unary, "broken", &err), STATUS_INTERNAL);
    (void)log_set_request(NULL);
    assert_string_equal(err.text, "it broke (request abc-7)");
    stop_teller(&teller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_begins_and_ends_once),
        cmocka_unit_test(a_parked_call_lasts_until_its_answer),
        cmocka_unit_test(the_clients_request_id_is_kept_or_one_is_made),
        cmocka_unit_test(an_internal_error_names_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_end_process);
}
