// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "clients/cli/format.h"
#include "clients/cli/progress.h"
#include "clients/cli/stack_child.h"
#include "clients/cli/stack_tcp.h"
#include "clients/cli/table.h"

static void numbers_have_six_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},        {-0.0, "0"},           {12345678, "12345678"}, {0.0123, "0.0123"},
                {1e-5, "1e-05"}, {1.0 / 3, "0.333333"}, {-2.5, "-2.5"},         {1e300, "1e+300"},
                {NAN, "nan"},    {INFINITY, "inf"},     {-INFINITY, "-inf"}};
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(format_number(rows[i].value, text), rows[i].text);
}

static void durations_have_two_units(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{-5, "0ms"},
                {0, "0ms"},
                {999, "999ms"},
                {1000, "1.0s"},
                {12340, "12.3s"},
                {59999, "59.9s"},
                {60000, "1m00s"},
                {245000, "4m05s"},
                {3599999, "59m59s"},
                {7980000, "2h13m"},
                {86399999, "23h59m"},
                {273600000, "3d04h"},
                {INT64_MAX, "106751991167d07h"}};
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(format_duration(rows[i].ms, text), rows[i].text);
}

static void ages_are_whole_seconds(void **state)
{
    (void)state;
    char text[FORMAT_SIZE];
    assert_string_equal(format_ago(0, 5, text), "-");
    assert_string_equal(format_ago(1000000, 1500000, text), "now");
    assert_string_equal(format_ago(1000000, 400000, text), "now");
    assert_string_equal(format_ago(1000000, 6700000, text), "5.0s ago");
    assert_string_equal(format_ago(1, 192000001, text), "3m12s ago");
}

static void percent_is_full_only_at_the_end(void **state)
{
    (void)state;
    char text[FORMAT_SIZE];
    assert_string_equal(format_percent(999, 1000, text), "99%");
    assert_string_equal(format_percent(1000, 1000, text), "100%");
    assert_string_equal(format_percent(0, 0, text), "0%");
}

static void width_counts_columns(void **state)
{
    (void)state;
    text_prepare();
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("größe"), 5);
    assert_int_equal(text_width("学习"), 4);
    assert_int_equal(text_width("e\xcc\x81"), 1); /* e and a combining accent */
    assert_int_equal(text_width("\xff\xfe"), 2);
}

static void check_cut(const char *text, size_t width, const char *wanted)
{
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    text_cut(text, width, &out);
    assert_string_equal(buffer_text(&out), wanted);
    assert_true(text_width(buffer_text(&out)) <= width);
}

static void cut_keeps_whole_characters(void **state)
{
    (void)state;
    text_prepare();
    check_cut("abcdef", 6, "abcdef");
    check_cut("abcdef", 5, "abcd…");
    check_cut("abcdef", 1, "…");
    check_cut("abcdef", 0, "");
    check_cut("größer", 4, "grö…");
    check_cut("学习率", 4, "学… ");
    check_cut("学习率", 5, "学习…");
}

static void clean_takes_control_characters_out(void **state)
{
    (void)state;
    text_prepare();
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    assert_string_equal(text_clean(&arena, "a\033[31mb\n\tc\xffü"), "a?[31mb  c?ü");
}

static void check_quote(const char *text, const char *wanted)
{
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    text_shell_quote(text, &out);
    assert_string_equal(buffer_text(&out), wanted);
}

static void shell_reads_a_quoted_word_back(void **state)
{
    (void)state;
    check_quote("--lr=0.01", "--lr=0.01");
    check_quote("", "''");
    check_quote("a b", "'a b'");
    check_quote("it's", "'it'\\''s'");
    check_quote("$(rm)", "'$(rm)'");
    check_quote("~x", "'~x'");
    check_quote("--x={'a': 1}", "'--x={'\\''a'\\'': 1}'");
}

static const struct table_column columns[] = {{"NAME", false}, {"VALUE", true}, {"NOTE", false}};

static void check_table(struct screen screen, const char *wanted)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    struct table table = table_make(&arena, columns, ARRAY_LEN(columns));
    table_add(&table, "größe");
    table_add(&table, "1.5");
    table_add(&table, "a rather long remark");
    table_add_styled(&table, "x", STYLE_GOOD);
    table_add(&table, "12345678");
    table_add(&table, "");
    table_format(&table, &screen, &out);
    assert_string_equal(buffer_text(&out), wanted);
}

static void table_aligns_columns(void **state)
{
    (void)state;
    text_prepare();
    check_table((struct screen){.width = 0}, "NAME      VALUE  NOTE\n"
                                             "größe       1.5  a rather long remark\n"
                                             "x      12345678  \n");
}

static void table_never_wraps(void **state)
{
    (void)state;
    text_prepare();
    check_table((struct screen){.width = 25}, "NAME      VALUE  NOTE\n"
                                              "größe       1.5  a rathe…\n"
                                              "x      12345678  \n");
    /* the last column would not fit even at its least */
    check_table((struct screen){.width = 15}, "NAME    VALUE\n"
                                              "größe     1.5\n"
                                              "x      12345…\n");
}

static void table_colours_cells(void **state)
{
    (void)state;
    text_prepare();
    check_table((struct screen){.width = 0, .colour = true},
                "\033[1mNAME\033[0m      \033[1mVALUE\033[0m  \033[1mNOTE\033[0m\n"
                "größe       1.5  a rather long remark\n"
                "\033[32mx\033[0m      12345678  \n");
}

static void bar_and_eta(void **state)
{
    (void)state;
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    progress_format_bar(1, 4, 8, &out);
    progress_format_bar(0, 0, 2, &out);
    progress_format_bar(9, 4, 3, &out);
    assert_string_equal(buffer_text(&out), "[##------][--][###]");
    assert_int_equal(progress_eta_ms(10, 40, 60), 30000);
    assert_int_equal(progress_eta_ms(10, 0, 60), -1);
    assert_int_equal(progress_eta_ms(40, 40, 60), -1);
    assert_int_equal(progress_eta_ms(10, 40, 0), -1);
    assert_true(progress_rate(5, 10000000) == 30);
    assert_true(progress_rate(5, 3600000000) == 5);
    assert_true(progress_rate(5, -7) == 300);
}

static void warnings_are_shown_as_text_and_as_json(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    struct screen plain = {.width = 0};
    Besom__V1__Sweep sweep = BESOM__V1__SWEEP__INIT;
    Besom__V1__Warning warning = BESOM__V1__WARNING__INIT, *warnings[] = {&warning};
    Besom__V1__WatchSweepResponse picture = BESOM__V1__WATCH_SWEEP_RESPONSE__INIT;
    char code[] = "a_danger", words[] = "mend\033 it", reason[] = "waiting for suggestions: none\033 come";
    picture.sweep = &sweep;
    progress_format(&arena, &picture, NULL, &plain, 0, &out);
    assert_null(strstr(buffer_text(&out), "warning"));
    warning.code = code;
    warning.text = words;
    picture.warnings = warnings;
    picture.n_warnings = 1;
    picture.waiting_reason = reason;
    progress_format(&arena, &picture, NULL, &plain, 0, &out);
    assert_non_null(strstr(buffer_text(&out), "\nwarning: mend"));
    assert_non_null(strstr(buffer_text(&out), "\nwaiting for suggestions: none"));
    assert_null(strchr(buffer_text(&out), '\033'));
    json_t *object = progress_json(&picture, NULL);
    const json_t *first = json_array_get(json_object_get(object, "warnings"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "code")), "a_danger");
    assert_string_equal(json_string_value(json_object_get(object, "waiting_reason")), reason);
    json_decref(object);
}

static void restarts_wait_longer_each_time(void **state)
{
    (void)state;
    int64_t backoff = 0;
    static const int64_t wanted[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        backoff = stack_child_next_backoff(backoff, 10);
        assert_int_equal(backoff, wanted[i]);
    }
    assert_int_equal(stack_child_next_backoff(5000, 60000), 100);
}

static void loopback_is_recognised(void **state)
{
    (void)state;
    assert_true(stack_tcp_is_loopback("127.0.0.1:7070"));
    assert_true(stack_tcp_is_loopback("[::1]:7070"));
    assert_true(stack_tcp_is_loopback("localhost:1"));
    assert_true(stack_tcp_is_loopback("7070"));
    assert_false(stack_tcp_is_loopback("0.0.0.0:7070"));
    assert_false(stack_tcp_is_loopback("[::]:7070"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_six_digits),
        cmocka_unit_test(durations_have_two_units),
        cmocka_unit_test(ages_are_whole_seconds),
        cmocka_unit_test(percent_is_full_only_at_the_end),
        cmocka_unit_test(width_counts_columns),
        cmocka_unit_test(cut_keeps_whole_characters),
        cmocka_unit_test(clean_takes_control_characters_out),
        cmocka_unit_test(shell_reads_a_quoted_word_back),
        cmocka_unit_test(table_aligns_columns),
        cmocka_unit_test(table_never_wraps),
        cmocka_unit_test(table_colours_cells),
        cmocka_unit_test(bar_and_eta),
        cmocka_unit_test(warnings_are_shown_as_text_and_as_json),
        cmocka_unit_test(restarts_wait_longer_each_time),
        cmocka_unit_test(loopback_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
