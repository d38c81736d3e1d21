// SPDX-License-Identifier: Apache-2.0
// Lines of the run socket.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "clients/agent/run_line.h"
#include "clients/agent/run_line_plain.h"

static void row_begin(void *context, const struct run_line_row *row)
{
    if (row->has_step)
        buffer_printf(context, "@%lld ", (long long)row->step);
}

static void row_end(void *context, bool stays_open)
{
    buffer_puts(context, stays_open ? "..." : ".");
}

static void metric(void *context, const char *name, size_t length, double value)
{
    buffer_printf(context, "%.*s=%g ", (int)length, name, value);
}

static enum status fact(void *context, enum fact_kind kind, const char *name, const char *value_json,
                        struct err *err)
{
    static const char *const kinds[] = {"", "summary", "definition", "config", "about"};
    if (strcmp(name, "refused") == 0)
        return err_set(err, STATUS_INVALID, "\"refused\" is refused");
    if (strlen(value_json) > 100)
        buffer_printf(context, "%s %s %zu bytes ", kinds[kind], name, strlen(value_json));
    else
        buffer_printf(context, "%s %s %s ", kinds[kind], name, value_json);
    return STATUS_OK;
}

static void preempting(void *context)
{
    buffer_puts(context, "preempting");
}

static void exit_code(void *context, int code, const char *text)
{
    buffer_printf(context, "exit %d '%s'", code, text);
}

static void ask(void *context, enum run_line_question question)
{
    static const char *const questions[] = {"ask config", "ask step", "ask run"};
    buffer_puts(context, questions[question]);
}

static enum status parse(const char *line, struct buffer *seen, struct err *err)
{
    const struct run_line_sink sink = {seen, row_begin, row_end, metric, fact, preempting, exit_code, ask};
    return run_line_parse(line, strlen(line), &sink, err);
}

/* What the line hands on, or the error when it hands nothing on. */
static void expect(const char *line, const char *expected)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (parse(line, &seen, &err) == STATUS_OK) {
        assert_string_equal(buffer_text(&seen), expected);
        return;
    }
    assert_string_equal(buffer_text(&seen), "");
    assert_string_equal(err.text, expected);
}

/* What the line hands on although something of it cannot be taken. */
static void expect_part(const char *line, const char *expected, const char *error)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(parse(line, &seen, &err), STATUS_INVALID);
    assert_string_equal(buffer_text(&seen), expected);
    assert_string_equal(err.text, error);
}

static void takes_values(void **state)
{
    (void)state;
    expect("{\"log\":{\"loss\":0.5,\"acc\":1}}", "loss=0.5 acc=1 .");
    expect("{\"log\":{\"loss\":0.5},\"step\":7}", "@7 loss=0.5 .");
    expect("{\"step\":-3,\"log\":{\"loss\":1e300}}", "@-3 loss=1e+300 .");
    expect("{\"log\":{\"a\":{\"b\":1,\"c\":{\"d\":2}}}}", "a.b=1 a.c.d=2 .");
    expect("{\"log\":{\"t\":true,\"f\":false}}", "t=1 f=0 .");
    expect("{\"log\":{}}", ".");
    expect("{\"log\":{\"a\":1},\"step\":null,\"commit\":null}", "a=1 .");
    expect("{\"log\":{\"a\":1},\"commit\":false}", "a=1 ...");
    expect("{\"log\":{\"a\":1},\"step\":2,\"commit\":false}", "@2 a=1 ...");
    expect("{\"log\":{\"a\":1},\"commit\":true}", "a=1 .");
    expect("{\"log\":{\"a\":1},\"commit\":1}", "\"commit\" must be true or false");
    expect("{\"preempting\":true}", "preempting");
    expect("{\"preempting\":false}", "");
    expect("{\"ask\":\"config\"}", "ask config");
    expect("{\"ask\":\"step\"}", "ask step");
    expect("{\"ask\":\"run\"}", "ask run");
}

static void takes_how_it_ended(void **state)
{
    static const char wrong[] = "\"exit_code\" takes a whole number from 0 to 255";
    (void)state;
    expect("{\"exit_code\":1}", "exit 1 ''");
    expect("{\"exit_code\":0,\"text\":null}", "exit 0 ''");
    expect("{\"exit_code\":255,\"text\":\"no data\"}", "exit 255 'no data'");
    expect("{\"exit_code\":256}", wrong);
    expect("{\"exit_code\":-1}", wrong);
    expect("{\"exit_code\":true}", wrong);
    expect("{\"exit_code\":1.5}", wrong);
    expect("{\"exit_code\":1,\"text\":2}", "\"text\" must be a text");
}

static void first_known_key_decides(void **state)
{
    (void)state;
    expect("{\"step\":1,\"summary\":{\"a\":1},\"log\":{\"b\":2}}", "summary a 1 ");
    expect("{\"step\":1,\"log\":{\"b\":2},\"summary\":{\"a\":1}}", "@1 b=2 .");
}

static void keeps_what_is_no_number(void **state)
{
    (void)state;
    expect("{\"log\":{\"a\":1,\"s\":\"x\",\"n\":null,\"l\":[1,0.1,NaN]}}",
           "a=1 summary s \"x\" summary n null summary l [1,0.1,\"NaN\"] .");
    expect("{\"log\":{\"deep\":{\"s\":\"x\"}}}", "summary deep.s \"x\" .");
    expect(
        "{\"summary\":{\"best\":2,\"half\":0.5,\"one\":1.0,\"o\":{\"k\":[true,{}]},\"bad\":NaN}}",
        "summary best 2 summary half 0.5 summary one 1.0 summary o {\"k\":[true,{}]} summary bad \"NaN\" ");
    expect("{\"summary\":{\"third\":0.3333333333333333,\"tenth\":0.1,\"big\":1e+300}}",
           "summary third 0.3333333333333333 summary tenth 0.1 summary big 1e+300 ");
    expect("{\"config\":{\"layers\":3,\"names\":[\"ü\\n\"]}}", "config layers 3 config names [\"ü\\n\"] ");
    expect("{\"summary\":[1]}", "\"summary\" takes an object");
    expect("{\"config\":{\"\":1}}", "a name must have 1 to 256 bytes");
}

static void takes_what_fits_of_a_line(void **state)
{
    (void)state;
    expect_part("{\"log\":{\"refused\":\"x\",\"a\":1}}", "a=1 .", "\"refused\" is refused");
    char *line = calloc(1, 1 << 20);
    assert_non_null(line);
    char *end = stpcpy(line, "{\"log\":{\"a\":1,\"deep\":");
    for (int i = 0; i < 70; i++)
        *end++ = '[';
    for (int i = 0; i < 70; i++)
        *end++ = ']';
    memcpy(end, ",\"b\":2}}", 9);
    expect_part(line, "a=1 b=2 .", "\"deep\" is nested more than 64 deep");
    free(line);
}

static void takes_definitions(void **state)
{
    (void)state;
    expect("{\"define_metric\":{\"name\":\"acc\",\"summary\":\"max\"}}",
           "definition acc {\"summary\":[\"max\"]} ");
    expect(
        "{\"define_metric\":{\"hidden\":true,\"goal\":\"maximize\",\"name\":\"val/"
        "*\",\"summary\":\"min,best\","
        "\"step_metric\":\"epoch\"}}",
        "definition val/* "
        "{\"summary\":[\"min\",\"best\"],\"goal\":\"maximize\",\"step_metric\":\"epoch\",\"hidden\":true} ");
    expect("{\"define_metric\":{\"name\":\"a\",\"summary\":[\"first\",\"last\"],\"goal\":null}}",
           "definition a {\"summary\":[\"first\",\"last\"]} ");
    expect("{\"define_metric\":{\"name\":\"a\"}}", "definition a {} ");
    expect("{\"define_metric\":{\"name\":\"a\",\"summary\":\"maxx\"}}",
           "\"summary\": \"maxx\" is not known (did you mean \"max\"?)");
    expect("{\"define_metric\":{\"name\":\"a\",\"summary\":\"min, max\"}}",
           "\"summary\": \" max\" is not known (did you mean \"max\"?)");
    expect("{\"define_metric\":{\"name\":\"a\",\"summary\":[1]}}",
           "\"summary\" must be a text or a list of texts");
    expect("{\"define_metric\":{\"name\":\"a\",\"goal\":\"max\"}}",
           "\"goal\": \"max\" is not known (did you mean \"maximize\"?)");
    expect("{\"define_metric\":{\"name\":\"a\",\"hidden\":1}}", "\"hidden\" must be true or false");
    expect("{\"define_metric\":{\"name\":\"a\",\"sumary\":1}}",
           "\"define_metric\": \"sumary\" is not known (did you mean \"summary\"?)");
    expect("{\"define_metric\":{\"name\":\"a*b\"}}", "\"name\": \"*\" may only stand at the end");
    expect("{\"define_metric\":{\"summary\":\"max\"}}",
           "\"define_metric\" takes an object with a \"name\" of 1 to 256 bytes");
    expect("{\"define_metric\":3}", "\"define_metric\" takes an object with a \"name\" of 1 to 256 bytes");
}

static void takes_what_is_said_about_the_run(void **state)
{
    (void)state;
    expect("{\"about\":{\"name\":\"first try\",\"tags\":[\"a\",\"b c\"]}}",
           "about name \"first try\" about tags [\"a\",\"b c\"] ");
    expect("{\"about\":{\"notes\":\"n\",\"group\":\"g\",\"job_type\":\"j\"}}",
           "about notes \"n\" about group \"g\" about job_type \"j\" ");
    expect("{\"about\":{\"nam\":\"x\"}}", "\"about\": \"nam\" is not known (did you mean \"name\"?)");
    expect("{\"about\":{\"name\":3}}", "\"name\" must be a text");
    expect("{\"about\":{\"tags\":\"a\"}}", "\"tags\" must be a list of at most 100 texts");
    expect("{\"about\":{\"name\":\"x\",\"tags\":[\"a,b\"]}}",
           "a tag must be a text of 1 to 64 bytes without commas");
    expect("{\"about\":[]}", "\"about\" takes an object");
}

static void takes_what_python_writes(void **state)
{
    (void)state;
    expect("{\"log\": {\"a\": NaN, \"b\": Infinity, \"c\": -Infinity}}", "a=nan b=inf c=-inf .");
    expect("{\"log\": {\"NaN\": 1, \"x\\\"NaN\": NaN}}", "NaN=1 x\"NaN=nan .");
    expect("{\"log\": {\"a\": \"NaN\"}}", "a=nan .");
    expect("{\"log\": {\"seed\": 14695981039346656037, \"a\": 1}, \"step\": 3}", "@3 seed=1.4696e+19 a=1 .");
    expect("{\"log\": {\"a\": 1}, \"step\": 5.0}", "@5 a=1 .");
    expect("{\"log\": {\"a\": 1}, \"step\": 1e300}", "\"step\" must be a whole number");
}

/* A whole number beyond 64 bits is a real; those beside it stay whole. */
static void wide_numbers_leave_others_whole(void **state)
{
    (void)state;
    expect("{\"config\":{\"epochs\":10,\"seed\":18446744073709551615,\"below\":-9223372036854775809}}",
           "config epochs 10 config seed 1.8446744073709552e+19 config below -9.223372036854776e+18 ");
    expect("{\"config\":{\"wide\":9223372036854775808,\"most\":9223372036854775807,"
           "\"least\":-9223372036854775808}}",
           "config wide 9.223372036854776e+18 config most 9223372036854775807 "
           "config least -9223372036854775808 ");
    expect("{\"config\":{\"wide\":100000000000000000000,\"exact\":1.25000000000000000000000,"
           "\"text\":\"100000000000000000000\"}}",
           "config wide 1e+20 config exact 1.25 config text \"100000000000000000000\" ");
    expect("{\"summary\":{\"list\":[1,100000000000000000000,NaN]}}", "summary list [1,1e+20,\"NaN\"] ");
}

static void refuses_the_rest(void **state)
{
    (void)state;
    expect("", "not a JSON object: '[' or '{' expected near end of file");
    expect("[1]", "not a JSON object: another type");
    expect("{\"lag\":{}}", "unknown request \"lag\" (did you mean \"log\"?)");
    expect("{}", "unknown request \"\"");
    expect("{\"log\":3}", "\"log\" takes an object of values");
    expect("{\"log\":{\"a\":1},\"step\":1.5}", "\"step\" must be a whole number");
    expect("{\"ask\":\"secrets\"}", "\"ask\" knows \"config\", \"step\" and \"run\" alone");
    expect("{\"log\":{\"\":1}}", "a metric's name must have 1 to 256 bytes");
    expect("{\"log\":{\"a\":1e400}}", "not a JSON object: real number overflow near '1e400'");
    char line[400];
    snprintf(line, sizeof line, "{\"log\":{\"%0300d\":1}}", 0);
    expect(line, "a metric's name must have 1 to 256 bytes");
    snprintf(line, sizeof line, "{\"log\":{\"%0255d\":{\"b\":1}}}", 0);
    expect(line, "a metric's name must have 1 to 256 bytes");
}

static void takes_names_of_any_length_alike(void **state)
{
    (void)state;
    char line[400], expected[400];
    snprintf(expected, sizeof expected, "%0256d=1 .", 0);
    snprintf(line, sizeof line, "{\"log\":{\"%0256d\":1}}", 0);
    expect(line, expected);
    snprintf(line, sizeof line, "{\"log\":{\"%0256d\":1},\"x\":null}", 0); /* not for the quick reader */
    expect(line, expected);
}

/* What the quick reader takes it takes as the general one does, and the plain case it does take. */
static void plain_lines_are_read_quickly(void **state)
{
    static const char *const plain[] = {"{\"log\":{\"a\":1,\"b\":-0.5e-3},\"step\":12}", "{ \"log\" : { } }",
                                        " {\"step\": -4, \"log\": {\"a b/c\": 0}} \r",
                                        "{\"log\":{\"x\":123456789012345678}}"};
    static const char *const other[] = {"{\"log\":{\"a\":01}}",
                                        "{\"log\":{\"a\":1}} x",
                                        "{\"log\":{\"a\":1,\"a\":2}}",
                                        "{\"log\":{\"a\":1}",
                                        "{\"log\":{\"a\":.5}}",
                                        "{\"log\":{\"a\":1e400}}",
                                        "{\"log\":{\"a\":1e400,\"log\":{\"b\":1}}",
                                        "{\"log\":{\"a\":+1}}",
                                        "{\"log\":{\"a\":1.}}",
                                        "{\"log\":{\"a\":0x1}}",
                                        "{\"log\":{\"a\":1,}}",
                                        "{\"log\":{\"\\u0061\":1}}",
                                        "{\"log\":{\"a\":1},\"step\":1.0}",
                                        "{\"log\":{\"a\":1},\"commit\":false}",
                                        "{\"step\":1}",
                                        "{}",
                                        "",
                                        "{\"log\":{\"a\":1234567890123456789}}",
                                        "{\"log\":{},\"log\":{}}"};
    struct plain_line line;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        assert_true(run_line_read_plain(plain[i], strlen(plain[i]), &line));
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_false(run_line_read_plain(other[i], strlen(other[i]), &line));
    assert_true(run_line_read_plain("{\"log\":{\"a\":-0,\"b\":-0.0}}", 25, &line));
    assert_false(signbit(line.values[0].value)); /* as JSON's whole numbers have no negative zero */
    assert_true(signbit(line.values[1].value));
    expect("{\"log\":{\"a\":1,\"a\":2}}", "a=2 .");
}

static void collect(void *context, const char *name, size_t length, double value)
{
    buffer_printf(context, "%.*s=%g ", (int)length, name, value);
}

static void finds_numbers_of_objects(void **state)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT;
    const char *line = "{\"a\":1,\"b\":{\"c\":0.5,\"d\":NaN},\"ok\":true,\"s\":\"x\",\"l\":[1],\"n\":null}";
    (void)state;
    assert_true(run_line_numbers(line, strlen(line), collect, &seen));
    assert_string_equal(buffer_text(&seen), "a=1 b.c=0.5 b.d=nan ");
    assert_false(run_line_numbers("[1]", 3, collect, &seen));
    assert_false(run_line_numbers("{1", 2, collect, &seen));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_values),
        cmocka_unit_test(takes_how_it_ended),
        cmocka_unit_test(first_known_key_decides),
        cmocka_unit_test(keeps_what_is_no_number),
        cmocka_unit_test(takes_what_fits_of_a_line),
        cmocka_unit_test(takes_definitions),
        cmocka_unit_test(takes_what_is_said_about_the_run),
        cmocka_unit_test(takes_what_python_writes),
        cmocka_unit_test(wide_numbers_leave_others_whole),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(takes_names_of_any_length_alike),
        cmocka_unit_test(plain_lines_are_read_quickly),
        cmocka_unit_test(finds_numbers_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
