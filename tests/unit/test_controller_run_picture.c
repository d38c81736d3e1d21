// SPDX-License-Identifier: GPL-3.0-or-later
/* What a run amounts to: figures over all attempts, what its program and people say of it; and which facts
 * are left. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "services/controller/fact_plan.h"
#include "services/controller/run_picture.h"

static void figures_are_over_all_attempts(void **state)
{
    (void)state;
    struct store_summary rows[] = {
        {"s", "r", "acc", 2, 1, 7, 0.5, 0.5, 0.5, 0.5, 0.5, 7, 1},
        {"s", "r", "loss", 1, 3, 9, 2.0, 1.0, 3.0, 3.0, 6.0, 5, 3},
        {"s", "r", "loss", 2, 1, 8, NAN, NAN, NAN, NAN, 0.0, 8, 0},
        {"s", "r", "loss", 3, 2, 4, 4.0, 0.5, 4.0, 0.5, 4.5, 3, 2},
    };
    assert_int_equal(run_picture_merge(rows, 4), 2);
    assert_string_equal(rows[0].name, "acc");
    assert_int_equal(rows[1].attempt, 3);
    assert_int_equal(rows[1].points, 6);
    assert_true(rows[1].first == 3.0 && rows[1].last == 4.0 && rows[1].min == 0.5 && rows[1].max == 4.0);
    assert_true(rows[1].total == 10.5 && rows[1].finite == 5);
    assert_int_equal(rows[1].last_step, 4);
    assert_int_equal(rows[1].least_step, 3);
}

static const struct store_run plain = {
    .run_id = "r", .params_json = "{}", .name = "", .notes = "", .tags_json = "[]", .hidden_tags_json = "[]"};

/* values: 3, 1, NaN, 2 */
#define FIGURES(metric)                                                                                     \
    {                                                                                                       \
        .name = (metric), .attempt = 1, .points = 4, .last = 2, .min = 1, .max = 3, .first = 3, .total = 6, \
        .finite = 3                                                                                         \
    }

struct shown {
    struct arena arena;
    struct run_picture picture;
    struct store_fact facts[16];
    Besom__V1__Run run;
};

static void show_begin(struct shown *shown, const struct store_run *run)
{
    *shown = (struct shown){.arena = arena_make(0)};
    shown->picture = (struct run_picture){
        .run = run, .facts = shown->facts, .metric = "", .summary_max = 1000, .config_max = 1000};
    besom__v1__run__init(&shown->run);
}

/* In order of kind, then name. */
static void show_fact(struct shown *shown, const char *kind, const char *name, const char *value)
{
    shown->facts[shown->picture.fact_count++] =
        (struct store_fact){.run_id = "r", .kind = kind, .name = name, .value = value, .attempt = 1};
}

static void show(struct shown *shown)
{
    struct err err = ERR_INIT;
    assert_int_equal(run_picture_fill(&shown->arena, &shown->picture, &shown->run, &err), STATUS_OK);
}

static void the_summary_follows_definitions(void **state)
{
    (void)state;
    const struct store_summary figures[] = {FIGURES("acc"),   FIGURES("gone"),     FIGURES("loss"),
                                            FIGURES("plain"), FIGURES("val/loss"), FIGURES("val/x"),
                                            FIGURES("vol")};
    struct shown shown;
    show_begin(&shown, &plain);
    shown.picture.figures = figures;
    shown.picture.figure_count = 7;
    shown.picture.metric = "loss";
    shown.picture.maximize = true;
    show_fact(&shown, "definition", "acc", "{\"summary\":[\"best\",\"last\"],\"goal\":\"maximize\"}");
    show_fact(&shown, "definition", "gone", "{\"summary\":[\"none\"]}");
    show_fact(&shown, "definition", "loss", "{\"summary\":\"best\",\"hidden\":true}");
    show_fact(&shown, "definition", "plain", "17");
    show_fact(&shown, "definition", "v*", "{\"summary\":[\"first\"]}");
    show_fact(&shown, "definition", "val/*", "{\"summary\":[\"min\",\"mean\",\"max\"]}");
    show_fact(&shown, "definition", "val/x", "{\"summary\":[\"last\"]}");
    show_fact(&shown, "summary", "note", "\"ok\"");
    show(&shown);
    assert_string_equal(shown.run.summary_json,
                        "{\"acc\":{\"best\":3,\"last\":2},\"loss\":{\"best\":3},\"plain\":2,"
                        "\"val/loss\":{\"min\":1,\"max\":3,\"mean\":2},\"val/x\":2,\"vol\":{\"first\":3},"
                        "\"note\":\"ok\"}");
    arena_free(&shown.arena);
}

static void every_number_has_a_text(void **state)
{
    (void)state;
    const struct store_summary figures[] = {
        {.name = "a", .last = NAN, .min = NAN, .max = NAN},
        {.name = "b", .last = INFINITY},
        {.name = "c", .last = -INFINITY},
        {.name = "d", .last = 0.1},
        {.name = "e", .last = 1.0 / 3.0},
        {.name = "f", .last = 1e308, .total = INFINITY, .finite = 2},
        {.name = "quote\"", .last = -1e300},
    };
    struct shown shown;
    show_begin(&shown, &plain);
    shown.picture.figures = figures;
    shown.picture.figure_count = 7;
    show_fact(&shown, "definition", "a", "{\"summary\":[\"mean\",\"best\"]}");
    show_fact(&shown, "definition", "f", "{\"summary\":[\"mean\"]}"); /* beyond all numbers */
    show(&shown);
    assert_string_equal(shown.run.summary_json,
                        "{\"a\":{\"mean\":\"NaN\",\"best\":\"NaN\"},\"b\":\"Infinity\",\"c\":\"-Infinity\","
                        "\"d\":0.1,\"e\":0.3333333333333333,\"f\":{\"mean\":\"NaN\"},\"quote\\\"\":-1e+300}");
    arena_free(&shown.arena);
}

static void the_newer_of_metric_and_entry_stands(void **state)
{
    (void)state;
    const struct store_summary figures[] = {{.name = "a", .attempt = 1, .last = 1},
                                            {.name = "b", .attempt = 2, .last = 2}};
    struct shown shown;
    show_begin(&shown, &plain);
    shown.picture.figures = figures;
    shown.picture.figure_count = 2;
    show_fact(&shown, "summary", "a", "[7]");
    show_fact(&shown, "summary", "b", "[8]");
    show(&shown);
    assert_string_equal(shown.run.summary_json, "{\"b\":2,\"a\":[7]}");
    arena_free(&shown.arena);
}

/* As many as a run may have: each entry must find its metric without looking at all of them. */
static void many_entries_and_metrics_are_matched(void **state)
{
    (void)state;
    enum { MANY = 40000 };
    struct store_summary *figures = calloc(MANY, sizeof *figures);
    struct store_fact *facts = calloc(MANY, sizeof *facts);
    char(*names)[8] = calloc(MANY, sizeof *names);
    struct shown shown;
    show_begin(&shown, &plain);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof names[i], "%06d", i);
        figures[i] = (struct store_summary){.name = names[i], .attempt = 2, .last = 1};
        facts[i] = (struct store_fact){.kind = "summary", .name = names[i], .value = "2", .attempt = 1};
    }
    shown.picture.figures = figures;
    shown.picture.facts = facts;
    shown.picture.figure_count = shown.picture.fact_count = MANY;
    clock_t start = clock();
    show(&shown);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    assert_memory_equal(shown.run.summary_json, "{\"000000\":1,\"000001\":1,", 23);
    arena_free(&shown.arena);
    free(figures);
    free(facts);
    free(names);
}

/* Nobody could take them away. */
static void long_tags_are_left_out(void **state)
{
    (void)state;
    struct shown shown;
    char value[RUN_PICTURE_TAG_MAX + 16], tag[RUN_PICTURE_TAG_MAX + 1];
    memset(tag, 'x', RUN_PICTURE_TAG_MAX);
    tag[RUN_PICTURE_TAG_MAX] = '\0';
    show_begin(&shown, &plain);
    (void)snprintf(value, sizeof value, "[\"a\",\"%s\"]", tag);
    show_fact(&shown, "about", "tags", value);
    show(&shown);
    assert_int_equal(shown.run.n_tags, 2);
    (void)snprintf(value, sizeof value, "[\"a\",\"%sx\"]", tag);
    shown.run.n_tags = 0;
    show(&shown);
    assert_int_equal(shown.run.n_tags, 1);
    assert_string_equal(shown.run.tags[0], "a");
    arena_free(&shown.arena);
}

static void the_configuration_grows_but_never_changes(void **state)
{
    (void)state;
    struct store_run run = plain;
    struct shown shown;
    run.params_json = "{\"x\":1.50,\"z\":{\"a\":[]}}";
    show_begin(&shown, &run);
    show(&shown);
    assert_string_equal(shown.run.config_json, run.params_json);
    show_fact(&shown, "config", "layers", "3");
    show_fact(&shown, "config", "x", "9");
    show(&shown);
    assert_string_equal(shown.run.config_json, "{\"x\":1.50,\"z\":{\"a\":[]},\"layers\":3}");
    run.params_json = "{}";
    show(&shown);
    assert_string_equal(shown.run.config_json, "{\"layers\":3,\"x\":9}");
    arena_free(&shown.arena);
}

static void what_is_too_much_is_left_out(void **state)
{
    (void)state;
    struct shown shown;
    show_begin(&shown, &plain);
    shown.picture.summary_max = shown.picture.config_max = 6;
    show_fact(&shown, "config", "a", "12");
    show_fact(&shown, "config", "b", "3");
    show_fact(&shown, "summary", "a", "1");
    show_fact(&shown, "summary", "b", "2");
    show(&shown);
    assert_string_equal(shown.run.config_json, "{\"b\":3}");
    assert_string_equal(shown.run.summary_json, "{\"a\":1}");
    arena_free(&shown.arena);
}

static void users_have_the_last_word(void **state)
{
    (void)state;
    struct store_run run = plain;
    struct shown shown;
    show_begin(&shown, &run);
    show_fact(&shown, "about", "name", "\"program's\"");
    show_fact(&shown, "about", "notes", "[\"no text\"]");
    show_fact(&shown, "about", "tags", "[\"b\",\"hidden\",7,\"a\",\"own\"]");
    run.tags_json = "[\"own\",\"c\"]";
    run.hidden_tags_json = "[\"hidden\"]";
    show(&shown);
    assert_string_equal(shown.run.name, "program's");
    assert_string_equal(shown.run.notes, "");
    assert_int_equal(shown.run.n_tags, 4);
    const char *const tags[] = {"a", "b", "c", "own"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(shown.run.tags[i], tags[i]);
    run.name = "user's";
    shown.run.n_tags = 0;
    show(&shown);
    assert_string_equal(shown.run.name, "user's");
    arena_free(&shown.arena);
}

static void of_facts_the_last_step_is_left(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct fact_plan plan;
    struct err err = ERR_INIT;
    const struct store_fact steps[] = {
        {"s", "r", "summary", "a", "1", 1},  {"s", "r", "summary", "b", "1", 1},
        {"s", "r", "summary", "a", NULL, 1}, {"s", "r", "summary", "c", NULL, 1},
        {"s", "r", "config", "a", "2", 1},   {"s", "r", "summary", "c", "3", 1},
        {"s", "q", "summary", "b", "4", 1},  {"s", "r", "summary", "b", "5", 1},
    };
    assert_int_equal(fact_plan_make(&arena, 8, &plan, &err), STATUS_OK);
    for (size_t i = 0; i < 8; i++)
        fact_plan_add(&plan, steps[i]);
    assert_int_equal(fact_plan_settle(&plan, &arena, &err), STATUS_OK);
    assert_int_equal(plan.put_count, 4);
    assert_int_equal(plan.end_count, 1);
    assert_string_equal(plan.ends[0].name, "a");
    const char *const values[] = {"4", "2", "5", "3"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(plan.puts[i].value, values[i]);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_over_all_attempts),
        cmocka_unit_test(the_summary_follows_definitions),
        cmocka_unit_test(every_number_has_a_text),
        cmocka_unit_test(the_newer_of_metric_and_entry_stands),
        cmocka_unit_test(many_entries_and_metrics_are_matched),
        cmocka_unit_test(long_tags_are_left_out),
        cmocka_unit_test(the_configuration_grows_but_never_changes),
        cmocka_unit_test(what_is_too_much_is_left_out),
        cmocka_unit_test(users_have_the_last_word),
        cmocka_unit_test(of_facts_the_last_step_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
