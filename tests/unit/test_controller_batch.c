// SPDX-License-Identifier: GPL-3.0-or-later
/* Batches: bounds, figures, bands, and reading them back from the inbox. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/controller/batch.h"
#include "services/controller/series.h"
#include "stop/resource.h"

static const struct batch_metrics by_rows = {.metric = "loss"}, no_metric = {.metric = ""},
                                  by_epoch = {.metric = "loss", .step_metric = "epoch"};

struct fixture {
    Besom__V1__TrackBatch batch;
    Besom__V1__Series series;
    Besom__V1__Series *all[2];
    Besom__V1__LogPart part;
    Besom__V1__LogPart *parts[1];
    int64_t steps[4], times[4];
    double values[4];
};

static void fixture_init(struct fixture *fixture)
{
    besom__v1__track_batch__init(&fixture->batch);
    besom__v1__series__init(&fixture->series);
    besom__v1__log_part__init(&fixture->part);
    fixture->all[0] = fixture->all[1] = &fixture->series;
    fixture->parts[0] = &fixture->part;
    fixture->batch.sequence = 1;
    fixture->batch.series = fixture->all;
    fixture->batch.n_series = 1;
    fixture->series.name = (char *)(uintptr_t) "loss";
    fixture->series.steps = fixture->steps;
    fixture->series.values = fixture->values;
    fixture->series.times_us = fixture->times;
    for (size_t i = 0; i < 4; i++) {
        fixture->steps[i] = (int64_t)i;
        fixture->times[i] = (int64_t)i * 1000;
        fixture->values[i] = 4.0 - (double)i;
    }
    fixture->series.n_steps = fixture->series.n_values = fixture->series.n_times_us = 4;
}

static void a_good_batch_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct err err = ERR_INIT;
    fixture_init(&fixture);
    fixture.values[1] = NAN;
    fixture.values[3] = INFINITY;
    assert_null(batch_refusal(&fixture.batch));
    assert_int_equal(batch_make(&fixture.batch, &by_rows, &arena, &batch, &err), STATUS_OK);
    assert_int_equal(batch.points, 4);
    assert_int_equal(batch.value_count, 2);
    assert_int_equal(batch.figure_count, 1);
    assert_true(isinf(batch.figures[0].last));
    assert_int_equal(batch.figures[0].last_step, 3);
    assert_true(batch.figures[0].min == 2.0 && batch.figures[0].max == 4.0);
    assert_true(batch.figures[0].first == 4.0 && batch.figures[0].total == 6.0);
    assert_int_equal(batch.figures[0].finite, 2);
    assert_int_equal(batch.next_step, 4);
    arena_free(&arena);
}

static void any_step_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct err err = ERR_INIT;
    fixture_init(&fixture);
    fixture.steps[0] = INT64_MAX;
    fixture.steps[1] = INT64_MIN;
    assert_null(batch_refusal(&fixture.batch));
    assert_int_equal(batch_make(&fixture.batch, &by_rows, &arena, &batch, &err), STATUS_OK);
    assert_true(batch.figures[0].least_step == INT64_MIN && batch.next_step == INT64_MAX);
    for (size_t i = 0; i < 4; i++)
        fixture.steps[i] = -9 + (int64_t)i;
    assert_int_equal(batch_make(&fixture.batch, &by_rows, &arena, &batch, &err), STATUS_OK);
    assert_int_equal(batch.next_step, 0);
    arena_free(&arena);
}

/* What is kept of a batch grows with its points alone. */
static void the_payload_holds_points_only(void **state)
{
    (void)state;
    struct fixture fixture;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct err err = ERR_INIT;
    Besom__V1__Series empty = BESOM__V1__SERIES__INIT;
    Besom__V1__Series **many = calloc(BATCH_POINTS_MAX + 1, sizeof(*many));
    uint8_t junk[4096] = {0};
    ProtobufCMessageUnknownField unknown = {
        .tag = 99, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = sizeof junk, .data = junk};
    junk[0] = 0xfe, junk[1] = 0x1f; /* a length of 4094 */
    fixture_init(&fixture);
    fixture.series.base.n_unknown_fields = 1;
    fixture.series.base.unknown_fields = &unknown;
    empty.name = (char *)(uintptr_t) "empty";
    for (size_t i = 0; i <= BATCH_POINTS_MAX; i++)
        many[i] = &empty;
    many[1000] = &fixture.series;
    fixture.batch.series = many;
    fixture.batch.n_series = BATCH_POINTS_MAX;
    assert_null(batch_refusal(&fixture.batch));
    assert_int_equal(batch_make(&fixture.batch, &by_rows, &arena, &batch, &err), STATUS_OK);
    assert_int_equal(batch.figure_count, 1);
    assert_true(batch.payload_length < 100);
    Besom__V1__TrackBatch *stored = besom__v1__track_batch__unpack(NULL, batch.payload_length, batch.payload);
    assert_non_null(stored);
    assert_int_equal(stored->n_series, 1);
    assert_string_equal(stored->series[0]->name, "loss");
    assert_int_equal(stored->series[0]->n_values, 4);
    besom__v1__track_batch__free_unpacked(stored, NULL);
    fixture.batch.n_series++;
    assert_non_null(batch_refusal(&fixture.batch));
    free(many);
    arena_free(&arena);
}

static void bounds_are_kept(void **state)
{
    (void)state;
    struct fixture fixture;
    char *long_name = calloc(1, BATCH_NAME_MAX + 2);
    uint8_t *text = calloc(1, BATCH_LOG_MAX + 1);
    memset(long_name, 'x', BATCH_NAME_MAX + 1);

    fixture_init(&fixture);
    fixture.series.name = long_name;
    assert_non_null(batch_refusal(&fixture.batch));
    long_name[BATCH_NAME_MAX] = '\0';
    assert_null(batch_refusal(&fixture.batch));
    fixture.series.name = (char *)(uintptr_t) "";
    assert_non_null(batch_refusal(&fixture.batch));

    fixture_init(&fixture);
    fixture.series.n_steps = 3;
    assert_non_null(batch_refusal(&fixture.batch));

    fixture_init(&fixture);
    fixture.series.n_steps = fixture.series.n_values = fixture.series.n_times_us = BATCH_POINTS_MAX + 1;
    assert_non_null(batch_refusal(&fixture.batch));

    fixture_init(&fixture);
    fixture.batch.logs = fixture.parts;
    fixture.batch.n_logs = 1;
    fixture.part.text = (ProtobufCBinaryData){BATCH_LOG_MAX, text};
    assert_null(batch_refusal(&fixture.batch));
    fixture.part.text.len++;
    assert_non_null(batch_refusal(&fixture.batch));
    free(long_name);
    free(text);
}

static void bounds_of_facts_are_kept(void **state)
{
    (void)state;
    static const char *const good[] = {"null", "[1,{\"a\":\"\\u0000\"}]", "123456789012345678901234567890"};
    static const char *const bad[] = {"", "nan", "{", "1 2", "{\"a\":}", "1e400000x"};
    struct fixture fixture;
    Besom__V1__Fact fact = BESOM__V1__FACT__INIT, **facts = calloc(BATCH_FACTS_MAX + 1, sizeof(*facts));
    char *long_value = calloc(1, BATCH_FACT_MAX + 2), *long_name = calloc(1, BATCH_NAME_MAX + 2);
    fixture_init(&fixture);
    fixture.batch.facts = facts;
    for (size_t i = 0; i <= BATCH_FACTS_MAX; i++)
        facts[i] = &fact;
    fact.kind = BESOM__V1__FACT_KIND__FACT_KIND_ABOUT;
    fact.name = (char *)(uintptr_t) "n";
    fixture.batch.n_facts = 1;
    for (size_t i = 0; i < 3; i++) {
        fact.value_json = (char *)(uintptr_t)good[i];
        assert_null(batch_refusal(&fixture.batch));
    }
    for (size_t i = 0; i < 6; i++) {
        fact.value_json = (char *)(uintptr_t)bad[i];
        assert_non_null(batch_refusal(&fixture.batch));
    }
    memset(long_value, 'x', BATCH_FACT_MAX + 1);
    long_value[0] = long_value[BATCH_FACT_MAX - 1] = '"';
    fact.value_json = long_value;
    assert_non_null(batch_refusal(&fixture.batch));
    long_value[BATCH_FACT_MAX] = '\0';
    assert_null(batch_refusal(&fixture.batch));
    fact.value_json = (char *)(uintptr_t) "1";
    fixture.batch.n_facts = BATCH_FACTS_MAX;
    assert_null(batch_refusal(&fixture.batch));
    fixture.batch.n_facts++;
    assert_non_null(batch_refusal(&fixture.batch));
    fixture.batch.n_facts = 1;
    memset(long_name, 'x', BATCH_NAME_MAX + 1);
    fact.name = long_name;
    assert_non_null(batch_refusal(&fixture.batch));
    fact.name = (char *)(uintptr_t) "";
    assert_non_null(batch_refusal(&fixture.batch));
    fact.name = (char *)(uintptr_t) "n";
    fact.kind = BESOM__V1__FACT_KIND__FACT_KIND_UNSPECIFIED;
    assert_non_null(batch_refusal(&fixture.batch));
    fact.kind = (Besom__V1__FactKind)5;
    assert_non_null(batch_refusal(&fixture.batch));
    free(facts);
    free(long_value);
    free(long_name);
}

static void facts_are_no_points(void **state)
{
    (void)state;
    struct fixture fixture;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct err err = ERR_INIT;
    Besom__V1__Fact fact = BESOM__V1__FACT__INIT, *facts[] = {&fact};
    fixture_init(&fixture);
    fact.kind = BESOM__V1__FACT_KIND__FACT_KIND_CONFIG;
    fact.name = (char *)(uintptr_t) "layers";
    fact.value_json = (char *)(uintptr_t) "3";
    fixture.batch.n_series = 0;
    fixture.batch.facts = facts;
    fixture.batch.n_facts = 1;
    assert_int_equal(batch_make(&fixture.batch, &by_rows, &arena, &batch, &err), STATUS_OK);
    assert_int_equal(batch.points, 0);
    assert_null(batch.payload);
    assert_int_equal(batch.fact_count, 1);
    assert_string_equal(batch.facts[0].kind, "config");
    assert_string_equal(batch.facts[0].name, "layers");
    assert_string_equal(batch.facts[0].value, "3");
    arena_free(&arena);
}

struct reached {
    int32_t bands[8];
    double values[8], bests[8], means[8];
    size_t count;
};

static void note_band(void *context, const struct batch_rung *rung)
{
    struct reached *reached = context;
    reached->bands[reached->count] = rung->band_index;
    reached->values[reached->count] = rung->value;
    reached->means[reached->count] = rung->mean;
    reached->bests[reached->count++] = rung->best;
}

static void bands_are_reached_wherever_batches_are_cut(void **state)
{
    (void)state;
    const int64_t bands[] = {1, 3, 6};
    double values[] = {5, 2, 3, 4, 1, 6, 0};
    for (size_t cut = 0; cut <= 7; cut++) {
        struct batch_progress progress = {.rows = 0};
        struct reached reached = {.count = 0};
        struct batch first = batch_empty(1), second = batch_empty(2);
        first.values = values;
        first.value_count = cut;
        second.values = values + cut;
        second.value_count = 7 - cut;
        batch_advance(&progress, &first, false, bands, 3, note_band, &reached);
        batch_advance(&progress, &second, false, bands, 3, note_band, &reached);
        assert_int_equal(reached.count, 3);
        assert_true(reached.values[0] == 5 && reached.values[1] == 3 && reached.values[2] == 6);
        assert_true(reached.bests[0] == 5 && reached.bests[1] == 2 && reached.bests[2] == 1);
        assert_true(reached.means[0] == 5 && reached.means[1] == 10.0 / 3 && reached.means[2] == 3.5);
        assert_int_equal(progress.rows, 7);
        assert_true(progress.best == 0);
    }
}

/* One row: at a step, with what it holds; NAN = not logged there. */
struct row {
    int64_t step;
    double loss, epoch;
};

struct epochs {
    struct fixture fixture;
    Besom__V1__Series epoch;
    int64_t epoch_steps[4], epoch_times[4];
    double epoch_values[4];
};

/* Rows [from, to) as an agent sends them; rows of one step are logged at one time. */
static void make_rows(const struct row *rows, size_t from, size_t to, struct epochs *out)
{
    fixture_init(&out->fixture);
    out->epoch = out->fixture.series;
    out->epoch.name = (char *)(uintptr_t) "epoch";
    out->epoch.steps = out->epoch_steps;
    out->epoch.times_us = out->epoch_times;
    out->epoch.values = out->epoch_values;
    size_t losses = 0, epochs = 0;
    for (size_t i = from; i < to; i++) {
        if (!isnan(rows[i].loss)) {
            out->fixture.steps[losses] = rows[i].step;
            out->fixture.times[losses] = rows[i].step * 1000;
            out->fixture.values[losses++] = rows[i].loss;
        }
        if (!isnan(rows[i].epoch)) {
            out->epoch_steps[epochs] = rows[i].step;
            out->epoch_times[epochs] = rows[i].step * 1000;
            out->epoch_values[epochs++] = rows[i].epoch;
        }
    }
    struct Besom__V1__Series *loss = &out->fixture.series;
    loss->n_values = loss->n_steps = loss->n_times_us = losses;
    out->epoch.n_values = out->epoch.n_steps = out->epoch.n_times_us = epochs;
    out->fixture.all[1] = &out->epoch;
    out->fixture.batch.n_series = 2;
}

static void advance_by_epoch(struct batch_progress *progress, const struct row *rows, size_t from, size_t to,
                             const int64_t *bands, size_t band_count, struct reached *reached)
{
    struct epochs epochs;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct err err = ERR_INIT;
    make_rows(rows, from, to, &epochs);
    assert_int_equal(batch_make(&epochs.fixture.batch, &by_epoch, &arena, &batch, &err), STATUS_OK);
    batch_advance(progress, &batch, false, bands, band_count, note_band, reached);
    arena_free(&arena);
}

static void bands_count_a_logged_resource_wherever_batches_are_cut(void **state)
{
    (void)state;
    const int64_t bands[] = {1, 2, 4};
    const struct row rows[] = {{0, 9, NAN}, {1, 8, 0}, {2, 7, NAN}, {3, NAN, 1},
                               {4, 6, NAN}, {5, 5, 1}, {6, 4, 4},   {7, 3, 5}};
    for (size_t cut = 1; cut <= 4; cut *= 2) {
        struct batch_progress progress = {.units = STOP_RESOURCE_NONE};
        struct reached reached = {.count = 0};
        for (size_t from = 0; from < 8; from += cut)
            advance_by_epoch(&progress, rows, from, from + cut, bands, 3, &reached);
        assert_int_equal(reached.count, 3);
        assert_true(reached.values[0] == 6 && reached.values[1] == 4 && reached.values[2] == 4);
        assert_true(reached.bests[0] == 6 && reached.bests[2] == 4);
        assert_true(reached.means[0] == 7.5);
        assert_int_equal(reached.bands[1], 1);
        assert_int_equal(reached.bands[2], 2);
        assert_int_equal(progress.rows, 7);
        assert_true(progress.units == 5);
    }
}

static void a_resource_that_is_no_number_reaches_nothing(void **state)
{
    (void)state;
    const int64_t bands[] = {1, 2};
    const struct row rows[] = {{0, 4, INFINITY}, {1, 3, 1}, {2, 2, -INFINITY}, {3, 1, 1}};
    struct batch_progress progress = {.units = STOP_RESOURCE_NONE};
    struct reached reached = {.count = 0};
    advance_by_epoch(&progress, rows, 0, 4, bands, 2, &reached);
    assert_int_equal(reached.count, 1);
    assert_true(reached.values[0] == 3 && reached.bests[0] == 3);
}

static void a_run_that_repeats_epochs_reaches_a_band_once(void **state)
{
    (void)state;
    const int64_t bands[] = {2, 3};
    const struct row before[] = {{0, 9, 1}, {1, 8, 2}}, after[] = {{2, 7, 1}, {3, 6, 2}, {4, 5, 3}};
    struct batch_progress progress = {.units = STOP_RESOURCE_NONE};
    struct reached reached = {.count = 0};
    advance_by_epoch(&progress, before, 0, 2, bands, 2, &reached);
    progress.units = STOP_RESOURCE_NONE; /* the next attempt has said nothing yet */
    advance_by_epoch(&progress, after, 0, 3, bands, 2, &reached);
    assert_int_equal(reached.count, 2);
    assert_true(reached.values[0] == 8 && reached.values[1] == 5);
}

static void the_best_follows_the_goal(void **state)
{
    (void)state;
    double values[] = {1, 3, 2};
    struct batch_progress progress = {.rows = 0};
    struct batch batch = batch_empty(1);
    batch.values = values;
    batch.value_count = 3;
    batch_advance(&progress, &batch, true, NULL, 0, note_band, NULL);
    assert_true(progress.best == 3);
}

static void figures_of_one_metric_are_merged(void **state)
{
    (void)state;
    struct store_summary rows[] = {
        {"s", "r", "a", 1, 2, 5, 9.0, 1.0, 3.0, 1.0, 4.0, 4, 2},
        {"s", "r", "a", 1, 1, 6, 8.0, NAN, NAN, 8.0, 0.0, -6, 0},
        {"s", "r", "b", 1, 1, 1, 7.0, 7.0, 7.0, 7.0, 7.0, 1, 1},
    };
    assert_int_equal(batch_merge_figures(rows, 3), 2);
    assert_int_equal(rows[0].points, 3);
    assert_int_equal(rows[0].last_step, 6);
    assert_true(rows[0].last == 8.0 && rows[0].min == 1.0 && rows[0].max == 3.0);
    assert_true(rows[0].first == 1.0 && rows[0].total == 4.0 && rows[0].finite == 2);
    assert_int_equal(rows[0].least_step, -6);
    assert_string_equal(rows[1].name, "b");
}

static void the_inbox_reads_back(void **state)
{
    (void)state;
    struct fixture fixture;
    struct arena arena = arena_make(0);
    struct batch batch;
    struct series *series;
    const struct series_filter all = {NULL, 0};
    struct err err = ERR_INIT;
    size_t count;
    fixture_init(&fixture);
    fixture.batch.n_series = 2; /* the same metric twice in one batch */
    assert_int_equal(batch_make(&fixture.batch, &no_metric, &arena, &batch, &err), STATUS_OK);
    const struct store_inbox_row rows[] = {
        {"s", "r", 1, batch.points, 1, batch.payload, batch.payload_length},
        {"s", "r", 1, batch.points, 2, batch.payload, batch.payload_length},
    };
    assert_int_equal(series_collect(rows, 2, &all, &arena, &arena, &series, &count, &err), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(series[0].columns.count, 16);
    assert_true(series[0].columns.values[5] == 3.0);
    const struct store_inbox_row broken = {"s", "r", 1, 1, 3, "\xff\xff", 2};
    assert_int_equal(series_collect(&broken, 1, &all, &arena, &arena, &series, &count, &err), STATUS_INVALID);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_batch_is_taken),
        cmocka_unit_test(any_step_is_taken),
        cmocka_unit_test(the_payload_holds_points_only),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(bounds_of_facts_are_kept),
        cmocka_unit_test(facts_are_no_points),
        cmocka_unit_test(bands_are_reached_wherever_batches_are_cut),
        cmocka_unit_test(bands_count_a_logged_resource_wherever_batches_are_cut),
        cmocka_unit_test(a_resource_that_is_no_number_reaches_nothing),
        cmocka_unit_test(a_run_that_repeats_epochs_reaches_a_band_once),
        cmocka_unit_test(the_best_follows_the_goal),
        cmocka_unit_test(figures_of_one_metric_are_merged),
        cmocka_unit_test(the_inbox_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
