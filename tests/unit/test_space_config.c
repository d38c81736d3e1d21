// SPDX-License-Identifier: GPL-3.0-or-later
/* Configurations: identity, text form, random draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/space.h"

static json_t *load(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    if (value == NULL)
        fail_msg("%s: %s", text, error.text);
    return value;
}

static void hash_of(const char *text, unsigned char out[SPACE_HASH_SIZE])
{
    struct err err = ERR_INIT;
    json_t *value = load(text);
    assert_int_equal(space_config_hash(value, out, &err), STATUS_OK);
    json_decref(value);
}

static bool same(const char *a, const char *b)
{
    unsigned char x[SPACE_HASH_SIZE];
    unsigned char y[SPACE_HASH_SIZE];
    hash_of(a, x);
    hash_of(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

static void test_equal_configurations(void **state)
{
    (void)state;
    assert_true(same("{\"a\": 3.0}", "{\"a\": 3}"));
    assert_true(same("{\"a\": -0.0}", "{\"a\": 0}"));
    assert_true(same("{\"a\": 1, \"b\": {\"c\": 2, \"d\": 3}}", "{\"b\": {\"d\": 3, \"c\": 2}, \"a\": 1}"));
    assert_true(same("{\"a\": 1e15}", "{\"a\": 1000000000000000}"));
    assert_true(same("{\"a\": 0.1}", "{\"a\": 0.10000000000000001}"));
}

static void test_different_configurations(void **state)
{
    (void)state;
    assert_false(same("{\"a\": true}", "{\"a\": 1}"));
    assert_false(same("{\"a\": \"1\"}", "{\"a\": 1}"));
    assert_false(same("{\"a\": null}", "{\"a\": 0}"));
    assert_false(same("{\"a\": null}", "{}"));
    assert_false(same("{\"a\": false}", "{\"a\": null}"));
    assert_false(same("{\"a\": [1, 2]}", "{\"a\": [2, 1]}"));
    assert_false(same("{\"a\": 9007199254740992}", "{\"a\": 9007199254740993}"));
    assert_false(same("{\"a\": 9223372036854775807}", "{\"a\": 9223372036854775806}"));
    assert_false(same("{\"a\": \"x\\\",\\\"b\\\":\\\"y\"}", "{\"a\": \"x\", \"b\": \"y\"}"));
    assert_false(same("{\"a\": 0.1}", "{\"a\": 0.10000000000000002}"));
}

/* Stored hashes must not change: SHA-256 of {"a":{"b":[1,2.5,"x",null,true]},"lr":3}. */
static void test_hash_is_stable(void **state)
{
    (void)state;
    unsigned char hash[SPACE_HASH_SIZE];
    hash_of("{\"lr\": 3.0, \"a\": {\"b\": [1, 2.5, \"x\", null, true]}}", hash);
    char text[2 * SPACE_HASH_SIZE + 1];
    for (size_t i = 0; i < SPACE_HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(text, "c82936dadc1b7e708661f3e7176c5a637b2a9ee4853b4af3964662e63bfe183e");
}

struct text_form {
    const char *json;
    const char *expected;
};

static void test_text_is_short_and_reads_back(void **state)
{
    (void)state;
    static const struct text_form forms[] = {
        {"3.0", "3.0"},
        {"3", "3"},
        {"-0.0", "-0.0"},
        {"0.1", "0.1"},
        {"1e-5", "1e-05"},
        {"0.0001", "0.0001"},
        {"0.00012345", "0.00012345"},
        {"1.5e300", "1.5e+300"},
        {"1e16", "1e+16"},
        {"123456789012345680.0", "1.2345678901234568e+17"},
        {"1234567.25", "1234567.25"},
        {"100.0", "100.0"},
        {"5e-324", "5e-324"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"9223372036854775807", "9223372036854775807"},
        {"{\"b\": 1, \"a\": [true, null, \"\\u0001\\\"\\\\/\"]}",
         "{\"a\":[true,null,\"\\u0001\\\"\\\\/\"],\"b\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        json_t *value = load(forms[i].json);
        char *text = space_config_text(value);
        assert_string_equal(text, forms[i].expected);
        json_t *again = load(text);
        assert_true(json_equal(value, again));
        json_decref(again);
        json_decref(value);
        free(text);
    }
}

static struct space *build(const char *parameters_text)
{
    json_t *parameters = load(parameters_text);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_new(parameters, &space, &err), STATUS_OK);
    json_decref(parameters);
    return space;
}

static json_t *draw(const struct space *space, uint64_t seed, uint64_t ordinal)
{
    json_t *config = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_random_point(space, seed, ordinal, &config, &err), STATUS_OK);
    return config;
}

/* A draw is a function of seed, ordinal and path alone. */
static void test_draws_do_not_depend_on_other_parameters(void **state)
{
    (void)state;
    struct space *few = build("{\"lr\": {\"min\": 0.0, \"max\": 1.0}}");
    struct space *more = build("{\"a\": {\"values\": [1, 2]}, \"lr\": {\"min\": 0.0, \"max\": 1.0},"
                               " \"m\": {\"parameters\": {\"lr\": {\"min\": 0.0, \"max\": 1.0}}}}");
    for (uint64_t ordinal = 0; ordinal < 100; ordinal++) {
        json_t *x = draw(few, 7, ordinal);
        json_t *y = draw(more, 7, ordinal);
        json_t *other_seed = draw(few, 8, ordinal);
        assert_true(json_equal(json_object_get(x, "lr"), json_object_get(y, "lr")));
        assert_false(json_equal(json_object_get(y, "lr"), json_object_get(json_object_get(y, "m"), "lr")));
        assert_false(json_equal(x, other_seed));
        json_decref(x);
        json_decref(y);
        json_decref(other_seed);
    }
    space_free(few);
    space_free(more);
}

static void test_space_survives_json(void **state)
{
    (void)state;
    struct space *space =
        build("{\"a\": {\"values\": [1, 2]}, \"m\": {\"parameters\": {\"lr\": {\"min\": 0.0, \"max\":"
              " 1.0}, \"n\": {\"min\": 1, \"max\": 9}}}}");
    json_t *stored = space_to_json(space);
    char *text = space_config_text(stored);
    assert_string_equal(text,
                        "{\"a\":{\"distribution\":\"categorical\",\"values\":[1,2]},\"m\":{\"parameters\":"
                        "{\"lr\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0},"
                        "\"n\":{\"distribution\":\"int_uniform\",\"max\":9,\"min\":1}}}}");
    struct space *again = build(text);
    json_t *x = draw(space, 1, 2);
    json_t *y = draw(again, 1, 2);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
    json_decref(stored);
    free(text);
    space_free(space);
    space_free(again);
}

static void test_values_outside_are_refused(void **state)
{
    (void)state;
    struct space *space = build("{\"a\": {\"values\": [1, 2]}, \"n\": {\"min\": 1, \"max\": 9}}");
    double units[2];
    struct err err = ERR_INIT;
    static const char *const wrong[] = {"{\"a\": 3, \"n\": 2}", "{\"a\": 1, \"n\": 10}",
                                        "{\"a\": 1, \"n\": 2.5}", "{\"a\": 1}"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        json_t *config = load(wrong[i]);
        assert_int_equal(space_to_unit(space, config, units, &err), STATUS_INVALID);
        json_decref(config);
    }
    space_free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_configurations),
        cmocka_unit_test(test_different_configurations),
        cmocka_unit_test(test_hash_is_stable),
        cmocka_unit_test(test_text_is_short_and_reads_back),
        cmocka_unit_test(test_draws_do_not_depend_on_other_parameters),
        cmocka_unit_test(test_space_survives_json),
        cmocka_unit_test(test_values_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
