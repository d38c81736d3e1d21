// SPDX-License-Identifier: GPL-3.0-or-later
/* W&B's rules for a sweep file, one by one: what each key takes, what it refuses, and where it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static struct spec_problems problems;

/* NULL when the file is refused; then `printed` holds all problems. */
static struct spec *read_file(const char *text, struct buffer *printed)
{
    static const struct spec_options options = {.methods = 1u << SPEC_METHOD_GRID | 1u << SPEC_METHOD_RANDOM |
                                                           1u << SPEC_METHOD_BAYES};
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    enum status status = spec_parse(text, strlen(text), "f", &options, &spec, &problems, &err);
    assert_true((status == STATUS_OK) == (spec != NULL));
    for (size_t i = 0; i < problems.count; i++)
        spec_problem_format(&problems.items[i], "f", printed);
    spec_problems_free(&problems);
    return spec;
}

static void assert_read(const char *text, const char *warnings, const char *stored_part)
{
    CLEANUP(buffer_free) struct buffer printed = BUFFER_INIT;
    struct spec *spec = read_file(text, &printed);
    if (spec == NULL || strcmp(buffer_text(&printed), warnings) != 0)
        fail_msg("%s\ngives: %s", text, buffer_text(&printed));
    char *stored = spec_to_canonical_json(spec);
    if (strstr(stored, stored_part) == NULL)
        fail_msg("%s\nis stored as %s", text, stored);
    struct spec *again = NULL;
    struct err err = ERR_INIT;
    if (spec_from_canonical_json(stored, strlen(stored), &again, &err) != STATUS_OK)
        fail_msg("%s: %s", stored, err.text);
    char *stored_again = spec_to_canonical_json(again);
    assert_string_equal(stored, stored_again);
    free(stored);
    free(stored_again);
    spec_free(spec);
    spec_free(again);
}

struct example {
    const char *text;
    const char *part; /* of what is printed, or stored */
};

static void assert_each_refused(const char *before, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
        CLEANUP(buffer_free) struct buffer printed = BUFFER_INIT;
        buffer_printf(&text, "%s%s\n", before, examples[i].text);
        struct spec *spec = read_file(buffer_text(&text), &printed);
        if (spec != NULL || strstr(buffer_text(&printed), examples[i].part) == NULL)
            fail_msg("%s\ngives: %s", buffer_text(&text), buffer_text(&printed));
    }
}

static void assert_each_stored(const char *before, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
        buffer_printf(&text, "%s%s\n", before, examples[i].text);
        assert_read(buffer_text(&text), "", examples[i].part);
    }
}

#define RANDOM "method: random\nprogram: t.py\n"
#define BAYES "method: bayes\nprogram: t.py\n"
#define ONE "parameters: {a: {value: 1}}\n"

/* One row for each kind: the fewest keys it takes, with and without its name where that can be told. */
static void test_kinds_and_defaults(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{value: 3}", "\"distribution\":\"constant\",\"value\":3"},
        {"{value: null}", "\"distribution\":\"constant\",\"value\":null"},
        {"{value: }", "\"distribution\":\"constant\",\"value\":null"},
        {"{distribution: constant, value: [1, {b: ~}]}", "\"value\":[1,{\"b\":null}]"},
        {"{values: [1, a, ~, true, 1.5, [2], {k: v}, '']}", "[1,\"a\",null,true,1.5,[2],{\"k\":\"v\"},\"\"]"},
        {"{distribution: categorical, values: [only]}", "\"values\":[\"only\"]"},
        {"{values: [1, 2], probabilities: [0.3333333, 0.6666667]}", "categorical_w_probabilities"},
        {"{values: [1, 2], probabilities: [1, 0]}", "\"probabilities\":[1,0]"},
        {"{min: -3, max: 3}", "int_uniform"},
        {"{min: 1.0, max: 3.0}", "\"distribution\":\"uniform\""},
        {"{distribution: int_uniform, min: 1.0, max: 3}", "int_uniform"},
        {"{distribution: uniform, min: 1, max: 3}", "\"distribution\":\"uniform\""},
        {"{distribution: q_uniform, min: 0, max: 1}", "q_uniform"},
        {"{distribution: log_uniform_values, min: 0.1, max: 1}", "log_uniform_values"},
        {"{distribution: q_log_uniform_values, min: 1, max: 9, q: 3}", "q_log_uniform_values"},
        {"{distribution: inv_log_uniform_values, min: 0.1, max: 1}", "inv_log_uniform_values"},
        {"{distribution: normal}", "\"distribution\":\"normal\""},
        {"{distribution: q_normal, mu: 1}", "q_normal"},
        {"{distribution: log_normal, sigma: 0}", "log_normal"},
        {"{distribution: q_log_normal, q: 5}", "q_log_normal"},
        {"{distribution: beta}", "\"distribution\":\"beta\""},
        {"{distribution: q_beta, a: 2, b: 0.5, q: 0.1}", "q_beta"},
    };
    assert_each_stored(RANDOM "parameters:\n  p: ", examples, ARRAY_LEN(examples));
}

static void test_faulty_parameters(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", "4:3: parameter p: a parameter is a map"},
        {"3", "4:3: parameter p: a parameter is a map"},
        {"[1, 2]", "write values: [...]"},
        {"{}", "needs value, values, min and max"},
        {"{distribution: uniform}", "uniform needs min"},
        {"{distribution: constant}", "constant needs value"},
        {"{distribution: uniform, min: 0, max: 1, q: 1}", "4:46: parameter p: uniform takes no \"q\""},
        {"{distribution: normal, min: 0}", "4:29: parameter p: normal takes no \"min\""},
        {"{distribution: uniform_values, min: 0, max: 1}", "unknown distribution \"uniform_values\""},
        {"{distribution: [uniform], min: 0, max: 1}", "must be the name"},
        {"{distribution: ~, min: 0, max: 1}", "must be the name"},
        {"{value: 1, values: [1]}", "takes no \"value\""},
        {"{values: 1.0}", "4:7: parameter p: values must be a list"},
        {"{values: true}", "values must be a list"},
        {"{values: ekf}", "values must be a list"},
        {"{values: {a: 1}}", "values must be a list"},
        {"{values: []}", "values is empty"},
        {"{values: [1], dataset: , value: 2}", "takes no \"dataset\""},
        {"{values: [1], probabilities: [0.999]}", "probabilities add up to 0.999"},
        {"{values: [1], probabilities: [1.00001]}", "between 0 and 1"},
        {"{values: [1, 2], probabilities: [0.5, 0.5001]}", "add up to 1.0001"},
        {"{values: [1, 2], probabilities: [1]}", "1 probabilities for 2 values"},
        {"{values: [1, 2], probabilities: [a, b]}", "list of numbers"},
        {"{values: [1, 2], probabilities: 0.5}", "list of numbers"},
        {"{min: 1, max: 1}", "min must be less than max"},
        {"{min: 2.5, max: -1.5}", "min must be less than max"},
        {"{min: 1}", "needs max"},
        {"{max: 1}", "needs min"},
        {"{min: ~, max: 1}", "min must be a number"},
        {"{min: a, max: 1}", "min must be a number"},
        {"{min: [0], max: 1}", "min must be a number"},
        {"{min: -.inf, max: 1.0}", "min must be a number"},
        {"{min: .nan, max: 1.0}", "min must be a number"},
        {"{min: true, max: 5}", "min must be a number"},
        {"{distribution: int_uniform, min: 0.5, max: 3}", "min of int_uniform must be a whole number"},
        {"{distribution: q_uniform, min: 0, max: 3, q: 0}", "q must be greater than 0"},
        {"{distribution: q_uniform, min: 0, max: 3, q: -1}", "q must be greater than 0"},
        {"{distribution: q_uniform, min: 0, max: 3, q: x}", "q must be a number"},
        {"{distribution: log_uniform_values, min: -1, max: 3}", "greater than 0"},
        {"{distribution: log_uniform_values, min: 0, max: 3}", "greater than 0"},
        {"{distribution: log_uniform, min: 0, max: 710}", "beyond the range of a double"},
        {"{distribution: uniform, min: -1.0e+308, max: 1.0e+308}", "beyond the range of a double"},
        {"{distribution: uniform, min: 1e999, max: 2}", "min must be a number"},
        {"{min: 0, max: 99999999999999999999}", "beyond 64 bits"},
        {"{distribution: normal, sigma: -1}", "sigma must not be negative"},
        {"{distribution: beta, a: 0}", "greater than 0"},
        {"{distribution: beta, b: -2}", "greater than 0"},
        {"{parameters: {}}", "at least one parameter"},
        {"{parameters: [1]}", "at least one parameter"},
        {"{parameters: {x: 3}}", "parameter p.x: a parameter is a map"},
        {"{parameters: {x: {value: 1}}, distribution: uniform}", "parameters must be its only key"},
    };
    assert_each_refused(RANDOM "parameters:\n  p: ", examples, ARRAY_LEN(examples));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const right[] = {"a",       "_a", "A9", "lr.base", "batch-size",
                                        "a_b.c-d", "on", "y",  "null"};
    static const char *const wrong[] = {"9a", "+a", "a/b", "a b", "\"\"", "^lr", "-a", ".a", "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        char text[200];
        char stored[60];
        snprintf(text, sizeof text, RANDOM "parameters: {%s: {value: 1}}\n", right[i]);
        snprintf(stored, sizeof stored, "\"%s\":{", right[i]);
        assert_read(text, "", stored);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const struct example example = {wrong[i], "3:14: parameter name"};
        char text[100];
        snprintf(text, sizeof text, "%s: {value: 1}}", wrong[i]);
        const struct example whole = {text, example.part};
        assert_each_refused(RANDOM "parameters: {", &whole, 1);
    }
}

static void test_nested_groups(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"{parameters: {x: {min: 1, max: 2}, y: {parameters: {z: {value: 1}}}}}",
         "\"p\":{\"parameters\":{\"x\":{\"distribution\":\"int_uniform\",\"max\":2,\"min\":1},"
         "\"y\":{\"parameters\":{\"z\":{\"distribution\":\"constant\",\"value\":1}}}}}"},
        {"{parameters: {parameters: {value: 1}}}", "{\"parameters\":{\"parameters\":{\"distribution\""},
        {"{parameters: {when: {value: 1}, value: {values: [2]}}}", "\"when\":{\"distribution\":\"constant\""},
    };
    assert_each_stored(RANDOM "parameters:\n  p: ", examples, ARRAY_LEN(examples));
}

static void test_sections(void **state)
{
    (void)state;
    static const struct example right[] = {
        {"metric: {name: a/b c.d}", "\"metric\":{\"goal\":\"minimize\",\"name\":\"a/b c.d\"}"},
        {"metric: {name: x, goal: maximize, target: 1}", "\"target\":1.0"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, eta: 2.5, strict: false}",
         "{\"eta\":2.5,\"min_iter\":3,\"strict\":false,\"type\":\"hyperband\"}"},
        {"metric: {name: x}\nearly_terminate: {type: asha, max_iter: 81, grace: 3, max_stops: 0.5}",
         "{\"eta\":3.0,\"grace\":3,\"max_iter\":81,\"max_stops\":0.5,\"min_iter\":1,\"strict\":true,\"type\":"
         "\"asha\"}"},
        {"metric: {name: x}\nearly_terminate: {type: median}",
         "{\"min_iter\":1,\"min_runs\":5,\"type\":\"median\"}"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 27, s: 2}",
         "{\"eta\":3.0,\"max_iter\":27,\"s\":2,\"strict\":true,\"type\":\"hyperband\"}"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, step_metric: epoch}",
         "\"min_iter\":3,\"step_metric\":\"epoch\",\"strict\":true"},
        {"metric: {name: x}\nearly_terminate: {type: median, step_metric: train/epoch}",
         "\"step_metric\":\"train/epoch\""},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: hyperband_full, max_iter: 27}",
         "{\"eta\":3.0,\"max_iter\":27,\"min_iter\":1,\"type\":\"hyperband_full\"}"},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: hyperband_full, max_iter: 16, eta: 2, "
         "brackets: 2}",
         "{\"brackets\":2,\"eta\":2.0,\"max_iter\":16,\"min_iter\":1,\"type\":\"hyperband_full\"}"},
        {"resume: true", "\"resume\":true"},
        {"resume: false", "\"method\""},
        {"run_cap: 1", "\"run_cap\":1"},
        {"run_cap: 3_000", "\"run_cap\":3000"},
        {"run_cap: 5.0", "\"run_cap\":5"},
        {"concurrency: 4", "\"concurrency\":4"},
        {"command: [a, 1, 1.50, true, ~]", "[\"a\",\"1\",\"1.5\",\"True\",\"None\"]"},
        {"controller: {type: cloud}", "\"method\""},
        {"kind: sweep\napiVersion: v1", "\"method\""},
        {"seed: 0", "\"seed\":0"},
        {"seed: 9223372036854775807", "\"seed\":9223372036854775807"},
        {"seed: 9223372036854775808", "\"seed\":\"9223372036854775808\""},
        {"seed: 18446744073709551615", "\"seed\":\"18446744073709551615\""},
        {"retry: {max: 0}", "\"max\":0"},
        {"on_disconnect: stop", "\"on_disconnect\":\"stop\""},
        {"metrics_from: stdout", "\"metrics_from\":{\"source\":\"stdout\"}"},
        {"metrics_from: {source: both, step: epoch}",
         "\"metrics_from\":{\"source\":\"both\",\"step\":\"epoch\"}"},
        {"metrics_from: {pattern: '([a-z]+): ([0-9.]+)'}",
         "\"metrics_from\":{\"pattern\":\"([a-z]+): ([0-9.]+)\",\"source\":\"stdout\"}"},
        {"metrics_from: {pattern: '([a-z]+)\\{([0-9]+)[{}]'}", "\"source\":\"stdout\""},
        {"metrics_from: log", "\"method\""},
    };
    static const struct example learning[] = {
        {"metric: {name: x, impute: latest}", "\"impute\":\"latest\""},
        {"metric: {name: x, impute: worst, impute_while_running: false}", "\"impute\":\"worst\",\"name\""},
        {"metric: {name: x, impute_while_running: \"false\"}", "{\"goal\":\"minimize\",\"name\":\"x\"}"},
        {"metric: {name: x, impute_while_running: worst}", "\"impute_while_running\":\"worst\""},
        {"metric: {name: x}\noptimizer: gp", "\"method\""},
        {"metric: {name: x}\noptimizer: sobol", "\"optimizer\":\"sobol\""},
    };
    assert_each_stored(RANDOM ONE, right, ARRAY_LEN(right));
    assert_each_stored(BAYES "parameters: {a: {min: 1, max: 2}}\n", learning, ARRAY_LEN(learning));
}

static void test_faulty_sections(void **state)
{
    (void)state;
    static const struct example wrong[] = {
        {"metric: {}", "metric needs a name"},
        {"metric: {name: }", "metric needs a name"},
        {"metric: {name: [a]}", "4:16: must be text"},
        {"metric: {name: x, goal: MAXIMIZE}", "did you mean maximize?"},
        {"metric: {name: x, goal: ~}", "unknown goal"},
        {"metric: {name: x, target: low}", "4:27: must be a number"},
        {"metric: {name: x, target: .inf}", "must be a number"},
        {"metric: {name: x, impute: false}", "unknown impute"},
        {"metric: {name: x, impute: mean}", "unknown impute \"mean\""},
        {"metric: {name: x, impute_while_running: true}", "unknown impute_while_running"},
        {"metric: {name: x, mode: min}", "unknown key \"mode\" in metric"},
        {"metrics: [{name: a}, {name: b}]", "metrics (several objectives) is not available yet"},
        {"scheduler: {engine: optuna}", "scheduler is not available yet"},
        {"metric: {name: x}\nearly_terminate:", "early_terminate is empty"},
        {"metric: {name: x}\nearly_terminate: {}", "needs type: hyperband"},
        {"metric: {name: x}\nearly_terminate: {type: envelope, min_iter: 1}", "unknown type"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 2.5}",
         "whole number of at least 1"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: -1}", "whole number of at least 1"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 9, s: 0}",
         "whole number of at least"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, eta: 1.0}", "greater than 1"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, strict: maybe}",
         "true or false"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, q: 1}", "unknown key \"q\""},
        {"metric: {name: x}\nearly_terminate: {type: asha}", "type asha needs max_iter"},
        {"metric: {name: x}\nearly_terminate: {type: asha, max_iter: 1}",
         "max_iter must be greater than min_iter"},
        {"metric: {name: x}\nearly_terminate: {type: asha, max_iter: 9, s: 1}", "s is no key of type asha"},
        {"metric: {name: x}\nearly_terminate: {type: median, eta: 3}", "5:33: eta is no key of type median"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 1, min_runs: 3}",
         "min_runs is no key of type hyperband"},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: hyperband_full}", "needs max_iter"},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: hyperband_full, max_iter: 2}",
         "max_iter must be at least eta times min_iter"},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: hyperband_full, max_iter: 27, grace: 2}",
         "grace is no key of type hyperband_full"},
        {"metric: {name: x}\nearly_terminate: {type: hyperband_full, max_iter: 27}", "add resume: true"},
        {"metric: {name: x}\nresume: true\nearly_terminate: {type: bohb, max_iter: 27}",
         "6:1: type bohb needs method: bayes"},
        {"metric: {name: x}\nearly_terminate: {type: asha, max_iter: 9, brackets: 2}",
         "brackets is no key of type asha"},
        {"metric: {name: x}\nearly_terminate: {type: median, max_stops: 1.5}", "max_stops must be a share"},
        {"metric: {name: x}\nearly_terminate: {type: median, step_metric: [epoch]}", "must be text"},
        {"metric: {name: x}\nearly_terminate: {type: median, step_metric: ''}", "step_metric must name"},
        {"metric: {name: x}\nearly_terminate: {type: median, step_metric: epoch}\n"
         "metrics_from: {source: stdout, step: epoch}",
         "step_metric: epoch is never logged"},
        {"early_terminate: {type: hyperband, min_iter: 3}", "4:1: early_terminate needs a metric"},
        {"run_cap: -1", "whole number of at least 1"},
        {"run_cap: many", "whole number of at least 1"},
        {"run_cap: 1.5", "whole number of at least 1"},
        {"concurrency: -2", "whole number of at least 1"},
        {"concurrency: [1]", "whole number of at least 1"},
        {"concurency: 3", "did you mean concurrency?"},
        {"command: {a: b}", "command must be a list"},
        {"command: []", "command must be a list"},
        {"controller: {type: lokal}", "unknown controller type"},
        {"controller: local", "controller must be a map"},
        {"kind: Sweep", "kind must be sweep"},
        {"apiVersion: [1]", "4:13: must be text"},
        {"seed: 18446744073709551616", "seed must be a whole number from 0 to 2^64 - 1"},
        {"seed: 1.5", "seed must be"},
        {"description: {a: b}", "must be text"},
        {"on_disconnect: wait", "unknown on_disconnect"},
        {"lost_after: -5m", "4:13:"},
        {"metrics_from: stdin", "unknown source of metrics \"stdin\" (one of: log, stdout"},
        {"metrics_from: [stdout]", "metrics_from must be a map"},
        {"metrics_from: {source: log}", "source: log reads no output"},
        {"metrics_from: {pattern: '(a'}", "4:25: the pattern is no POSIX extended regular expression: "},
        {"metrics_from: {pattern: '(a)=b'}", "needs two groups, for the name and for the value, not 1"},
        {"metrics_from: {pattern: '((a{1,9}){1,9})=(b)'}", "takes no counts in braces"},
        {"metrics_from: {pattern: '([a-z]+)=(\\1)'}", "takes no references to groups such as \\1"},
        {"metrics_from: {pattern: '(x++++++++++++++++++++++)=(b)'}", "4:25: the pattern is too large"},
        {"metrics_from: {regex: '(a)=(b)'}", "unknown key \"regex\" in metrics_from"},
        {"metrics_form: stdout", "did you mean metrics_from?"},
    };
    assert_each_refused(RANDOM ONE, wrong, ARRAY_LEN(wrong));
}

static void test_bayes_needs(void **state)
{
    (void)state;
    static const struct example wrong[] = {
        {"parameters: {a: {min: 1, max: 2}}", "method bayes needs a metric"},
        {"metric: {name: x}\nparameters: {a: {value: 1}}", "needs a parameter that is not constant"},
    };
    assert_each_refused("method: bayes\nprogram: t.py\n", wrong, ARRAY_LEN(wrong));
}

/* As many as may be, and one more. */
static void test_bayes_takes_so_many(void **state)
{
    (void)state;
    for (int count = SPEC_SEARCHED_MAX; count <= SPEC_SEARCHED_MAX + 1; count++) {
        CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
        CLEANUP(buffer_free) struct buffer printed = BUFFER_INIT;
        buffer_puts(&text, BAYES "metric: {name: x}\nparameters:\n  constant: {value: 1}\n");
        for (int i = 0; i < count; i++)
            buffer_printf(&text, "  p%d: {min: 0.0, max: 1.0}\n", i);
        struct spec *spec = read_file(buffer_text(&text), &printed);
        assert_int_equal(spec != NULL, count <= SPEC_SEARCHED_MAX);
        spec_free(spec);
        if (count > SPEC_SEARCHED_MAX)
            assert_non_null(
                strstr(buffer_text(&printed), "4:1: method bayes searches at most 2000 parameters"));
    }
}

/* What a grid can list is decided at the parameter, whatever its depth. */
static void test_grid_takes_what_it_can_list(void **state)
{
    (void)state;
    static const struct example right[] = {
        {"{value: 1}", "constant"},
        {"{values: [1, 2]}", "categorical"},
        {"{min: 1, max: 9}", "int_uniform"},
        {"{distribution: q_uniform, min: 0, max: 1, q: 0.1}", "q_uniform"},
    };
    static const struct example wrong[] = {
        {"{min: 0.0, max: 1.0}", "cannot enumerate uniform"},
        {"{values: [1, 2], probabilities: [0.5, 0.5]}", "cannot enumerate categorical_w_probabilities"},
        {"{distribution: q_normal, q: 1}", "cannot enumerate q_normal"},
        {"{parameters: {x: {distribution: beta}}}", "parameter p.x: a grid cannot enumerate beta"},
        {"{distribution: q_uniform, min: 0, max: 1.0e+300, q: 1}", "too many points"},
        {"{distribution: q_uniform, min: 1.0e+17, max: 2.0e+17, q: 1}", "too close to differ"},
        {"{min: -9223372036854775808, max: 9223372036854775807}", "2^64 values"},
    };
    assert_each_stored("method: grid\nprogram: t.py\nparameters:\n  p: ", right, ARRAY_LEN(right));
    assert_each_refused("method: grid\nprogram: t.py\nparameters:\n  p: ", wrong, ARRAY_LEN(wrong));
}

static void test_warnings(void **state)
{
    (void)state;
    assert_read(RANDOM "parameters: {a: {min: 0, max: 1.5}}\n",
                "f:3:14: warning: parameter a: one bound is an integer, the other is not: read as uniform "
                "between floats (write both alike, or name the distribution)\n",
                "\"distribution\":\"uniform\"");
    assert_read(
        RANDOM "parameters: {a: {distribution: log_uniform, min: 0.001, max: 0.1}}\n",
        "f:3:14: warning: parameter a: log_uniform takes exponents of e, so values from 1.001 to 1.105 "
        "will be drawn (did you mean log_uniform_values?)\n",
        "log_uniform");
    assert_read(RANDOM ONE
                "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 1, max_iter: 9, s: 1}\n",
                "f:5:36: warning: min_iter is ignored: max_iter and s are given\n", "\"max_iter\":9");
    assert_read(RANDOM ONE "seed: {values: [1, 2]}\n",
                "f:4:7: warning: seed is one number for the whole file, so this is ignored: move it under "
                "parameters to search over it\n",
                "random");
    assert_read("{\"method\": \"grid\", \"program\": \"t.py\", "
                "\"parameters\": {\"x\": {\"values\": [\"\\ud83e\\uddf9\", \"\\\\ud83e\"]}}}",
                "", "\xf0\x9f\xa7\xb9");
    assert_read(RANDOM ONE "tags: one\n", "", "\"tags\":[\"one\"]");
    assert_read(RANDOM ONE "sweep_anew: Yes\n", "f:4:1: warning: unknown key \"sweep_anew\", ignored\n",
                "\"method\"");
}

/* Anchors may stand under a key of their own; merges may chain. */
static void test_anchors_anywhere(void **state)
{
    (void)state;
    assert_read("method: random\nprogram: t.py\n"
                "x-base: &base {distribution: uniform, min: 0.0}\n"
                "parameters:\n"
                "  a: &a {<<: *base, max: 1.0}\n"
                "  b: {<<: *a, min: -1.0}\n"
                "  c: {parameters: {<<: {d: *a}}}\n",
                "f:3:1: warning: unknown key \"x-base\", ignored\n",
                "\"b\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":-1.0},"
                "\"c\":{\"parameters\":{\"d\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0}}}");
}

static void test_faults_of_all_sections_at_once(void **state)
{
    (void)state;
    CLEANUP(buffer_free) struct buffer printed = BUFFER_INIT;
    assert_null(read_file("method: gird\n"
                          "metric: {goal: minimise}\n"
                          "early_terminate: {type: hyperband, min_iter: 0}\n"
                          "run_cap: 0\n"
                          "command: go\n"
                          "kind: job\n"
                          "retry: {on: lost}\n"
                          "seed: x\n"
                          "parameters:\n"
                          "  a: {min: 1, max: 0}\n"
                          "  b: {values: []}\n",
                          &printed));
    size_t lines = 0;
    for (const char *at = buffer_text(&printed); *at != '\0'; at++)
        lines += *at == '\n';
    if (lines != 12)
        fail_msg("%zu problems: %s", lines, buffer_text(&printed));
    static const char *const places[] = {"f:1:1:",  "f:1:9:", "f:2:9:",  "f:2:16:", "f:3:46:", "f:4:10:",
                                         "f:5:10:", "f:6:7:", "f:7:13:", "f:8:7:",  "f:10:7:", "f:11:7:"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strstr(buffer_text(&printed), places[i]) == NULL)
            fail_msg("nothing at %s: %s", places[i], buffer_text(&printed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_defaults),
        cmocka_unit_test(test_faulty_parameters),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nested_groups),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_faulty_sections),
        cmocka_unit_test(test_bayes_needs),
        cmocka_unit_test(test_bayes_takes_so_many),
        cmocka_unit_test(test_grid_takes_what_it_can_list),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_anchors_anywhere),
        cmocka_unit_test(test_faults_of_all_sections_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
