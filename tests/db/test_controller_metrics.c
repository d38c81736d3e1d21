// SPDX-License-Identifier: GPL-3.0-or-later
/* ReadMetrics and packing: exact points of one and of many attempts, ranges, buckets, an inbox of any size.
 */
#include "controller_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "services/controller/compact.h"
#include "services/controller/compact_attempt.h"
#include "services/controller/gate.h"
#include "services/controller/history.h"
#include "services/controller/points.h"

#define RUN "run00000"
#define WAIT_MS 30000
#define BATCH 20000 /* points of one inbox row at most */

static struct served served;

/* What a reader gets, series after series. */
struct heard {
    int64_t *steps, *counts, *last_steps; /* owned; of buckets `steps` are the first ones */
    double *values, *mins, *maxs;         /* owned; of buckets `values` are the last ones */
    int64_t *times;                       /* owned */
    int32_t *attempts;                    /* owned */
    size_t count, capacity;
    char names[8][16]; /* in order, without repetition */
    size_t name_count;
    besom_status end;
};

static void start_packing(struct database *database)
{
    served_start(&served, database, 1, (struct controller_options){.lease_ms = 0});
    database_execute(database->url,
                     "UPDATE besom.runs SET attempt = 3, state = 'running';"
                     "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) "
                     "SELECT '" SWEEP "', '" RUN "', i, '" AGENT "', i, i FROM generate_series(1, 3) i");
}

/* Nothing is packed but by the test. */
static void start(struct database *database)
{
    start_packing(database);
    compact_stop(served.controller.compact);
    served.controller.compact = NULL;
}

/* ---- points that are there ---- */

static double value_of(int32_t attempt, int64_t step)
{
    uint64_t draw = random_draw_u64(7, (uint64_t)step, "test_controller_metrics", (uint32_t)attempt);
    if (draw % 97 < 3)
        return draw % 97 == 0 ? (double)NAN : draw % 97 == 1 ? (double)INFINITY : -(double)INFINITY;
    return (double)(draw >> 11);
}

struct batch {
    struct store_inbox_row row;
    const char *name;
    int64_t first_step;
};

static enum status append_batch(struct store_tx *tx, void *context, struct err *err)
{
    struct batch *batch = context;
    return store_append_inbox(tx, &batch->row, 1, err);
}

/* `count` points of steps one after the other, as one row of the inbox. */
static void append(int32_t attempt, int64_t sequence, const char *name, int64_t first_step, size_t count)
{
    static int64_t steps[BATCH], times[BATCH];
    static double values[BATCH];
    Besom__V1__TrackBatch message = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT, *all[] = {&series};
    struct arena arena = arena_make(0);
    assert_true(count <= BATCH);
    for (size_t i = 0; i < count; i++) {
        steps[i] = first_step + (int64_t)i;
        values[i] = value_of(attempt, steps[i]);
        times[i] = 1000 * steps[i] + attempt;
    }
    series.name = (char *)(uintptr_t)name;
    series.n_steps = series.n_values = series.n_times_us = count;
    series.steps = steps;
    series.values = values;
    series.times_us = times;
    message.sequence = sequence;
    message.n_series = 1;
    message.series = all;
    size_t length = besom__v1__track_batch__get_packed_size(&message);
    uint8_t *bytes = malloc(length);
    besom__v1__track_batch__pack(&message, bytes);
    struct batch batch = {.row = {.sweep_id = SWEEP,
                                  .run_id = RUN,
                                  .attempt = attempt,
                                  .points = (int32_t)count,
                                  .sequence = sequence,
                                  .payload = bytes,
                                  .payload_length = length}};
    assert_ok(store_transaction(served.store, &arena, append_batch, &batch, &test_err));
    arena_free(&arena);
    free(bytes);
}

static bool pack_once(int32_t attempt)
{
    const struct store_compaction key = {SWEEP, RUN, attempt, false};
    bool more;
    assert_ok(compact_attempt(served.store, &key, &more, &test_err));
    return more;
}

/* ---- reading ---- */

static void hear_name(struct heard *heard, const char *name)
{
    if (heard->name_count > 0 && strcmp(heard->names[heard->name_count - 1], name) == 0)
        return;
    assert_true(heard->name_count < 8 && strlen(name) < 16);
    memcpy(heard->names[heard->name_count++], name, strlen(name) + 1);
}

static void reserve(struct heard *heard, size_t more)
{
    if (heard->count + more <= heard->capacity)
        return;
    heard->capacity = 2 * (heard->count + more);
    heard->steps = realloc(heard->steps, heard->capacity * sizeof *heard->steps);
    heard->counts = realloc(heard->counts, heard->capacity * sizeof *heard->counts);
    heard->last_steps = realloc(heard->last_steps, heard->capacity * sizeof *heard->last_steps);
    heard->times = realloc(heard->times, heard->capacity * sizeof *heard->times);
    heard->values = realloc(heard->values, heard->capacity * sizeof *heard->values);
    heard->mins = realloc(heard->mins, heard->capacity * sizeof *heard->mins);
    heard->maxs = realloc(heard->maxs, heard->capacity * sizeof *heard->maxs);
    heard->attempts = realloc(heard->attempts, heard->capacity * sizeof *heard->attempts);
}

static void hear_series(struct heard *heard, int32_t attempt, const Besom__V1__Series *series)
{
    hear_name(heard, series->name);
    reserve(heard, series->n_values);
    for (size_t i = 0; i < series->n_values; i++, heard->count++) {
        heard->steps[heard->count] = series->steps[i];
        heard->values[heard->count] = series->values[i];
        heard->times[heard->count] = series->times_us[i];
        heard->attempts[heard->count] = attempt;
    }
}

static void hear_buckets(struct heard *heard, const Besom__V1__Buckets *buckets)
{
    hear_name(heard, buckets->name);
    reserve(heard, buckets->n_counts);
    for (size_t i = 0; i < buckets->n_counts; i++, heard->count++) {
        heard->steps[heard->count] = buckets->first_steps[i];
        heard->last_steps[heard->count] = buckets->last_steps[i];
        heard->counts[heard->count] = buckets->counts[i];
        heard->mins[heard->count] = buckets->mins[i];
        heard->maxs[heard->count] = buckets->maxs[i];
        heard->values[heard->count] = buckets->lasts[i];
    }
}

static void on_message(void *context, const void *message)
{
    const Besom__V1__ReadMetricsResponse *response = message;
    if (response->series != NULL)
        hear_series(context, response->attempt, response->series);
    if (response->buckets != NULL)
        hear_buckets(context, response->buckets);
}

static void on_close(void *context, const besom_error *error)
{
    ((struct heard *)context)->end = error->code;
}

static Besom__V1__ReadMetricsRequest make_request(int32_t attempt, int32_t buckets)
{
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    request.sweep_id = SWEEP;
    request.run_id = RUN;
    request.attempt = attempt;
    request.buckets = buckets;
    return request;
}

static void set_range(Besom__V1__ReadMetricsRequest *request, int64_t first, int64_t last)
{
    request->first_choice_case = BESOM__V1__READ_METRICS_REQUEST__FIRST_CHOICE_FIRST_STEP;
    request->last_choice_case = BESOM__V1__READ_METRICS_REQUEST__LAST_CHOICE_LAST_STEP;
    request->first_step = first;
    request->last_step = last;
}

static struct heard hear(const Besom__V1__ReadMetricsRequest *request)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    struct heard heard = {.count = 0};
    besom_stream *stream;
    besom_error error;
    if (besom_run_metrics(served.client, request, &handler, &heard, &stream, &error) != BESOM_OK)
        fail_msg("%s", error.text);
    assert_int_equal(besom_stream_wait(stream, WAIT_MS), BESOM_OK);
    besom_stream_free(stream);
    return heard;
}

static void forget(struct heard *heard)
{
    free(heard->steps);
    free(heard->counts);
    free(heard->last_steps);
    free(heard->times);
    free(heard->values);
    free(heard->mins);
    free(heard->maxs);
    free(heard->attempts);
}

/* Points `at`... of `heard` are those of an attempt from one step to another, and exact. */
static size_t check_points(const struct heard *heard, size_t at, int32_t attempt, int64_t first, int64_t last)
{
    for (int64_t step = first; step <= last; step++, at++) {
        double value = value_of(attempt, step);
        assert_true(at < heard->count);
        assert_int_equal(heard->steps[at], step);
        assert_int_equal(heard->times[at], 1000 * step + attempt);
        assert_int_equal(heard->attempts[at], attempt);
        assert_memory_equal(&heard->values[at], &value, sizeof value);
    }
    return at;
}

static void check_read(const Besom__V1__ReadMetricsRequest *request, int32_t attempt, int64_t first,
                       int64_t last)
{
    struct heard heard = hear(request);
    assert_int_equal(heard.end, BESOM_OK);
    assert_int_equal(check_points(&heard, 0, attempt, first, last), heard.count);
    forget(&heard);
}

/* ---- one attempt ---- */

static void points_come_back_from_chunks_and_inbox(void **state)
{
    start(*state);
    Besom__V1__ReadMetricsRequest request = make_request(1, 0);
    char *names[] = {"loss", "none", "loss"};
    append(1, 1, "loss", 0, 2700);
    check_read(&request, 1, 0, 2699);
    pack_once(1);
    append(1, 2, "loss", 2700, 300);
    append(1, 3, "acc", 0, 10);
    for (int round = 0; round < 3; round++) {
        request = make_request(1, 0);
        request.names = names;
        request.n_names = 3;
        check_read(&request, 1, 0, 2999);
        set_range(&request, 10, 2888);
        check_read(&request, 1, 10, 2888);
        set_range(&request, 950, 950);
        check_read(&request, 1, 950, 950);
        set_range(&request, 3000, INT64_MAX);
        check_read(&request, 1, 0, -1);
        pack_once(1);
    }
    request = make_request(0, 0);
    struct heard heard = hear(&request);
    assert_int_equal(heard.name_count, 2);
    assert_string_equal(heard.names[0], "acc");
    assert_int_equal(check_points(&heard, check_points(&heard, 0, 1, 0, 9), 1, 0, 2999), heard.count);
    forget(&heard);
    served_stop(&served);
}

static void steps_in_any_order_keep_their_places(void **state)
{
    start(*state);
    Besom__V1__ReadMetricsRequest request = make_request(1, 0);
    append(1, 1, "loss", 5000, 900);
    append(1, 2, "loss", 100, 900);
    append(1, 3, "loss", -50, 100);
    for (int packed = 0; packed < 2; packed++) {
        request = make_request(1, 0);
        struct heard heard = hear(&request);
        size_t at = check_points(&heard, 0, 1, 5000, 5899);
        at = check_points(&heard, at, 1, 100, 999);
        assert_int_equal(check_points(&heard, at, 1, -50, 49), heard.count);
        forget(&heard);
        set_range(&request, 0, 99);
        check_read(&request, 1, 0, 49);
        set_range(&request, 200, 4999);
        check_read(&request, 1, 200, 999);
        pack_once(1);
    }
    served_stop(&served);
}

static void bad_requests_are_refused(void **state)
{
    start(*state);
    char *long_name[] = {""};
    for (int i = 0; i < 6; i++) {
        Besom__V1__ReadMetricsRequest request = make_request(1, 0);
        besom_status wanted = BESOM_INVALID;
        switch (i) {
        case 0: request.attempt = -1; break;
        case 1: request.buckets = -1; break;
        case 2: request.buckets = 100001; break;
        case 3: set_range(&request, 5, 4); break;
        case 4:
            request.names = long_name;
            request.n_names = 1;
            break;
        default: request.run_id = "run00099"; wanted = BESOM_NOT_FOUND;
        }
        struct heard heard = hear(&request);
        assert_int_equal(heard.end, wanted);
        forget(&heard);
    }
    served_stop(&served);
}

/* ---- many attempts ---- */

static void a_history_ends_where_the_next_attempt_goes_on(void **state)
{
    start(*state);
    Besom__V1__ReadMetricsRequest request = make_request(0, 0);
    append(1, 1, "loss", 0, 3000);
    append(2, 1, "loss", 1200, 800); /* goes back to a checkpoint, and logs less */
    append(3, 1, "loss", 2500, 10);
    append(1, 2, "other", 0, 5); /* the third attempt has none of these */
    append(2, 2, "other", 3, 4);
    for (int packed = 0; packed < 3; packed++) {
        struct heard heard = hear(&request);
        size_t at = check_points(&heard, 0, 1, 0, 1199);
        at = check_points(&heard, at, 2, 1200, 1999);
        at = check_points(&heard, at, 3, 2500, 2509);
        at = check_points(&heard, at, 1, 0, 2);
        assert_int_equal(check_points(&heard, at, 2, 3, 6), heard.count);
        forget(&heard);
        if (packed < 2)
            pack_once(packed + 1);
    }
    /* What a superseded attempt stores late stands with it, and not in the history. */
    append(2, 3, "loss", 2000, 900);
    request = make_request(2, 0);
    request.names = (char *[]){"loss"};
    request.n_names = 1;
    check_read(&request, 2, 1200, 2899);
    request.attempt = 0;
    set_range(&request, 2400, 2600);
    struct heard heard = hear(&request);
    size_t at = check_points(&heard, 0, 2, 2400, 2499);
    assert_int_equal(check_points(&heard, at, 3, 2500, 2509), heard.count);
    forget(&heard);
    served_stop(&served);
}

/* ---- buckets ---- */

/* Every point is in one bucket, in order, and each figure is what its points say. */
static void check_buckets(const struct heard *heard, int64_t first, int64_t last)
{
    int64_t step = first;
    assert_int_equal(heard->end, BESOM_OK);
    for (size_t i = 0; i < heard->count; i++) {
        double least = (double)NAN, greatest = (double)NAN, value = (double)NAN;
        int64_t begin = step;
        for (; step < begin + heard->counts[i]; step++) {
            value = value_of(1, step);
            if (isfinite(value)) {
                least = isnan(least) || value < least ? value : least;
                greatest = isnan(greatest) || value > greatest ? value : greatest;
            }
        }
        assert_true(heard->counts[i] >= 1);
        assert_int_equal(heard->steps[i], begin);
        assert_int_equal(heard->last_steps[i], step - 1);
        assert_true(heard->mins[i] == least || (isnan(heard->mins[i]) && isnan(least)));
        assert_true(heard->maxs[i] == greatest || (isnan(heard->maxs[i]) && isnan(greatest)));
        assert_memory_equal(&heard->values[i], &value, sizeof value);
    }
    assert_int_equal(step, last + 1);
}

static void read_buckets(int32_t wanted, int64_t first, int64_t last, size_t least, size_t most)
{
    Besom__V1__ReadMetricsRequest request = make_request(0, wanted);
    set_range(&request, first, last);
    struct heard heard = hear(&request);
    check_buckets(&heard, first, last);
    if (heard.count < least || heard.count > most)
        fail_msg("%zu buckets, not %zu to %zu", heard.count, least, most);
    forget(&heard);
}

static void buckets_are_exact(void **state)
{
    start(*state);
    append(1, 1, "loss", 0, 20000);
    append(1, 2, "loss", 20000, 333);
    for (int packed = 0; packed < 2; packed++) {
        read_buckets(1, 0, 20332, 1, 1);
        read_buckets(7, 0, 20332, 7, 7);
        read_buckets(10, 5000, 15099, 10, 10); /* of whole chunks but for the ends */
        read_buckets(1000, 0, 20332, 1000, 1000);
        read_buckets(100000, 100, 10099, 10000, 10000);
        read_buckets(100, 777, 786, 10, 10);
        pack_once(1);
    }
    Besom__V1__ReadMetricsRequest request = make_request(0, 5);
    set_range(&request, 30000, 40000);
    struct heard heard = hear(&request);
    assert_int_equal(heard.end, BESOM_OK);
    assert_int_equal(heard.count, 0);
    forget(&heard);
    served_stop(&served);
}

/* No chunk is read for buckets of some chunks each. */
static void wide_buckets_need_no_data(void **state)
{
    struct database *database = *state;
    start(database);
    append(1, 1, "loss", 0, 20000);
    pack_once(1);
    database_execute(database->url, "UPDATE besom.metric_chunks SET data = 'damaged'");
    read_buckets(10, 0, 19999, 10, 10);
    Besom__V1__ReadMetricsRequest request = make_request(0, 1000);
    struct heard heard = hear(&request);
    assert_int_equal(heard.end, BESOM_INVALID);
    forget(&heard);
    served_stop(&served);
}

/* ---- an inbox that is too much to hold ---- */

static void check_part(const struct points_part *part, int64_t *step)
{
    for (size_t i = 0; i < part->columns.count; i++, (*step)++) {
        double value = value_of(1, *step);
        assert_int_equal(part->columns.steps[i], *step);
        assert_memory_equal(&part->columns.values[i], &value, sizeof value);
    }
}

/* Reads all points, packing the inbox once after `pack_after` parts and then after each. */
static void read_while_packing(struct gate *gate, const struct history *history, int64_t total,
                               int pack_after)
{
    struct points *points;
    struct points_part part;
    int64_t step = 0;
    bool any = true;
    assert_ok(points_new(gate, history, &history->metrics[0], INT64_MIN, INT64_MAX, &points, &test_err));
    for (int parts = 0; any; parts++) {
        assert_ok(points_next(points, &part, &any, &test_err));
        check_part(&part, &step);
        if (parts >= pack_after)
            pack_once(1);
    }
    assert_int_equal(step, total);
    points_free(points);
}

static void a_large_inbox_is_read_in_pages(void **state)
{
    const int64_t total = 32 * (int64_t)BATCH;
    start(*state);
    struct arena arena = arena_make(0);
    struct history history = {.sweep_id = SWEEP, .run_id = RUN};
    for (int64_t i = 0; i < 32; i++)
        append(1, i + 1, "loss", i * BATCH, BATCH);
    pack_once(1);
    assert_ok(history_read(served.controller.gate, &arena, 0, &history, &test_err));
    assert_int_equal(history.metric_count, 1);
    assert_true(history.metrics[0].sources[0].inbox_counted > HISTORY_INBOX_POINTS);
    Besom__V1__ReadMetricsRequest request = make_request(0, 0);
    check_read(&request, 1, 0, total - 1);
    read_while_packing(served.controller.gate, &history, total, 1000);
    /* The snapshot stays good while what it saw is packed, and more comes. */
    append(1, 33, "loss", total, BATCH);
    read_while_packing(served.controller.gate, &history, total, 141);
    read_while_packing(served.controller.gate, &history, total, 0);
    history_drop(&history);
    arena_free(&arena);
    served_stop(&served);
}

/* ---- readers that do not read ---- */

struct snapshot {
    struct arena arena;
    struct history history;
};

static enum status snapshot_take(struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.arena = arena_make(0), .history = {.sweep_id = SWEEP, .run_id = RUN}};
    return history_read(served.controller.gate, &snapshot->arena, 0, &snapshot->history, &test_err);
}

static void snapshot_drop(struct snapshot *snapshot)
{
    history_drop(&snapshot->history);
    arena_free(&snapshot->arena);
}

static void what_readers_hold_is_bounded(void **state)
{
    static struct snapshot taken[200];
    struct snapshot late;
    size_t count = 0, sum = 0;
    enum status status = STATUS_OK;
    start(*state);
    for (int64_t i = 0; i < 12; i++)
        append(1, i + 1, "loss", i * BATCH, BATCH);
    while (count < ARRAY_LEN(taken) && (status = snapshot_take(&taken[count])) == STATUS_OK)
        sum += taken[count++].history.held;
    assert_status(STATUS_EXHAUSTED, status);
    assert_non_null(strstr(test_err.text, "ask again later"));
    assert_true(sum <= HISTORY_HELD_MAX && sum > HISTORY_HELD_MAX / 2);
    snapshot_drop(&taken[count]);
    snapshot_drop(&taken[--count]);
    assert_ok(snapshot_take(&late));
    snapshot_drop(&late);
    while (count > 0)
        snapshot_drop(&taken[--count]);
    served_stop(&served);
}

/* ---- packing ---- */

static void chunks_are_cut_evenly_and_continued(void **state)
{
    struct database *database = *state;
    start(database);
    append(1, 1, "loss", 0, 300);
    pack_once(1);
    append(1, 2, "loss", 300, 150);
    pack_once(1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.metric_chunks"), 1);
    append(1, 3, "loss", 450, 1551);
    pack_once(1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.metric_chunks"), 3);
    append(1, 4, "loss", 2001, 1);
    pack_once(1);
    char *cut =
        database_text(database->url, "SELECT string_agg(points || ':' || first_step || '-' || last_step, "
                                     "' ' ORDER BY chunk) FROM besom.metric_chunks");
    assert_string_equal(cut, "667:0-666 667:667-1333 667:1334-2000 1:2001-2001");
    free(cut);
    served_stop(&served);
}

static void what_is_due_is_packed_by_itself(void **state)
{
    struct database *database = *state;
    start_packing(database);
    append(1, 1, "loss", 0, 700);
    append(2, 1, "loss", 0, 5000);
    append(3, 1, "loss", 0, 10);
    await_number(database, "SELECT sum(points) FROM besom.metric_inbox", 710);
    database_execute(database->url, "UPDATE besom.run_attempts SET ended_at = now() WHERE attempt = 3");
    await_number(database, "SELECT sum(points) FROM besom.metric_inbox", 700);
    Besom__V1__ReadMetricsRequest request = make_request(2, 0);
    check_read(&request, 2, 0, 4999);
    served_stop(&served);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(points_come_back_from_chunks_and_inbox),
        CASE(steps_in_any_order_keep_their_places),
        CASE(bad_requests_are_refused),
        CASE(a_history_ends_where_the_next_attempt_goes_on),
        CASE(buckets_are_exact),
        CASE(wide_buckets_need_no_data),
        CASE(a_large_inbox_is_read_in_pages),
        CASE(what_readers_hold_is_bounded),
        CASE(chunks_are_cut_evenly_and_continued),
        CASE(what_is_due_is_packed_by_itself),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
