// SPDX-License-Identifier: Apache-2.0
/* Tokens, TLS and mutual TLS, with certificates made for the run. */
#include <poll.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "rpc/client_internal.h"
#include "rpc_fixture.h"

typedef Besom__Test__V1__EchoRequest echo_request;
typedef Besom__Test__V1__EchoResponse echo_response;

extern char **environ;

static const char *const names[] = {"ca.crt",     "server.crt", "server.key",  "expired.crt", "expired.key",
                                    "client.crt", "client.key", "foreign.crt", "foreign.key"};
enum { CA, SERVER, SERVER_KEY, EXPIRED, EXPIRED_KEY, CLIENT, CLIENT_KEY, FOREIGN, FOREIGN_KEY, PEM_COUNT };

static char folder[] = "/tmp/rpc-tls-XXXXXX";
static struct buffer pems[PEM_COUNT];

static int make_certificates(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    pid_t child;
    int status;
    if (mkdtemp(folder) == NULL)
        return -1;
    char *arguments[] = {"sh", RPC_CERTIFICATES, folder, NULL};
    if (posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0)
        return -1;
    for (size_t i = 0; i < PEM_COUNT; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (file_read(path, 65536, &pems[i], &err) != STATUS_OK)
            return -1;
    }
    return 0;
}

static int drop_certificates(void **state)
{
    static const char *const others[] = {"ca.key", "stranger.crt", "stranger.key"};
    char path[128];
    for (size_t i = 0; i < PEM_COUNT; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
        buffer_free(&pems[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, others[i]);
        unlink(path);
    }
    rmdir(folder);
    return fixture_end_process(state);
}

static const char *pem(int which)
{
    return buffer_text(&pems[which]);
}

/* "right" may call, "admin" may do everything, a certificate's name is its subject. */
static enum status check(void *context, const char *token, const char *peer_name, unsigned access,
                         struct rpc_identity *identity, struct err *err)
{
    (void)context;
    bool right = token != NULL && strcmp(token, "right") == 0,
         admin = token != NULL && strcmp(token, "admin") == 0;
    if (!right && !admin && peer_name == NULL)
        return err_set(err, STATUS_UNAUTHENTICATED, "no or wrong token");
    identity->access = admin ? ECHO_ACCESS | ECHO_ADMIN : ECHO_ACCESS;
    if ((identity->access & access) != access)
        return err_set(err, STATUS_DENIED, "the token does not permit this");
    snprintf(identity->subject, sizeof identity->subject, "%s", peer_name != NULL ? peer_name : token);
    return STATUS_OK;
}

/* subject[64] gets who the server saw. */
static enum status call_on(struct rpc_channel *channel, const struct rpc_client_method *method,
                           char subject[64], struct err *err)
{
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    struct rpc_call_options once = {.timeout_ms = 5000, .max_attempts = 1};
    ProtobufCMessage *message;
    TRY(rpc_unary(channel, method, &request.base, &once, &message, err));
    snprintf(subject, 64, "%s", ((echo_response *)message)->subject);
    protobuf_c_message_free_unpacked(message, NULL);
    return STATUS_OK;
}

/* With a channel of these options. */
static enum status call(struct rpc_channel_options options, const struct rpc_client_method *method,
                        char subject[64], struct err *err)
{
    struct rpc_channel *channel;
    TRY(rpc_channel_new(&options, &channel, err));
    enum status status = call_on(channel, method, subject, err);
    rpc_channel_free(channel);
    return status;
}

static void test_tokens(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64];
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2, .check = check});
    struct rpc_channel_options options = {.address = fixture.address, .insecure = true};
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAUTHENTICATED);
    options.token = "wrong";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAUTHENTICATED);
    assert_string_equal(err.text, "no or wrong token");
    options.token = "right";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    assert_string_equal(subject, "right");
    assert_int_equal(call(options, &echo_admin, subject, &err), STATUS_DENIED);
    options.token = "admin";
    assert_int_equal(call(options, &echo_admin, subject, &err), STATUS_OK);

    struct outcome outcome;
    struct rpc_client_stream *stream;
    outcome_init(&outcome);
    assert_int_equal(
        rpc_client_stream_open(fixture.channel, &echo_chat, 0, &outcome_stream, &outcome, &stream, &err),
        STATUS_OK);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_UNAUTHENTICATED);
    rpc_client_stream_release(stream);
    outcome_destroy(&outcome);
    fixture_stop(&fixture, 1000);
    assert_int_equal(fixture.echo.opened, 0);
}

static enum status admins_alone(void *context, const struct rpc_identity *identity, struct err *err)
{
    (void)context;
    if ((identity->access & ECHO_ADMIN) != 0)
        return STATUS_OK;
    return err_set(err, STATUS_UNAUTHENTICATED, "the token was revoked");
}

/* Who is no longer welcome loses what is open; others go on. */
static void test_open_calls_are_ended(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    struct rpc_channel *channels[2];
    struct rpc_client_stream *streams[2];
    struct outcome outcomes[2], parked;
    static const char *const tokens[] = {"right", "admin"};
    fixture_start(&fixture, (struct rpc_server_options){.workers = 2, .check = check});
    outcome_init(&parked);
    for (size_t i = 0; i < 2; i++) {
        const struct rpc_channel_options options = {
            .address = fixture.address, .insecure = true, .token = tokens[i]};
        outcome_init(&outcomes[i]);
        assert_int_equal(rpc_channel_new(&options, &channels[i], &err), STATUS_OK);
        assert_int_equal(rpc_client_stream_open(channels[i], &echo_chat, 0, &outcome_stream, &outcomes[i],
                                                &streams[i], &err),
                         STATUS_OK);
    }
    assert_true(echo_wait(&fixture.echo, &fixture.echo.opened, 2));
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    (void)rpc_unary_async(channels[0], &echo_unary, &request.base, 30000, outcome_done, &parked);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 1));
    /* the call is listed when its handler has returned, just after it is parked */
    size_t ended = 0;
    while (ended < 2)
        ended += rpc_server_recheck(fixture.server, admins_alone, NULL);
    assert_int_equal(ended, 2);
    assert_true(outcome_wait(&parked, &parked.done, 1));
    assert_int_equal(parked.err.code, STATUS_UNAUTHENTICATED);
    assert_true(outcome_wait(&outcomes[0], &outcomes[0].done, 1));
    assert_int_equal(outcomes[0].err.code, STATUS_UNAUTHENTICATED);
    assert_string_equal(outcomes[0].err.text, "the token was revoked");
    assert_int_equal(rpc_server_recheck(fixture.server, admins_alone, NULL), 0);
    rpc_client_stream_half_close(streams[1]);
    assert_true(outcome_wait(&outcomes[1], &outcomes[1].done, 1));
    assert_int_equal(outcomes[1].err.code, STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        rpc_client_stream_release(streams[i]);
        outcome_destroy(&outcomes[i]);
        rpc_channel_free(channels[i]);
    }
    outcome_destroy(&parked);
    fixture_stop(&fixture, 1000);
}

/* Who is in, by what was let in and what was told to be over. */
struct presence {
    atomic_int entered, left;
};

static enum status let_in(void *context, const char *token, const char *peer_name, unsigned access,
                          struct rpc_identity *identity, struct err *err)
{
    struct presence *presence = context;
    enum status status = check(NULL, token, peer_name, access, identity, err);
    atomic_fetch_add(&presence->entered, status == STATUS_OK);
    return status;
}

static void note_release(void *context, const struct rpc_identity *identity)
{
    struct presence *presence = context;
    assert_string_equal(identity->subject, "right");
    atomic_fetch_add(&presence->left, 1);
}

/* A call is told to be over a moment after its answer. */
static bool await_left(struct presence *presence, int expected)
{
    for (int i = 0; i < 10000 && atomic_load(&presence->left) < expected; i++)
        (void)poll(NULL, 0, 1);
    return atomic_load(&presence->left) == expected;
}

/* Once for each call and stream that was let in, however it ended; never for who was refused. */
static void test_who_was_let_in_is_released(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    struct presence presence = {0, 0};
    struct rpc_channel *channel;
    char subject[64];
    fixture_start(&fixture,
                  (struct rpc_server_options){
                      .workers = 2, .check = let_in, .release = note_release, .check_context = &presence});
    struct rpc_channel_options options = {.address = fixture.address, .insecure = true, .token = "wrong"};
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAUTHENTICATED);
    options.token = "right";
    assert_int_equal(call(options, &echo_admin, subject, &err), STATUS_DENIED);
    assert_int_equal(atomic_load(&presence.entered), 0);
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    assert_int_equal(rpc_channel_new(&options, &channel, &err), STATUS_OK);
    struct outcome outcomes[2], parked;
    struct rpc_client_stream *streams[2];
    outcome_init(&parked);
    for (size_t i = 0; i < 2; i++) {
        outcome_init(&outcomes[i]);
        assert_int_equal(
            rpc_client_stream_open(channel, &echo_chat, 0, &outcome_stream, &outcomes[i], &streams[i], &err),
            STATUS_OK);
    }
    assert_true(echo_wait(&fixture.echo, &fixture.echo.opened, 2));
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    request.mode = BESOM__TEST__V1__MODE__MODE_PARK;
    (void)rpc_unary_async(channel, &echo_unary, &request.base, 300, outcome_done, &parked);
    assert_true(echo_wait(&fixture.echo, &fixture.echo.parked_count, 1));
    assert_int_equal(atomic_load(&presence.entered), 4);
    assert_true(await_left(&presence, 1));
    assert_true(outcome_wait(&parked, &parked.done, 1)); /* its deadline passes */
    rpc_client_stream_cancel(streams[0]);
    rpc_client_stream_half_close(streams[1]);
    for (size_t i = 0; i < 2; i++) {
        assert_true(outcome_wait(&outcomes[i], &outcomes[i].done, 1));
        rpc_client_stream_release(streams[i]);
        outcome_destroy(&outcomes[i]);
    }
    outcome_destroy(&parked);
    rpc_channel_free(channel);
    fixture_stop(&fixture, 1000);
    assert_int_equal(atomic_load(&presence.entered), 4);
    assert_int_equal(atomic_load(&presence.left), 4);
}

static void test_tls(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64], local[64];
    snprintf(local, sizeof local, "unix:%s/s", folder);
    const char *const addresses[] = {"127.0.0.1:0", local};
    fixture_start(&fixture, (struct rpc_server_options){.addresses = addresses,
                                                        .address_count = 2,
                                                        .check = check,
                                                        .tls = {pem(SERVER), pem(SERVER_KEY), NULL, NULL}});
    struct rpc_channel_options options = {
        .address = fixture.address, .token = "right", .tls = true, .ca_pem = pem(CA)};
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    options.server_name = "localhost";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    options.server_name = "elsewhere.example";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    options.server_name = NULL;
    options.token = "wrong";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAUTHENTICATED);
    options.ca_pem = pem(FOREIGN);
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);

    struct rpc_channel_options plain = {.address = fixture.address, .token = "right", .insecure = true};
    assert_int_equal(call(plain, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    plain = (struct rpc_channel_options){.address = local, .token = "right"};
    assert_int_equal(call(plain, &echo_unary, subject, &err), STATUS_OK);
    fixture_stop(&fixture, 1000);
    unlink(local + 5);
}

static void test_expired_certificate(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64];
    fixture_start(&fixture, (struct rpc_server_options){.check = check,
                                                        .tls = {pem(EXPIRED), pem(EXPIRED_KEY), NULL, NULL}});
    struct rpc_channel_options options = {
        .address = fixture.address, .token = "right", .tls = true, .ca_pem = pem(CA)};
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    fixture_stop(&fixture, 1000);
}

static void test_mutual_tls(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64];
    fixture_start(&fixture, (struct rpc_server_options){
                                .check = check, .tls = {pem(SERVER), pem(SERVER_KEY), pem(CA), NULL}});
    struct rpc_channel_options options = {.address = fixture.address,
                                          .tls = true,
                                          .ca_pem = pem(CA),
                                          .certificate_pem = pem(CLIENT),
                                          .key_pem = pem(CLIENT_KEY)};
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    assert_string_equal(subject, "agent-7");
    options.certificate_pem = pem(FOREIGN);
    options.key_pem = pem(FOREIGN_KEY);
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    options.certificate_pem = options.key_pem = NULL;
    options.token = "right";
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    fixture_stop(&fixture, 1000);
}

/* A key that does not fit, or no key at all: said when the server starts, and not as "port taken". */
static void test_wrong_key(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:0"};
    const char *const keys[] = {pem(CLIENT_KEY),
                                "-----BEGIN PRIVATE KEY-----\nnot one\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct rpc_server_options options = {
            .addresses = addresses, .address_count = 1, .tls = {pem(SERVER), keys[i], NULL, NULL}};
        struct rpc_server *server;
        struct err err = ERR_INIT;
        assert_int_equal(rpc_server_new(&options, &server, &err), STATUS_OK);
        assert_int_equal(rpc_server_start(server, &err), STATUS_INVALID);
        rpc_server_free(server);
    }
}

/* ---- files that change ---- */

static _Atomic int64_t seconds; /* set on; files are looked at once a second */

static int64_t read_seconds(void *context)
{
    (void)context;
    return atomic_load(&seconds) * 1000000;
}

static const struct clock test_clock = {.wall_us = read_seconds, .monotonic_us = read_seconds};

static char live_certificate[64], live_key[64], authorities[64];

static void install(const char *path, int which)
{
    struct err err = ERR_INIT;
    assert_int_equal(file_write_atomic(path, pem(which), pems[which].length, 0600, &err), STATUS_OK);
}

static struct tls_files *open_live(int certificate, int key)
{
    struct tls_files *files;
    struct err err = ERR_INIT;
    snprintf(live_certificate, sizeof live_certificate, "%s/live.crt", folder);
    snprintf(live_key, sizeof live_key, "%s/live.key", folder);
    snprintf(authorities, sizeof authorities, "%s/ca.crt", folder);
    install(live_certificate, certificate);
    install(live_key, key);
    const struct tls_paths paths = {live_certificate, live_key, authorities};
    assert_int_equal(tls_files_open(&paths, &test_clock, &files, &err), STATUS_OK);
    return files;
}

static void close_live(struct tls_files *files)
{
    tls_files_free(files);
    unlink(live_certificate);
    unlink(live_key);
}

/* A certificate that has ended is replaced; between certificate and key, the old one is shown. */
static void test_a_renewed_certificate_is_shown(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64];
    static const char *const addresses[] = {"127.0.0.1:0", "127.0.0.1:0"};
    struct tls_files *files = open_live(EXPIRED, EXPIRED_KEY);
    fixture_start(&fixture, (struct rpc_server_options){.check = check,
                                                        .addresses = addresses,
                                                        .address_count = ARRAY_LEN(addresses),
                                                        .tls = {.files = files}});
    struct rpc_channel_options options = {.address = fixture.address,
                                          .tls = true,
                                          .ca_pem = pem(CA),
                                          .certificate_pem = pem(CLIENT),
                                          .key_pem = pem(CLIENT_KEY)};
    assert_int_equal(tls_files_end_s(files), 1577923200); /* 2020-01-02 */
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    install(live_certificate, SERVER);
    seconds++;
    assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    assert_int_equal(tls_files_generation(files), 1);
    install(live_key, SERVER_KEY);
    seconds++;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        char address[64];
        snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(fixture.server, i));
        options.address = address;
        assert_int_equal(call(options, &echo_unary, subject, &err), STATUS_OK);
    }
    assert_int_equal(tls_files_generation(files), 2);
    assert_true(tls_files_end_s(files) > 1577923200);
    fixture_stop(&fixture, 1000);
    close_live(files);
}

static void test_a_renewed_client_certificate_is_shown(void **state)
{
    (void)state;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char subject[64];
    struct rpc_channel *channel;
    fixture_start(&fixture, (struct rpc_server_options){
                                .check = check, .tls = {pem(SERVER), pem(SERVER_KEY), pem(CA), NULL}});
    struct tls_files *files = open_live(FOREIGN, FOREIGN_KEY);
    struct rpc_channel_options options = {.address = fixture.address, .tls = true, .files = files};
    assert_int_equal(rpc_channel_new(&options, &channel, &err), STATUS_OK);
    assert_int_equal(call_on(channel, &echo_unary, subject, &err), STATUS_UNAVAILABLE);
    struct rpc_client_stream *stream = NULL;
    struct outcome outcome;
    outcome_init(&outcome);
    for (int renewal = 0; renewal < 3; renewal++) {
        install(live_certificate, CLIENT);
        install(live_key, CLIENT_KEY);
        seconds++;
        assert_int_equal(call_on(channel, &echo_unary, subject, &err), STATUS_OK);
        assert_string_equal(subject, "agent-7");
        if (renewal == 0)
            assert_int_equal(
                rpc_client_stream_open(channel, &echo_chat, 0, &outcome_stream, &outcome, &stream, &err),
                STATUS_OK);
    }
    assert_int_equal(tls_files_generation(files), 4);
    /* what began with an older certificate goes on */
    echo_request request = BESOM__TEST__V1__ECHO_REQUEST__INIT;
    assert_int_equal(rpc_client_stream_send(stream, &request.base), STATUS_OK);
    assert_true(outcome_wait(&outcome, &outcome.messages, 1));
    rpc_client_stream_half_close(stream);
    assert_true(outcome_wait(&outcome, &outcome.done, 1));
    assert_int_equal(outcome.err.code, STATUS_OK);
    rpc_client_stream_release(stream);
    outcome_destroy(&outcome);
    rpc_channel_free(channel);
    fixture_stop(&fixture, 1000);
    close_live(files);
}

static void test_files_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    struct tls_files *files;
    struct err err = ERR_INIT;
    close_live(open_live(SERVER, SERVER_KEY));
    install(live_certificate, SERVER);
    install(live_key, CLIENT_KEY);
    assert_int_equal(
        tls_files_open(&(struct tls_paths){live_certificate, live_key, NULL}, &test_clock, &files, &err),
        STATUS_INVALID);
    assert_non_null(strstr(err.text, "live.key is not the key of the certificate in"));
    assert_int_equal(tls_files_open(&(struct tls_paths){live_key, live_key, NULL}, &test_clock, &files, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "live.key holds no certificate in PEM format"));
    assert_int_equal(tls_files_open(&(struct tls_paths){live_certificate, live_certificate, NULL},
                                    &test_clock, &files, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "live.crt holds no private key"));
    assert_int_equal(tls_files_open(&(struct tls_paths){NULL, NULL, live_key}, &test_clock, &files, &err),
                     STATUS_INVALID);
    assert_int_equal(tls_files_open(&(struct tls_paths){NULL, NULL, folder}, &test_clock, &files, &err),
                     STATUS_IO);
    assert_int_equal(chmod(live_key, 0644), 0);
    assert_int_equal(
        tls_files_open(&(struct tls_paths){live_certificate, live_key, NULL}, &test_clock, &files, &err),
        STATUS_DENIED);
    unlink(live_certificate);
    unlink(live_key);
}

/* What a pipe gives is read once; nobody waits for more. */
static void test_a_pipe_is_not_read_again(void **state)
{
    (void)state;
    struct tls_files *files;
    struct err err = ERR_INIT;
    char path[64];
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t writer;
    char *arguments[] = {"sh", "-c", "cat \"$0\" >\"$1\"", authorities, path, NULL};
    close_live(open_live(SERVER, SERVER_KEY)); /* names `authorities` */
    assert_int_equal(posix_spawn(&writer, "/bin/sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(tls_files_open(&(struct tls_paths){NULL, NULL, path}, &test_clock, &files, &err),
                     STATUS_OK);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    seconds++;
    assert_int_equal(tls_files_generation(files), 1);
    tls_files_free(files);
    unlink(path);
}

/* Files say nothing of a unix socket: its channel keeps its connection. */
static void test_files_leave_a_unix_socket_alone(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct rpc_channel *channel;
    struct tls_files *files = open_live(CLIENT, CLIENT_KEY);
    struct rpc_channel_options options = {.address = "unix:/nowhere", .tls = true, .files = files};
    assert_int_equal(rpc_channel_new(&options, &channel, &err), STATUS_OK);
    grpc_channel *first = channel_hold(channel);
    channel_release(channel);
    seconds++;
    assert_ptr_equal(channel_hold(channel), first);
    channel_release(channel);
    rpc_channel_free(channel);
    close_live(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_open_calls_are_ended),
        cmocka_unit_test(test_who_was_let_in_is_released),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_expired_certificate),
        cmocka_unit_test(test_mutual_tls),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_a_renewed_certificate_is_shown),
        cmocka_unit_test(test_a_renewed_client_certificate_is_shown),
        cmocka_unit_test(test_files_that_cannot_be_used_are_named),
        cmocka_unit_test(test_a_pipe_is_not_read_again),
        cmocka_unit_test(test_files_leave_a_unix_socket_alone),
    };
    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
