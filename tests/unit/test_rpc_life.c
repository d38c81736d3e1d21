// SPDX-License-Identifier: Apache-2.0
/* Starts and ends: drain, grace, restart, reconnection, retries, health. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/backoff.h"
#include "rpc_fixture.h"

typedef Besom__Test__V1__EchoRequest echo_request;

static void park(struct fixture *fixture, struct outcome *outcome)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    rpc_unary_async(fixture->channel, &echo_unary, &request.base, 0, outcome_done, outcome);
}

static struct rpc_client_stream *open_chat(struct fixture *fixture, struct outcome *outcome)
{
    struct rpc_client_stream *stream;
    struct err err = ERR_INIT;
    assert_int_equal(
        rpc_client_stream_open(fixture->channel, &echo_chat, 0, &outcome_stream, outcome, &stream, &err),
        STATUS_OK);
    return stream;
}

/* Parked calls are answered by the drain callback; a stream that nobody ends is cancelled after the grace
 * time. */
static void test_drain(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome parked, chat;
    outcome_init(&parked);
    outcome_init(&chat);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    for (int i = 0; i < 20; i++)
        park(&fixture, &parked);
    struct rpc_client_stream *stream = open_chat(&fixture, &chat);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 20));
    assert_true(echo_wait(&fixture.echo, &fixture.echo.opened, 1));
    int64_t start = clock_monotonic_ms(&clock_system);
    rpc_server_shutdown(fixture.server, 200);
    int64_t took = clock_monotonic_ms(&clock_system) - start;
    assert_true(took >= 190 && took < 5000);
    assert_int_equal(rpc_server_stats(fixture.server).open, 0);
    assert_true(outcome_wait(&parked, &parked.done, 20));
    assert_int_equal(parked.err.code, STATUS_UNAVAILABLE);
    assert_string_equal(parked.err.text, "draining");
    assert_true(outcome_wait(&chat, &chat.done, 1));
    assert_int_not_equal(chat.err.code, STATUS_OK);
    assert_int_equal(fixture.echo.closed_cancelled, 1);
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 0);
    outcome_destroy(&parked);
    outcome_destroy(&chat);
}

static void test_idle_drain_is_quick(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "x", &err), STATUS_OK);
    int64_t start = clock_monotonic_ms(&clock_system);
    rpc_server_shutdown(fixture.server, 30000);
    assert_true(clock_monotonic_ms(&clock_system) - start < 5000);
    fixture_stop(&fixture, 0);
}

static void test_start_and_stop_many_times(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct fixture fixture;
        struct outcome outcome;
        outcome_init(&outcome);
        fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
        for (int k = 0; k < 30; k++)
            park(&fixture, &outcome); /* arriving while the server goes down */
        rpc_server_shutdown(fixture.server, 1000);
        assert_true(outcome_wait(&outcome, &outcome.done, 30));
        fixture_stop(&fixture, 0);
        outcome_destroy(&outcome);
    }
}

static void test_reconnect(void **state)
{
    (void)state;
    struct fixture first, second;
    struct err err = ERR_INIT;
    char folder[] = "/tmp/rpc-test-XXXXXX", address[64];
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/s", folder);
    const char *const addresses[] = {address};
    struct rpc_server_options options = {.addresses = addresses, .address_count = 1, .workers = 2};
    struct rpc_channel_options channel_options = {.address = address};
    struct rpc_channel *channel;
    fixture_start(&first, options);
    assert_int_equal(rpc_channel_new(&channel_options, &channel, &err), STATUS_OK);
    assert_int_equal(fixture_echo(channel, &echo_unary, "before", &err), STATUS_OK);
    fixture_stop(&first, 100);

    struct rpc_call_options once = {.timeout_ms = 2000, .max_attempts = 1};
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    ProtobufCMessage *message;
    assert_int_equal(rpc_unary(channel, &echo_unary, &request.base, &once, &message, &err),
                     STATUS_UNAVAILABLE);
    fixture_start(&second, options);
    int64_t start = clock_monotonic_ms(&clock_system);
    while (fixture_echo(channel, &echo_unary_again, "after", &err) != STATUS_OK)
        assert_true(clock_monotonic_ms(&clock_system) - start < 5000);
    rpc_channel_free(channel);
    fixture_stop(&second, 100);
    remove(address + 5);
    remove(folder);
}

static enum status call_flaky(struct fixture *fixture, const struct rpc_client_method *method,
                              unsigned failures, int attempts, struct err *err)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_FLAKY;
    request.count = failures;
    struct rpc_call_options options = {.timeout_ms = 20000, .max_attempts = attempts};
    ProtobufCMessage *message;
    enum status status = rpc_unary(fixture->channel, method, &request.base, &options, &message, err);
    if (status == STATUS_OK)
        protobuf_c_message_free_unpacked(message, NULL);
    return status;
}

static void test_retry(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    assert_int_equal(call_flaky(&fixture, &echo_unary_again, 3, 0, &err), STATUS_OK);
    assert_int_equal(rpc_server_stats(fixture.server).calls, 4);
    assert_int_equal(call_flaky(&fixture, &echo_unary, 4, 0, &err), STATUS_UNAVAILABLE);
    assert_string_equal(err.text, "try again");
    assert_int_equal(rpc_server_stats(fixture.server).calls, 5);
    assert_int_equal(call_flaky(&fixture, &echo_unary_again, 100, 2, &err), STATUS_UNAVAILABLE);
    assert_int_equal(rpc_server_stats(fixture.server).calls, 7);
    fixture_stop(&fixture, 1000);
}

static void test_attempt_timeout(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2});
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    struct rpc_call_options options = {.timeout_ms = 10000, .attempt_timeout_ms = 100, .max_attempts = 3};
    ProtobufCMessage *message;
    assert_int_equal(rpc_unary(fixture.channel, &echo_unary_again, &request.base, &options, &message, &err),
                     STATUS_DEADLINE);
    assert_int_equal(rpc_server_stats(fixture.server).calls, 3);
    fixture_stop(&fixture, 1000);
}

/* A random source that counts its draws: one for the wait before each further try. */
static void count_draw(void *context, void *bytes, size_t length)
{
    ++*(unsigned *)context;
    memset(bytes, 0x55, length); /* not 0, which random_below rejects */
}

/* Nobody listens: the call did not leave, so even a method that is not idempotent is tried again. */
static void test_nobody_there(void **state)
{
    (void)state;
    unsigned draws = 0;
    struct random_source counting = {.fill = count_draw, .context = &draws};
    struct rpc_channel_options options = {.address = "unix:/nonexistent/socket", .random = &counting};
    struct rpc_channel *channel;
    struct err err = ERR_INIT;
    assert_int_equal(rpc_channel_new(&options, &channel, &err), STATUS_OK);
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    struct rpc_call_options call = {.timeout_ms = 3000, .max_attempts = 3};
    ProtobufCMessage *message;
    assert_int_equal(rpc_unary(channel, &echo_unary, &request.base, &call, &message, &err),
                     STATUS_UNAVAILABLE);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(draws, 2);
    rpc_channel_free(channel);
}

static void test_backoff(void **state)
{
    (void)state;
    static const int64_t bounds[] = {100, 200, 400, 800, 1600, 2000, 2000};
    for (int failures = 1; failures <= 7; failures++)
        for (int i = 0; i < 200; i++) {
            int64_t delay = backoff_delay_ms(failures, &random_system);
            assert_true(delay >= 0 && delay <= bounds[failures - 1]);
        }
}

static void test_bad_options(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:0"};
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct err err = ERR_INIT;
    struct rpc_server_options none = {0};
    assert_int_equal(rpc_server_new(&none, &server, &err), STATUS_INVALID);
    struct rpc_server_options no_key = {
        .addresses = addresses, .address_count = 1, .tls.certificate_pem = "x"};
    assert_int_equal(rpc_server_new(&no_key, &server, &err), STATUS_INVALID);
    struct rpc_server_options bad_set = {.addresses = addresses,
                                         .address_count = 1,
                                         .descriptor_set = (const unsigned char *)"\xff\xff\xff",
                                         .descriptor_set_size = 3};
    assert_int_equal(rpc_server_new(&bad_set, &server, &err), STATUS_INVALID);
    struct rpc_channel_options open_token = {.address = "127.0.0.1:1", .token = "t"};
    assert_int_equal(rpc_channel_new(&open_token, &channel, &err), STATUS_DENIED);
    struct rpc_channel_options bad_token = {.address = "127.0.0.1:1", .token = "t\n", .insecure = true};
    assert_int_equal(rpc_channel_new(&bad_token, &channel, &err), STATUS_INVALID);
    struct rpc_channel_options nowhere = {.address = ""};
    assert_int_equal(rpc_channel_new(&nowhere, &channel, &err), STATUS_INVALID);
}

static void test_bad_address(void **state)
{
    (void)state;
    static const char *const bad[] = {"127.0.0.1", "no.such.host.invalid:1", "192.0.2.1:7"};
    static const enum status expected[] = {STATUS_INVALID, STATUS_INVALID, STATUS_IO};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rpc_server_options options = {.addresses = &bad[i], .address_count = 1};
        struct rpc_server *server;
        struct err err = ERR_INIT;
        assert_int_equal(rpc_server_new(&options, &server, &err), STATUS_OK);
        assert_int_equal(rpc_server_start(server, &err), expected[i]);
        rpc_server_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_idle_drain_is_quick),
        cmocka_unit_test(test_start_and_stop_many_times),
        cmocka_unit_test(test_reconnect),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_attempt_timeout),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_bad_address),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_end_process);
}
