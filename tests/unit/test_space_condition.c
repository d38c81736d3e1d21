// SPDX-License-Identifier: GPL-3.0-or-later
/* Conditions: what they mean for grids, draws and the unit cube, and which of them are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "space/space.h"

static struct space *build(const char *parameters_text)
{
    json_error_t error;
    json_t *parameters = json_loads(parameters_text, 0, &error);
    if (parameters == NULL)
        fail_msg("%s: %s", parameters_text, error.text);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    if (space_new(parameters, &space, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    json_decref(parameters);
    return space;
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
    struct err err = ERR_INIT;
    uint64_t points = 0;
    assert_int_equal(space_grid_count(space, &points, &err), STATUS_OK);
    assert_int_equal(points, count);
    for (size_t i = 0; i < count; i++)
        assert_point(space, i, expected[i]);
    space_free(space);
}

/* momentum stands before its parent: what is decided first hangs on what comes later. */
static void test_grid_drops_repeats_where_they_first_occur(void **state)
{
    (void)state;
    static const char *const expected[] = {"{\"momentum\":0,\"optimizer\":\"sgd\"}",
                                           "{\"optimizer\":\"adam\"}", "{\"optimizer\":\"rmsprop\"}",
                                           "{\"momentum\":9,\"optimizer\":\"sgd\"}"};
    assert_grid("{\"optimizer\": {\"values\": [\"sgd\", \"adam\", \"rmsprop\"]},"
                " \"momentum\": {\"values\": [0, 9], \"when\": {\"optimizer\": \"sgd\"}}}",
                expected, ARRAY_LEN(expected));
}

static void test_groups_and_chains(void **state)
{
    (void)state;
    static const char *const expected[] = {"{\"a\":1}", "{\"a\":2,\"g\":{\"b\":\"x\"}}",
                                           "{\"a\":2,\"g\":{\"b\":\"y\",\"c\":5}}",
                                           "{\"a\":2,\"g\":{\"b\":\"y\",\"c\":6}}"};
    assert_grid(
        "{\"a\": {\"values\": [1, 2]}, \"g\": {\"when\": {\"a\": 2}, \"parameters\":"
        " {\"b\": {\"values\": [\"x\", \"y\"]}, \"c\": {\"values\": [5, 6], \"when\": {\"b\": \"y\"}}}}}",
        expected, ARRAY_LEN(expected));
}

static void test_names_are_looked_up_beside_first(void **state)
{
    (void)state;
    static const char *const beside[] = {"{\"b\":1,\"g\":{\"b\":1,\"c\":0}}", "{\"b\":1,\"g\":{\"b\":2}}",
                                         "{\"b\":2,\"g\":{\"b\":1,\"c\":0}}", "{\"b\":2,\"g\":{\"b\":2}}"};
    assert_grid("{\"b\": {\"values\": [1, 2]}, \"g\": {\"parameters\": {\"b\": {\"values\": [1, 2]},"
                " \"c\": {\"value\": 0, \"when\": {\"b\": 1}}}}}",
                beside, ARRAY_LEN(beside));
    static const char *const root[] = {"{\"b\":1,\"g\":{\"b\":3}}", "{\"b\":2}"};
    assert_grid("{\"b\": {\"values\": [1, 2]}, \"g\": {\"parameters\": {\"b\": {\"value\": 3,"
                " \"when\": {\"b\": 1}}}}}",
                root, ARRAY_LEN(root));
}

static void test_parents_of_every_kind(void **state)
{
    (void)state;
    static const char *const whole[] = {"{\"a\":0,\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"a\":0,\"n\":4}"};
    assert_grid("{\"n\": {\"min\": 1, \"max\": 4}, \"a\": {\"value\": 0, \"when\": {\"n\": [4, 1.0]}}}",
                (const char *const[]){"{\"a\":0,\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"a\":0,\"n\":4}"}, 4);
    assert_grid("{\"n\": {\"values\": [1, 2, 3, 4]}, \"a\": {\"value\": 0, \"when\": {\"n\": [4, 1]}}}",
                whole, 4);
    static const char *const steps[] = {"{\"q\":0.0}", "{\"q\":0.1}", "{\"q\":0.2}",
                                        "{\"a\":0,\"q\":0.30000000000000004}"};
    assert_grid("{\"q\": {\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 0.4, \"q\": 0.1},"
                " \"a\": {\"value\": 0, \"when\": {\"q\": 0.3}}}",
                steps, 4);
    static const char *const constant[] = {"{\"a\":0,\"k\":{\"x\":[1]}}"};
    assert_grid(
        "{\"k\": {\"value\": {\"x\": [1]}}, \"a\": {\"value\": 0, \"when\": {\"k\": {\"x\": [1.0]}}}}",
        constant, 1);
}

/* A parent of 10^9 values, of which a condition names one; nothing is written out. */
static void test_large_conditional_grids(void **state)
{
    (void)state;
    struct space *space = build("{\"big\": {\"min\": 1, \"max\": 1000000000},"
                                " \"c\": {\"min\": 1, \"max\": 1000000000, \"when\": {\"big\": 500}},"
                                " \"d\": {\"min\": 0, \"max\": 1}}");
    struct err err = ERR_INIT;
    uint64_t count = 0;
    assert_int_equal(space_grid_count(space, &count, &err), STATUS_OK);
    assert_true(count == 2 * (UINT64_C(999999999) + UINT64_C(1000000000)));
    assert_point(space, 2 * 499 - 1, "{\"big\":499,\"d\":1}");
    assert_point(space, 2 * 499, "{\"big\":500,\"c\":1,\"d\":0}");
    assert_point(space, 2 * (499 + UINT64_C(999999999)) + 1, "{\"big\":500,\"c\":1000000000,\"d\":1}");
    assert_point(space, count - 1, "{\"big\":1000000000,\"d\":1}");
    space_free(space);
}

/* `count` parents of two values each, and one parameter that hangs on all. */
static json_t *wide_space(int count, const char *kind_keys)
{
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, "{");
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "\"p%d\": {\"values\": [0, 1]}, ", i);
    buffer_printf(&text, "\"a\": {%s, \"when\": {", kind_keys);
    for (int i = 0; i < count; i++)
        buffer_printf(&text, "%s\"p%d\": 1", i > 0 ? ", " : "", i);
    buffer_puts(&text, "}}}");
    json_error_t error;
    return json_loads(buffer_text(&text), 0, &error);
}

static void test_what_hangs_together_is_bounded(void **state)
{
    (void)state;
    struct space *space = NULL;
    struct err err = ERR_INIT;
    uint64_t count = 0;
    json_t *parameters = wide_space(16, "\"values\": [1, 2, 3]");
    assert_int_equal(space_new(parameters, &space, &err), STATUS_OK);
    assert_int_equal(space_grid_count(space, &count, &err), STATUS_OK);
    assert_int_equal(count, 65535 + 3);
    space_free(space);
    json_decref(parameters);
    parameters = wide_space(17, "\"values\": [1, 2, 3]");
    assert_int_equal(space_new(parameters, &space, &err), STATUS_OK);
    assert_int_equal(space_grid_count(space, &count, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "too many combinations"));
    json_t *config = NULL;
    assert_int_equal(space_random_point(space, 1, 1, &config, &err), STATUS_OK);
    json_decref(config);
    space_free(space);
    json_decref(parameters);
    parameters = wide_space(64, "\"min\": 0.5, \"max\": 1.0");
    assert_int_equal(space_new(parameters, &space, &err), STATUS_OK);
    space_free(space);
    json_decref(parameters);
}

static const char *const mixed =
    "{\"optimizer\": {\"values\": [\"sgd\", \"adam\"], \"probabilities\": [0.25, 0.75]},"
    " \"sgd\": {\"when\": {\"optimizer\": \"sgd\"}, \"parameters\": {"
    "  \"momentum\": {\"min\": 0.5, \"max\": 1.0},"
    "  \"nesterov\": {\"values\": [true, false]},"
    "  \"damp\": {\"min\": 0.0, \"max\": 1.0, \"when\": {\"nesterov\": false}}}},"
    " \"lr\": {\"min\": 0.0, \"max\": 1.0}}";

/* The same draws, less those that are inactive. */
static void test_draws_leave_inactive_out(void **state)
{
    (void)state;
    struct space *space = build(mixed);
    struct space *plain = build("{\"optimizer\": {\"values\": [\"sgd\", \"adam\"], \"probabilities\": [0.25,"
                                " 0.75]}, \"lr\": {\"min\": 0.0, \"max\": 1.0}, \"sgd\": {\"parameters\":"
                                " {\"nesterov\": {\"values\": [true, false]},"
                                " \"momentum\": {\"min\": 0.5, \"max\": 1.0},"
                                " \"damp\": {\"min\": 0.0, \"max\": 1.0}}}}");
    size_t groups = 0;
    struct err err = ERR_INIT;
    for (uint64_t i = 0; i < 2000; i++) {
        json_t *some = NULL;
        json_t *all = NULL;
        assert_int_equal(space_random_point(space, 3, i, &some, &err), STATUS_OK);
        assert_int_equal(space_random_point(plain, 3, i, &all, &err), STATUS_OK);
        json_t *inner = json_object_get(all, "sgd");
        if (strcmp(json_string_value(json_object_get(all, "optimizer")), "adam") == 0)
            json_object_del(all, "sgd");
        else if (json_is_true(json_object_get(inner, "nesterov")))
            json_object_del(inner, "damp");
        groups += json_object_get(some, "sgd") != NULL;
        assert_true(json_equal(some, all));
        json_decref(some);
        json_decref(all);
    }
    assert_in_range(groups, 420, 580);
    space_free(space);
    space_free(plain);
}

/* Draws are multiples of q, a grid's points are steps from min: a condition may name either. */
static void test_drawn_steps_are_parents_too(void **state)
{
    (void)state;
    struct space *space =
        build("{\"n\": {\"distribution\": \"q_uniform\", \"min\": 1, \"max\": 10, \"q\": 2},"
              " \"drawn\": {\"value\": 0, \"when\": {\"n\": [4, 10]}},"
              " \"listed\": {\"value\": 0, \"when\": {\"n\": [5, 9]}}}");
    struct err err = ERR_INIT;
    size_t seen = 0;
    for (uint64_t i = 0; i < 500; i++) {
        json_t *config = NULL;
        assert_int_equal(space_random_point(space, 5, i, &config, &err), STATUS_OK);
        json_int_t n = json_integer_value(json_object_get(config, "n"));
        assert_true((json_object_get(config, "drawn") != NULL) == (n == 4 || n == 10));
        assert_null(json_object_get(config, "listed"));
        seen += n == 4;
        json_decref(config);
    }
    assert_in_range(seen, 60, 160);
    assert_point(space, 2, "{\"listed\":0,\"n\":5}");
    assert_point(space, 4, "{\"listed\":0,\"n\":9}");
    space_free(space);
}

/* Order of parameters: lr, optimizer, sgd.damp, sgd.momentum, sgd.nesterov. */
static void test_inactive_stands_in_the_middle(void **state)
{
    (void)state;
    struct space *space = build(mixed);
    struct err err = ERR_INIT;
    double units[5];
    bool active[5];
    json_t *config =
        json_pack("{s:f, s:s, s:{s:f}}", "lr", 0.25, "optimizer", "adam", "sgd", "momentum", 0.9);
    assert_int_equal(space_to_unit(space, config, units, &err), STATUS_OK);
    assert_true(units[0] == 0.25 && units[2] == 0.5 && units[3] == 0.5 && units[4] == 0.5);
    assert_int_equal(space_active(space, config, active, &err), STATUS_OK);
    assert_true(active[0] && active[1] && !active[2] && !active[3] && !active[4]);
    json_t *back = NULL;
    assert_int_equal(space_from_unit(space, units, &back, &err), STATUS_OK);
    json_object_del(config, "sgd");
    assert_true(json_equal(config, back));
    json_decref(config);
    json_decref(back);
    config = json_pack("{s:f, s:s}", "lr", 0.25, "optimizer", "sgd");
    assert_int_equal(space_to_unit(space, config, units, &err), STATUS_INVALID);
    assert_string_equal(err.text, "parameter sgd.momentum: missing from the configuration");
    json_decref(config);
    assert_true(space_has_conditions(space));
    space_free(space);
}

static void test_conditions_survive_json(void **state)
{
    (void)state;
    struct space *space = build(mixed);
    json_t *stored = space_to_json(space);
    char *text = space_config_text(stored);
    assert_non_null(strstr(text, "\"when\":{\"optimizer\":\"sgd\"}"));
    struct space *again = build(text);
    json_t *stored_again = space_to_json(again);
    assert_true(json_equal(stored, stored_again));
    json_decref(stored);
    json_decref(stored_again);
    free(text);
    space_free(space);
    space_free(again);
}

struct refusal {
    const char *definition; /* of p, beside a, u, g.x */
    const char *text;
};

static const struct refusal refusals[] = {
    {"{\"value\": 1, \"when\": 3}", "parameter p: when must be a map"},
    {"{\"value\": 1, \"when\": {}}", "when must be a map"},
    {"{\"value\": 1, \"when\": {\"b\": 1}}", "unknown parameter \"b\""},
    {"{\"value\": 1, \"when\": {\"alhpa\": \"one\"}}", "\"alhpa\": did you mean alpha?"},
    {"{\"value\": 1, \"when\": {\"g\": 1}}", "names a group: name a parameter in it, such as g.x"},
    {"{\"value\": 1, \"when\": {\"alpha\": \"won\"}}", "can never hold: alpha is never \"won\""},
    {"{\"value\": 1, \"when\": {\"alpha\": [\"one\", \"twoo\"]}}", "never \"twoo\" (did you mean two?)"},
    {"{\"value\": 1, \"when\": {\"alpha\": []}}", "no value for alpha"},
    {"{\"value\": 1, \"when\": {\"u\": 0.5}}", "names u, a uniform: a condition needs"},
    {"{\"value\": 1, \"when\": {\"g.x\": 10}}", "g.x is never 10"},
    {"{\"value\": 1, \"when\": {\"g.x\": 2.5}}", "g.x is never 2.5"},
    {"{\"value\": 1, \"when\": {\"g.x\": true}}", "g.x is never true"},
    {"{\"value\": 1, \"when\": {\"p\": 1}}", "parameter p: when names p, which hangs on this very condition"},
    {"{\"when\": {\"p.y\": 1}, \"parameters\": {\"y\": {\"value\": 1}}}", "hangs on this very condition"},
    {"{\"value\": 1, \"when\": {\"c\": 1}}", "circle: it hangs on"},
    {"{\"value\": 1, \"wehn\": {\"alpha\": \"one\"}}", "did you mean when?"},
    {"{\"when\": {\"alpha\": \"one\"}}", "needs value"},
};

static void test_faults_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
        bool circle = strstr(refusals[i].text, "circle") != NULL;
        buffer_printf(&text,
                      "{\"p\": %s, \"alpha\": {\"values\": [\"one\", \"two\"]},"
                      " \"c\": {\"value\": 1%s}, \"u\": {\"min\": 0.0, \"max\": 1.0},"
                      " \"g\": {\"parameters\": {\"x\": {\"min\": 1, \"max\": 9}}}}",
                      refusals[i].definition, circle ? ", \"when\": {\"p\": 1}" : "");
        json_error_t error;
        json_t *parameters = json_loads(buffer_text(&text), 0, &error);
        struct space *space = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(space_new(parameters, &space, &err), STATUS_INVALID);
        if (strstr(err.text, refusals[i].text) == NULL)
            fail_msg("%s: %s", refusals[i].definition, err.text);
        json_decref(parameters);
    }
}

static void test_circles_tell_their_way(void **state)
{
    (void)state;
    json_error_t error;
    json_t *parameters = json_loads("{\"a\": {\"value\": 1, \"when\": {\"b\": 1}},"
                                    " \"b\": {\"value\": 1, \"when\": {\"c\": 1}},"
                                    " \"c\": {\"value\": 1, \"when\": {\"a\": 1}},"
                                    " \"d\": {\"value\": 1, \"when\": {\"a\": 1}}}",
                                    0, &error);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_new(parameters, &space, &err), STATUS_INVALID);
    static const char *const ways[] = {"b, which hangs on c, which hangs on a, which hangs on b",
                                       "c, which hangs on a, which hangs on b, which hangs on c",
                                       "a, which hangs on b, which hangs on c, which hangs on a"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        found |= strstr(err.text, ways[i]) != NULL;
    if (!found)
        fail_msg("%s", err.text);
    json_decref(parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_drops_repeats_where_they_first_occur),
        cmocka_unit_test(test_groups_and_chains),
        cmocka_unit_test(test_names_are_looked_up_beside_first),
        cmocka_unit_test(test_parents_of_every_kind),
        cmocka_unit_test(test_large_conditional_grids),
        cmocka_unit_test(test_what_hangs_together_is_bounded),
        cmocka_unit_test(test_draws_leave_inactive_out),
        cmocka_unit_test(test_drawn_steps_are_parents_too),
        cmocka_unit_test(test_inactive_stands_in_the_middle),
        cmocka_unit_test(test_conditions_survive_json),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_circles_tell_their_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
