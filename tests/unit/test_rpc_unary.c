// SPDX-License-Identifier: Apache-2.0
/* Unary calls over loopback: answers, failures, bounds, parking, cancellation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_fixture.h"

typedef Besom__Test__V1__EchoRequest echo_request;
typedef Besom__Test__V1__EchoResponse echo_response;

static enum status call_mode(struct fixture *fixture, Besom__Test__V1__Mode mode, unsigned count,
                             const char *text, int64_t timeout_ms, struct err *err)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = mode;
    request.count = count;
    request.text = (char *)(uintptr_t)text;
    struct rpc_call_options options = {.timeout_ms = timeout_ms};
    ProtobufCMessage *message;
    enum status status = rpc_unary(fixture->channel, &echo_unary, &request.base, &options, &message, err);
    if (status == STATUS_OK)
        protobuf_c_message_free_unpacked(message, NULL);
    return status;
}

static struct rpc_async_call *park(struct fixture *fixture, struct outcome *outcome, int64_t timeout_ms)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    return rpc_unary_async(fixture->channel, &echo_unary, &request.base, timeout_ms, outcome_done, outcome);
}

static void test_echo(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    for (int i = 0; i < 200; i++)
        assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "h\xc3\xa9llo", &err), STATUS_OK);
    assert_int_equal(rpc_server_stats(fixture.server).calls, 200);
    fixture_stop(&fixture, 1000);
}

static void test_unix_socket(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char folder[] = "/tmp/rpc-test-XXXXXX", address[64];
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/s", folder);
    const char *const addresses[] = {address};
    fixture_start(&fixture, (struct rpc_server_options){.addresses = addresses, .address_count = 1});
    assert_int_equal(rpc_server_port(fixture.server, 0), 0);
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "over a socket", &err), STATUS_OK);

    struct rpc_server *second;
    struct rpc_server_options options = {.addresses = addresses, .address_count = 1};
    assert_int_equal(rpc_server_new(&options, &second, &err), STATUS_OK);
    assert_int_equal(rpc_server_start(second, &err), STATUS_UNAVAILABLE);
    rpc_server_free(second);
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "still there", &err), STATUS_OK);
    fixture_stop(&fixture, 1000);
    remove(address + 5);
    remove(folder);
}

static void test_port_taken_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    struct rpc_server *second;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    const char *const addresses[] = {fixture.address};
    struct rpc_server_options options = {.addresses = addresses, .address_count = 1};
    assert_int_equal(rpc_server_new(&options, &second, &err), STATUS_OK);
    assert_int_equal(rpc_server_start(second, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "taken"));
    rpc_server_free(second);
    fixture_stop(&fixture, 1000);
}

static void test_failure_text(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    const char *text = "bad: caf\xc3\xa9 100% \n line";
    assert_int_equal(call_mode(&fixture, BESOM__TEST__V1__MODE__MODE_FAIL, 0, text, 0, &err), STATUS_INVALID);
    assert_string_equal(err.text, text);
    fixture_stop(&fixture, 1000);
}

static void test_unknown_method(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_echo(fixture.channel, &echo_unknown, "x", &err), STATUS_UNIMPLEMENTED);
    assert_non_null(strstr(err.text, "/besom.test.v1.Echo/Unknown"));
    fixture_stop(&fixture, 1000);
}

static void test_bad_text(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "\xff\xfe", &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "UTF-8"));
    fixture_stop(&fixture, 1000);
}

static void test_oversized(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2, .max_message_bytes = 100000});
    char *text = malloc(200001);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, text, &err), STATUS_EXHAUSTED);
    assert_int_equal(call_mode(&fixture, BESOM__TEST__V1__MODE__MODE_BIG, 200000, "", 0, &err),
                     STATUS_EXHAUSTED);
    assert_int_equal(call_mode(&fixture, BESOM__TEST__V1__MODE__MODE_BIG, 90000, "", 0, &err), STATUS_OK);
    free(text);
    fixture_stop(&fixture, 1000);
}

static void test_deadline_of_parked_call(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    assert_int_equal(call_mode(&fixture, BESOM__TEST__V1__MODE__MODE_PARK, 0, "", 150, &err),
                     STATUS_DEADLINE);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.cancels, 1));
    assert_int_equal(echo_read(&fixture.echo, &fixture.echo.parked_count), 0);
    fixture_stop(&fixture, 1000);
}

static void test_cancel_parked_call(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    struct rpc_async_call *call = park(&fixture, &outcome, 0);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 1));
    rpc_async_cancel(call);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_CANCELLED);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.cancels, 1));
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

/* Many parked calls hold no worker, and are all answered. */
static void test_release_parked_calls(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    struct err err = ERR_INIT;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    for (int i = 0; i < 200; i++)
        park(&fixture, &outcome, 0);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 200));
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "not held up", &err), STATUS_OK);
    echo_release(&fixture.echo);
    assert_true(outcome_wait(&outcome, &outcome.done, 200));
    assert_int_equal(outcome.messages, 200);
    assert_int_equal(outcome.err.code, STATUS_OK);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

static void test_concurrent_calls_bound(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    struct err err = ERR_INIT;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2, .max_concurrent_calls = 8});
    for (int i = 0; i < 8; i++)
        park(&fixture, &outcome, 0);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 8));
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "one too many", &err), STATUS_EXHAUSTED);
    assert_int_equal(rpc_server_stats(fixture.server).refused, 1);
    echo_release(&fixture.echo);
    assert_true(outcome_wait(&outcome, &outcome.done, 8));
    while (rpc_server_stats(fixture.server).open >
           0) /* the answers' operations end after the caller has them */
        continue;
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "room again", &err), STATUS_OK);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

static void test_async_too_large(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    struct err err = ERR_INIT;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    struct rpc_channel_options options = {.address = fixture.address, .max_message_bytes = 1000};
    struct rpc_channel *channel;
    assert_int_equal(rpc_channel_new(&options, &channel, &err), STATUS_OK);
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    unsigned char blob[2000] = {0};
    request.blob = (ProtobufCBinaryData){sizeof blob, blob};
    assert_non_null(rpc_unary_async(channel, &echo_unary, &request.base, 0, outcome_done, &outcome));
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_EXHAUSTED);
    rpc_channel_free(channel);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_port_taken_twice),
        cmocka_unit_test(test_failure_text),
        cmocka_unit_test(test_unknown_method),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_oversized),
        cmocka_unit_test(test_deadline_of_parked_call),
        cmocka_unit_test(test_cancel_parked_call),
        cmocka_unit_test(test_release_parked_calls),
        cmocka_unit_test(test_concurrent_calls_bound),
        cmocka_unit_test(test_async_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_end_process);
}
