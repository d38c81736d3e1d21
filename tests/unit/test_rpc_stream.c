// SPDX-License-Identifier: Apache-2.0
/* Streams over loopback: every kind, bounds, credit, cancellation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_fixture.h"

typedef Besom__Test__V1__EchoRequest echo_request;
typedef Besom__Test__V1__EchoResponse echo_response;

static struct rpc_client_stream *open_stream(struct fixture *fixture, const struct rpc_client_method *method,
                                             int64_t timeout_ms, struct outcome *outcome)
{
    struct rpc_client_stream *stream;
    struct err err = ERR_INIT;
    assert_int_equal(
        rpc_client_stream_open(fixture->channel, method, timeout_ms, &outcome_stream, outcome, &stream, &err),
        STATUS_OK);
    return stream;
}

static enum status send_text(struct rpc_client_stream *stream, Besom__Test__V1__Mode mode, unsigned count,
                             const char *text)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.text = (char *)(uintptr_t)text;
    request.mode = mode;
    request.count = count;
    return rpc_client_stream_send(stream, &request.base);
}

/* Sends, waiting for room when the outbox is full. */
static void send_patiently(struct rpc_client_stream *stream, struct outcome *outcome, const char *text)
{
    for (;;) {
        pthread_mutex_lock(&outcome->lock);
        unsigned before = outcome->writable;
        pthread_mutex_unlock(&outcome->lock);
        enum status status = send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, text);
        if (status == STATUS_OK)
            return;
        assert_int_equal(status, STATUS_EXHAUSTED);
        assert_true(outcome_wait(outcome, &outcome->writable, before + 1));
    }
}

static void test_collect(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_collect, 0, &outcome);
    for (int i = 0; i < 1000; i++)
        send_patiently(stream, &outcome, "ab");
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_OK);
    assert_int_equal(outcome.last_count, 1000);
    assert_int_equal(strlen(outcome.text), 2000);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, "late"), STATUS_CANCELLED);
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

/* More messages than the outbox holds: the service is told when there is room. */
static void test_spread(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3, .stream_outbox_messages = 4});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_spread, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 2000, ""), STATUS_OK);
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_OK);
    assert_int_equal(outcome.messages, 2000);
    assert_int_equal(outcome.last_count, 1999);
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    assert_true(fixture.echo.refused > 0);
    assert_int_equal(fixture.echo.refused, fixture.echo.writable);
    outcome_destroy(&outcome);
}

static void test_chat(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_chat, 0, &outcome);
    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, "ping"), STATUS_OK);
        assert_true(outcome_wait(&outcome, &outcome.messages, i));
        assert_string_equal(outcome.text, "ping");
    }
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_OK);
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    assert_int_equal(fixture.echo.closed_cancelled, 0);
    outcome_destroy(&outcome);
}

static void test_failing_chat(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_chat, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_FAIL, 0, "not now"), STATUS_OK);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_PRECONDITION);
    assert_string_equal(outcome.err.text, "not now");
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

static void test_bad_text(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_chat, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, "\xc0\x80"), STATUS_OK);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_INVALID);
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    assert_int_equal(fixture.echo.messages, 0);
    outcome_destroy(&outcome);
}

/* A cancelled stream's end must not pass for the end of its messages. */
static void test_cancel_is_no_half_close(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_start(&fixture, (struct rpc_server_options){.workers = 4});
    for (unsigned i = 1; i <= 200; i++) {
        struct outcome outcome;
        outcome_init(&outcome);
        struct rpc_client_stream *stream = open_stream(&fixture, &echo_collect, 0, &outcome);
        assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, "x"), STATUS_OK);
        assert_true(echo_wait(&fixture.echo, &fixture.echo.messages, i));
        rpc_client_stream_release(stream);
        assert_true(outcome_wait(&outcome, &outcome.done, 1));
        assert_int_equal(outcome.err.code, STATUS_CANCELLED);
        outcome_destroy(&outcome);
    }
    assert_true(echo_wait(&fixture.echo, &fixture.echo.closed_cancelled, 200));
    assert_int_equal(echo_read(&fixture.echo, &fixture.echo.half_closed), 0);
    fixture_stop(&fixture, 1000);
}

static void test_deadline(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_chat, 100, &outcome);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_DEADLINE);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.closed_cancelled, 1));
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

/* After MODE_HOLD the service reads only what it gives credit for. */
static void test_read_credit(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 3});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_chat, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_HOLD, 0, ""), STATUS_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_UNSPECIFIED, 0, "x"), STATUS_OK);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.messages, 1));
    struct err err = ERR_INIT;
    for (int i = 0; i < 20; i++) /* the server has had time for more, had it wanted */
        assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "x", &err), STATUS_OK);
    assert_int_equal(echo_read(&fixture.echo, &fixture.echo.messages), 1);
    struct rpc_stream *held = echo_held(&fixture.echo);
    assert_non_null(held);
    rpc_stream_add_credit(held, 4);
    assert_true(outcome_wait(&outcome, &outcome.messages, 4));
    for (int i = 0; i < 20; i++)
        assert_int_equal(fixture_echo(fixture.channel, &echo_unary, "x", &err), STATUS_OK);
    assert_int_equal(echo_read(&fixture.echo, &fixture.echo.messages), 5);
    rpc_stream_add_credit(held, 100);
    assert_true(outcome_wait(&outcome, &outcome.messages, 10));
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    rpc_client_stream_release(stream);
    fixture_stop(&fixture, 1000);
    rpc_stream_add_credit(held, 1); /* a reference outlives stream and server, and then does nothing */
    rpc_stream_finish(held, NULL);
    echo_response late = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    assert_int_equal(rpc_stream_send(held, &late.base), STATUS_CANCELLED);
    rpc_stream_unref(held);
    outcome_destroy(&outcome);
}

/* A reader that takes nothing: the service's outbox fills and refuses. How many messages were accepted. */
static unsigned fill_outbox(struct rpc_server_options options)
{
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, options);
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_spread, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_HOLD, 0, ""), STATUS_OK);
    struct rpc_stream *held = echo_held(&fixture.echo);
    assert_non_null(held);
    pthread_mutex_lock(&outcome.lock); /* stops the client's event thread in on_message */
    static unsigned char blob[100000];
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    response.blob = (ProtobufCBinaryData){sizeof blob, blob};
    unsigned accepted = 0;
    while (rpc_stream_send(held, &response.base) == STATUS_OK)
        assert_true(++accepted < 10000);
    pthread_mutex_unlock(&outcome.lock);
    assert_true(outcome_wait(&outcome, &outcome.messages, accepted));
    rpc_stream_unref(held);
    rpc_client_stream_release(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
    return accepted;
}

static void test_outbox_bound(void **state)
{
    (void)state;
    unsigned wide = fill_outbox((struct rpc_server_options){
        .workers = 3, .stream_outbox_messages = 200, .stream_outbox_bytes = (size_t)1 << 30});
    unsigned few = fill_outbox((struct rpc_server_options){
        .workers = 3, .stream_outbox_messages = 8, .stream_outbox_bytes = (size_t)1 << 30});
    unsigned small = fill_outbox((struct rpc_server_options){.workers = 3, .stream_outbox_messages = 200});
    assert_true(wide >= 200);
    assert_true(few >= 8 && few < 100);
    assert_true(small >= 2 && small < 100); /* 256 KiB, in messages of 100 KB */
}

struct sender {
    struct rpc_stream *stream;
    unsigned sent;
};

static void *send_many(void *context)
{
    struct sender *sender = context;
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    for (int i = 0; i < 5000; i++)
        if (rpc_stream_send(sender->stream, &response.base) == STATUS_OK)
            sender->sent++;
    return NULL;
}

static void test_many_threads_send(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outcome outcome;
    outcome_init(&outcome);
    fixture_start(&fixture, (struct rpc_server_options){.workers = 4});
    struct rpc_client_stream *stream = open_stream(&fixture, &echo_spread, 0, &outcome);
    assert_int_equal(send_text(stream, BESOM__TEST__V1__MODE__MODE_HOLD, 0, ""), STATUS_OK);
    struct rpc_stream *held = echo_held(&fixture.echo);
    assert_non_null(held);
    struct sender senders[4];
    pthread_t threads[4];
    unsigned sent = 0;
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){.stream = held};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sent += senders[i].sent;
    }
    rpc_stream_finish(held, NULL);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.messages, sent);
    rpc_client_stream_release(stream);
    rpc_stream_unref(held);
    fixture_stop(&fixture, 1000);
    outcome_destroy(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect),      cmocka_unit_test(test_spread),
        cmocka_unit_test(test_chat),         cmocka_unit_test(test_failing_chat),
        cmocka_unit_test(test_bad_text),     cmocka_unit_test(test_cancel_is_no_half_close),
        cmocka_unit_test(test_deadline),     cmocka_unit_test(test_read_credit),
        cmocka_unit_test(test_outbox_bound), cmocka_unit_test(test_many_threads_send),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_end_process);
}
