// SPDX-License-Identifier: GPL-3.0-or-later
/* Grids: order, count, repeats, what cannot be enumerated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/space.h"

static struct space *build(const char *parameters_text)
{
    json_error_t error;
    json_t *parameters = json_loads(parameters_text, 0, &error);
    assert_non_null(parameters);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    if (space_new(parameters, &space, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    json_decref(parameters);
    return space;
}

static uint64_t count_of(const struct space *space)
{
    uint64_t count = 0;
    struct err err = ERR_INIT;
    if (space_grid_count(space, &count, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return count;
}

static void assert_point(const struct space *space, uint64_t index, const char *expected)
{
    json_t *config = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_grid_point(space, index, &config, &err), STATUS_OK);
    char *text = space_config_text(config);
    assert_string_equal(text, expected);
    free(text);
    json_decref(config);
}

static void assert_grid(const char *parameters, const char *const *expected, size_t count)
{
    struct space *space = build(parameters);
    assert_int_equal(count_of(space), count);
    for (size_t i = 0; i < count; i++)
        assert_point(space, i, expected[i]);
    json_t *config = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_grid_point(space, count, &config, &err), STATUS_INVALID);
    space_free(space);
}

/* itertools.product over the sorted names, values as written. */
static void test_order_is_last_name_fastest(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "{\"a\":\"x\",\"b\":3,\"c\":true}", "{\"a\":\"x\",\"b\":1,\"c\":true}",
        "{\"a\":\"x\",\"b\":2,\"c\":true}", "{\"a\":\"w\",\"b\":3,\"c\":true}",
        "{\"a\":\"w\",\"b\":1,\"c\":true}", "{\"a\":\"w\",\"b\":2,\"c\":true}",
    };
    assert_grid(
        "{\"b\": {\"values\": [3, 1, 2]}, \"c\": {\"value\": true}, \"a\": {\"values\": [\"x\", \"w\"]}}",
        expected, ARRAY_LEN(expected));
}

static void test_nested_levels_are_sorted_depth_first(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "{\"m\":{\"deep\":{\"k\":1},\"z\":0},\"n\":7}", "{\"m\":{\"deep\":{\"k\":1},\"z\":0},\"n\":8}",
        "{\"m\":{\"deep\":{\"k\":1},\"z\":5},\"n\":7}", "{\"m\":{\"deep\":{\"k\":1},\"z\":5},\"n\":8}",
        "{\"m\":{\"deep\":{\"k\":2},\"z\":0},\"n\":7}", "{\"m\":{\"deep\":{\"k\":2},\"z\":0},\"n\":8}",
        "{\"m\":{\"deep\":{\"k\":2},\"z\":5},\"n\":7}", "{\"m\":{\"deep\":{\"k\":2},\"z\":5},\"n\":8}",
    };
    assert_grid("{\"n\": {\"values\": [7, 8]}, \"m\": {\"parameters\": {\"z\": {\"values\": [0, 5]},"
                " \"deep\": {\"parameters\": {\"k\": {\"min\": 1, \"max\": 2}}}}}}",
                expected, ARRAY_LEN(expected));
}

static void test_repeats_are_emitted_once(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "{\"a\":3}", "{\"a\":true}", "{\"a\":1}", "{\"a\":\"1\"}", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":0}"};
    assert_grid(
        "{\"a\": {\"values\": [3, 3.0, true, 1, \"1\", 1.0, {\"y\": 2, \"x\": 1}, {\"x\": 1.0, \"y\": 2}, 0,"
        " -0.0]}}",
        expected, ARRAY_LEN(expected));
}

/* numpy.arange leaves the end out; whole arguments stay whole. */
static void test_steps_leave_max_out(void **state)
{
    (void)state;
    static const char *const whole[] = {"{\"a\":2}", "{\"a\":5}", "{\"a\":8}"};
    assert_grid("{\"a\": {\"distribution\": \"q_uniform\", \"min\": 2, \"max\": 11, \"q\": 3}}", whole, 3);
    static const char *const real[] = {"{\"a\":0.0}", "{\"a\":1.0}"};
    assert_grid("{\"a\": {\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 2}}", real, 2);
    static const char *const tenths[] = {"{\"a\":0.0}", "{\"a\":0.1}", "{\"a\":0.2}",
                                         "{\"a\":0.30000000000000004}"};
    assert_grid("{\"a\": {\"distribution\": \"q_uniform\", \"min\": 0.0, \"max\": 0.4, \"q\": 0.1}}", tenths,
                4);
}

static void test_constants_alone_are_one_point(void **state)
{
    (void)state;
    static const char *const expected[] = {"{\"a\":null}"};
    assert_grid("{\"a\": {\"value\": null}}", expected, 1);
}

static void test_large_grids_cost_nothing(void **state)
{
    (void)state;
    struct space *space =
        build("{\"a\": {\"min\": 1, \"max\": 1000000}, \"b\": {\"min\": 1, \"max\": 1000000},"
              " \"c\": {\"values\": [\"u\", \"v\"]}}");
    assert_true(count_of(space) == 2000000000000u);
    assert_point(space, 1000000000001u, "{\"a\":500001,\"b\":1,\"c\":\"v\"}");
    assert_point(space, 1999999999999u, "{\"a\":1000000,\"b\":1000000,\"c\":\"v\"}");
    space_free(space);
}

static void assert_no_grid(const char *parameters, const char *text)
{
    struct space *space = build(parameters);
    uint64_t count;
    struct err err = ERR_INIT;
    assert_int_equal(space_grid_count(space, &count, &err), STATUS_INVALID);
    if (strstr(err.text, text) == NULL)
        fail_msg("%s", err.text);
    space_free(space);
}

static void test_what_cannot_be_enumerated(void **state)
{
    (void)state;
    assert_no_grid("{\"a\": {\"parameters\": {\"lr\": {\"min\": 0.1, \"max\": 1.0}}}}",
                   "parameter a.lr: a grid");
    assert_no_grid("{\"a\": {\"values\": [1, 2], \"probabilities\": [0.5, 0.5]}}",
                   "categorical_w_probabilities");
    assert_no_grid("{\"a\": {\"min\": 0, \"max\": 9000000000000000000}, \"b\": {\"values\": [1, 2, 3]}}",
                   "too many points");
}

static void test_searched_parameters(void **state)
{
    (void)state;
    struct space *space =
        build("{\"a\": {\"value\": 1}, \"b\": {\"values\": [1]}, \"c\": {\"values\": [1, 2]},"
              " \"d\": {\"parameters\": {\"e\": {\"min\": 0.0, \"max\": 1.0}}}}");
    static const bool searched[] = {false, false, true, true};
    assert_int_equal(space_parameter_count(space), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(space_parameter_is_searched(space, i), searched[i]);
    assert_string_equal(space_parameter_path(space, 3), "d.e");
    assert_string_equal(space_parameter_kind(space, 3)->name, "uniform");
    space_free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_last_name_fastest),
        cmocka_unit_test(test_nested_levels_are_sorted_depth_first),
        cmocka_unit_test(test_repeats_are_emitted_once),
        cmocka_unit_test(test_steps_leave_max_out),
        cmocka_unit_test(test_constants_alone_are_one_point),
        cmocka_unit_test(test_large_grids_cost_nothing),
        cmocka_unit_test(test_what_cannot_be_enumerated),
        cmocka_unit_test(test_searched_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
