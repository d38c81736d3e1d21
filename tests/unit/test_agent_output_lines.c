// SPDX-License-Identifier: Apache-2.0
// Metrics in what a program prints.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "clients/agent/output_lines.h"

static void metric(void *context, const char *name, size_t length, double value)
{
    buffer_printf(context, "%.*s=%.10g ", (int)length, name, value);
}

static void row_end(void *context, bool has_step, int64_t step)
{
    if (has_step)
        buffer_printf(context, "@%lld ", (long long)step);
    buffer_puts(context, "; ");
}

static struct output_lines *make(struct buffer *seen, const char *pattern, const char *step)
{
    struct output_lines *lines = NULL;
    struct err err = ERR_INIT;
    const struct output_lines_options options = {
        .pattern = pattern, .step = step, .context = seen, .metric = metric, .row_end = row_end};
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_OK);
    return lines;
}

/* The same rows, whatever pieces the text comes in. */
static void expect_with(const char *pattern, const char *step, const char *text, const char *expected)
{
    for (size_t piece = 1; piece < 100; piece = piece * 3 + 1) {
        struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT;
        struct output_lines *lines = make(&seen, pattern, step);
        for (size_t at = 0; at < strlen(text); at += piece)
            output_lines_add(lines, text + at, strlen(text + at) < piece ? strlen(text + at) : piece);
        output_lines_end(lines);
        output_lines_free(lines);
        assert_string_equal(buffer_text(&seen), expected);
    }
}

static void expect(const char *text, const char *expected)
{
    expect_with(NULL, NULL, text, expected);
}

static void finds_pairs(void **state)
{
    (void)state;
    expect("loss=0.5 acc=1\n", "loss=0.5 acc=1 ; ");
    expect("epoch 3: val/loss=-1e-5, val.acc=.75; n-1=+2 _x=3.\n",
           "val/loss=-1e-05 val.acc=0.75 n-1=2 _x=3 ; ");
    expect("a=nan b=-inf c=Infinity d=NaN\n", "a=nan b=-inf c=inf d=nan ; ");
    expect("no values here\n\n = =1 x= y\n", "");
    expect("a=1\nb=2\n", "a=1 ; b=2 ; ");
    expect("a=1\nb=2", "a=1 ; b=2 ; ");
    expect("100%|####| 9/9 [00:01<00:00, 9.1it/s, loss=0.25]\n", "loss=0.25 ; ");
}

static void passes_over_what_is_no_pair(void **state)
{
    (void)state;
    expect("gpu=97% t=3ms ip=10.0.0.1 v=0x10 d=1-2 s=\"1\" e=1e f=1e5x\n", "");
    expect("--lr=0.1 2x=3 a==1 loss: 0.5\n", "");
    expect("x=nano y=info\n", "");
    expect("é=1 aé=1\n", "");
}

static void reads_objects(void **state)
{
    (void)state;
    expect("{\"loss\": 0.5, \"val\": {\"acc\": 1}, \"note\": \"a=1\", \"ok\": true}\n",
           "loss=0.5 val.acc=1 ; ");
    expect("  {\"loss\": NaN}\n", "loss=nan ; ");
    expect("{loss=0.5}\n", "loss=0.5 ; "); /* no JSON */
    expect("{\"note\": \"x\"}\n", "");
}

static void reads_progress_bars_and_colours(void **state)
{
    (void)state;
    expect("10% loss=3\r20% loss=2\r\n", "loss=3 ; loss=2 ; ");
    expect("\033[1;32mloss=\033[0m0.5\033[K acc=\033[31m1\033[0m\n", "loss=0.5 acc=1 ; ");
    expect("\033]8;;http://x/?a=1\aloss=1\033]8;;\033\\ acc=2\n", "loss=1 acc=2 ; ");
    expect("\033[\nloss=1\n", "loss=1 ; ");
}

static void lines_name_their_step(void **state)
{
    (void)state;
    expect_with(NULL, "epoch", "epoch=3 loss=0.5\nepoch=4\nloss=0.25\n{\"loss\":1,\"epoch\":5.0}\n",
                "loss=0.5 @3 ; loss=0.25 ; loss=1 @5 ; ");
    expect_with(NULL, "epoch", "epoch=0.5 loss=1\nepoch=nan loss=1\n", "loss=1 ; loss=1 ; ");
}

static void patterns_are_searched_again_and_again(void **state)
{
    const char *pattern = "([a-z_]+): +([-+0-9.e]+)";
    (void)state;
    expect_with(pattern, "step", "step: 3 loss: 0.5 - acc: 1e-2\nloss=3\n", "loss=0.5 acc=0.01 @3 ; ");
    expect_with(pattern, NULL, "loss: 1.2.3 acc: 5\n", "acc=5 ; ");
    expect_with("^(a)?=?([0-9]*)", NULL, "a=1a=2\n", "a=1 ; ");
    expect_with("(a)|(b)", NULL, "ab\n", "");
    expect_with("(.)=(.)", NULL, "x=1 \x80=2\n", "x=1 ; ");
    expect_with("(x*)(y*)", NULL, "zzzz\n", "");
}

static void patterns_are_checked(void **state)
{
    struct output_lines *lines = NULL;
    struct err err = ERR_INIT;
    struct output_lines_options options = {.pattern = "(a", .metric = metric, .row_end = row_end};
    (void)state;
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "output_metrics: pattern: "));
    options.pattern = "(a)=";
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_INVALID);
    assert_string_equal(err.text, "output_metrics: pattern: two groups are needed, name and value");
    options.pattern = "([a-z]+).*\\1=([0-9])";
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "it takes no references to groups"));
    options.pattern = "(x++++++++++++++++++++++)=([0-9])";
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "it is too large"));
    options.pattern = "([a-z]+)[\\1]\\\\1=([0-9])";
    assert_int_equal(output_lines_new(&options, &lines, &err), STATUS_OK);
    output_lines_free(lines);
}

/* A search takes time by the square of the length. */
static void patterns_are_searched_for_in_short_lines(void **state)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT, text CLEANUP(buffer_free) = BUFFER_INIT;
    struct output_lines *lines = make(&seen, "([a-z]+)=([0-9.]+)", NULL);
    (void)state;
    buffer_puts(&text, "a=1 ");
    while (text.length < OUTPUT_LINE_MAX)
        buffer_putc(&text, 'x');
    buffer_puts(&text, " b=2\nc=3\n");
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    output_lines_add(lines, buffer_text(&text), text.length);
    assert_true(clock_monotonic_ms(&clock_system) - begin_ms < 2000);
    output_lines_free(lines);
    assert_string_equal(buffer_text(&seen), "a=1 ; c=3 ; ");
}

/* Of a very long line the begin counts, and no number that was cut. */
static void long_lines_are_cut(void **state)
{
    struct buffer seen CLEANUP(buffer_free) = BUFFER_INIT, text CLEANUP(buffer_free) = BUFFER_INIT;
    struct output_lines *lines = make(&seen, NULL, NULL);
    (void)state;
    buffer_puts(&text, "a=1 ");
    while (text.length < OUTPUT_LINE_MAX - 5)
        buffer_putc(&text, 'x');
    buffer_puts(&text, " b=12345 c=1\nd=1\n");
    output_lines_add(lines, buffer_text(&text), text.length);
    output_lines_add(lines, "e=1\0f=2\n", 8);
    output_lines_free(lines);
    assert_string_equal(buffer_text(&seen), "a=1 ; d=1 ; e=1 f=2 ; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_pairs),           cmocka_unit_test(passes_over_what_is_no_pair),
        cmocka_unit_test(reads_objects),         cmocka_unit_test(reads_progress_bars_and_colours),
        cmocka_unit_test(lines_name_their_step), cmocka_unit_test(patterns_are_searched_again_and_again),
        cmocka_unit_test(patterns_are_checked),  cmocka_unit_test(patterns_are_searched_for_in_short_lines),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
