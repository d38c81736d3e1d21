// SPDX-License-Identifier: Apache-2.0
// The command line of a run. Expected texts come from CPython's str(), repr() and json.dumps().
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <besom/command.h>
#include <cmocka.h>

#include "base/macros.h"

/* Joins argv with '|'. The caller frees. */
static char *expand(const char *const *items, size_t count, const char *params)
{
    const besom_command_input input = {.items = items,
                                       .item_count = count,
                                       .program = "train.py",
                                       .params_json = params,
                                       .params_file = "/state/params.json"};
    char **argv = NULL;
    int needs_file = 0;
    besom_error error;
    if (besom_command_expand(&input, &argv, &needs_file, &error) != BESOM_OK) {
        assert_null(argv);
        return strdup(error.text);
    }
    size_t length = 1;
    for (size_t i = 0; argv[i] != NULL; i++)
        length += strlen(argv[i]) + 1;
    char *joined = calloc(1, length);
    assert_non_null(joined);
    for (size_t i = 0, at = 0; argv[i] != NULL; i++)
        at += (size_t)snprintf(joined + at, length - at, "%s%s", i > 0 ? "|" : "", argv[i]);
    besom_command_free(argv);
    return joined;
}

static void expect(const char *item, const char *params, const char *expected)
{
    char *actual = expand(item != NULL ? &item : NULL, item != NULL ? 1 : 0, params);
    assert_string_equal(actual, expected);
    free(actual);
}

static void default_command(void **state)
{
    (void)state;
    expect(NULL, "{\"lr\": 0.001, \"layers\": 3}", "/usr/bin/env|python|train.py|--lr=0.001|--layers=3");
}

static void the_interpreter_is_the_callers(void **state)
{
    (void)state;
    const besom_command_input input = {.interpreter = "python3", .program = "train.py", .params_json = "{}"};
    char **argv = NULL;
    int needs_file = 0;
    besom_error error;
    assert_int_equal(besom_command_expand(&input, &argv, &needs_file, &error), BESOM_OK);
    assert_string_equal(argv[1], "python3");
    assert_string_equal(argv[2], "train.py");
    besom_command_free(argv);
}

static void values_print_as_in_python(void **state)
{
    (void)state;
    static const struct {
        const char *json, *python;
    } cases[] = {
        {"1e-05", "1e-05"},
        {"0.00001234", "1.234e-05"},
        {"0.0001", "0.0001"},
        {"0.1", "0.1"},
        {"3.0", "3.0"},
        {"-0.0", "-0.0"},
        {"1e15", "1000000000000000.0"},
        {"1e16", "1e+16"},
        {"123456789012345680.0", "1.2345678901234568e+17"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"5e-324", "5e-324"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"100.5", "100.5"},
        {"9007199254740993", "9007199254740993"},
        {"true", "True"},
        {"false", "False"},
        {"null", "None"},
        {"\"a b\"", "a b"},
        {"\"\"", ""},
        {"[1, 2.5, \"x\", null]", "[1, 2.5, 'x', None]"},
        {"{\"a\": 1, \"b\": {\"c\": true}}", "{'a': 1, 'b': {'c': True}}"},
        {"[\"it's\"]", "[\"it's\"]"},
        {"[\"it's \\\"q\\\"\"]", "['it\\'s \"q\"']"},
        {"[\"a\\\\b\\n\\t\\u0001\\u00e9\\u00a0\\u200b\"]", "['a\\\\b\\n\\t\\x01\xc3\xa9\\xa0\\u200b']"},
        {"[]", "[]"},
        {"{}", "{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char params[256], expected[256];
        snprintf(params, sizeof params, "{\"k\": %s}", cases[i].json);
        snprintf(expected, sizeof expected, "--k=%s", cases[i].python);
        expect("${args}", params, expected);
    }
}

static void every_macro(void **state)
{
    (void)state;
    static const char params[] =
        "{\"b\": true, \"f\": false, \"n\": null, \"s\": \"x y\", \"d\": {\"a\": 1}}";
    expect("${env}", params, "/usr/bin/env");
    expect("${interpreter}", params, "python");
    expect("${program}", params, "train.py");
    expect("${args}", params, "--b=True|--f=False|--n=None|--s=x y|--d={'a': 1}");
    expect("${args_no_equals}", params, "--b|True|--f|False|--n|None|--s|x y|--d|{'a': 1}");
    expect("${args_no_hyphens}", params, "b=True|f=False|n=None|s=x y|d={'a': 1}");
    expect("${args_no_boolean_flags}", params, "--b|--n=None|--s=x y|--d={'a': 1}");
    expect("${args_append_hydra}", params, "+b=True|+f=False|+n=None|+s=x y|+d={'a': 1}");
    expect("${args_override_hydra}", params, "++b=True|++f=False|++n=None|++s=x y|++d={'a': 1}");
    expect("${args_json}", params,
           "{\"b\": true, \"f\": false, \"n\": null, \"s\": \"x y\", \"d\": {\"a\": 1}}");
    expect("${args_json}", "{\"k\": \"\\u00e9\\ud83d\\ude00\\u007f/\\\"\\b\"}",
           "{\"k\": \"\\u00e9\\ud83d\\ude00\\u007f/\\\"\\b\"}");
    expect("${args_json_file}", params, "/state/params.json");
}

static void only_whole_macros_expand(void **state)
{
    (void)state;
    expect("--x=${args}", "{}", "--x=${args}");
    expect("${x", "{}", "${x");
    expect("$x", "{}", "$x");
    expect("${a b}", "{}", "${a b}");
}

static void variables_expand_anywhere(void **state)
{
    (void)state;
    setenv("BESOM_TEST_VALUE", "v", 1);
    unsetenv("BESOM_TEST_UNSET");
    setenv("BESOM_TOKEN", "secret", 1);
    setenv("BESOM_KEY_FILE", "secret", 1);
    expect("${envvar:BESOM_TEST_VALUE}", "{}", "v");
    expect("a/${envvar:BESOM_TEST_VALUE}/${envvar:BESOM_TEST_VALUE}b", "{}", "a/v/vb");
    expect("${envvar:BESOM_TEST_UNSET}", "{}", "BESOM_TEST_UNSET");
    expect("${envvar:lower}", "{}", "${envvar:lower}");
    expect("${envvar:BESOM_TOKEN}", "{}", "BESOM_TOKEN");
    expect("x${envvar:BESOM_KEY_FILE}", "{}", "xBESOM_KEY_FILE");
    unsetenv("BESOM_TOKEN");
    unsetenv("BESOM_KEY_FILE");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    expect("${arg}", "{}", "command: unknown macro ${arg} (did you mean ${args}?)");
    expect("${zzzzzzzzzz}", "{}", "command: unknown macro ${zzzzzzzzzz}");
    expect("${args}", "{}", "command: nothing is left of it");
    expect("${args}", "[1]", "parameters are no JSON object: another type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_command),           cmocka_unit_test(the_interpreter_is_the_callers),
        cmocka_unit_test(values_print_as_in_python), cmocka_unit_test(every_macro),
        cmocka_unit_test(only_whole_macros_expand),  cmocka_unit_test(variables_expand_anywhere),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
