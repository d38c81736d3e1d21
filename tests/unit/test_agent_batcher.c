// SPDX-License-Identifier: Apache-2.0
// Batches: what one may hold so that the controller takes it, and that nothing is lost in cutting.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <besom/v1/run_service.pb-c.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "clients/agent/batcher.h"

/* The controller's bounds. */
#define MESSAGE_MAX (4 << 20)
#define POINTS_MAX 100000
#define OUTPUT_MAX (1 << 20)

struct fixture {
    char folder[64];
    struct spool_writer *spool;
    struct batcher *batcher;
};

struct found {
    size_t batches, points, output, last_points;
    int64_t dropped;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = ERR_INIT;
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/besom-batcher-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(spool_writer_new(fixture->folder, &fixture->spool, &err), STATUS_OK);
    assert_int_equal(batcher_new(fixture->spool, 1 << 30, &fixture->batcher, &err), STATUS_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    batcher_free(fixture->batcher);
    spool_writer_free(fixture->spool);
    file_remove_folder(fixture->folder);
    free(fixture);
    return 0;
}

/* Reads the spool back: each batch within the bounds, numbered without a gap, output without a gap. */
static struct found read_back(const struct fixture *fixture)
{
    struct found found = {.batches = 0};
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0;
    assert_int_equal(spool_reader_new(fixture->folder, &reader, &err), STATUS_OK);
    while (spool_read(reader, &sequence, &payload)) {
        assert_in_range(payload.length, 1, MESSAGE_MAX - 1024);
        Besom__V1__TrackBatch *batch =
            besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
        assert_non_null(batch);
        assert_int_equal(batch->sequence, ++found.batches);
        size_t points = 0, output = 0;
        for (size_t i = 0; i < batch->n_series; i++)
            points += batch->series[i]->n_values;
        for (size_t i = 0; i < batch->n_logs; i++) {
            assert_int_equal(batch->logs[i]->offset, found.output + output);
            output += batch->logs[i]->text.len;
        }
        assert_in_range(points, 0, POINTS_MAX);
        assert_in_range(output, 0, OUTPUT_MAX);
        found.points += points;
        found.output += output;
        found.dropped += batch->dropped_lines;
        besom__v1__track_batch__free_unpacked(batch, NULL);
    }
    spool_reader_free(reader);
    return found;
}

static void flush(const struct fixture *fixture)
{
    struct err err = ERR_INIT;
    assert_int_equal(batcher_flush(fixture->batcher, true, &err), STATUS_OK);
    assert_int_equal(batcher_due_ms(fixture->batcher), -1);
}

static void add_fact(const struct fixture *fixture, enum fact_kind kind, const char *name, const char *value)
{
    struct err err = ERR_INIT;
    assert_int_equal(batcher_add_fact(fixture->batcher, kind, name, value, &err), STATUS_OK);
}

/* Facts and series of all batches in order: "loss:2" is a series, "summary best 1" a fact, "|" ends a batch.
 */
static char *facts_and_series(const struct fixture *fixture)
{
    static const char *const kinds[] = {"", "summary", "definition", "config", "about"};
    struct buffer text = BUFFER_INIT, payload CLEANUP(buffer_free) = BUFFER_INIT;
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    int64_t sequence = 0;
    assert_int_equal(spool_reader_new(fixture->folder, &reader, &err), STATUS_OK);
    while (spool_read(reader, &sequence, &payload)) {
        Besom__V1__TrackBatch *batch =
            besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
        assert_non_null(batch);
        for (size_t i = 0; i < batch->n_series; i++)
            buffer_printf(&text, "%s:%zu ", batch->series[i]->name, batch->series[i]->n_values);
        for (size_t i = 0; i < batch->n_facts; i++)
            buffer_printf(&text, "%s %s %s ", kinds[batch->facts[i]->kind], batch->facts[i]->name,
                          batch->facts[i]->value_json);
        buffer_puts(&text, "| ");
        besom__v1__track_batch__free_unpacked(batch, NULL);
    }
    spool_reader_free(reader);
    return buffer_take(&text);
}

static void expect_batches(const struct fixture *fixture, const char *expected)
{
    char *seen = facts_and_series(fixture);
    assert_string_equal(seen, expected);
    free(seen);
}

/* In a batch facts stand after series: whoever spoke last about a name is right. */
static void the_newest_about_a_name_stands(void **state)
{
    const struct fixture *fixture = *state;
    add_fact(fixture, FACT_SUMMARY, "loss", "1");
    add_fact(fixture, FACT_SUMMARY, "best", "1");
    add_fact(fixture, FACT_DEFINITION, "loss", "{}");
    add_fact(fixture, FACT_CONFIG, "loss", "3");
    add_fact(fixture, FACT_SUMMARY, "best", "2");
    batcher_add_metric(fixture->batcher, "loss", 4, 1, 0.5, 1);
    batcher_add_metric(fixture->batcher, "acc", 3, 1, 0.5, 1);
    add_fact(fixture, FACT_SUMMARY, "acc", "\"high\"");
    flush(fixture);
    expect_batches(fixture,
                   "loss:1 acc:1 summary best 2 definition loss {} config loss 3 summary acc \"high\" | ");
    batcher_add_metric(fixture->batcher, "best", 4, 2, 0.5, 1);
    add_fact(fixture, FACT_SUMMARY, "loss", "4");
    batcher_add_metric(fixture->batcher, "loss", 4, 2, 0.5, 1);
    add_fact(fixture, FACT_SUMMARY, "loss", "5");
    flush(fixture);
    expect_batches(fixture,
                   "loss:1 acc:1 summary best 2 definition loss {} config loss 3 summary acc \"high\" | "
                   "best:1 loss:1 summary loss 5 | ");
}

static void facts_are_bounded(void **state)
{
    const struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    char name[300];
    char *value = calloc(1, (64 << 10) + 2);
    assert_non_null(value);
    memset(value, '1', (64 << 10) + 1);
    assert_int_equal(batcher_add_fact(fixture->batcher, FACT_SUMMARY, "huge", value, &err), STATUS_INVALID);
    assert_string_equal(err.text, "\"huge\" is larger than 64 KiB");
    value[64 << 10] = '\0';
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        add_fact(fixture, FACT_SUMMARY, name, i < 100 ? value : "1");
    }
    assert_true(batcher_is_full(fixture->batcher));
    assert_int_equal(batcher_add_fact(fixture->batcher, FACT_CONFIG, "one more", "1", &err), STATUS_INVALID);
    assert_string_equal(err.text, "\"one more\": a run may say 10000 things of itself");
    add_fact(fixture, FACT_SUMMARY, "f9999", "2");
    snprintf(name, sizeof name, "%0257d", 0);
    assert_int_equal(batcher_add_fact(fixture->batcher, FACT_SUMMARY, name, "1", &err), STATUS_INVALID);
    flush(fixture);
    assert_false(batcher_is_full(fixture->batcher));
    assert_true(read_back(fixture).batches >= 16); /* 1000 and 1 MiB a batch */
    free(value);
}

/* Batches take what came first, and facts must not overtake the series of before. */
static void facts_wait_for_series_of_several_batches(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < 100000; i++)
        batcher_add_metric(fixture->batcher, "loss", 4, i, 0.5, 1);
    add_fact(fixture, FACT_SUMMARY, "loss", "1");
    flush(fixture);
    expect_batches(fixture, "loss:37447 | loss:37447 | loss:25106 summary loss 1 | ");
}

/* Five thousand names in any order cost about as much as one. */
static void many_names_in_any_order(void **state)
{
    const struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    char name[32];
    uint32_t draw = 1;
    for (int i = 0; i < 500000; i++) {
        draw = draw * 1664525u + 1013904223u;
        int length = snprintf(name, sizeof name, "metric/%u", (draw >> 8) % 5000);
        batcher_add_metric(fixture->batcher, name, (size_t)length, i, 0.5, 1);
        if (batcher_due_ms(fixture->batcher) == 0)
            assert_int_equal(batcher_flush(fixture->batcher, false, &err), STATUS_OK);
    }
    flush(fixture);
    struct found found = read_back(fixture);
    assert_int_equal(found.points, 500000);
    assert_in_range(found.batches, 2, 250);
}

/* A value after a silence goes nearly at once, a stream of them in batches of 100 ms, a flood in full ones.
 */
static void batches_are_due(void **state)
{
    const struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    batcher_add_metric(fixture->batcher, "loss", 4, 0, 0.5, 1);
    assert_in_range(batcher_due_ms(fixture->batcher), 0, BATCHER_GATHER_MS);
    assert_int_equal(batcher_flush(fixture->batcher, false, &err), STATUS_OK);
    batcher_add_metric(fixture->batcher, "loss", 4, 1, 0.5, 1);
    int64_t due_ms = batcher_due_ms(fixture->batcher);
    assert_true(due_ms == 0 || due_ms > BATCHER_GATHER_MS); /* 0: this machine slept */
    for (int i = 0; i < 4998; i++)
        batcher_add_metric(fixture->batcher, "loss", 4, i, 0.5, 1);
    batcher_add_metric(fixture->batcher, "loss", 4, 1, 0.5, 1);
    assert_int_equal(batcher_due_ms(fixture->batcher), 0);
    assert_int_equal(batcher_flush(fixture->batcher, false, &err), STATUS_OK);
    batcher_add_output(fixture->batcher, false, "no end", 6);
    assert_true(batcher_due_ms(fixture->batcher) > BATCHER_GATHER_MS); /* it may come */
}

/* One log call may name more values than one message can carry. */
static void many_long_names_take_several_batches(void **state)
{
    const struct fixture *fixture = *state;
    char name[257];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "%05d%0245d", i, 0);
        batcher_add_metric(fixture->batcher, name, strlen(name), 1, 0.5, 1700000000000000);
    }
    flush(fixture);
    struct found found = read_back(fixture);
    assert_int_equal(found.points, 20000);
    assert_true(found.batches > 1);
}

static void many_points_take_several_batches(void **state)
{
    const struct fixture *fixture = *state;
    char name[16];
    for (int i = 0; i < 240000; i++) {
        snprintf(name, sizeof name, "m%d", i % 8);
        batcher_add_metric(fixture->batcher, name, strlen(name), i / 8, 0.5, 1700000000000000 + i);
    }
    flush(fixture);
    assert_int_equal(read_back(fixture).points, 240000);
}

/* The bound on open files' size stands in for a full disk. */
static void a_full_disk_loses_no_metric(void **state)
{
    const struct fixture *fixture = *state;
    struct rlimit before, none;
    struct err err = ERR_INIT;
    char *text = calloc(1, 65536);
    assert_non_null(text);
    memset(text, 'x', 65535);
    text[65535] = '\n';
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 200; i++) {
        batcher_add_metric(fixture->batcher, "loss", 4, i, 0.5, 1700000000000000);
        batcher_add_output(fixture->batcher, i % 7 == 0, text, 65536);
        if (batcher_due_ms(fixture->batcher) == 0)
            assert_int_equal(batcher_flush(fixture->batcher, false, &err), STATUS_IO);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    flush(fixture);
    struct found found = read_back(fixture);
    free(text);
    assert_int_equal(found.points, 200);
    assert_int_equal(found.output / 65536 + (size_t)found.dropped, 200);
}

/* What has no line breaks, as a progress bar, is counted as well. */
static void dropped_bytes_without_lines_are_counted(void **state)
{
    const struct fixture *fixture = *state;
    struct batcher *small = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(batcher_new(fixture->spool, 0, &small, &err), STATUS_OK);
    batcher_add_metric(small, "loss", 4, 1, 0.5, 1700000000000000);
    assert_int_equal(batcher_flush(small, true, &err), STATUS_OK);
    for (int i = 0; i < 10; i++)
        batcher_add_output(small, false, "10%\r", 4);
    batcher_add_output(small, false, "done\n", 5);
    assert_int_equal(batcher_dropped_lines(small), 1);
    batcher_add_output(small, true, "no end", 6);
    assert_int_equal(batcher_flush(small, true, &err), STATUS_OK);
    batcher_free(small);
    assert_int_equal(read_back(fixture).dropped, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_long_names_take_several_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_points_take_several_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_names_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batches_are_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_about_a_name_stands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_wait_for_series_of_several_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_no_metric, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_bytes_without_lines_are_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
