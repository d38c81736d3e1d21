// SPDX-License-Identifier: GPL-3.0-or-later
/* Verdicts follow from the order of values, ends and closings alone: a replay from any point comes to the
 * same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "services/scheduler/cohorts.h"

#define COUNT 300
#define RUNS 60

static const struct stop_config config = {
    .type = STOP_HYPERBAND_FULL, .min_iter = 1, .max_iter = 9, .eta = 3};

static char run_ids[RUNS][16];

static void make_values(struct store_rung_value values[COUNT])
{
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t run = random_draw_u64(7, i, "run", 0) % RUNS, kind = random_draw_u64(7, i, "kind", 0) % 10;
        (void)snprintf(run_ids[run], sizeof run_ids[run], "run%02u", (unsigned)run);
        values[i] = (struct store_rung_value){
            .sweep_id = "sweep",
            .run_id = run_ids[run],
            .number = i + 1,
            .attempt = 1,
            .kind = kind == 0 ? "ended" : "value",
            .ordinal = (int64_t)run,
            .band_index = kind == 0 ? -1 : (int32_t)(random_draw_u64(7, i, "band", 0) % 2),
            .band = 1,
            .value = kind == 0 && run % 2 == 0 ? NAN : random_draw_unit(7, i, "value", 0),
        };
    }
    values[COUNT - 1] = (struct store_rung_value){
        .sweep_id = "sweep", .run_id = "", .number = COUNT, .kind = "closed", .ordinal = 40};
}

struct judged {
    struct store_decision decisions[COUNT];
    size_t decision_count;
    struct store_verdict *verdicts;
    size_t verdict_count;
};

static void judge_all(const struct store_rung_value values[COUNT], size_t replayed, struct arena *arena,
                      struct judged *out)
{
    struct halving *halving = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(halving_new(&config, false, &halving, &err), STATUS_OK);
    *out = (struct judged){.decision_count = 0};
    for (size_t i = 0; i < COUNT; i++) {
        if (i < replayed) {
            assert_int_equal(cohorts_replay(halving, &values[i], &err), STATUS_OK);
            continue;
        }
        struct cohorts_outcome outcome = {.decision = &out->decisions[out->decision_count],
                                          .verdicts = out->verdicts,
                                          .verdict_count = out->verdict_count};
        assert_int_equal(cohorts_judge(halving, &values[i], arena, &outcome, &err), STATUS_OK);
        out->decision_count += outcome.decided;
        out->verdicts = outcome.verdicts;
        out->verdict_count = outcome.verdict_count;
    }
    halving_free(halving);
}

static void test_a_replay_comes_to_the_same(void **state)
{
    (void)state;
    static struct store_rung_value values[COUNT];
    static struct judged whole, part;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    make_values(values);
    judge_all(values, 0, &arena, &whole);
    assert_true(whole.verdict_count > 20);
    for (size_t from = 1; from < COUNT; from += 37) {
        judge_all(values, from, &arena, &part);
        size_t skipped = whole.decision_count - part.decision_count;
        for (size_t i = 0; i < part.decision_count; i++) {
            assert_int_equal(part.decisions[i].number, whole.decisions[skipped + i].number);
            assert_int_equal(part.decisions[i].pause, whole.decisions[skipped + i].pause);
            assert_string_equal(part.decisions[i].reason, whole.decisions[skipped + i].reason);
        }
        size_t before = whole.verdict_count - part.verdict_count;
        for (size_t i = 0; i < part.verdict_count; i++) {
            assert_int_equal(part.verdicts[i].number, whole.verdicts[before + i].number);
            assert_int_equal(part.verdicts[i].ordinal, whole.verdicts[before + i].ordinal);
            assert_int_equal(part.verdicts[i].promoted, whole.verdicts[before + i].promoted);
            assert_string_equal(part.verdicts[i].reason, whole.verdicts[before + i].reason);
        }
    }
}

static void judge_one(struct halving *halving, struct store_rung_value value, struct arena *arena,
                      struct store_decision *decision, struct cohorts_outcome *outcome)
{
    struct err err = ERR_INIT;
    *outcome = (struct cohorts_outcome){.decision = decision};
    assert_int_equal(cohorts_judge(halving, &value, arena, outcome, &err), STATUS_OK);
}

static void test_words(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct halving *halving CLEANUP(halving_free_at) = NULL;
    struct store_decision decision;
    struct cohorts_outcome outcome;
    struct err err = ERR_INIT;
    assert_int_equal(halving_new(&config, false, &halving, &err), STATUS_OK);
    struct store_rung_value value = {.run_id = "a", .kind = "value", .ordinal = 0, .number = 1, .value = 0.5};
    judge_one(halving, value, &arena, &decision, &outcome);
    assert_true(outcome.decided && decision.pause && !decision.stop);
    assert_string_equal(decision.reason, "paused at row 1: 1 of the 9 runs of its cohort have come");
    value.band_index = 7;
    judge_one(halving, value, &arena, &decision, &outcome);
    assert_false(decision.pause || decision.stop);
    assert_non_null(strstr(decision.reason, "there is no band 7"));
    value = (struct store_rung_value){.run_id = "b", .kind = "value", .ordinal = 16, .number = 2, .value = 1};
    judge_one(halving, value, &arena, &decision, &outcome);
    assert_string_equal(decision.reason, "its bracket (0) has no rung at row 1: it goes on");
    value =
        (struct store_rung_value){.run_id = "c", .kind = "ended", .ordinal = 1, .number = 3, .value = NAN};
    judge_one(halving, value, &arena, &decision, &outcome);
    assert_false(outcome.decided);
    value = (struct store_rung_value){.run_id = "", .kind = "closed", .ordinal = 2, .number = 4};
    judge_one(halving, value, &arena, &decision, &outcome);
    assert_int_equal(outcome.verdict_count, 2);
    assert_string_equal(outcome.verdicts[0].reason,
                        "0.5 at row 1 is number 1 of 2 there, and the best 1 goes on (0.5 does)");
    assert_string_equal(outcome.verdicts[1].reason,
                        "it had ended before row 1, and the best 1 goes on (0.5 would do)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replay_comes_to_the_same),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
