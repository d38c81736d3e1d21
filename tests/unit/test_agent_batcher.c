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
    spool_remove(fixture->folder);
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

/* One log call may name more values than one message can carry. */
static void many_long_names_take_several_batches(void **state)
{
    const struct fixture *fixture = *state;
    char name[257];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "%05d%0245d", i, 0);
        batcher_add_metric(fixture->batcher, name, 1, 0.5, 1700000000000000);
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
        batcher_add_metric(fixture->batcher, name, i / 8, 0.5, 1700000000000000 + i);
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
        batcher_add_metric(fixture->batcher, "loss", i, 0.5, 1700000000000000);
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
    batcher_add_metric(small, "loss", 1, 0.5, 1700000000000000);
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
        cmocka_unit_test_setup_teardown(a_full_disk_loses_no_metric, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_bytes_without_lines_are_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
