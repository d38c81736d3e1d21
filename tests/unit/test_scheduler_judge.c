// SPDX-License-Identifier: GPL-3.0-or-later
/* Decisions follow from the order of rung values alone: a replay from any point comes to the same ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "services/scheduler/judge.h"
#include "services/scheduler/rule_cache.h"

#define VALUE_COUNT 400
#define RUN_COUNT 60

static const struct stop_config config = {
    .form = STOP_FORM_MIN_ITER, .min_iter = 3, .eta = 3, .strict = true};

static char run_ids[RUN_COUNT][16];

static struct stop_rule *new_rule(void)
{
    struct stop_rule *rule = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_new(&config, false, &rule, &err), STATUS_OK);
    return rule;
}

static void make_values(struct store_rung_value values[VALUE_COUNT])
{
    for (uint32_t i = 0; i < VALUE_COUNT; i++) {
        uint64_t run = random_draw_u64(5, i, "run", 0) % RUN_COUNT;
        (void)snprintf(run_ids[run], sizeof run_ids[run], "run%02u", (unsigned)run);
        values[i] = (struct store_rung_value){
            .sweep_id = "sweep",
            .run_id = run_ids[run],
            .number = i + 1,
            .attempt = (int32_t)(1 + random_draw_u64(5, i, "attempt", 0) % 2),
            .band_index = (int32_t)(random_draw_u64(5, i, "band", 0) % 4),
            .value = random_draw_unit(5, i, "value", 0),
            .best = random_draw_unit(5, i, "value", 0),
        };
    }
}

static void judge_all(const struct store_rung_value values[VALUE_COUNT], size_t replayed, struct arena *arena,
                      struct store_decision out[VALUE_COUNT])
{
    struct stop_rule *rule = new_rule();
    struct err err = ERR_INIT;
    for (size_t i = 0; i < replayed; i++)
        assert_int_equal(judge_replay(rule, &values[i], &err), STATUS_OK);
    for (size_t i = replayed; i < VALUE_COUNT; i++)
        assert_int_equal(judge_value(rule, &values[i], arena, &out[i], &err), STATUS_OK);
    stop_rule_free(rule);
}

static void assert_same(const struct store_decision *a, const struct store_decision *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->stop, b->stop);
    assert_int_equal(a->reached, b->reached);
    assert_true(a->threshold == b->threshold && a->compared == b->compared);
    assert_string_equal(a->rivals_json, b->rivals_json);
    assert_string_equal(a->reason, b->reason);
}

static void test_a_replay_from_any_point_decides_the_same(void **state)
{
    (void)state;
    static struct store_rung_value values[VALUE_COUNT];
    static struct store_decision straight[VALUE_COUNT];
    static struct store_decision replayed[VALUE_COUNT];
    struct arena arena = arena_make(0);
    int stops = 0;
    make_values(values);
    judge_all(values, 0, &arena, straight);
    for (size_t i = 0; i < VALUE_COUNT; i++)
        stops += straight[i].stop;
    assert_in_range(stops, 50, VALUE_COUNT - 50);
    for (size_t from = 0; from < VALUE_COUNT; from += 37) {
        judge_all(values, from, &arena, replayed);
        for (size_t i = from; i < VALUE_COUNT; i++)
            assert_same(&straight[i], &replayed[i]);
    }
    arena_free(&arena);
}

static struct store_decision judge_one(struct stop_rule *rule, const char *run, int32_t attempt, int32_t band,
                                       double value, struct arena *arena)
{
    struct store_rung_value rung = {.sweep_id = "sweep",
                                    .run_id = run,
                                    .number = 1,
                                    .attempt = attempt,
                                    .band_index = band,
                                    .band = 9,
                                    .value = value,
                                    .best = value};
    struct store_decision decision;
    struct err err = ERR_INIT;
    assert_int_equal(judge_value(rule, &rung, arena, &decision, &err), STATUS_OK);
    return decision;
}

static void test_a_decision_says_why(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct stop_rule *rule = new_rule();
    struct store_decision decision = judge_one(rule, "a", 1, 1, 0.25, &arena);
    assert_false(decision.stop);
    assert_string_equal(decision.reason,
                        "0.25 at row 9 is no worse than the threshold 0.25 (rank 1 of 1 that reached it)");
    assert_string_equal(decision.rivals_json, "[]");
    decision = judge_one(rule, "b", 1, 1, 0.5, &arena);
    assert_true(decision.stop);
    assert_string_equal(decision.reason,
                        "0.5 at row 9 is worse than the threshold 0.25 (rank 1 of 2 that reached it)");
    assert_string_equal(decision.rivals_json, "[[\"a\",0.25]]");
    assert_int_equal(decision.reached, 2);
    stop_rule_free(rule);
    arena_free(&arena);
}

static void test_values_that_cannot_be_judged_hold_up_nothing(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct stop_rule *rule = new_rule();
    assert_false(judge_one(rule, "a", 1, 0, (double)NAN, &arena).stop);
    assert_false(judge_one(rule, "a", 1, 1000, 1.0, &arena).stop);
    assert_false(judge_one(rule, "a", 1, -1, 1.0, &arena).stop);
    assert_false(judge_one(rule, "a", 2, 0, 1.0, &arena).stop);
    struct store_decision stale = judge_one(rule, "a", 1, 0, 5.0, &arena);
    assert_false(stale.stop);
    assert_string_equal(stale.reason, "a later attempt of this run was heard of");
    stop_rule_free(rule);
    arena_free(&arena);
}

static void keep(struct rule_cache *cache, const char *sweep_id, size_t bytes)
{
    struct sweep_rule *rule = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(rule_cache_borrow(cache, sweep_id, &rule, &err), STATUS_OK);
    assert_null(rule->rule);
    rule->rule = new_rule();
    rule->bytes = bytes;
    rule_cache_return(cache, rule);
}

static void list(void *context, const char *sweep_id)
{
    char *kept = context;
    kept[strlen(kept)] = sweep_id[0];
}

static void test_the_cache_lets_the_oldest_go(void **state)
{
    (void)state;
    struct rule_cache *cache = NULL;
    struct sweep_rule *rule = NULL;
    struct err err = ERR_INIT;
    char kept[16] = "";
    assert_int_equal(rule_cache_new(100, &cache, &err), STATUS_OK);
    keep(cache, "a", 40);
    keep(cache, "b", 40);
    assert_int_equal(rule_cache_borrow(cache, "a", &rule, &err), STATUS_OK);
    assert_non_null(rule->rule);
    rule_cache_return(cache, rule);
    keep(cache, "c", 40);
    rule_cache_visit(cache, list, kept);
    assert_string_equal(kept, "ac");
    assert_int_equal(rule_cache_borrow(cache, "a", &rule, &err), STATUS_OK);
    sweep_rule_clear(rule);
    rule_cache_return(cache, rule);
    memset(kept, 0, sizeof kept);
    rule_cache_visit(cache, list, kept);
    assert_string_equal(kept, "c");
    rule_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replay_from_any_point_decides_the_same),
        cmocka_unit_test(test_a_decision_says_why),
        cmocka_unit_test(test_values_that_cannot_be_judged_hold_up_nothing),
        cmocka_unit_test(test_the_cache_lets_the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
