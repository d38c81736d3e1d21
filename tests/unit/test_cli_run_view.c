// SPDX-License-Identifier: GPL-3.0-or-later
/* What names mean of a run, the order of runs, and columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/run_columns.h"

static char text_id[] = "aaaaaaaa", text_sweep[] = "ssssssss",
            text_params[] = "{\"lr\":0.1,\"opt\":{\"name\":\"adam\"},"
                            "\"loss\":\"mine\",\"host\":7}",
            text_config[] = "{\"lr\":0.1,\"layers\":3}",
            text_summary[] =
                "{\"val\":{\"min\":0.25},\"note\":\"ok\",\"bad\":\"NaN\",\"lr\":9,\"list\":[1,2]}",
            tag_a[] = "a", tag_b[] = "b c", text_host[] = "node1", name_val[] = "val", name_loss[] = "loss",
            name_new[] = "fresh", nothing[] = "";

static Besom__V1__Summary val = BESOM__V1__SUMMARY__INIT, loss = BESOM__V1__SUMMARY__INIT,
                          fresh = BESOM__V1__SUMMARY__INIT;
static Besom__V1__Summary *summaries[] = {&val, &loss, &fresh};
static char *tags[] = {tag_a, tag_b};

static Besom__V1__Run make_run(void)
{
    Besom__V1__Run run = BESOM__V1__RUN__INIT;
    val.name = name_val;
    val.last = 0.5;
    val.min = 0.25;
    val.count = 4;
    loss.name = name_loss;
    loss.last = 1.5;
    fresh.name = name_new;
    fresh.last = (double)NAN;
    run.run_id = text_id;
    run.sweep_id = text_sweep;
    run.params_json = text_params;
    run.config_json = text_config;
    run.summary_json = text_summary;
    run.host = text_host;
    run.name = run.notes = run.end_reason = run.error_text = run.agent_id = nothing;
    run.tags = tags;
    run.n_tags = 2;
    run.summaries = summaries;
    run.n_summaries = 3;
    run.state = BESOM__V1__RUN_STATE__RUN_STATE_FINISHED;
    run.created_us = 1795284880019892;
    run.started_us = run.ended_us = 1795284880019892;
    run.run_time_ms = 1500;
    run.attempt = 1;
    return run;
}

static void check(struct run_view *view, const char *name, const char *wanted)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    struct filter_name *names = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;
    assert_int_equal(filter_parse_names(name, &arena, &names, &count, &err), STATUS_OK);
    if (!run_columns_append(&out, view, &names[0]))
        buffer_puts(&out, "(missing)");
    if (strcmp(buffer_text(&out), wanted) != 0)
        fail_msg("%s is %s, not %s", name, buffer_text(&out), wanted);
}

static void what_names_mean(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"id", "aaaaaaaa"},
        {"run_id", "aaaaaaaa"},
        {"state", "finished"},
        {"host", "node1"},
        {"params.host", "7"},
        {"run.host", "node1"},
        {"name", "(missing)"},
        {"tags", "a,b c"},
        {"tag", "a,b c"},
        {"lr", "0.1"},
        {"summary.lr", "9"},
        {"opt.name", "adam"},
        {"loss", "mine"},
        {"summary.loss", "1.5"},
        {"val", "0.5"},
        {"val.min", "0.25"},
        {"summary.val", "0.5"},
        {"val.count", "4"},
        {"val.nothing", "(missing)"},
        {"note", "ok"},
        {"bad", "NaN"},
        {"fresh", "NaN"},
        {"config.layers", "3"},
        {"layers", "3"},
        {"params.layers", "(missing)"},
        {"list", "[1,2]"},
        {"runtime", "1.5"},
        {"attempt", "1"},
        {"created", "2026-11-21T18:14:40.019892Z"},
        {"exit_code", "0"},
        {"objective", "(missing)"},
        {"notes", "(missing)"},
        {"nothing", "(missing)"},
        {"signal", "(missing)"},
        {"unreachable", "false"},
    };
    Besom__V1__Run run = make_run();
    struct run_view view CLEANUP(run_view_release) = {.run = &run};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&view, rows[i][0], rows[i][1]);
}

static void what_is_no_json_is_empty(void **state)
{
    (void)state;
    Besom__V1__Run run = make_run();
    run.params_json = run.config_json = run.summary_json = nothing;
    struct run_view view CLEANUP(run_view_release) = {.run = &run};
    check(&view, "lr", "(missing)");
    check(&view, "val", "0.5");
    assert_int_equal(json_object_size(run_view_config(&view)), 0);
}

#define COUNT 5

/* Sorts runs of these parameters and tells their places before. */
static void check_order(const char *const params[COUNT], const char *keys, const char *wanted)
{
    Besom__V1__Run runs[COUNT];
    struct cli cli = {.arena = arena_make(0)};
    struct run_list list CLEANUP(run_list_release) = {.views = calloc(COUNT, sizeof *list.views),
                                                      .count = COUNT};
    char order[COUNT + 1] = "";
    for (size_t i = 0; i < COUNT; i++) {
        runs[i] = make_run();
        runs[i].params_json = (char *)(uintptr_t)params[i];
        runs[i].ordinal = (int64_t)i;
        list.views[i].run = &runs[i];
    }
    assert_int_equal(run_list_sort(&cli, "runs", keys, &list), CLI_OK);
    for (size_t i = 0; i < COUNT; i++)
        order[i] = (char)('0' + list.views[i].run->ordinal);
    assert_string_equal(order, wanted);
    arena_free(&cli.arena);
}

static void missing_comes_last_either_way(void **state)
{
    (void)state;
    static const char *const params[COUNT] = {"{\"x\":2}", "{}", "{\"x\":-1.5,\"y\":1}", "{\"x\":2,\"y\":0}",
                                              "{\"x\":null}"};
    check_order(params, "x", "20314");
    check_order(params, "-x", "03214");
    check_order(params, "x:desc", "03214");
    check_order(params, "-x,y", "30214");
    check_order(params, "x,y", "23014");
    check_order(params, "nothing", "01234");
    check_order(params, "-`x`", "03214");
}

static void mixed_values_are_sorted_by_kind(void **state)
{
    (void)state;
    static const char *const params[COUNT] = {"{\"x\":\"b\"}", "{\"x\":true}", "{\"x\":10}", "{\"x\":\"a\"}",
                                              "{\"x\":9}"};
    check_order(params, "x", "42301");
    check_order(params, "-x", "10324");
}

static void patterns_become_columns(void **state)
{
    (void)state;
    struct cli cli = {.arena = arena_make(0)};
    struct run_leaves leaves CLEANUP(run_leaves_release) = {.params = NULL};
    struct run_columns columns;
    struct buffer all CLEANUP(buffer_free) = BUFFER_INIT;
    Besom__V1__Run run = make_run();
    struct run_view view CLEANUP(run_view_release) = {.run = &run};
    run_leaves_add(&leaves, &view);
    assert_int_equal(run_columns_parse(&cli, "runs", "id,params.*,x,summary.*", &columns), CLI_OK);
    assert_true(run_columns_have_patterns(&columns));
    assert_int_equal(run_columns_expand(&cli, &columns, &leaves), CLI_OK);
    for (size_t i = 0; i < columns.count; i++)
        buffer_printf(&all, "%s ", columns.names[i].spelled);
    assert_string_equal(buffer_text(&all),
                        "id params.host params.loss params.lr params.opt.name x summary.bad summary.list "
                        "summary.lr summary.note summary.val.min ");
    arena_free(&cli.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_names_mean),
        cmocka_unit_test(what_is_no_json_is_empty),
        cmocka_unit_test(missing_comes_last_either_way),
        cmocka_unit_test(mixed_values_are_sorted_by_kind),
        cmocka_unit_test(patterns_become_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
