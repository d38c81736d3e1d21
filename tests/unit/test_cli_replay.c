// SPDX-License-Identifier: GPL-3.0-or-later
/* Replaying rules over histories: the order of times decides, a stopped run is not seen further, what is
 * saved adds up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "clients/cli/replay.h"

#define RUNS 40
#define ROWS 30
#define SEEDS 50

static const struct stop_config hyperband = {.type = STOP_HYPERBAND, .min_iter = 2, .eta = 3, .strict = true};
static const struct stop_config asha = {
    .type = STOP_ASHA, .min_iter = 1, .max_iter = ROWS, .eta = 3, .strict = true};

static struct replay *new_replay(const struct stop_config *rule, bool maximize)
{
    const struct replay_rule rules[] = {{.config = NULL}, {.config = rule}};
    struct replay *replay = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(replay_new(rules, 2, maximize, &replay, &err), STATUS_OK);
    return replay;
}

/* Steps count as times do. */
static void add_value(struct replay *replay, int attempt, int64_t time_us, double value)
{
    struct err err = ERR_INIT;
    const struct replay_point point = {attempt, time_us, time_us, value};
    assert_int_equal(replay_add_row(replay, &point, &err), STATUS_OK);
}

static void add_run(struct replay *replay, const char *id, const double *values, size_t count,
                    int64_t start_us, int64_t row_us)
{
    struct err err = ERR_INIT;
    assert_int_equal(replay_add_run(replay, id, &err), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        add_value(replay, 1, start_us + (int64_t)i * row_us, values[i]);
}

static struct replay_outcome *judge(const struct replay *replay, size_t rule, struct arena *arena,
                                    struct replay_sums *sums)
{
    struct replay_outcome *outcomes = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(replay_judge(replay, rule, arena, &outcomes, sums, &err), STATUS_OK);
    return outcomes;
}

/* The worse of two is stopped when it comes second, and goes on when it was the first. */
static void times_decide(void **state)
{
    (void)state;
    static const double good[] = {1, 1, 1, 0}, bad[] = {2, 2, 2, 2};
    for (int first = 0; first < 2; first++) {
        struct arena arena CLEANUP(arena_free) = arena_make(0);
        struct replay *replay CLEANUP(replay_free_at) = new_replay(&hyperband, false);
        struct replay_sums sums;
        add_run(replay, "good", good, 4, first == 0 ? 0 : 1000, 10);
        add_run(replay, "bad", bad, 4, 500, 10);
        const struct replay_outcome *outcomes = judge(replay, 1, &arena, &sums);
        assert_false(outcomes[0].stop);
        assert_int_equal(outcomes[1].stop, first == 0);
        assert_int_equal(outcomes[1].rows_saved, first == 0 ? 2 : 0);
        assert_int_equal(sums.saved_us, first == 0 ? 20 : 0);
        assert_int_equal(sums.best, 0);
        assert_false(sums.best_stopped);
        assert_true(sums.best_value == 0);
    }
}

/* A run that becomes the best only after the rule has stopped it. */
static void the_best_may_be_stopped(void **state)
{
    (void)state;
    static const double steady[] = {5, 5, 5, 5}, late[] = {4, NAN, 4, INFINITY, 9, 9};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct replay *replay CLEANUP(replay_free_at) = new_replay(&hyperband, true);
    struct replay_sums sums;
    add_run(replay, "steady", steady, 4, 0, 10);
    add_run(replay, "late", late, 6, 100, 10);
    const struct replay_outcome *outcomes = judge(replay, 1, &arena, &sums);
    assert_true(outcomes[1].stop);
    assert_int_equal(outcomes[1].band, 2); /* NaN and infinities are no rows */
    assert_int_equal(replay_history(replay, 1)->rows, 4);
    assert_true(outcomes[1].value == 4 && outcomes[1].threshold == 5 && outcomes[1].best == 4);
    assert_int_equal(outcomes[1].saved_us, 30);
    assert_int_equal(sums.best, 1);
    assert_true(sums.best_stopped);
    assert_true(sums.best_value == 5);
    (void)judge(replay, 0, &arena, &sums);
    assert_int_equal(sums.stopped, 0);
    assert_false(sums.best_stopped);
    assert_true(sums.best_value == 9);
}

static void nothing_is_fine(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct replay *replay CLEANUP(replay_free_at) = new_replay(&asha, false);
    struct replay_sums sums;
    (void)judge(replay, 1, &arena, &sums);
    assert_true(sums.best == SIZE_MAX && isnan(sums.best_value));
    add_run(replay, "empty", NULL, 0, 0, 0);
    (void)judge(replay, 1, &arena, &sums);
    assert_true(sums.best == SIZE_MAX && sums.stopped == 0 && sums.rows == 0);
}

/* ---- against a plain reading ---- */

struct plain {
    double values[RUNS][ROWS];
    int rows[RUNS];
    int64_t start_us[RUNS], row_us[RUNS];
    int stopped_at[RUNS]; /* row, 0 = goes on */
};

static void draw(uint64_t seed, struct plain *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < RUNS; i++) {
        out->rows[i] = (int)(random_draw_unit(seed, i, "rows", 0) * (ROWS + 1));
        out->start_us[i] = (int64_t)(random_draw_unit(seed, i, "start", 0) * 1000);
        out->row_us[i] = 1 + (int64_t)(random_draw_unit(seed, i, "pace", 0) * 50);
        for (uint32_t k = 0; k < ROWS; k++)
            out->values[i][k] = floor(random_draw_unit(seed, i, "value", k) * 20);
    }
}

/* asha minimised: microsecond by microsecond, run by run. */
static void decide_plainly(struct plain *plain)
{
    double reached[ROWS + 1][RUNS];
    int counts[ROWS + 1] = {0};
    for (int64_t now = 0; now < 1000 + 51 * ROWS; now++)
        for (int i = 0; i < RUNS; i++) {
            int64_t since = now - plain->start_us[i];
            int row = since >= 0 && since % plain->row_us[i] == 0 ? (int)(since / plain->row_us[i]) + 1 : 0;
            if (plain->stopped_at[i] != 0 || row > plain->rows[i] ||
                !(row == 1 || row == 3 || row == 9 || row == 27))
                continue;
            double value = plain->values[i][row - 1];
            int better = 0;
            for (int k = 0; k < counts[row]; k++)
                better += reached[row][k] < value;
            reached[row][counts[row]++] = value;
            int kept = counts[row] / 3 > 0 ? counts[row] / 3 : 1;
            plain->stopped_at[i] = better >= kept ? row : 0;
        }
}

static void asha_as_plainly_read(void **state)
{
    (void)state;
    static struct plain plain;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct arena arena CLEANUP(arena_free) = arena_make(0);
        struct replay *replay CLEANUP(replay_free_at) = new_replay(&asha, false);
        struct replay_sums sums;
        int64_t saved = 0;
        draw(seed, &plain);
        decide_plainly(&plain);
        for (int i = 0; i < RUNS; i++) {
            char id[16];
            (void)snprintf(id, sizeof id, "run%d", i);
            add_run(replay, id, plain.values[i], (size_t)plain.rows[i], plain.start_us[i], plain.row_us[i]);
        }
        const struct replay_outcome *outcomes = judge(replay, 1, &arena, &sums);
        for (int i = 0; i < RUNS; i++) {
            if (outcomes[i].band != plain.stopped_at[i])
                fail_msg("seed %d run %d: stopped at %d, not at %d", (int)seed, i, (int)outcomes[i].band,
                         plain.stopped_at[i]);
            saved += plain.stopped_at[i] != 0 ? plain.rows[i] - plain.stopped_at[i] : 0;
        }
        assert_int_equal(sums.rows_saved, saved);
    }
}

static void add_epoch(struct replay *replay, int attempt, int64_t time_us, double value)
{
    struct err err = ERR_INIT;
    const struct replay_point point = {attempt, time_us, time_us, value};
    assert_int_equal(replay_add_resource(replay, 1, &point, &err), STATUS_OK);
}

/* Epochs from 0, two rows each; the second run's attempt begins again and must log epochs anew. */
static void bands_count_a_resource(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    const struct replay_rule rules[] = {{.config = NULL}, {.config = &hyperband, .by_resource = true}};
    struct replay *replay CLEANUP(replay_free_at) = NULL;
    struct replay_sums sums;
    struct err err = ERR_INIT;
    assert_int_equal(replay_new(rules, 2, false, &replay, &err), STATUS_OK);
    assert_int_equal(replay_add_run(replay, "a", &err), STATUS_OK);
    for (int epoch = 0; epoch < 5; epoch++)
        add_epoch(replay, 1, epoch * 20, epoch);
    for (int row = 0; row < 10; row++)
        add_value(replay, 1, row * 10, 1);
    assert_int_equal(replay_add_run(replay, "b", &err), STATUS_OK);
    add_epoch(replay, 1, 100, 1);
    add_epoch(replay, 2, 130, 1);
    add_epoch(replay, 2, 140, 2);
    add_value(replay, 1, 100, 9);
    add_value(replay, 2, 120, 8);
    add_value(replay, 2, 130, 7);
    add_value(replay, 2, 140, 6);
    add_value(replay, 2, 150, 0);
    const struct replay_outcome *outcomes = judge(replay, 1, &arena, &sums);
    assert_false(outcomes[0].stop);
    assert_true(outcomes[1].stop && outcomes[1].band == 2 && outcomes[1].value == 6);
    assert_int_equal(outcomes[1].rows_saved, 1);
    assert_true(sums.best_stopped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_decide),
        cmocka_unit_test(bands_count_a_resource),
        cmocka_unit_test(the_best_may_be_stopped),
        cmocka_unit_test(nothing_is_fine),
        cmocka_unit_test(asha_as_plainly_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
