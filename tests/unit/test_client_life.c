// SPDX-License-Identifier: Apache-2.0
// Lifetimes of libbesom's calls and streams: cancelled, given back early, freed from callbacks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <besom/client.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

/* One address where nobody listens, one that takes connections and says nothing. */
struct fixture {
    char folder[64], silent_path[96];
    int silent;
    besom_client *absent_client, *silent_client;
};

/* What a callback has told; the other end waits on `done`. */
struct told {
    sem_t done;
    int count;
    besom_status code;
    besom_stream *other; /* freed by on_close when set */
    besom_call *call;    /* cancelled and freed by on_close when set */
};

static besom_client *connect_to(const char *folder, const char *name)
{
    char address[128];
    besom_client *client = NULL;
    besom_error error;
    besom_client_options options = BESOM_CLIENT_OPTIONS_INIT;
    snprintf(address, sizeof address, "unix:%s/%s", folder, name);
    options.address = address;
    options.token = "";
    assert_int_equal(besom_client_new(&options, &client, &error), BESOM_OK);
    return client;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/besom-client-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->silent_path, sizeof fixture->silent_path, "%s/silent", fixture->folder);
    memcpy(address.sun_path, fixture->silent_path, strlen(fixture->silent_path) + 1);
    fixture->silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->silent, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fixture->silent, 16), 0);
    fixture->absent_client = connect_to(fixture->folder, "absent");
    fixture->silent_client = connect_to(fixture->folder, "silent");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    besom_client_free(fixture->absent_client);
    besom_client_free(fixture->silent_client);
    close(fixture->silent);
    unlink(fixture->silent_path);
    int left = rmdir(fixture->folder);
    free(fixture);
    return left;
}

static void wait_for(struct told *told)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    assert_int_equal(sem_timedwait(&told->done, &end), 0);
}

static void on_done(void *context, const void *response, const besom_error *error)
{
    struct told *told = context;
    assert_null(response);
    told->code = error->code;
    told->count++;
    sem_post(&told->done);
}

static void on_message(void *context, const void *message)
{
    (void)context;
    (void)message;
}

static void on_close(void *context, const besom_error *error)
{
    struct told *told = context;
    told->code = error->code;
    told->count++;
    if (told->call != NULL) {
        besom_call_cancel(told->call);
        besom_call_free(told->call);
    }
    besom_stream_free(told->other);
    sem_post(&told->done);
}

static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};

static besom_stream *open_stream(besom_client *client, struct told *told)
{
    besom_stream *stream = NULL;
    besom_error error;
    sem_init(&told->done, 0, 0);
    assert_int_equal(besom_run_track(client, &handler, told, &stream, &error), BESOM_OK);
    return stream;
}

static besom_call *begin_call(besom_client *client, struct told *told)
{
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    sem_init(&told->done, 0, 0);
    besom_call *call = besom_sweep_get_async(client, &request, PATIENCE_S * 1000L, on_done, told);
    assert_non_null(call);
    return call;
}

static void cancelled_call_answers_once(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < 50; i++) {
        struct told told = {.count = 0};
        besom_call *call = begin_call(fixture->silent_client, &told);
        besom_call_cancel(call);
        besom_call_cancel(call);
        wait_for(&told);
        besom_call_cancel(call); /* too late: nothing happens */
        besom_call_free(call);
        assert_int_equal(told.count, 1);
        assert_int_equal(told.code, BESOM_CANCELLED);
        sem_destroy(&told.done);
    }
}

static void call_given_back_goes_on(void **state)
{
    const struct fixture *fixture = *state;
    struct told told = {.count = 0};
    besom_call_free(begin_call(fixture->absent_client, &told));
    wait_for(&told);
    assert_int_equal(told.code, BESOM_UNAVAILABLE);
    sem_destroy(&told.done);
}

static void freed_stream_has_closed(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < 50; i++) {
        struct told told = {.count = 0};
        besom_stream_free(open_stream(fixture->silent_client, &told));
        assert_int_equal(told.count, 1);
        assert_int_equal(told.code, BESOM_CANCELLED);
        sem_destroy(&told.done);
    }
}

/* All callbacks share a thread: waiting there for another stream's end would wait for ever. */
static void callback_may_free_another_stream(void **state)
{
    const struct fixture *fixture = *state;
    struct told other = {.count = 0}, call = {.count = 0}, told = {.count = 0};
    told.other = open_stream(fixture->silent_client, &other);
    told.call = begin_call(fixture->silent_client, &call);
    besom_stream *stream = open_stream(fixture->absent_client, &told);
    wait_for(&told);
    wait_for(&other);
    wait_for(&call);
    assert_int_equal(told.code, BESOM_UNAVAILABLE);
    assert_int_equal(other.code, BESOM_CANCELLED);
    assert_int_equal(call.code, BESOM_CANCELLED);
    besom_stream_free(stream);
    assert_int_equal(told.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cancelled_call_answers_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(call_given_back_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freed_stream_has_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(callback_may_free_another_stream, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
