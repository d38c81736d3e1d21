// SPDX-License-Identifier: GPL-3.0-or-later
/* Batches of the search methods: order, end, reasons, and draws that do not depend on each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/suggestion/method.h"

static struct spec *parse(const char *text)
{
    struct spec_options options = {.methods = ~0u};
    struct spec_problems problems;
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    spec_problems_init(&problems);
    if (spec_parse(text, strlen(text), "sweep", &options, &spec, &problems, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    spec_problems_free(&problems);
    return spec;
}

static struct suggest_batch ask(const struct spec *spec, uint64_t seed, int64_t first, int32_t count)
{
    struct suggest_input input = {.spec = spec, .seed = seed, .first_ordinal = first, .count = count};
    struct suggest_batch batch;
    struct err err = ERR_INIT;
    if (suggest(&input, &batch, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < batch.count; i++)
        assert_int_equal(batch.items[i].ordinal, first + (int64_t)i);
    return batch;
}

static void assert_text(const json_t *value, const char *expected)
{
    char *text = space_config_text(value);
    assert_string_equal(text, expected);
    free(text);
}

static const char grid_text[] =
    "{\"method\":\"grid\",\"parameters\":{\"b\":{\"values\":[1,2]},\"a\":{\"values\":[\"x\",\"y\"]},"
    "\"c\":{\"value\":0.5}}}";

static void test_a_grid_goes_as_nested_loops_do(void **state)
{
    (void)state;
    struct spec *spec = parse(grid_text);
    struct suggest_batch batch = ask(spec, 1, 0, 10);
    assert_int_equal(batch.count, 4);
    assert_true(batch.exhausted);
    assert_text(batch.items[0].params, "{\"a\":\"x\",\"b\":1,\"c\":0.5}");
    assert_text(batch.items[1].params, "{\"a\":\"x\",\"b\":2,\"c\":0.5}");
    assert_text(batch.items[2].params, "{\"a\":\"y\",\"b\":1,\"c\":0.5}");
    assert_text(batch.items[3].params, "{\"a\":\"y\",\"b\":2,\"c\":0.5}");
    assert_text(batch.items[3].why, "{\"index\":3,\"method\":\"grid\",\"of\":4}");
    suggest_batch_free(&batch);
    spec_free(spec);
}

static void test_a_grid_ends_with_its_last_point(void **state)
{
    (void)state;
    struct spec *spec = parse(grid_text);
    static const struct {
        int64_t first;
        int32_t count;
        size_t given;
        bool exhausted;
    } rows[] = {
        {0, 3, 3, false}, {0, 4, 4, true}, {3, 1, 1, true}, {4, 1, 0, true}, {INT64_MAX, 1000, 0, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct suggest_batch batch = ask(spec, 1, rows[i].first, rows[i].count);
        assert_int_equal(batch.count, rows[i].given);
        assert_int_equal(batch.exhausted, rows[i].exhausted);
        suggest_batch_free(&batch);
    }
    spec_free(spec);
}

static const char random_text[] =
    "{\"method\":\"random\",\"parameters\":{\"lr\":{\"distribution\":\"log_uniform_values\",\"min\":1e-5,"
    "\"max\":0.1},\"n\":{\"min\":1,\"max\":9}}}";

static void test_random_draws_keep_their_values(void **state)
{
    (void)state;
    static const char *const golden[] = {
        "{\"lr\":0.012252334063020136,\"n\":8}",
        "{\"lr\":0.0006261387586896516,\"n\":6}",
    };
    struct spec *spec = parse(random_text);
    struct suggest_batch batch = ask(spec, 1, 0, 2);
    assert_int_equal(batch.count, 2);
    assert_false(batch.exhausted);
    for (size_t i = 0; i < ARRAY_LEN(golden); i++)
        assert_text(batch.items[i].params, golden[i]);
    assert_text(batch.items[1].why, "{\"method\":\"random\",\"ordinal\":1,\"seed\":1}");
    suggest_batch_free(&batch);
    spec_free(spec);
}

static void test_a_new_parameter_changes_no_other_draw(void **state)
{
    (void)state;
    struct spec *small = parse(random_text);
    struct spec *large = parse("{\"method\":\"random\",\"parameters\":{\"a\":{\"min\":0.0,\"max\":1.0},"
                               "\"lr\":{\"distribution\":\"log_uniform_values\",\"min\":1e-5,\"max\":0.1},"
                               "\"m\":{\"values\":[1,2,3]},\"n\":{\"min\":1,\"max\":9}}}");
    struct suggest_batch few = ask(small, 7, 100, 50);
    struct suggest_batch many = ask(large, 7, 100, 50);
    for (size_t i = 0; i < few.count; i++) {
        json_object_del(many.items[i].params, "a");
        json_object_del(many.items[i].params, "m");
        assert_true(json_equal(few.items[i].params, many.items[i].params));
    }
    suggest_batch_free(&few);
    suggest_batch_free(&many);
    spec_free(small);
    spec_free(large);
}

static void test_batches_do_not_depend_on_how_they_are_cut(void **state)
{
    (void)state;
    struct spec *spec = parse(random_text);
    struct suggest_batch whole = ask(spec, 3, 0, 20);
    for (size_t i = 0; i < whole.count; i++) {
        struct suggest_batch one = ask(spec, 3, (int64_t)i, 1);
        assert_true(json_equal(one.items[0].params, whole.items[i].params));
        assert_memory_equal(one.items[0].config_hash, whole.items[i].config_hash, SPACE_HASH_SIZE);
        suggest_batch_free(&one);
    }
    suggest_batch_free(&whole);
    spec_free(spec);
}

static void test_what_cannot_be_suggested_is_refused(void **state)
{
    (void)state;
    struct spec *random = parse(random_text);
    struct spec *bayes = parse("{\"method\":\"bayes\",\"metric\":{\"name\":\"loss\",\"goal\":\"minimize\"},"
                               "\"parameters\":{\"x\":{\"min\":0.0,\"max\":1.0}}}");
    const struct {
        struct suggest_input input;
        enum status status;
    } rows[] = {
        {{.spec = random, .first_ordinal = 0, .count = 0}, STATUS_INVALID},
        {{.spec = random, .first_ordinal = 0, .count = SUGGEST_COUNT_MAX + 1}, STATUS_INVALID},
        {{.spec = random, .first_ordinal = -1, .count = 1}, STATUS_INVALID},
        {{.spec = bayes, .first_ordinal = 0, .count = 1}, STATUS_UNIMPLEMENTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct suggest_batch batch;
        struct err err = ERR_INIT;
        assert_int_equal(suggest(&rows[i].input, &batch, &err), rows[i].status);
        assert_int_equal(batch.count, 0);
    }
    spec_free(random);
    spec_free(bayes);
}

static const char enqueued_grid[] =
    "{\"method\":\"grid\",\"enqueue\":[{\"a\":\"y\",\"b\":2.0},{\"b\":2}],"
    "\"parameters\":{\"b\":{\"values\":[1,2]},\"a\":{\"values\":[\"x\",\"y\"]},\"c\":{\"value\":0.5}}}";

static void test_points_of_the_file_come_first(void **state)
{
    (void)state;
    struct spec *spec = parse(enqueued_grid);
    struct suggest_batch batch = ask(spec, 1, 0, 10);
    assert_int_equal(batch.count, 6);
    assert_true(batch.exhausted);
    assert_text(batch.items[0].params, "{\"a\":\"y\",\"b\":2,\"c\":0.5}");
    assert_text(
        batch.items[0].why,
        "{\"drawn\":[],\"method\":\"grid\",\"of\":2,\"ordinal\":0,\"phase\":\"enqueued\",\"point\":1}");
    assert_text(batch.items[1].why, "{\"drawn\":[\"a\"],\"method\":\"grid\",\"of\":2,\"ordinal\":1,\"phase\":"
                                    "\"enqueued\",\"point\":2}");
    assert_text(batch.items[2].params, "{\"a\":\"x\",\"b\":1,\"c\":0.5}");
    assert_text(batch.items[2].why, "{\"index\":0,\"method\":\"grid\",\"of\":4}");
    /* The store tells equal points by their hashes. */
    assert_memory_equal(batch.items[0].config_hash, batch.items[5].config_hash, SPACE_HASH_SIZE);
    suggest_batch_free(&batch);
    batch = ask(spec, 1, 1, 2);
    assert_int_equal(batch.count, 2);
    assert_false(batch.exhausted);
    assert_text(batch.items[1].params, "{\"a\":\"x\",\"b\":1,\"c\":0.5}");
    suggest_batch_free(&batch);
    spec_free(spec);
}

/* What the file leaves open is drawn as the run's own draw would be. */
static void test_open_parameters_are_drawn(void **state)
{
    (void)state;
    struct spec *with =
        parse("{\"method\":\"random\",\"enqueue\":[{\"y\":0.25},{\"n\":{\"z\":3}}],\"parameters\":{"
              "\"x\":{\"min\":0.0,\"max\":1.0},\"y\":{\"min\":0.0,\"max\":1.0},"
              "\"n\":{\"parameters\":{\"z\":{\"min\":1,\"max\":9}}}}}");
    struct spec *without = parse("{\"method\":\"random\",\"parameters\":{"
                                 "\"x\":{\"min\":0.0,\"max\":1.0},\"y\":{\"min\":0.0,\"max\":1.0},"
                                 "\"n\":{\"parameters\":{\"z\":{\"min\":1,\"max\":9}}}}}");
    struct suggest_batch a = ask(with, 5, 0, 4);
    struct suggest_batch b = ask(without, 5, 0, 4);
    assert_true(json_equal(json_object_get(a.items[0].params, "x"), json_object_get(b.items[0].params, "x")));
    assert_true(json_real_value(json_object_get(a.items[0].params, "y")) == 0.25);
    assert_text(json_object_get(a.items[0].why, "drawn"), "[\"n.z\",\"x\"]");
    assert_text(json_object_get(a.items[1].params, "n"), "{\"z\":3}");
    assert_true(json_equal(a.items[2].params, b.items[2].params));
    assert_true(json_equal(a.items[3].why, b.items[3].why));
    suggest_batch_free(&a);
    suggest_batch_free(&b);
    spec_free(with);
    spec_free(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_grid_goes_as_nested_loops_do),
        cmocka_unit_test(test_a_grid_ends_with_its_last_point),
        cmocka_unit_test(test_random_draws_keep_their_values),
        cmocka_unit_test(test_a_new_parameter_changes_no_other_draw),
        cmocka_unit_test(test_batches_do_not_depend_on_how_they_are_cut),
        cmocka_unit_test(test_what_cannot_be_suggested_is_refused),
        cmocka_unit_test(test_points_of_the_file_come_first),
        cmocka_unit_test(test_open_parameters_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
