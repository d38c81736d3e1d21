// SPDX-License-Identifier: Apache-2.0
// Lines of the run socket.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "clients/agent/run_line.h"

static int64_t begin(void *context, bool has_step, int64_t step, bool counts)
{
    buffer_printf(context, "%s", counts ? "" : "summary ");
    return has_step ? step : 100;
}

static void metric(void *context, const char *name, int64_t step, double value)
{
    buffer_printf(context, "%s@%lld=%g ", name, (long long)step, value);
}

static void preempting(void *context)
{
    buffer_puts(context, "preempting");
}

static void ask(void *context)
{
    buffer_puts(context, "ask");
}

static void expect(const char *line, const char *expected)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    const struct run_line_sink sink = {&seen, begin, metric, preempting, ask};
    if (run_line_parse(line, strlen(line), &sink, &err) == STATUS_OK) {
        assert_string_equal(buffer_text(&seen), expected);
        return;
    }
    assert_int_equal(seen.length, 0);
    assert_string_equal(err.text, expected);
}

static void takes_values(void **state)
{
    (void)state;
    expect("{\"log\":{\"loss\":0.5,\"acc\":1}}", "loss@100=0.5 acc@100=1 ");
    expect("{\"log\":{\"loss\":0.5},\"step\":7}", "loss@7=0.5 ");
    expect("{\"step\":-3,\"log\":{\"loss\":1e300}}", "loss@-3=1e+300 ");
    expect("{\"log\":{\"a\":{\"b\":1,\"c\":{\"d\":2}}}}", "a.b@100=1 a.c.d@100=2 ");
    expect("{\"log\":{\"t\":true,\"f\":false,\"s\":\"x\",\"n\":null,\"l\":[1]}}", "t@100=1 f@100=0 ");
    expect("{\"log\":{}}", "");
    expect("{\"summary\":{\"best\":2}}", "summary best@100=2 ");
    expect("{\"define_metric\":{\"name\":\"acc\",\"summary\":\"max\"}}", "");
    expect("{\"preempting\":true}", "preempting");
    expect("{\"preempting\":false}", "");
    expect("{\"ask\":\"config\"}", "ask");
}

static void takes_what_python_writes(void **state)
{
    (void)state;
    expect("{\"log\": {\"a\": NaN, \"b\": Infinity, \"c\": -Infinity}}", "a@100=nan b@100=inf c@100=-inf ");
    expect("{\"log\": {\"NaN\": 1, \"x\\\"NaN\": NaN}}", "NaN@100=1 x\"NaN@100=nan ");
    expect("{\"log\": {\"a\": \"NaN\"}}", "a@100=nan ");
    expect("{\"log\": {\"seed\": 14695981039346656037, \"a\": 1}, \"step\": 3}", "seed@3=1.4696e+19 a@3=1 ");
    expect("{\"log\": {\"a\": 1}, \"step\": 5.0}", "a@5=1 ");
    expect("{\"log\": {\"a\": 1}, \"step\": 1e300}", "\"step\" must be a whole number");
}

static void refuses_the_rest(void **state)
{
    (void)state;
    expect("", "not a JSON object: '[' or '{' expected near end of file");
    expect("[1]", "not a JSON object: another type");
    expect("{\"lag\":{}}", "unknown request \"lag\" (did you mean \"log\"?)");
    expect("{\"log\":3}", "\"log\" and \"summary\" take an object of values");
    expect("{\"log\":{\"a\":1},\"step\":1.5}", "\"step\" must be a whole number");
    expect("{\"ask\":\"secrets\"}", "\"ask\" knows \"config\" alone");
    expect("{\"log\":{\"\":1}}", "a metric's name must have 1 to 256 bytes");
    char line[400];
    snprintf(line, sizeof line, "{\"log\":{\"%0300d\":1}}", 0);
    expect(line, "a metric's name must have 1 to 256 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_values),
        cmocka_unit_test(takes_what_python_writes),
        cmocka_unit_test(refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
