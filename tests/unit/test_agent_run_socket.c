// SPDX-License-Identifier: Apache-2.0
// The run socket within one process: rows and their steps, open rows, facts, questions, connections that end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <besom/v1/run_service.pb-c.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "clients/agent/run_socket.h"

#define PATIENCE_MS 20000
#define PARAMS "{\"lr\": 0.10, \"depth\": 3}"

struct fixture {
    char folder[64], path[80];
    struct attempt_spec spec;
    struct spool_writer *spool;
    struct batcher *batcher;
    struct loop *loop;
    struct row_steps steps;
    struct run_socket *socket;
    int clients[2];
    size_t inputs; /* how often the socket took something in */
};

static void on_input(void *context)
{
    ((struct fixture *)context)->inputs++;
}

static int connect_client(const struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture->path, strlen(fixture->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void open_socket(struct fixture *fixture)
{
    struct err err = ERR_INIT;
    const struct run_socket_options options = {.path = fixture->path,
                                               .spec = &fixture->spec,
                                               .loop = fixture->loop,
                                               .batcher = fixture->batcher,
                                               .steps = &fixture->steps,
                                               .on_input = on_input,
                                               .context = fixture};
    assert_int_equal(run_socket_new(&options, &fixture->socket, &err), STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = ERR_INIT;
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/besom-socket-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s.sock", fixture->folder);
    fixture->spec = (struct attempt_spec){.sweep_id = "sweep001",
                                          .run_id = "run00001",
                                          .attempt = 2,
                                          .project = "demo",
                                          .params_json = PARAMS,
                                          .run_dir = "/tmp/run"};
    fixture->loop = loop_new();
    assert_non_null(fixture->loop);
    assert_int_equal(spool_writer_new(fixture->folder, &fixture->spool, &err), STATUS_OK);
    assert_int_equal(batcher_new(fixture->spool, 1 << 30, &fixture->batcher, &err), STATUS_OK);
    open_socket(fixture);
    fixture->clients[0] = connect_client(fixture);
    fixture->clients[1] = connect_client(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    file_close(&fixture->clients[0]);
    file_close(&fixture->clients[1]);
    run_socket_free(fixture->socket);
    batcher_free(fixture->batcher);
    spool_writer_free(fixture->spool);
    loop_free(fixture->loop);
    file_remove_folder(fixture->folder);
    unlink(fixture->path);
    free(fixture);
    return 0;
}

/* Sends lines on a connection and waits until they were taken in. */
static void say(struct fixture *fixture, int client, const char *lines)
{
    size_t length = strlen(lines), before = fixture->inputs;
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    assert_int_equal(send(fixture->clients[client], lines, length, 0), length);
    while (fixture->inputs == before) {
        assert_true(loop_now_ms() < end_ms);
        loop_run_once(fixture->loop);
    }
}

static void hang_up(struct fixture *fixture, int client)
{
    size_t before = fixture->inputs;
    file_close(&fixture->clients[client]);
    while (fixture->inputs == before)
        loop_run_once(fixture->loop);
}

/* One line of answer, without its end. */
static void expect_answer(const struct fixture *fixture, int client, const char *expected)
{
    char answer[4096];
    ssize_t got = recv(fixture->clients[client], answer, sizeof answer - 1, MSG_DONTWAIT);
    if (*expected == '\0') {
        assert_int_equal(got, -1);
        return;
    }
    assert_true(got > 0 && answer[got - 1] == '\n');
    answer[got - 1] = '\0';
    assert_string_equal(answer, expected);
}

/* Everything written since the test began: "name@step=value" of metrics, then "name:value" of facts. */
static void expect_written(const struct fixture *fixture, const char *expected)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT, payload CLEANUP(buffer_free) = BUFFER_INIT;
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    int64_t sequence = 0;
    assert_int_equal(batcher_flush(fixture->batcher, true, &err), STATUS_OK);
    assert_int_equal(spool_reader_new(fixture->folder, &reader, &err), STATUS_OK);
    while (spool_read(reader, &sequence, &payload)) {
        Besom__V1__TrackBatch *batch =
            besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
        assert_non_null(batch);
        for (size_t i = 0; i < batch->n_series; i++)
            for (size_t k = 0; k < batch->series[i]->n_values; k++)
                buffer_printf(&text, "%s@%lld=%g ", batch->series[i]->name,
                              (long long)batch->series[i]->steps[k], batch->series[i]->values[k]);
        for (size_t i = 0; i < batch->n_facts; i++)
            buffer_printf(&text, "%s:%s ", batch->facts[i]->name, batch->facts[i]->value_json);
        besom__v1__track_batch__free_unpacked(batch, NULL);
    }
    spool_reader_free(reader);
    assert_string_equal(buffer_text(&text), expected);
}

static void rows_count_on(void **state)
{
    struct fixture *fixture = *state;
    fixture->steps.next = 7; /* the attempt before came so far */
    say(fixture, 0, "{\"log\":{\"a\":1}}\n{\"log\":{\"a\":2},\"step\":20}\n{\"log\":{\"a\":3}}\n");
    say(fixture, 1, "{\"log\":{\"a\":4},\"step\":5}\n{\"log\":{\"a\":5}}\n{\"ask\":\"step\"}\n");
    expect_answer(fixture, 1, "{\"step\":23}");
    expect_written(fixture, "a@7=1 a@20=2 a@21=3 a@5=4 a@22=5 ");
}

static void open_rows_take_lines_up_to_their_end(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0, "{\"log\":{\"a\":1,\"b\":1},\"commit\":false}\n{\"log\":{\"a\":2},\"commit\":false}\n");
    expect_written(fixture, "");
    say(fixture, 0, "{\"ask\":\"step\"}\n");
    expect_answer(fixture, 0, "{\"step\":0}"); /* of the open row */
    say(fixture, 0, "{\"log\":{\"c\":3}}\n{\"log\":{\"a\":9}}\n");
    expect_written(fixture, "a@0=2 a@1=9 b@0=1 c@0=3 ");
}

static void another_step_writes_an_open_row(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0,
        "{\"log\":{\"a\":1},\"step\":3,\"commit\":false}\n"
        "{\"log\":{\"b\":1},\"step\":3,\"commit\":false}\n{\"log\":{\"c\":1},\"commit\":false}\n");
    expect_written(fixture, "");
    say(fixture, 0, "{\"log\":{\"a\":2},\"step\":4,\"commit\":false}\n");
    expect_written(fixture, "a@3=1 b@3=1 c@3=1 ");
    say(fixture, 0,
        "{\"log\":{\"a\":3},\"step\":9}\n{\"log\":{\"a\":4},\"step\":10,\"commit\":false}\n"
        "{\"log\":{\"b\":4},\"step\":10}\n");
    expect_written(fixture, "a@3=1 b@3=1 c@3=1 a@4=2 a@9=3 a@10=4 b@10=4 ");
}

/* A row without a step is at the next one: a line that names that one belongs to it. */
static void naming_the_next_step_is_no_other_step(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0,
        "{\"log\":{\"a\":1}}\n{\"log\":{\"a\":2},\"commit\":false}\n"
        "{\"log\":{\"b\":2},\"step\":1}\n{\"log\":{\"a\":3},\"commit\":false}\n"
        "{\"log\":{\"b\":3},\"step\":7}\n");
    expect_written(fixture, "a@0=1 a@1=2 a@2=3 b@1=2 b@7=3 ");
}

static void connections_have_rows_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0, "{\"log\":{\"a\":1},\"commit\":false}\n");
    say(fixture, 1, "{\"log\":{\"a\":2},\"commit\":false}\n{\"log\":{\"b\":2}}\n");
    expect_written(fixture, "a@0=2 b@0=2 ");
    hang_up(fixture, 0);
    expect_written(fixture, "a@0=2 b@0=2 a@1=1 ");
}

static void a_line_without_its_end_counts(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0, "{\"log\":{\"a\":1},\"commit\":false}\n{\"log\":{\"b\":1},\"commit\":false}");
    hang_up(fixture, 0);
    expect_written(fixture, "a@0=1 b@0=1 ");
}

static void silence_writes_an_open_row(void **state)
{
    struct fixture *fixture = *state;
    int64_t start_ms = loop_now_ms();
    say(fixture, 0, "{\"log\":{\"a\":1},\"commit\":false}\n");
    size_t before = fixture->inputs;
    while (fixture->inputs == before)
        loop_run_once(fixture->loop);
    assert_true(loop_now_ms() >= start_ms + 1000);
    expect_written(fixture, "a@0=1 ");
}

static void summaries_stand_after_what_came_before(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0,
        "{\"log\":{\"a\":1,\"b\":1},\"commit\":false}\n{\"summary\":{\"a\":5}}\n"
        "{\"log\":{\"c\":1}}\n");
    expect_written(fixture, "a@0=1 b@0=1 c@0=1 a:5 ");
    say(fixture, 0,
        "{\"log\":{\"a\":2}}\n{\"log\":{\"b\":\"text\"}}\n{\"summary\":{\"c\":1}}\n"
        "{\"log\":{\"c\":2}}\n");
    expect_written(fixture, "a@0=1 b@0=1 c@0=1 a:5 a@1=2 c@3=2 b:\"text\" ");
}

static void open_rows_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    char lines[4096];
    for (int i = 0; i < 60000;) {
        size_t length = 0;
        for (; length < sizeof lines - 100 && i < 60000; i++)
            length += (size_t)snprintf(lines + length, sizeof lines - length,
                                       "{\"log\":{\"m%d\":1},\"commit\":false}\n", i);
        say(fixture, i % 2, lines);
    }
    assert_int_equal(batcher_due_ms(fixture->batcher), 0); /* some had to be written */
}

static void facts_of_all_kinds(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0,
        "{\"about\":{\"name\":\"try\"}}\n{\"define_metric\":{\"name\":\"a\",\"summary\":\"min\"}}\n"
        "{\"config\":{\"layers\":3,\"depth\":3.0}}\n");
    expect_answer(fixture, 0, "");
    say(fixture, 0, "{\"config\":{\"lr\":0.2,\"more\":1}}\n");
    expect_answer(fixture, 0, "{\"error\":\"\\\"lr\\\" is a parameter of the run and keeps its value\"}");
    expect_written(fixture, "name:\"try\" a:{\"summary\":[\"min\"]} layers:3 more:1 ");
}

static void questions_are_answered(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0, "{\"ask\":\"config\"}\n");
    expect_answer(fixture, 0, "{\"config\":" PARAMS "}");
    say(fixture, 0, "{\"ask\":\"run\"}\n");
    expect_answer(fixture, 0,
                  "{\"run\":{\"run_id\":\"run00001\",\"sweep_id\":\"sweep001\",\"project\":\"demo\","
                  "\"attempt\":2,\"run_dir\":\"/tmp/run\"}}");
}

/* More than a socket takes at once: it comes in pieces, and whole. */
static void expect_end(const struct fixture *fixture, int code, const char *text)
{
    const char *told = NULL;
    assert_int_equal(run_socket_exit_code(fixture->socket, &told), code);
    assert_string_equal(told, text);
}

static void newest_word_on_the_end_counts(void **state)
{
    struct fixture *fixture = *state;
    expect_end(fixture, 0, "");
    say(fixture, 0, "{\"exit_code\":7,\"text\":\"no data\"}\n");
    expect_end(fixture, 7, "no data");
    say(fixture, 1, "{\"exit_code\":300}\n{\"exit_code\":3}\n");
    expect_answer(fixture, 1, "{\"error\":\"\\\"exit_code\\\" takes a whole number from 0 to 255\"}");
    expect_end(fixture, 3, "");
    say(fixture, 0, "{\"exit_code\":0}\n");
    expect_end(fixture, 0, "");
}

static void large_answers_arrive(void **state)
{
    struct fixture *fixture = *state;
    size_t size = 1 << 20, got = 0;
    char *params = malloc(size + 1), *answer = malloc(size + 64);
    assert_true(params != NULL && answer != NULL);
    memset(params, ' ', size);
    params[0] = '{';
    params[size - 1] = '}';
    params[size] = '\0';
    fixture->spec.params_json = params;
    say(fixture, 0, "{\"ask\":\"config\"}\n{\"ask\":\"step\"}\n");
    while (got < size + strlen("{\"config\":}\n{\"step\":0}\n")) {
        ssize_t more = recv(fixture->clients[0], answer + got, size + 64 - got, MSG_DONTWAIT);
        got += more > 0 ? (size_t)more : 0;
        if (more < 0)
            loop_run_once(fixture->loop);
    }
    assert_memory_equal(answer + got - 14, "}}\n{\"step\":0}\n", 14);
    free(params);
    free(answer);
}

static void mistakes_are_told_once(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 0, "{\"lag\":{\"a\":1}}\nnonsense\n{\"log\":{\"a\":1}}\n");
    expect_answer(fixture, 0, "{\"error\":\"unknown request \\\"lag\\\" (did you mean \\\"log\\\"?)\"}");
    /* cut within a character, which must not silence the answer */
    say(fixture, 1, "{\"0123456789012345678901234567890123456789\xc3\xa4\":1}\n");
    expect_answer(fixture, 1,
                  "{\"error\":\"unknown request \\\"0123456789012345678901234567890123456789\\\"\"}");
    expect_written(fixture, "a@0=1 ");
}

/* Nobody is sent away: who comes when there are enough waits, and what it wrote counts. */
static void more_connections_than_are_served(void **state)
{
    struct fixture *fixture = *state;
    enum { MANY = 560 }; /* no more than the listener lets wait */
    int fds[MANY];
    const char *line = "{\"log\":{\"a\":1},\"step\":1}\n";
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < 4 * MANY)
        skip();
    limit.rlim_cur = 4 * MANY;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < MANY; i++) {
        fds[i] = connect_client(fixture);
        if (i % 32 == 0)
            loop_run_once(fixture->loop);
        assert_int_equal(send(fds[i], line, strlen(line), 0), strlen(line));
    }
    for (int i = 0; i < MANY; i++)
        file_close(&fds[i]);
    run_socket_drain(fixture->socket);
    struct buffer expected CLEANUP(buffer_free) = BUFFER_INIT;
    for (int i = 0; i < MANY; i++)
        buffer_puts(&expected, "a@1=1 ");
    expect_written(fixture, buffer_text(&expected));
}

/* In a process of its own: connects, logs a line on each connection, and waits for the end of `until`. */
static pid_t start_clients(const struct fixture *fixture, int count, int ready, int until, int other)
{
    char byte;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    close(other);
    for (int i = 0; i < count; i++)
        (void)send(connect_client(fixture), "{\"log\":{\"a\":1},\"step\":1}\n", 25, 0);
    (void)!write(ready, "", 1);
    (void)!read(until, &byte, 1);
    _exit(0);
}

static void on_end(void *context)
{
    *(bool *)context = true;
}

/* However few descriptors there are, the spool has its part, and who waits costs no time. */
static void few_descriptors_are_left_for_the_spool(void **state)
{
    struct fixture *fixture = *state;
    enum { MANY = 60 };
    struct rlimit before, few;
    int ready[2], until[2], turns = 0, rest[8];
    char byte;
    bool ended = false;
    struct loop_timer timer = {.fire = on_end, .context = &ended};
    run_socket_free(fixture->socket);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(until), 0);
    few = before;
    few.rlim_cur = 50;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    open_socket(fixture);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    pid_t clients = start_clients(fixture, MANY, ready[1], until[0], until[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    loop_timer_set(fixture->loop, &timer, 200);
    while (!ended) {
        loop_run_once(fixture->loop);
        turns++;
    }
    assert_true(turns < 10 * MANY);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        assert_true((rest[i] = dup(0)) >= 0);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        close(rest[i]);
    close(until[1]);
    assert_int_equal(waitpid(clients, NULL, 0), clients);
    run_socket_drain(fixture->socket);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(ready[0]);
    close(ready[1]);
    close(until[0]);
    struct buffer expected CLEANUP(buffer_free) = BUFFER_INIT;
    for (int i = 0; i < MANY; i++)
        buffer_puts(&expected, "a@1=1 ");
    expect_written(fixture, buffer_text(&expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_count_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_rows_take_lines_up_to_their_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_step_writes_an_open_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(naming_the_next_step_is_no_other_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_have_rows_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_its_end_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_writes_an_open_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(summaries_stand_after_what_came_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_rows_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_of_all_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(questions_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newest_word_on_the_end_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_answers_arrive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_connections_than_are_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_descriptors_are_left_for_the_spool, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
