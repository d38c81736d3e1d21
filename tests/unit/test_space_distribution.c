// SPDX-License-Identifier: GPL-3.0-or-later
/* Every kind of parameter: values at known u, inverses, faults. References were computed with scipy.stats. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/space.h"

#define TOLERANCE 1e-9

static const double places[] = {0.001, 0.25, 0.5, 0.9, 0.999};

struct reference {
    const char *name;
    const char *definition;
    double values[5];
};

static const struct reference references[] = {
    {"uniform", "{\"distribution\": \"uniform\", \"min\": -2, \"max\": 3}", {-1.995, -0.75, 0.5, 2.5, 2.995}},
    {"log_uniform",
     "{\"distribution\": \"log_uniform\", \"min\": -3, \"max\": 1.5}",
     {0.05001161502657909, 0.15335496684492847, 0.4723665527410147, 2.8576511180631634, 4.461566778634232}},
    {"log_uniform_values",
     "{\"distribution\": \"log_uniform_values\", \"min\": 1e-5, \"max\": 0.1}",
     {1.0092528860766846e-05, 0.0001, 0.001, 0.039810717055349734, 0.09908319448927677}},
    {"inv_log_uniform",
     "{\"distribution\": \"inv_log_uniform\", \"min\": -1, \"max\": 4}",
     {0.018407446410717215, 0.06392786120670757, 0.22313016014842982, 1.6487212707001284,
      2.7047243412794524}},
    {"inv_log_uniform_values",
     "{\"distribution\": \"inv_log_uniform_values\", \"min\": 0.01, \"max\": 10}",
     {0.010069316688518041, 0.05623413251903491, 0.31622776601683794, 5.011872336272724, 9.931160484209338}},
    {"normal",
     "{\"distribution\": \"normal\", \"mu\": 5, \"sigma\": 2.5}",
     {-2.725580765419533, 3.3137756245097956, 5.0, 8.203878913861502, 12.725580765419533}},
    {"log_normal",
     "{\"distribution\": \"log_normal\", \"mu\": 0.5, \"sigma\": 1.25}",
     {0.03463846938152393, 0.7095586033150337, 1.6487212707001282, 8.18202321583237, 78.47580672571434}},
    {"beta",
     "{\"distribution\": \"beta\", \"a\": 0.5, \"b\": 3}",
     {2.8444455232269607e-07, 0.01821508957408786, 0.07903276707617297, 0.38624888180536926,
      0.855447776691985}},
    {"beta",
     "{\"distribution\": \"beta\", \"a\": 2, \"b\": 5}",
     {0.008255492787746678, 0.16116291679032652, 0.26444998329566005, 0.5103163065514917, 0.818613866919134}},
    {"q_uniform",
     "{\"distribution\": \"q_uniform\", \"min\": -2, \"max\": 3, \"q\": 0.25}",
     {-2.0, -0.75, 0.5, 2.5, 3.0}},
    {"q_log_uniform",
     "{\"distribution\": \"q_log_uniform\", \"min\": 0, \"max\": 4, \"q\": 2}",
     {2.0, 2.0, 8.0, 36.0, 54.0}},
    {"q_log_uniform_values",
     "{\"distribution\": \"q_log_uniform_values\", \"min\": 16, \"max\": 1024, \"q\": 16}",
     {16.0, 48.0, 128.0, 672.0, 1024.0}},
    {"q_normal",
     "{\"distribution\": \"q_normal\", \"mu\": 10, \"sigma\": 4, \"q\": 3}",
     {-3.0, 6.0, 9.0, 15.0, 21.0}},
    {"q_log_normal",
     "{\"distribution\": \"q_log_normal\", \"mu\": 1, \"sigma\": 0.5, \"q\": 0.5}",
     {0.5, 2.0, 2.5, 5.0, 12.5}},
    {"q_beta",
     "{\"distribution\": \"q_beta\", \"a\": 2, \"b\": 2, \"q\": 0.1}",
     {0.0, 0.30000000000000004, 0.5, 0.8, 1.0}},
    {"int_uniform",
     "{\"distribution\": \"int_uniform\", \"min\": -3, \"max\": 6}",
     {-3.0, -1.0, 1.0, 5.0, 6.0}},
};

static struct space *one(const char *definition)
{
    char text[512];
    snprintf(text, sizeof text, "{\"p\": %s}", definition);
    json_error_t error;
    json_t *parameters = json_loads(text, 0, &error);
    assert_non_null(parameters);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    if (space_new(parameters, &space, &err) != STATUS_OK)
        fail_msg("%s: %s", definition, err.text);
    json_decref(parameters);
    return space;
}

/* New reference. */
static json_t *value_at(const struct space *space, double u)
{
    json_t *config = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_from_unit(space, &u, &config, &err), STATUS_OK);
    json_t *value = json_incref(json_object_get(config, "p"));
    json_decref(config);
    return value;
}

static double unit_of(const struct space *space, json_t *value)
{
    double u = -1;
    struct err err = ERR_INIT;
    json_t *config = json_pack("{s:O}", "p", value);
    if (space_to_unit(space, config, &u, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    json_decref(config);
    return u;
}

static void assert_close(const char *name, double got, double expected)
{
    if (!(fabs(got - expected) <= TOLERANCE * fmax(1e-12, fabs(expected))))
        fail_msg("%s: %.17g instead of %.17g", name, got, expected);
}

static void test_values_match_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        struct space *space = one(references[i].definition);
        for (size_t k = 0; k < ARRAY_LEN(places); k++) {
            json_t *value = value_at(space, places[k]);
            assert_close(references[i].name, json_number_value(value), references[i].values[k]);
            json_decref(value);
        }
        space_free(space);
    }
}

/* Wide, narrow and far from zero; shapes whose density has no bound. */
static const char *const extremes[] = {
    "{\"distribution\": \"uniform\", \"min\": -8e307, \"max\": 8e307}",
    "{\"distribution\": \"uniform\", \"min\": 1e6, \"max\": 1000000.5}",
    "{\"distribution\": \"q_uniform\", \"min\": -1, \"max\": 1, \"q\": 7}",
    "{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 1e15, \"q\": 3}",
    "{\"distribution\": \"log_uniform_values\", \"min\": 1e-300, \"max\": 1e300}",
    "{\"distribution\": \"q_log_uniform_values\", \"min\": 1e-9, \"max\": 1e9, \"q\": 1e-9}",
    "{\"distribution\": \"log_uniform\", \"min\": -700, \"max\": 700}",
    "{\"distribution\": \"inv_log_uniform\", \"min\": -700, \"max\": 700}",
    "{\"distribution\": \"inv_log_uniform_values\", \"min\": 1e-12, \"max\": 1}",
    "{\"distribution\": \"normal\", \"mu\": -1e9, \"sigma\": 1e3}",
    "{\"distribution\": \"normal\", \"mu\": 3, \"sigma\": 0}",
    "{\"distribution\": \"log_normal\", \"mu\": -20, \"sigma\": 5}",
    "{\"distribution\": \"log_normal\", \"mu\": 2, \"sigma\": 0}",
    "{\"distribution\": \"beta\", \"a\": 0.05, \"b\": 0.05}",
    "{\"distribution\": \"beta\", \"a\": 200, \"b\": 0.5}",
    "{\"distribution\": \"beta\", \"a\": 5000, \"b\": 5000}",
    "{\"distribution\": \"int_uniform\", \"min\": -1000000, \"max\": 1000000}",
};

static void test_inverse_at_extremes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(extremes); i++) {
        struct space *space = one(extremes[i]);
        for (int step = 0; step <= 200; step++) {
            json_t *value = value_at(space, step / 200.0);
            json_t *again = value_at(space, unit_of(space, value));
            double x = json_number_value(value);
            if (!isfinite(x) || fabs(json_number_value(again) - x) > 1e-6 * fmax(fabs(x), 1e-300))
                fail_msg("%s at %d/200: %.17g became %.17g", extremes[i], step, x, json_number_value(again));
            json_decref(value);
            json_decref(again);
        }
        space_free(space);
    }
}

/* Discrete values return exactly, to the first of equal ones. */
static void test_inverse_of_listed_values(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "{\"values\": [0, false, \"\", null, [1], {\"a\": 0}, -0.5, \"0\"]}",
        "{\"values\": [\"a\", \"b\", \"c\"], \"probabilities\": [0.001, 0.0000001, 0.9989999]}"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct space *space = one(lists[i]);
        json_t *definition = json_loads(lists[i], 0, NULL);
        json_t *values = json_object_get(definition, "values");
        for (size_t k = 0; k < json_array_size(values); k++) {
            json_t *again = value_at(space, unit_of(space, json_array_get(values, k)));
            assert_true(json_equal(again, json_array_get(values, k)));
            json_decref(again);
        }
        json_decref(definition);
        space_free(space);
    }
}

/* quantile(inverse(x)) = x over the range, ends included. */
static void test_inverse_returns_to_the_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        struct space *space = one(references[i].definition);
        for (int step = 0; step <= 1000; step++) {
            json_t *value = value_at(space, step / 1000.0);
            json_t *again = value_at(space, unit_of(space, value));
            double scale = fmax(fabs(json_number_value(value)), 1e-3);
            if (fabs(json_number_value(again) - json_number_value(value)) > 1e-6 * scale)
                fail_msg("%s at %d/1000: %.17g became %.17g", references[i].name, step,
                         json_number_value(value), json_number_value(again));
            json_decref(value);
            json_decref(again);
        }
        space_free(space);
    }
}

static void test_every_row_is_tested(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {"constant", "categorical", "categorical_w_probabilities"};
    for (size_t i = 0; i < distribution_count; i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(references); k++)
            found |= strcmp(references[k].name, distributions[i].name) == 0;
        for (size_t k = 0; k < ARRAY_LEN(elsewhere); k++)
            found |= strcmp(elsewhere[k], distributions[i].name) == 0;
        if (!found)
            fail_msg("%s has no reference values", distributions[i].name);
    }
}

static void assert_value(const char *definition, double u, const char *expected)
{
    struct space *space = one(definition);
    json_t *value = value_at(space, u);
    char *text = space_config_text(value);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
    space_free(space);
}

static void test_categories(void **state)
{
    (void)state;
    assert_value("{\"value\": {\"a\": [1, null]}}", 0.7, "{\"a\":[1,null]}");
    assert_value("{\"values\": [\"x\", 2, null]}", 0, "\"x\"");
    assert_value("{\"values\": [\"x\", 2, null]}", 1.0 / 3, "\"x\"");
    assert_value("{\"values\": [\"x\", 2, null]}", 0.34, "2");
    assert_value("{\"values\": [\"x\", 2, null]}", 1, "null");
    const char *weighted = "{\"values\": [\"a\", \"b\", \"c\"], \"probabilities\": [0.2, 0.0, 0.8]}";
    assert_value(weighted, 0, "\"a\"");
    assert_value(weighted, 0.199, "\"a\"");
    assert_value(weighted, 0.2, "\"c\"");
    assert_value(weighted, 0.999, "\"c\"");
    assert_value(weighted, 1, "\"a\""); /* none is above u: the first */
}

static void test_types_follow_the_file(void **state)
{
    (void)state;
    assert_value("{\"min\": 1, \"max\": 3}", 0, "1");
    assert_value("{\"min\": 1, \"max\": 3}", 1, "3");
    assert_value("{\"min\": 1.0, \"max\": 3}", 0.5, "2.0");
    assert_value("{\"distribution\": \"uniform\", \"min\": 1, \"max\": 3}", 0.5, "2.0");
    assert_value("{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 10, \"q\": 5}", 0.6, "5");
    assert_value("{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 10, \"q\": 5.0}", 0.6, "5.0");
    assert_value("{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 10}", 0.6, "6.0");
    assert_value("{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 5, \"q\": 2}", 0.5,
                 "2"); /* half to even */
    assert_value("{\"min\": -9223372036854775807, \"max\": 9223372036854775806}", 1, "9223372036854775806");
}

static void test_tails_are_finite(void **state)
{
    (void)state;
    static const char *const unbounded[] = {"normal", "q_normal", "log_normal", "q_log_normal"};
    for (size_t i = 0; i < ARRAY_LEN(unbounded); i++) {
        char definition[100];
        snprintf(definition, sizeof definition, "{\"distribution\": \"%s\", \"sigma\": 1000}", unbounded[i]);
        struct space *space = one(definition);
        json_t *low = value_at(space, 0);
        json_t *high = value_at(space, 1);
        assert_true(json_is_number(low) && isfinite(json_number_value(low)));
        assert_true(json_is_number(high) && isfinite(json_number_value(high)));
        json_decref(low);
        json_decref(high);
        space_free(space);
    }
}

struct refusal {
    const char *definition;
    const char *text; /* part of the message */
};

static const struct refusal refusals[] = {
    {"3", "write value"},
    {"[1, 2]", "write values"},
    {"{}", "needs value"},
    {"{\"mu\": 0}", "distribution: normal"},
    {"{\"distribution\": \"unifrom\", \"min\": 0, \"max\": 1}", "did you mean uniform?"},
    {"{\"distribution\": 3}", "must be the name"},
    {"{\"values\": [1], \"min\": 0}", "takes no \"min\""},
    {"{\"values\": []}", "empty"},
    {"{\"values\": 3}", "must be a list"},
    {"{\"min\": 0}", "needs max"},
    {"{\"min\": 1, \"max\": 1}", "min must be less than max"},
    {"{\"min\": 2.5, \"max\": 1.5}", "min must be less than max"},
    {"{\"min\": \"a\", \"max\": 1.5}", "min must be a number"},
    {"{\"distribution\": \"int_uniform\", \"min\": 0.5, \"max\": 3}", "whole number"},
    {"{\"distribution\": \"log_uniform_values\", \"min\": 0, \"max\": 3}", "greater than 0"},
    {"{\"distribution\": \"log_uniform\", \"min\": 0, \"max\": 1000}", "exponent"},
    {"{\"distribution\": \"q_uniform\", \"min\": 0, \"max\": 3, \"q\": 0}", "q must be"},
    {"{\"distribution\": \"normal\", \"sigma\": -1}", "sigma"},
    {"{\"distribution\": \"beta\", \"a\": 0}", "greater than 0"},
    {"{\"values\": [1, 2], \"probabilities\": [1]}", "one for each"},
    {"{\"values\": [1, 2], \"probabilities\": [0.5, 0.4]}", "add up to"},
    {"{\"values\": [1, 2], \"probabilities\": [1.5, -0.5]}", "between 0 and 1"},
    {"{\"values\": [1, 2], \"probabilities\": \"x\"}", "list of numbers"},
};

static void test_faults_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        char text[512];
        snprintf(text, sizeof text, "{\"p\": %s}", refusals[i].definition);
        json_error_t error;
        json_t *parameters = json_loads(text, 0, &error);
        struct space *space = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(space_new(parameters, &space, &err), STATUS_INVALID);
        if (strstr(err.text, refusals[i].text) == NULL || strstr(err.text, "parameter p: ") == NULL)
            fail_msg("%s: %s", refusals[i].definition, err.text);
        json_decref(parameters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_match_references), cmocka_unit_test(test_inverse_returns_to_the_value),
        cmocka_unit_test(test_inverse_at_extremes),     cmocka_unit_test(test_inverse_of_listed_values),
        cmocka_unit_test(test_every_row_is_tested),     cmocka_unit_test(test_categories),
        cmocka_unit_test(test_types_follow_the_file),   cmocka_unit_test(test_tails_are_finite),
        cmocka_unit_test(test_faults_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
