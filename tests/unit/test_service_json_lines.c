// SPDX-License-Identifier: GPL-3.0-or-later
/* JSON lines: what is read as JSON, and that nothing a line says ends the session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/json_lines.h"

static void assert_reads_as(const char *text, const char *expected)
{
    struct err err = ERR_INIT;
    json_t *value = NULL;
    if (json_lines_parse(text, strlen(text), &value, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    char *written = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(written, expected);
    free(written);
    json_decref(value);
}

static void test_non_finite_numbers_read_as_null(void **state)
{
    (void)state;
    assert_reads_as("[NaN,Infinity,-Infinity,-1]", "[null,null,null,-1]");
    assert_reads_as("{\"a\":NaN}", "{\"a\":null}");
    assert_reads_as("[\"NaN \\\" -Infinity\",NaN]", "[\"NaN \\\" -Infinity\",null]");
    assert_reads_as("[\"\\\\\",NaN]", "[\"\\\\\",null]");
}

static void test_large_whole_numbers_read_as_reals(void **state)
{
    (void)state;
    assert_reads_as("[9223372036854775807]", "[9223372036854775807]");
    assert_reads_as("[9223372036854775808]", "[9.2233720368547758e18]");
    assert_reads_as("[18446744073709551615]", "[1.8446744073709552e19]");
}

static void test_numbers_beyond_all_types_read_as_null(void **state)
{
    (void)state;
    assert_reads_as("[18446744073709551616]", "[null]");
    assert_reads_as("[-9223372036854775809,-9223372036854775808]", "[null,-9.2233720368547758e18]");
    assert_reads_as("[1e400,-1e400,1e20,1e-400]", "[null,null,1e20,0.0]");
    assert_reads_as("{\"1e400\":1e400,\"b\":\"1e400\"}", "{\"1e400\":null,\"b\":\"1e400\"}");
}

static void test_what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "{",    "nan",    "NaNNaN",    "[1,]",
                                        "\"", "\"\\", "1e400e", "[1e400 2]", "{\"a\":1}}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = ERR_INIT;
        json_t *value = NULL;
        assert_int_equal(json_lines_parse(texts[i], strlen(texts[i]), &value, &err), STATUS_INVALID);
    }
}

static enum status run_echo(void *context, const json_t *request, json_t *answer, struct err *err)
{
    (void)context;
    if (json_object_get(request, "value") == NULL)
        return err_set(err, STATUS_INVALID, "no value");
    return json_lines_set(answer, "value", json_incref(json_object_get(request, "value")), err);
}

static char *converse(const char *input, size_t length)
{
    static const struct json_lines_op ops[] = {{"echo", run_echo}};
    struct err err = ERR_INIT;
    char *answers = NULL;
    size_t size = 0;
    FILE *in = fmemopen((void *)(uintptr_t)input, length, "r");
    FILE *out = open_memstream(&answers, &size);
    assert_int_equal(json_lines_serve(in, out, ops, ARRAY_LEN(ops), NULL, &err), STATUS_OK);
    fclose(in);
    fclose(out);
    return answers;
}

static void test_each_line_is_answered(void **state)
{
    (void)state;
    static const char input[] =
        "{\"op\":\"echo\",\"value\":[3.0,1e-5]}\n\n  \nnot json\n[]\n{\"op\":1}\n{\"op\":\"x\"}\n"
        "{\"op\":\"echo\"}\n{\"op\":\"echo\",\"value\":\"a\0b\"}\n{\"op\":\"quit\"}\n{\"op\":\"echo\"}\n";
    char *answers = converse(input, sizeof input - 1);
    assert_string_equal(answers, "{\"value\":[3.0,1e-05]}\n"
                                 "{\"error\":\"not JSON: column 3: invalid token near 'not'\"}\n"
                                 "{\"error\":\"a line is an object with the text \\\"op\\\"\"}\n"
                                 "{\"error\":\"a line is an object with the text \\\"op\\\"\"}\n"
                                 "{\"error\":\"unknown op \\\"x\\\"\"}\n"
                                 "{\"error\":\"no value\"}\n"
                                 "{\"error\":\"not JSON: column 23: control character 0x0 near '\\\"a'\"}\n"
                                 "{\"ok\":true}\n");
    free(answers);
}

static void test_the_last_line_may_lack_its_end(void **state)
{
    (void)state;
    static const char input[] = "{\"op\":\"echo\",\"value\":1}";
    char *answers = converse(input, sizeof input - 1);
    assert_string_equal(answers, "{\"value\":1}\n");
    free(answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_non_finite_numbers_read_as_null),
        cmocka_unit_test(test_large_whole_numbers_read_as_reals),
        cmocka_unit_test(test_numbers_beyond_all_types_read_as_null),
        cmocka_unit_test(test_what_is_not_json_is_refused),
        cmocka_unit_test(test_each_line_is_answered),
        cmocka_unit_test(test_the_last_line_may_lack_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
