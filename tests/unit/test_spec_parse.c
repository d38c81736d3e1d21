// SPDX-License-Identifier: GPL-3.0-or-later
/* Files that are accepted: what each key becomes, YAML's own ways of writing, the stored form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec/spec.h"

static struct spec *parse_with(const char *text, const struct spec_options *options, size_t warnings)
{
    static struct spec_problems problems;
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    if (spec_parse(text, strlen(text), "f.yaml", options, &spec, &problems, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    if (problems.count != warnings)
        fail_msg("%zu warnings, the first: %s", problems.count, problems.items[0].text);
    spec_problems_free(&problems);
    return spec;
}

static struct spec *parse(const char *text)
{
    return parse_with(text, NULL, 0);
}

/* The text of `parameters` as they are stored. */
static void assert_parameters(const char *parameters, size_t warnings, const char *expected)
{
    char text[2048];
    snprintf(text, sizeof text, "method: random\nprogram: t.py\nparameters:\n%s", parameters);
    struct spec *spec = parse_with(text, NULL, warnings);
    json_t *stored = space_to_json(spec->space);
    char *got = space_config_text(stored);
    assert_string_equal(got, expected);
    free(got);
    json_decref(stored);
    spec_free(spec);
}

static const char full[] =
    "method: bayes\n"
    "optimizer: tpe\n"
    "enqueue: [{a: 2.0}, {a: 1}]\n"
    "program: train.py\n"
    "name: n\n"
    "description: d\n"
    "project: p\n"
    "entity: e\n"
    "job: j\n"
    "image_uri: i\n"
    "apiVersion: v1\n"
    "kind: sweep\n"
    "controller: {type: cloud}\n"
    "metric: {name: loss, goal: maximize, target: 0.5, impute: best, "
    "impute_while_running: latest}\n"
    "early_terminate: {type: hyperband, max_iter: 27, s: 2, eta: 3, strict: false}\n"
    "run_cap: 7\n"
    "concurrency: 3\n"
    "command: [\"${env}\", python3, \"${program}\", 3, 0.10, true, null, \"${args}\"]\n"
    "seed: 5\n"
    "retry: {max: 1, on: [crashed, failed]}\n"
    "tags: [a, b]\n"
    "notes: x\n"
    "on_disconnect: stop\n"
    "stop_grace: 5s\n"
    "lost_after: 2m\n"
    "parameters: {a: {values: [1, 2]}}\n";

static void assert_full(const struct spec *spec)
{
    assert_int_equal(spec->method, SPEC_METHOD_BAYES);
    assert_int_equal(spec->optimizer, SPEC_OPTIMIZER_TPE);
    assert_int_equal(json_array_size(spec->enqueue), 2);
    assert_true(json_is_integer(json_object_get(json_array_get(spec->enqueue, 0), "a")));
    assert_true(spec->metric.has_impute);
    assert_string_equal(spec->program, "train.py");
    assert_string_equal(spec->name, "n");
    assert_string_equal(spec->description, "d");
    assert_string_equal(spec->project, "p");
    assert_string_equal(spec->entity, "e");
    assert_string_equal(spec->job, "j");
    assert_string_equal(spec->image_uri, "i");
    assert_string_equal(spec->notes, "x");
    assert_string_equal(spec->metric.name, "loss");
    assert_int_equal(spec->metric.goal, SPEC_GOAL_MAXIMIZE);
    assert_true(spec->metric.has_target && spec->metric.target == 0.5);
    assert_int_equal(spec->metric.impute, SPEC_IMPUTE_BEST);
    assert_int_equal(spec->metric.impute_while_running, SPEC_IMPUTE_LATEST);
    assert_true(spec->has_early_terminate);
    assert_int_equal(spec->early_terminate.form, STOP_FORM_MAX_ITER);
    assert_int_equal(spec->early_terminate.max_iter, 27);
    assert_int_equal(spec->early_terminate.s, 2);
    assert_false(spec->early_terminate.strict);
    assert_int_equal(spec->run_cap, 7);
    assert_int_equal(spec->concurrency, 3);
    assert_true(spec->has_seed && spec->seed == 5);
    assert_int_equal(spec->retry.max, 1);
    assert_int_equal(spec->retry.on, SPEC_RETRY_CRASHED | SPEC_RETRY_FAILED);
    assert_int_equal(spec->tag_count, 2);
    assert_string_equal(spec->tags[1], "b");
    assert_int_equal(spec->on_disconnect, SPEC_ON_DISCONNECT_STOP);
    assert_int_equal(spec->stop_grace_ms, 5000);
    assert_int_equal(spec->lost_after_ms, 120000);
    static const char *const command[] = {"${env}", "python3", "${program}", "3",
                                          "0.1",    "True",    "None",       "${args}"};
    assert_int_equal(spec->command_count, ARRAY_LEN(command));
    for (size_t i = 0; i < ARRAY_LEN(command); i++)
        assert_string_equal(spec->command[i], command[i]);
    assert_int_equal(space_parameter_count(spec->space), 1);
}

static void test_every_key(void **state)
{
    (void)state;
    struct spec *spec = parse_with(full, NULL, 1);
    assert_full(spec);
    spec_free(spec);
}

static void test_stored_form_is_the_same_spec(void **state)
{
    (void)state;
    struct spec *spec = parse_with(full, NULL, 1);
    char *text = spec_to_canonical_json(spec);
    struct spec *again = NULL;
    struct err err = ERR_INIT;
    if (spec_from_canonical_json(text, strlen(text), &again, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_full(again);
    char *text_again = spec_to_canonical_json(again);
    assert_string_equal(text, text_again);
    free(text);
    free(text_again);
    spec_free(spec);
    spec_free(again);
}

static void test_texts_that_yaml_would_change_survive_storing(void **state)
{
    (void)state;
    struct spec *spec =
        parse("method: grid\nprogram: t.py\nparameters:\n  a:\n    values: [\"1e-5\", \"yes\", \"~\", "
              "\"\\u2028x\\u0085\", 1.0, 1, \"line\\nbreak\"]\n");
    char *text = spec_to_canonical_json(spec);
    struct spec *again = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spec_from_canonical_json(text, strlen(text), &again, &err), STATUS_OK);
    char *text_again = spec_to_canonical_json(again);
    assert_string_equal(text, text_again);
    assert_non_null(
        strstr(text, "\"1e-5\",\"yes\",\"~\",\"\xe2\x80\xa8x\xc2\x85\",1.0,1,\"line\\u000abreak\""));
    free(text);
    free(text_again);
    spec_free(spec);
    spec_free(again);
}

static void test_defaults(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: t.py\nparameters: {a: {value: 1}}\n");
    assert_null(spec->metric.name);
    assert_false(spec->metric.has_impute);
    assert_int_equal(spec->optimizer, SPEC_OPTIMIZER_GP);
    assert_null(spec->enqueue);
    assert_null(spec->command);
    assert_int_equal(spec_default_command_count, 4);
    assert_int_equal(spec->run_cap, 0);
    assert_int_equal(spec->concurrency, 0);
    assert_false(spec->has_seed);
    assert_false(spec->has_early_terminate);
    assert_int_equal(spec->retry.max, 3);
    assert_int_equal(spec->retry.on, SPEC_RETRY_LOST | SPEC_RETRY_PREEMPTED);
    assert_int_equal(spec->on_disconnect, SPEC_ON_DISCONNECT_CONTINUE);
    assert_int_equal(spec->metric.impute_while_running, SPEC_IMPUTE_NONE);
    assert_int_equal(spec->stop_grace_ms, -1);
    spec_free(spec);
}

static void test_hyperband_defaults(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: t.py\nmetric: {name: x}\nparameters: {a: {value: 1}}\n"
                              "early_terminate: {type: hyperband, min_iter: 4}\n");
    assert_int_equal(spec->early_terminate.form, STOP_FORM_MIN_ITER);
    assert_int_equal(spec->early_terminate.min_iter, 4);
    assert_true(spec->early_terminate.eta == 3 && spec->early_terminate.strict);
    assert_int_equal(spec->metric.goal, SPEC_GOAL_MINIMIZE);
    spec_free(spec);
}

static void test_options_stand_above_the_file(void **state)
{
    (void)state;
    const struct spec_options options = {.program = "other.py", .name = "m", .has_seed = true, .seed = 9};
    struct spec *spec =
        parse_with("method: grid\nseed: 1\nname: n\nparameters: {a: {value: 1}}\n", &options, 0);
    assert_string_equal(spec->program, "other.py");
    assert_string_equal(spec->name, "m");
    assert_int_equal(spec->seed, 9);
    spec_free(spec);
}

static void test_kinds_are_inferred(void **state)
{
    (void)state;
    assert_parameters("  a: {value: [1, {b: null}]}\n", 0,
                      "{\"a\":{\"distribution\":\"constant\",\"value\":[1,{\"b\":null}]}}");
    assert_parameters("  a: {min: 1, max: 5}\n", 0,
                      "{\"a\":{\"distribution\":\"int_uniform\",\"max\":5,\"min\":1}}");
    assert_parameters("  a: {min: 1.0, max: 5.0}\n", 0,
                      "{\"a\":{\"distribution\":\"uniform\",\"max\":5.0,\"min\":1.0}}");
    assert_parameters(
        "  a: {values: [x], probabilities: [1]}\n", 0,
        "{\"a\":{\"distribution\":\"categorical_w_probabilities\",\"probabilities\":[1],\"values\":["
        "\"x\"]}}");
    assert_parameters("  a: {parameters: {b: {value: 1}}}\n", 0,
                      "{\"a\":{\"parameters\":{\"b\":{\"distribution\":\"constant\",\"value\":1}}}}");
}

static void test_numbers_meant_as_numbers(void **state)
{
    (void)state;
    assert_parameters("  a: {min: 1e-5, max: 1e-3}\n", 2,
                      "{\"a\":{\"distribution\":\"uniform\",\"max\":0.001,\"min\":1e-05}}");
    assert_parameters("  a: {min: 0, max: 1e-3}\n", 2, /* text, and bounds that differ in type */
                      "{\"a\":{\"distribution\":\"uniform\",\"max\":0.001,\"min\":0}}");
    assert_parameters("  a: {values: [1e-5, \"1e-5\", -.5]}\n", 2,
                      "{\"a\":{\"distribution\":\"categorical\",\"values\":[1e-05,\"1e-5\",-0.5]}}");
    assert_parameters("  a: {distribution: q_uniform, min: \"0\", max: 8, q: 2}\n", 1,
                      "{\"a\":{\"distribution\":\"q_uniform\",\"max\":8,\"min\":0,\"q\":2}}");
}

static void test_json_numbers_need_no_warning(void **state)
{
    (void)state;
    struct spec *spec =
        parse("{\"method\": \"random\", \"program\": \"t.py\",\n \"parameters\": {\"lr\": {\"min\": "
              "1e-5, \"max\": 1E-3}, \"n\": {\"values\": [1e3]}}}");
    json_t *stored = space_to_json(spec->space);
    char *text = space_config_text(stored);
    assert_string_equal(text, "{\"lr\":{\"distribution\":\"uniform\",\"max\":0.001,\"min\":1e-05},"
                              "\"n\":{\"distribution\":\"categorical\",\"values\":[1000.0]}}");
    free(text);
    json_decref(stored);
    spec_free(spec);
}

/* What PyYAML's safe loader makes of each. */
static void test_scalars_of_yaml_1_1(void **state)
{
    (void)state;
    assert_parameters(
        "  a: {values: [yes, Off, ~, null, 0x1F, 0b11, 017, 1_000, 1:30, 08, +12, y]}\n", 0,
        "{\"a\":{\"distribution\":\"categorical\",\"values\":[true,false,null,null,31,3,15,1000,90,"
        "\"08\",12,\"y\"]}}");
    assert_parameters(
        "  a: {values: [1., 1.5e+3, .5, 1_0.5, 1:30.5, 685.230_15e+03]}\n", 0,
        "{\"a\":{\"distribution\":\"categorical\",\"values\":[1.0,1500.0,0.5,10.5,90.5,685230.15]}}");
    assert_parameters("  a: {values: [!!str 5, !!float 5, !!int \"7\", '3', \"null\"]}\n", 0,
                      "{\"a\":{\"distribution\":\"categorical\",\"values\":[\"5\",5.0,7,\"3\",\"null\"]}}");
    assert_parameters("  a: {values: [.inf, -.inf, .nan]}\n", 3,
                      "{\"a\":{\"distribution\":\"categorical\",\"values\":[\"inf\",\"-inf\",\"nan\"]}}");
    assert_parameters(
        "  a: {values: [2001-12-14, a b, 1.2.3, 1-2]}\n", 0,
        "{\"a\":{\"distribution\":\"categorical\",\"values\":[\"2001-12-14\",\"a b\",\"1.2.3\",\"1-2\"]"
        "}}");
    assert_parameters(
        "  a: {value: {1: x, yes: y, 2.5: z}}\n", 0,
        "{\"a\":{\"distribution\":\"constant\",\"value\":{\"1\":\"x\",\"2.5\":\"z\",\"true\":\"y\"}}}");
}

static void test_aliases_and_merge_keys(void **state)
{
    (void)state;
    assert_parameters("  a: &one {distribution: uniform, min: 0.0, max: 1.0}\n"
                      "  b: *one\n"
                      "  c: {<<: *one, max: 2.0}\n"
                      "  d: {max: 3.0, <<: [{max: 9.0, min: 1.5}, *one]}\n",
                      0,
                      "{\"a\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0},"
                      "\"b\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0},"
                      "\"c\":{\"distribution\":\"uniform\",\"max\":2.0,\"min\":0.0},"
                      "\"d\":{\"distribution\":\"uniform\",\"max\":3.0,\"min\":1.5}}");
}

/* `on` and `off` are booleans in YAML 1.1, but as keys they are names. */
static void test_keys_are_words(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: t.py\nretry:\n  max: 2\n  on: [lost]\n"
                              "parameters: {off: {value: 1}, y: {value: 2}}\n");
    assert_int_equal(spec->retry.on, SPEC_RETRY_LOST);
    assert_string_equal(space_parameter_path(spec->space, 0), "off");
    spec_free(spec);
}

static const char ignored_s[] =
    "method: grid\nprogram: t.py\nmetric: {name: x}\nparameters: {a: {value: 1}}\n"
    "early_terminate: {type: hyperband, min_iter: 3, s: 2}\n";

static void test_warnings_only(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "method: grid\nparameters: {a: {value: 1}}\n", /* no program */
        "method: grid\nprogram: t.py\nextra: 1\nparameters: {a: {value: 1}}\n",
        "method: grid\nprogram: t.py\nnmae: x\nparameters: {a: {value: 1}}\n",
        "method: random\nprogram: t.py\nparameters: {a: {distribution: log_uniform, min: -9, max: -1}}\n",
        "method: grid\nprogram: t.py\nname: x\nname: x\nparameters: {a: {value: 1}}\n",
        "method: grid\nprogram: t.py\ncommand: [\"${program}\", \"--x=${x}\"]\nparameters: {a: {value: 1}}\n",
        "method: grid\nprogram: t.py\ncommand: [\"${program}\", \"${a-b}\"]\nparameters: {a: {value: 1}}\n",
        ignored_s,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        spec_free(parse_with(texts[i], NULL, 1));
}

static void test_bayes_when_allowed(void **state)
{
    (void)state;
    const struct spec_options options = {.methods = 1u << SPEC_METHOD_BAYES};
    struct spec *spec = parse_with(
        "method: bayes\nprogram: t.py\nmetric: {name: x}\nparameters: {a: {min: 1, max: 2}}\n", &options, 0);
    assert_int_equal(spec->method, SPEC_METHOD_BAYES);
    spec_free(spec);
}

#define SPACE                                                          \
    "parameters:\n"                                                    \
    "  lr: {distribution: log_uniform_values, min: 0.001, max: 0.1}\n" \
    "  n: {min: 1, max: 9}\n"                                          \
    "  way: {values: [sgd, adam]}\n"                                   \
    "  momentum: {min: 0.0, max: 1.0, when: {way: sgd}}\n"             \
    "  drop: {distribution: q_uniform, min: 0, max: 1, q: 0.1}\n"      \
    "  net: {parameters: {width: {distribution: q_log_uniform_values, min: 8, max: 64, q: 4}}}\n"

/* The text of `enqueue` as it is stored. */
static void assert_enqueue(const char *head, size_t warnings, const char *expected)
{
    char text[2048];
    snprintf(text, sizeof text, "%s\nprogram: t.py\nmetric: {name: x}\n" SPACE, head);
    struct spec *spec = parse_with(text, NULL, warnings);
    char *got = spec->enqueue != NULL ? space_config_text(spec->enqueue) : strdup("none");
    assert_string_equal(got, expected);
    free(got);
    spec_free(spec);
}

static void test_points_to_try_first(void **state)
{
    (void)state;
    assert_enqueue("method: bayes", 0, "none");
    assert_enqueue("method: bayes\nenqueue: []", 0, "none");
    assert_enqueue("method: bayes\nenqueue: [{lr: 0.1, n: 3.0, way: sgd, momentum: 1, drop: 0.3}]", 0,
                   "[{\"drop\":0.30000000000000004,\"lr\":0.1,\"momentum\":1.0,\"n\":3,\"way\":\"sgd\"}]");
    assert_enqueue("method: random\nenqueue:\n- {net: {width: 12}}\n- {n: 9}", 0,
                   "[{\"net\":{\"width\":12}},{\"n\":9}]");
    assert_enqueue("method: random\nenqueue: [{lr: 1e-2}]", 1, "[{\"lr\":0.01}]"); /* text in YAML 1.1 */
    assert_enqueue("method: random\nenqueue: [{n: 9}, {n: 9}]", 1, "[{\"n\":9},{\"n\":9}]"); /* twice */
    assert_enqueue("method: random\nrun_cap: 1\nenqueue: [{n: 9}, {n: 8}]", 1, "[{\"n\":9},{\"n\":8}]");
}

static void test_grid_points_to_try_first(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: t.py\nenqueue: [{a: 0.3, b: 2.0}]\nparameters:\n"
                              "  a: {distribution: q_uniform, min: 0, max: 1, q: 0.1}\n"
                              "  b: {values: [1, 2]}\n");
    json_t *point = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_grid_point(spec->space, 7, &point, &err), STATUS_OK);
    assert_true(json_equal(point, json_array_get(spec->enqueue, 0))); /* as the grid writes it */
    json_decref(point);
    spec_free(spec);
}

static void test_what_does_nothing_is_told(void **state)
{
    static const struct {
        const char *head;
        size_t warnings;
    } cases[] = {
        {"method: bayes\nmetric: {name: x, impute: worst, impute_while_running: worst}", 0},
        {"method: bayes\nmetric: {name: x, impute_while_running: best}", 1},
        {"method: bayes\noptimizer: cmaes\nmetric: {name: x, impute: best, impute_while_running: worst}", 1},
        {"method: bayes\noptimizer: sobol\nmetric: {name: x, impute: best, impute_while_running: worst}", 2},
        {"method: random\nmetric: {name: x, impute: worst, impute_while_running: false}", 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s\nprogram: t.py\nparameters: {a: {min: 0.0, max: 1.0}}\n",
                 cases[i].head);
        spec_free(parse_with(text, NULL, cases[i].warnings));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_stored_form_is_the_same_spec),
        cmocka_unit_test(test_texts_that_yaml_would_change_survive_storing),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_hyperband_defaults),
        cmocka_unit_test(test_options_stand_above_the_file),
        cmocka_unit_test(test_kinds_are_inferred),
        cmocka_unit_test(test_numbers_meant_as_numbers),
        cmocka_unit_test(test_json_numbers_need_no_warning),
        cmocka_unit_test(test_scalars_of_yaml_1_1),
        cmocka_unit_test(test_aliases_and_merge_keys),
        cmocka_unit_test(test_keys_are_words),
        cmocka_unit_test(test_warnings_only),
        cmocka_unit_test(test_bayes_when_allowed),
        cmocka_unit_test(test_points_to_try_first),
        cmocka_unit_test(test_grid_points_to_try_first),
        cmocka_unit_test(test_what_does_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
