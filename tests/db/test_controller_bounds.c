// SPDX-License-Identifier: GPL-3.0-or-later
/* Answers stay within a message, and what the controller reads for them within some memory, whatever programs
 * and people said of runs. */
#include <string.h>

#include "controller_fixture.h"

#define MESSAGE_MAX (4u << 20)

static struct served served;

static void check_call(besom_status status, const besom_error *error, const char *what)
{
    if (status != BESOM_OK)
        fail_msg("%s: %s", what, error->text);
}

/* As much of everything as a run may have; `runs` of them. */
static void make_fat(struct database *database, int runs, int metrics)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE besom.runs SET state = 'running', attempt = 1, notes = repeat('n', 16384), "
                   "params = json_build_object('x', repeat('p', 1048000)) WHERE ordinal < %d",
                   runs);
    database_execute(database->url, sql);
    database_execute(
        database->url,
        "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter, best_value) "
        "SELECT sweep_id, run_id, 1, '" AGENT "', ordinal, 1, 1 FROM besom.runs WHERE attempt = 1;"
        "INSERT INTO besom.run_facts SELECT sweep_id, run_id, 1, k, 'n' || i, to_json(repeat('v', 60000)) "
        "FROM besom.runs, unnest('{summary,config}'::text[]) k, generate_series(1, 9) i WHERE attempt = 1;"
        "INSERT INTO besom.run_facts SELECT sweep_id, run_id, 1, 'about', k, to_json(repeat('v', 60000)) "
        "FROM besom.runs, unnest('{name,notes}'::text[]) k WHERE attempt = 1");
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO besom.run_summaries "
                   "SELECT sweep_id, run_id, 1, repeat('s', 200) || i, 1, 1, 1, 1, 1 "
                   "FROM besom.runs, generate_series(1, %d) i WHERE attempt = 1",
                   metrics);
    database_execute(database->url, sql);
}

static size_t check_size(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    assert_true(size < MESSAGE_MAX);
    return size;
}

static void one_run_fits_a_message(void **state)
{
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetSweepRequest of_sweep = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    Besom__V1__GetRunResponse *response;
    Besom__V1__GetSweepResponse *sweep;
    besom_error error;
    served_start(&served, *state, 2, (struct controller_options){0});
    make_fat(*state, 1, 20000);
    request.sweep_id = of_sweep.sweep_id = (char *)(uintptr_t)SWEEP;
    request.run_id = (char *)(uintptr_t) "run00000";
    check_call(besom_run_get(served.client, &request, &response, &error), &error, "GetRun");
    assert_true(check_size(&response->base) > MESSAGE_MAX / 2);
    assert_true(response->run->n_summaries > 1000);
    besom_message_free(response);
    check_call(besom_sweep_get(served.client, &of_sweep, &sweep, &error), &error, "GetSweep");
    assert_string_equal(sweep->best->run_id, "run00000");
    besom_message_free(sweep);
    served_stop(&served);
}

/* All of them, page by page. */
static void a_listing_fits_messages(void **state)
{
    Besom__V1__ListRunsRequest request = BESOM__V1__LIST_RUNS_REQUEST__INIT;
    Besom__V1__ListRunsResponse *response;
    besom_error error;
    char token[64] = "";
    size_t seen = 0, pages = 0;
    served_start(&served, *state, 20, (struct controller_options){0});
    make_fat(*state, 20, 1100);
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.page_size = 1000;
    request.page_token = token;
    for (int order = 0; order < 3; order++, seen = pages = 0) {
        request.order = (Besom__V1__RunOrder)order;
        do {
            check_call(besom_run_list(served.client, &request, &response, &error), &error, "ListRuns");
            check_size(&response->base);
            seen += response->n_runs;
            pages++;
            (void)snprintf(token, sizeof token, "%s", response->next_page_token);
            besom_message_free(response);
        } while (token[0] != '\0');
        assert_int_equal(seen, 20);
    }
    served_stop(&served);
}

/* What the store gives at a time is bounded, too: the caller goes on after it. */
static void rows_are_bounded(void **state)
{
    struct database *database = *state;
    const char *const twice[] = {"run00000", "run00001", "run00000"};
    struct store_run *runs;
    struct store_summary *rows;
    size_t count;
    served_start(&served, database, 20, (struct controller_options){0});
    make_fat(database, 20, 1100);
    struct session *session = session_open(database);
    for (int order = STORE_BY_ORDINAL; order <= STORE_BY_NEWEST; order++) {
        assert_ok(store_list_runs(session_tx(session), SWEEP, "", (enum store_run_order)order, 1, 1000, &runs,
                                  &count, &test_err));
        assert_int_equal(count, 9);
        assert_string_equal(runs[0].run_id, order == STORE_BY_NEWEST ? "run00018" : "run00001");
    }
    assert_ok(store_list_summaries_of(session_tx(session), SWEEP, twice, 3, 100, &rows, &count, &test_err));
    assert_int_equal(count, 200);
    assert_string_equal(rows[100].run_id, "run00001");
    session_close(session);
    served_stop(&served);
}

/* What users take away is stored with each run. */
static void tags_to_take_away_are_bounded(void **state)
{
    struct database *database = *state;
    char tag[258] = "", run_id[] = "run00000", *run_ids[] = {run_id}, *tags[] = {tag};
    Besom__V1__EditRunsRequest request = BESOM__V1__EDIT_RUNS_REQUEST__INIT;
    Besom__V1__EditRunsResponse *response;
    besom_error error;
    served_start(&served, database, 1, (struct controller_options){0});
    memset(tag, 'x', 257);
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.run_ids = run_ids;
    request.remove_tags = tags;
    request.n_run_ids = request.n_remove_tags = 1;
    assert_int_equal(besom_runs_edit(served.client, &request, &response, &error), BESOM_INVALID);
    tag[256] = '\0';
    check_call(besom_runs_edit(served.client, &request, &response, &error), &error, "EditRuns");
    besom_message_free(response);
    served_stop(&served);
}

struct watched {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;      /* lock */
    size_t pictures;  /* lock */
    size_t running;   /* lock; of the last picture */
    size_t too_large; /* lock */
};

static void note_picture(void *context, const void *message)
{
    struct watched *watched = context;
    const Besom__V1__WatchSweepResponse *response = message;
    pthread_mutex_lock(&watched->lock);
    watched->pictures++;
    watched->running = response->n_running;
    watched->too_large += protobuf_c_message_get_packed_size(&response->base) >= MESSAGE_MAX;
    pthread_cond_broadcast(&watched->changed);
    pthread_mutex_unlock(&watched->lock);
}

static void note_close(void *context, const besom_error *error)
{
    struct watched *watched = context;
    (void)error;
    pthread_mutex_lock(&watched->lock);
    watched->closed = true;
    pthread_cond_broadcast(&watched->changed);
    pthread_mutex_unlock(&watched->lock);
}

static void a_picture_fits_a_message(void **state)
{
    static const besom_stream_handler handler = {.on_message = note_picture, .on_close = note_close};
    struct watched watched = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    Besom__V1__WatchSweepRequest request = BESOM__V1__WATCH_SWEEP_REQUEST__INIT;
    besom_stream *stream;
    besom_error error;
    served_start(&served, *state, 20, (struct controller_options){0});
    make_fat(*state, 5, 1100);
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    check_call(besom_sweep_watch(served.client, &request, &handler, &watched, &stream, &error), &error,
               "WatchSweep");
    pthread_mutex_lock(&watched.lock);
    while (watched.pictures == 0 && !watched.closed)
        pthread_cond_wait(&watched.changed, &watched.lock);
    assert_true(watched.pictures > 0);
    assert_int_equal(watched.too_large, 0);
    pthread_mutex_unlock(&watched.lock);
    besom_stream_free(stream);
    served_stop(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)
        CASE(one_run_fits_a_message), CASE(a_listing_fits_messages),       CASE(a_picture_fits_a_message),
        CASE(rows_are_bounded),       CASE(tags_to_take_away_are_bounded),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
