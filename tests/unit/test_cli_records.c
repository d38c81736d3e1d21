// SPDX-License-Identifier: GPL-3.0-or-later
/* Data for programs: exact numbers, times, CSV and JSON, and the names of metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "clients/cli/format.h"
#include "clients/cli/metric_stream.h"
#include "clients/cli/records.h"
#include "clients/cli/run_edit.h"
#include "clients/cli/series_json.h"

static void exact_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {-0.0, "-0"},
                {3, "3"},
                {0.1, "0.1"},
                {1.0 / 3, "0.3333333333333333"},
                {0.1 + 0.2, "0.30000000000000004"},
                {1e15, "1e+15"},
                {123456789012345, "123456789012345"},
                {9007199254740992.0, "9007199254740992"},
                {1e300, "1e+300"},
                {5e-324, "5e-324"},
                {2.2250738585072014e-308, "2.2250738585072014e-308"},
                {1.7976931348623157e308, "1.7976931348623157e+308"},
                {(double)NAN, "NaN"},
                {(double)INFINITY, "Infinity"},
                {-(double)INFINITY, "-Infinity"}};
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(format_exact(rows[i].value, text), rows[i].text);
}

static void exact_numbers_read_back(void **state)
{
    (void)state;
    char text[FORMAT_SIZE];
    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t bits = random_draw_u64(20261121, 0, "exact", i);
        double value;
        memcpy(&value, &bits, sizeof value);
        format_exact(value, text);
        if (!isnan(value) && !isinf(value) && strtod(text, NULL) != value)
            fail_msg("%a reads back from %s as another", value, text);
    }
}

static void times_are_iso_8601(void **state)
{
    (void)state;
    char text[FORMAT_SIZE];
    assert_string_equal(format_time(0, text), "");
    assert_string_equal(format_time(1795284880019892, text), "2026-11-21T18:14:40.019892Z");
    assert_string_equal(format_time(1, text), "1970-01-01T00:00:00.000001Z");
    assert_string_equal(format_time(-1, text), "1969-12-31T23:59:59.999999Z");
    assert_true(strlen(format_time(INT64_MAX, text)) < FORMAT_SIZE);
}

static void cells_are_quoted_where_they_must(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"a b", "a b"},   {"", "\"\""},         {"a,b", "\"a,b\""}, {"say \"so\"", "\"say \"\"so\"\"\""},
        {"=1+1", "=1+1"}, {"a\nb", "\"a\nb\""}, {"größe", "größe"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
        csv_text(&out, rows[i].text);
        assert_string_equal(buffer_text(&out), rows[i].wanted);
    }
}

static void json_numbers_stay_reals(void **state)
{
    (void)state;
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    static const double values[] = {3, -0.0, 0.5, 1e300, (double)NAN, -(double)INFINITY};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        buffer_putc(&out, ' ');
        json_real_text(&out, values[i]);
    }
    assert_string_equal(buffer_text(&out), " 3.0 -0.0 0.5 1e+300 \"NaN\" \"-Infinity\"");
    buffer_clear(&out);
    json_text(&out, "a\"b\\c\n\x01ü");
    assert_string_equal(buffer_text(&out), "\"a\\\"b\\\\c\\u000a\\u0001ü\"");
}

static const struct Besom__V1__Series *piece(const char *name)
{
    static int64_t steps[] = {1, 2}, times[] = {1000000, 2000000};
    static double values[] = {0.5, 0};
    static Besom__V1__Series series;
    series = (Besom__V1__Series)BESOM__V1__SERIES__INIT;
    values[1] = (double)NAN;
    series.name = (char *)(uintptr_t)name;
    series.steps = steps;
    series.values = values;
    series.times_us = times;
    series.n_steps = series.n_values = series.n_times_us = 2;
    return &series;
}

static char *written(FILE *stream, char **text, size_t *size)
{
    (void)size;
    fclose(stream);
    return *text;
}

static void points_as_rows(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    struct point_writer csv CLEANUP(point_writer_release) = {
        .stream = stream, .format = RECORD_CSV, .sweep_id = "s", .run_id = "r"};
    struct point_writer json CLEANUP(point_writer_release) = {.stream = stream, .format = RECORD_JSON};
    assert_true(point_writer_begin(&csv) && point_writer_add(&csv, 3, piece("a,b")));
    assert_true(point_writer_begin(&json) && point_writer_add(&json, 3, piece("a\"b")));
    assert_int_equal(csv.count, 2);
    assert_string_equal(written(stream, &text, &size),
                        "sweep,run,attempt,metric,step,time,value\r\n"
                        "s,r,3,\"a,b\",1,1970-01-01T00:00:01.000000Z,0.5\r\n"
                        "s,r,3,\"a,b\",2,1970-01-01T00:00:02.000000Z,NaN\r\n"
                        "{\"attempt\":3,\"metric\":\"a\\\"b\",\"step\":1,\"time\":\"1970-01-01T00:00:01."
                        "000000Z\",\"value\":0.5}\n"
                        "{\"attempt\":3,\"metric\":\"a\\\"b\",\"step\":2,\"time\":\"1970-01-01T00:00:02."
                        "000000Z\",\"value\":\"NaN\"}\n");
    free(text);
}

static void pieces_of_a_series_are_joined(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    char run_id[] = "r", sweep_id[] = "s";
    Besom__V1__Run run = BESOM__V1__RUN__INIT;
    run.run_id = run_id;
    run.sweep_id = sweep_id;
    struct series_json writer CLEANUP(series_json_release) = {.stream = stream, .run = &run};
    struct series_json none CLEANUP(series_json_release) = {.stream = stream, .run = &run};
    assert_true(series_json_points(&writer, 1, piece("a")) && series_json_points(&writer, 2, piece("a")) &&
                series_json_points(&writer, 1, piece("b")) && series_json_end(&writer));
    assert_true(series_json_end(&none));
    assert_string_equal(written(stream, &text, &size),
                        "{\"run_id\":\"r\",\"sweep_id\":\"s\",\"series\":["
                        "{\"name\":\"a\",\"steps\":[1,2,1,2],\"values\":[0.5,\"NaN\",0.5,\"NaN\"],"
                        "\"times_us\":[1000000,2000000,1000000,2000000],\"attempts\":[1,1,2,2]},"
                        "{\"name\":\"b\",\"steps\":[1,2],\"values\":[0.5,\"NaN\"],\"times_us\":[1000000,"
                        "2000000],\"attempts\":[1,1]}]}\n"
                        "{\"run_id\":\"r\",\"sweep_id\":\"s\",\"series\":[]}\n");
    free(text);
}

static void stars_stand_for_anything(void **state)
{
    (void)state;
    static const char *const fits[][2] = {{"loss", "loss"},     {"*", ""},         {"*", "a/b"},
                                          {"val/*", "val/acc"}, {"*acc", "x/acc"}, {"a*b*c", "abbc"},
                                          {"a**", "a"},         {"*a*", "bab"},    {"a*b", "aab"},
                                          {"[a]", "[a]"},       {"a?", "a?"}};
    static const char *const others[][2] = {{"loss", "los"}, {"los", "loss"}, {"val/*", "value"},
                                            {"*b", "ba"},    {"", "a"},       {"a*b*c", "abb"},
                                            {"a?", "ab"}};
    for (size_t i = 0; i < ARRAY_LEN(fits); i++)
        assert_true(metric_name_fits(fits[i][0], fits[i][1]));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(metric_name_fits(others[i][0], others[i][1]));
}

static void lists_are_split_at_commas(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    const char *items[] = {"a,b c", ",", "d,,e,"};
    const struct config_list list = {.items = items, .count = ARRAY_LEN(items)};
    struct config_list words;
    assert_true(split_list(&arena, &list, &words));
    assert_int_equal(words.count, 4);
    assert_string_equal(words.items[1], "b c");
    assert_string_equal(words.items[3], "e");
}

static void edits_are_foretold(void **state)
{
    (void)state;
    char name[] = "n", notes[] = "", tag[] = "a";
    char *tags[] = {tag};
    const char *added[] = {"a"}, *removed[] = {"b"};
    Besom__V1__Run run = BESOM__V1__RUN__INIT;
    run.name = name;
    run.notes = notes;
    run.tags = tags;
    run.n_tags = 1;
    assert_false(run_edit_changes(&(struct run_edit){.name = "n", .notes = ""}, &run));
    assert_true(run_edit_changes(&(struct run_edit){.name = ""}, &run));
    assert_true(run_edit_changes(&(struct run_edit){.notes = "x"}, &run));
    assert_false(
        run_edit_changes(&(struct run_edit){.add_tags = {added, 1}, .remove_tags = {removed, 1}}, &run));
    assert_true(run_edit_changes(&(struct run_edit){.add_tags = {removed, 1}}, &run));
    assert_true(run_edit_changes(&(struct run_edit){.remove_tags = {added, 1}}, &run));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_numbers),
        cmocka_unit_test(exact_numbers_read_back),
        cmocka_unit_test(times_are_iso_8601),
        cmocka_unit_test(cells_are_quoted_where_they_must),
        cmocka_unit_test(json_numbers_stay_reals),
        cmocka_unit_test(points_as_rows),
        cmocka_unit_test(pieces_of_a_series_are_joined),
        cmocka_unit_test(stars_stand_for_anything),
        cmocka_unit_test(lists_are_split_at_commas),
        cmocka_unit_test(edits_are_foretold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
