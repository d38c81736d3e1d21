// SPDX-License-Identifier: GPL-3.0-or-later
/* `when` in sweep files: how it is read and stored, and where its faults are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static struct spec_problems problems;

static struct spec *parse(const char *text)
{
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    if (spec_parse(text, strlen(text), "f.yaml", NULL, &spec, &problems, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    spec_problems_free(&problems);
    return spec;
}

static void assert_problems(const char *text, const char *expected)
{
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spec_parse(text, strlen(text), "f.yaml", NULL, &spec, &problems, &err), STATUS_INVALID);
    for (size_t i = 0; i < problems.count; i++)
        spec_problem_format(&problems.items[i], "f.yaml", &got);
    assert_string_equal(buffer_text(&got), expected);
    spec_problems_free(&problems);
}

static const char conditional[] = "method: grid\n"
                                  "program: t.py\n"
                                  "parameters:\n"
                                  "  optimizer: {values: [sgd, adam]}\n"
                                  "  on: {values: [1e-3, yes]}\n"
                                  "  sgd:\n"
                                  "    when: &sgd {optimizer: sgd}\n"
                                  "    parameters:\n"
                                  "      momentum: {values: [0.0, 0.9], when: {on: [1e-3, 5]}}\n"
                                  "  clip: {values: [1, 2], when: *sgd}\n";

static void test_refused_value_among_right_ones(void **state)
{
    (void)state;
    assert_problems(conditional, "f.yaml:5:17: warning: 1e-3 is text in YAML 1.1: read as the number 0.001 "
                                 "(quote it to keep the text)\n"
                                 "f.yaml:9:49: parameter sgd.momentum: when can never hold: on is never 5\n"
                                 "f.yaml:9:50: warning: 1e-3 is text in YAML 1.1: read as the number 0.001 "
                                 "(quote it to keep the text)\n");
}

static void test_stored_form(void **state)
{
    (void)state;
    char text[sizeof conditional];
    memcpy(text, conditional, sizeof conditional);
    memcpy(strstr(text, ", 5]}"), "   ]}", 5);
    struct spec *spec = parse(text);
    char *stored = spec_to_canonical_json(spec);
    assert_non_null(strstr(stored, "\"when\":{\"on\":[0.001]}"));
    assert_non_null(strstr(stored, "\"values\":[1,2],\"when\":{\"optimizer\":\"sgd\"}"));
    assert_non_null(strstr(stored, "}},\"when\":{\"optimizer\":\"sgd\"}}"));
    struct spec *again = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spec_from_canonical_json(stored, strlen(stored), &again, &err), STATUS_OK);
    char *stored_again = spec_to_canonical_json(again);
    assert_string_equal(stored, stored_again);
    uint64_t points = 0;
    assert_int_equal(space_grid_count(again->space, &points, &err), STATUS_OK);
    assert_int_equal(points, 2 + 2 * (2 + 1)); /* adam: on; sgd: clip, on, momentum with the first on */
    free(stored);
    free(stored_again);
    spec_free(spec);
    spec_free(again);
}

static void test_all_faults_with_their_places(void **state)
{
    (void)state;
    assert_problems(
        "method: random\n"
        "program: t.py\n"
        "run_cap: 0\n"
        "parameters:\n"
        "  a: {values: [x, y]}\n"
        "  b:\n"
        "    value: 1\n"
        "    when:\n"
        "      aa: x\n"
        "      a: [x,\n"
        "          z]\n"
        "  c: {value: 1, when: {c: 1}}\n"
        "  d: {min: 0.5, max: 1.0, when: a}\n"
        "  g:\n"
        "    when: {d: 1}\n"
        "    parameters: {x: {value: 1, when: {b: 1}}}\n",
        "f.yaml:3:10: must be a whole number of at least 1\n"
        "f.yaml:9:7: parameter b: when names an unknown parameter \"aa\": did you mean a?\n"
        "f.yaml:10:10: parameter b: when can never hold: a is never \"z\"\n"
        "f.yaml:12:24: parameter c: when names c, which hangs on this very condition\n"
        "f.yaml:13:27: parameter d: when must be a map of parameters and the values they must have "
        "(when: {optimizer: sgd})\n"
        "f.yaml:15:12: parameter g: when names d, a uniform: a condition needs a parameter with "
        "values that can be listed (value, values, int_uniform, q_uniform)\n");
}

static void test_circles_and_grids_too_large(void **state)
{
    (void)state;
    assert_problems("method: grid\n"
                    "program: t.py\n"
                    "parameters:\n"
                    "  a: {value: 1, when: {b: 1}}\n"
                    "  b: {value: 1, when: {a: 1}}\n",
                    "f.yaml:4:17: parameter a: when goes in a circle: it hangs on b, which hangs on a, which "
                    "hangs on b\n");
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, "method: grid\nprogram: t.py\nparameters:\n  z: {value: 1, when: {");
    for (int i = 0; i < 17; i++)
        buffer_printf(&text, "%sp%d: 1", i > 0 ? ", " : "", i);
    buffer_puts(&text, "}}\n");
    for (int i = 0; i < 17; i++)
        buffer_printf(&text, "  p%d: {values: [0, 1]}\n", i);
    assert_problems(
        buffer_text(&text),
        "f.yaml:3:1: parameter p0: the conditions on it, and on what hangs together with it, have "
        "too many combinations for a grid (use method random, or fewer conditions)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_value_among_right_ones),
        cmocka_unit_test(test_stored_form),
        cmocka_unit_test(test_all_faults_with_their_places),
        cmocka_unit_test(test_circles_and_grids_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
