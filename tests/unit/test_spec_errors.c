// SPDX-License-Identifier: GPL-3.0-or-later
/* Files that are refused: where, why, and at what cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static struct spec_problems problems;

/* The errors of a file as they are printed; in `out`. */
static void errors_of(const char *text, size_t length, const struct spec_options *options, struct buffer *out)
{
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spec_parse(text, length, "f.yaml", options, &spec, &problems, &err), STATUS_INVALID);
    assert_null(spec);
    assert_true(err.text[0] != '\0');
    for (size_t i = 0; i < problems.count; i++)
        if (problems.items[i].severity == SPEC_ERROR)
            spec_problem_format(&problems.items[i], "f.yaml", out);
    spec_problems_free(&problems);
}

static void assert_errors(const char *text, const char *expected)
{
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    errors_of(text, strlen(text), NULL, &got);
    assert_string_equal(buffer_text(&got), expected);
}

static void assert_error_has(const char *text, const char *part)
{
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    errors_of(text, strlen(text), NULL, &got);
    if (strstr(buffer_text(&got), part) == NULL)
        fail_msg("%s\ngives: %s", text, buffer_text(&got));
}

static void test_all_violations_at_once(void **state)
{
    (void)state;
    assert_errors(
        "method: Grid\n"
        "run-cap: 5\n"
        "program: t.py\n"
        "metric:\n"
        "  goal: maximise\n"
        "  name: acc\n"
        "parameters:\n"
        "  lr:\n"
        "    distribution: unifrom\n"
        "    min: 0.1\n"
        "    max: 1.0\n"
        "  layers: 3\n"
        "  n: {min: 3, max: 1}\n"
        "  m: {values: [1], max: 2}\n",
        "f.yaml:1:9: unknown method \"Grid\": did you mean grid? (one of: grid, random, bayes, custom)\n"
        "f.yaml:2:1: unknown key \"run-cap\": did you mean run_cap?\n"
        "f.yaml:5:9: unknown goal \"maximise\": did you mean maximize? (one of: minimize, maximize)\n"
        "f.yaml:9:19: parameter lr: unknown distribution \"unifrom\": did you mean uniform?\n"
        "f.yaml:12:3: parameter layers: a parameter is a map: write value: ... for a constant\n"
        "f.yaml:13:7: parameter n: min must be less than max\n"
        "f.yaml:14:20: parameter m: categorical takes no \"max\" (its keys: values)\n");
}

struct refusal {
    const char *text;
    const char *part; /* of what is printed */
};

#define GRID "method: grid\nprogram: t.py\n"
#define ONE "parameters: {a: {value: 1}}\n"

static const struct refusal refusals[] = {
    {"program: t.py\n" ONE, "1:1: no method"},
    {GRID, "1:1: no parameters"},
    {GRID "parameters: {}\n", "3:13: parameters must be a map of at least one"},
    {GRID "parameters: [a]\n", "3:13: parameters must be a map"},
    {GRID "parameters: {^lr: {value: 1}}\n", "3:14: parameter name \"^lr\""},
    {GRID "parameters: {lr: {min: 0.1, max: 1.0}}\n", "3:14: parameter lr: a grid cannot enumerate uniform"},
    {GRID "parameters:\n  a:\n    parameters:\n      b:\n        distribution: normal\n",
     "7:23: parameter a.b: a grid cannot enumerate normal"},
    {GRID "parameters: {a: {value: 1, when: {b: 1}}}\n", "3:35: parameter a: when names an unknown"},
    {GRID "parameters: {a: {parameters: {b: {value: 1}}, value: 2}}\n",
     "parameter a: parameters must be its only key"},
    {GRID "parameters: {a: {value: 99999999999999999999}}\n", "beyond 64 bits"},
    {"method: custom\nprogram: t.py\n" ONE, "method custom is not available"},
    {"method: [grid]\nprogram: t.py\n" ONE, "unknown method \"a list\""},
    {GRID ONE "early_early_terminate: {}\n",
     "4:1: unknown key \"early_early_terminate\": did you mean early_term"},
    {GRID ONE "metrics: []\n", "metrics (several objectives) is not available yet"},
    {GRID ONE "scheduler: {}\n", "scheduler is not available yet"},
    {GRID ONE "concurrency: 0\n", "4:14: must be a whole number of at least 1"},
    {GRID ONE "concurrency: 2.5\n", "4:14: must be a whole number of at least 1"},
    {GRID ONE "controller: {type: local}\n", "local controller"},
    {GRID ONE "metric: {goal: minimize}\n", "4:9: metric needs a name"},
    {GRID ONE "metric: loss\n", "metric must be a map"},
    {GRID ONE "metric: {name: x, gaol: minimize}\n",
     "4:19: unknown key \"gaol\" in metric: did you mean goal?"},
    {GRID ONE "metric:\n  name: x\n  run_cap: 3\n",
     "6:3: unknown key \"run_cap\" in metric: it is a key of the file itself (indent it less)"},
    {GRID ONE "early_terminate: {type: hyperband, min_iter: 3}\n", "needs a metric"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {type: hyperband}\n",
     "5:18: early_terminate needs min_iter"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 9}\n", "max_iter needs s"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 2, s: 1}\n", "no band"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 0}\n", "at least 1"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, eta: 1}\n",
     "greater than 1"},
    {GRID ONE "metric: {name: x}\nearly_terminate: {min_iter: 3}\n", "needs type: hyperband"},
    {GRID ONE "run_cap: 0\n", "4:10: must be a whole number of at least 1"},
    {GRID ONE "command: python train.py\n", "command must be a list"},
    {GRID ONE "command: [\"${program}\", \"${interpereter}\"]\n",
     "4:25: unknown macro ${interpereter}: did you mean ${interpreter}?"},
    {GRID ONE "command: [\"${lr}\"]\n", "4:11: unknown macro ${lr}: no parameter has a macro of its own"},
    {GRID ONE "command: [[a]]\n", "an item of command must be text, not a list"},
    {GRID ONE "seed: -1\n", "seed must be"},
    {GRID ONE "retry: {max: 1, on: [lots]}\n", "4:22: unknown reason to retry \"lots\": did you mean lost?"},
    {GRID ONE "kind: Job\n", "kind must be sweep"},
    {GRID ONE "stop_grace: soon\n", "4:13: "},
    {GRID ONE "name: [x]\n", "4:7: must be text, not a list"},
    {GRID ONE "name: x\nname: y\n", "5:1: key \"name\" is there twice (first on line 4)"},
    {"", "1:1: the file is empty"},
    {"# nothing\n", "1:1: the file is empty"},
    {"- a\n", "1:1: a sweep file must be a map of keys, not a list"},
    {"method: grid\n--- \nmethod: grid\n", "a second document"},
    {"method: grid\nparameters:\n  a:\n    values: [1, 2\n  b: 3\n", "expected a comma or the closing ]"},
    {"method: grid\n\tprogram: x\n", "2:1: "},
    {"a: *nowhere\n", "1:4: this alias has no anchor"},
    {"a: &x [*x]\n", "1:8: this alias stands inside what it names"},
    {"a: {<<: 3}\n", "a merge key (<<) takes a map"},
    {"? [a]\n: 3\n", "a key must be a word"},
    {"a: !!python/tuple [1]\nb: !!set {x}\nc: !thing x\n", "3:4: this tag is not known"},
    {"a: \"x\\0y\"\n", "NUL"},
};

static void test_each_refusal(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        assert_error_has(refusals[i].text, refusals[i].part);
}

static void test_program_can_be_required(void **state)
{
    (void)state;
    const struct spec_options options = {.require_program = true};
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    errors_of("method: grid\n" ONE, strlen("method: grid\n" ONE), &options, &got);
    assert_non_null(strstr(buffer_text(&got), "f.yaml:1:1: no program"));
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    static const char latin[] = "method: grid\nname: caf\xe9\n";
    assert_error_has(latin, "f.yaml:2:10: the file is not valid UTF-8 here");
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    errors_of("a: \x01", 4, NULL, &got);
    assert_non_null(strstr(buffer_text(&got), "control character"));
}

static char *repeated(const char *unit, size_t count, size_t *length)
{
    size_t size = strlen(unit);
    char *text = malloc(size * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, unit, size);
    *length = size * count;
    text[*length] = '\0';
    return text;
}

static void assert_hostile(const char *unit, size_t count, const char *part)
{
    size_t length;
    char *text = repeated(unit, count, &length);
    CLEANUP(buffer_free) struct buffer got = BUFFER_INIT;
    errors_of(text, length, NULL, &got);
    if (strstr(buffer_text(&got), part) == NULL)
        fail_msg("%.20s...: %s", text, buffer_text(&got));
    free(text);
}

static void test_hostile_files_are_cheap(void **state)
{
    (void)state;
    assert_hostile("x", SPEC_FILE_MAX + 1, "the file has 1048577 bytes");
    assert_hostile("[", 10000, "nested more than 100 deep");
    assert_hostile("{a: ", 10000, "nested more than 100 deep");
    assert_hostile("- ", 10000, "nested more than 100 deep");
    assert_hostile("a: 1\na: 2\n", 40000, "is there twice");
    assert_hostile("[],", 300000, "f.yaml:1:");
    assert_hostile("- x\n", 250000, "too many values");
}

/* Ten levels of nine aliases each: 9^10 values when written out. */
static void test_alias_bombs_are_refused(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, "method: grid\nprogram: t.py\nx0: &x0 [lol]\n");
    for (int level = 1; level <= 10; level++) {
        buffer_printf(&text, "x%d: &x%d [", level, level);
        for (int i = 0; i < 9; i++)
            buffer_printf(&text, "%s*x%d", i > 0 ? "," : "", level - 1);
        buffer_puts(&text, "]\n");
    }
    buffer_puts(&text, "parameters: {a: {value: *x10}}\n");
    assert_error_has(buffer_text(&text), "aliases expand to more than");
}

static void test_merge_bombs_are_refused(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, "m: &m {");
    for (int i = 0; i < 2000; i++)
        buffer_printf(&text, "k%d: 1,", i);
    buffer_puts(&text, "}\nlist:\n");
    for (int i = 0; i < 5000; i++)
        buffer_puts(&text, "- {<<: *m}\n");
    assert_error_has(buffer_text(&text), "merge keys make the file too large");
}

static void test_problems_are_bounded(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    buffer_puts(&text, GRID "parameters:\n");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&text, "  p%d: 3\n", i);
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spec_parse(buffer_text(&text), text.length, "f", NULL, &spec, &problems, &err),
                     STATUS_INVALID);
    assert_int_equal(problems.count, SPEC_PROBLEMS_MAX);
    assert_int_equal(problems.error_count, 1000);
    assert_int_equal(problems.dropped, 1000 - SPEC_PROBLEMS_MAX);
    spec_problems_free(&problems);
}

static void test_stored_nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "[]", "{\"method\": \"grid\"}",
                                        "{\"method\": \"grid\", \"parameters\": {\"a\": 3}}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct spec *spec = NULL;
        struct err err = ERR_INIT;
        assert_int_equal(spec_from_canonical_json(texts[i], strlen(texts[i]), &spec, &err), STATUS_INVALID);
        assert_null(spec);
    }
}

static void test_points_to_try_first_are_checked(void **state)
{
    (void)state;
    assert_errors(
        "method: random\n"
        "program: t.py\n"
        "enqueue:\n"
        "  - {lr: 0.5, n: 10, way: adm, width: 8}\n"
        "  - {net: 3}\n"
        "  - {net: {width: 13, depth: 1}, drop: 0.25}\n"
        "  - {way: adam, momentum: 0.5}\n"
        "  - {lr: fast, k: 8}\n"
        "  - {}\n"
        "  - 7\n"
        "parameters:\n"
        "  lr: {distribution: log_uniform_values, min: 0.001, max: 0.1}\n"
        "  n: {min: 1, max: 9}\n"
        "  k: {value: 7}\n"
        "  way: {values: [sgd, adam]}\n"
        "  momentum: {min: 0.0, max: 1.0, when: {way: sgd}}\n"
        "  drop: {distribution: q_uniform, min: 0, max: 1, q: 0.1}\n"
        "  net: {parameters: {width: {distribution: q_log_uniform_values, min: 8, max: 64, q: 4}}}\n",
        "f.yaml:4:10: point 1 of enqueue: lr is 0.5, and must be from 0.001 to 0.1\n"
        "f.yaml:4:18: point 1 of enqueue: n must be a whole number from 1 to 9\n"
        "f.yaml:4:27: point 1 of enqueue: way is not one of its values\n"
        "f.yaml:4:32: point 1 of enqueue: there is no parameter \"width\"\n"
        "f.yaml:5:11: point 2 of enqueue: net holds parameters: give a map of them, not a number\n"
        "f.yaml:6:19: point 3 of enqueue: net.width is 13, which is no multiple of q = 4 (the "
        "nearest is 12)\n"
        "f.yaml:6:23: point 3 of enqueue: there is no parameter \"depth\"\n"
        "f.yaml:6:40: point 3 of enqueue: drop is 0.25, which is no multiple of q = 0.1 (the nearest "
        "is 0.2)\n"
        "f.yaml:7:5: point 4 of enqueue: momentum is only there when its conditions hold: give the "
        "parameters that they name too, with values for which they do\n"
        "f.yaml:8:10: point 5 of enqueue: lr must be a number\n"
        "f.yaml:8:19: point 5 of enqueue: k is a constant of another value\n"
        "f.yaml:9:5: point 6 of enqueue says no value: give one at least\n"
        "f.yaml:10:5: point 7 of enqueue must be a map of parameters and values, not a number\n");
    assert_error_has("method: grid\nprogram: t.py\nenqueue: [{a: 1.0}]\nparameters: {a: {distribution: "
                     "q_uniform, min: 0, max: 1, q: 0.5}}\n",
                     "a is not on the grid");
    assert_error_has("method: random\nprogram: t.py\nenqueue: [{a: 2}]\nparameters: {a: {values: [1, 2], "
                     "probabilities: [1, 0]}}\n",
                     "has probability 0");
    assert_error_has("method: random\nprogram: t.py\nenqueue: {a: 2}\nparameters: {a: {values: [1, 2]}}\n",
                     "3:10: enqueue must be a list of points");
}

static void test_optimizer_is_of_bayes(void **state)
{
    (void)state;
    assert_errors("method: random\nprogram: t.py\noptimizer: tpe\nparameters: {a: {values: [1, 2]}}\n",
                  "f.yaml:3:12: optimizer is a key of method bayes: method random has none\n");
    assert_errors(
        "method: bayes\nprogram: t.py\nmetric: {name: x}\noptimizer: cma\nparameters: {a: {values: "
        "[1, 2]}}\n",
        "f.yaml:4:12: unknown optimizer \"cma\": did you mean cmaes? (one of: gp, tpe, cmaes, sobol)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_violations_at_once),
        cmocka_unit_test(test_each_refusal),
        cmocka_unit_test(test_program_can_be_required),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_hostile_files_are_cheap),
        cmocka_unit_test(test_alias_bombs_are_refused),
        cmocka_unit_test(test_merge_bombs_are_refused),
        cmocka_unit_test(test_problems_are_bounded),
        cmocka_unit_test(test_stored_nonsense_is_refused),
        cmocka_unit_test(test_points_to_try_first_are_checked),
        cmocka_unit_test(test_optimizer_is_of_bayes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
