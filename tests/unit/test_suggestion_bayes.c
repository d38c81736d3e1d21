// SPDX-License-Identifier: GPL-3.0-or-later
/* A sweep's parameters as dimensions: the kind of each, the places of levels, and the way there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "services/suggestion/bayes_space.h"
#include "services/suggestion/slice.h"

static struct space *space_of(const char *text)
{
    struct space *space = NULL;
    struct err err = ERR_INIT;
    json_t *parameters = json_loads(text, 0, NULL);
    assert_non_null(parameters);
    if (space_new(parameters, &space, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    json_decref(parameters);
    return space;
}

struct example {
    const char *definition;
    enum optim_kind kind;
    uint64_t levels;
    double first, last; /* positions of ordered levels */
};

static const struct example examples[] = {
    {"{\"min\":0.0,\"max\":1.0}", OPTIM_FLOAT, 0, 0, 0},
    {"{\"distribution\":\"log_normal\",\"mu\":1,\"sigma\":2}", OPTIM_FLOAT, 0, 0, 0},
    {"{\"min\":1,\"max\":8}", OPTIM_ORDERED, 8, 0.0625, 0.9375},
    {"{\"min\":-9007199254740992,\"max\":9007199254740992}", OPTIM_FLOAT, 0, 0, 0},
    {"{\"values\":[\"a\",\"b\"]}", OPTIM_CATEGORY, 2, 0, 0},
    {"{\"values\":[1,2]}", OPTIM_CATEGORY, 2, 0, 0},
    {"{\"values\":[1,3,2]}", OPTIM_CATEGORY, 3, 0, 0},
    {"{\"values\":[1,2,\"3\"]}", OPTIM_CATEGORY, 3, 0, 0},
    {"{\"values\":[0,1,true]}", OPTIM_CATEGORY, 3, 0, 0},
    {"{\"values\":[\"a\",\"b\",\"a\",\"c\"]}", OPTIM_CATEGORY, 3, 0, 0},
    {"{\"values\":[0,1,2,3]}", OPTIM_ORDERED, 4, 0.125, 0.875},
    {"{\"values\":[1,10,100,1000]}", OPTIM_ORDERED, 4, 0.125, 0.875},
    {"{\"values\":[8,4,2,1]}", OPTIM_ORDERED, 4, 0.125, 0.875},
    {"{\"values\":[1,2,3],\"probabilities\":[0.5,0,0.5]}", OPTIM_CATEGORY, 2, 0, 0},
    {"{\"distribution\":\"q_uniform\",\"min\":0,\"max\":1,\"q\":0.25}", OPTIM_ORDERED, 5, 0, 1},
    {"{\"distribution\":\"q_log_uniform_values\",\"min\":1,\"max\":100,\"q\":1}", OPTIM_ORDERED, 100, 0, 1},
    {"{\"distribution\":\"q_uniform\",\"min\":0,\"max\":1e9,\"q\":1}", OPTIM_FLOAT, 0, 0, 0},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *example = &examples[i];
        char text[256];
        struct bayes_space *bayes = NULL;
        struct err err = ERR_INIT;
        (void)snprintf(text, sizeof text, "{\"x\":%s}", example->definition);
        struct space *space = space_of(text);
        assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
        const struct optim_dim *dim = bayes_space_dims(bayes)->dims;
        assert_int_equal(space_searched_count(space), 1);
        assert_int_equal(dim->kind, example->kind);
        if (dim->kind != OPTIM_FLOAT)
            assert_int_equal(dim->levels, example->levels);
        if (dim->kind == OPTIM_ORDERED) {
            assert_true(fabs(dims_position(dim, 0) - example->first) < 1e-12);
            assert_true(fabs(dims_position(dim, dim->levels - 1) - example->last) < 1e-12);
        }
        bayes_space_free(bayes);
        space_free(space);
    }
}

/* Where the second value of a list stands. */
static const struct {
    const char *values;
    double second;
} placed[] = {
    {"[1,10,100]", 0.5},
    {"[1,2,9]", 1.0 / 6 + 2.0 / 3 / 8},
    {"[0,1e-5,1e-4,1e-3]", 0.375},
    {"[1e-3,1e-4,1e-5,0]", 0.375},
    {"[1e-3,1e-4,1e-5,-0.0]", 0.375},
    {"[0,0.01,0.1]", 0.5},
    {"[0,1,2,3,4,5,6,7,8,9,10,11]", 1.5 / 12},      /* even */
    {"[0,0.1,0.2,0.5]", 0.125 + 0.75 / 5},          /* within a factor of ten */
    {"[-1,0,0.001,1000]", 0.125 + 0.75 * 1 / 1001}, /* negative */
};

static void test_a_list_by_its_logarithm(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(placed); i++) {
        char text[256];
        struct bayes_space *bayes = NULL;
        struct err err = ERR_INIT;
        (void)snprintf(text, sizeof text, "{\"x\":{\"values\":%s}}", placed[i].values);
        struct space *space = space_of(text);
        assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
        double second = dims_position(&bayes_space_dims(bayes)->dims[0], 1);
        if (!(fabs(second - placed[i].second) < 1e-12))
            fail_msg("%s: %.17g", placed[i].values, second);
        bayes_space_free(bayes);
        space_free(space);
    }
}

#define DRAWS 500
#define DIMS_MAX 16

static const char mixed[] =
    "{\"a\":{\"min\":0.0,\"max\":1.0},\"b\":{\"min\":1,\"max\":8},\"c\":{\"values\":[\"x\",\"y\",\"x\",\"z\"]"
    "},"
    "\"d\":{\"values\":[512,256,128]},\"e\":{\"value\":7},\"f\":{\"values\":[true]},"
    "\"g\":{\"distribution\":\"q_normal\",\"mu\":0,\"sigma\":3,\"q\":0.5},"
    "\"h\":{\"distribution\":\"q_log_uniform_values\",\"min\":16,\"max\":1024,\"q\":1},"
    "\"i\":{\"values\":[1,2,3],\"probabilities\":[0.5,0.25,0.25]},"
    "\"j\":{\"parameters\":{\"k\":{\"min\":0,\"max\":1000000},\"l\":{\"distribution\":\"q_beta\",\"a\":2,"
    "\"b\":3,\"q\":0.125}},\"when\":{\"c\":[\"x\",\"z\"]}},"
    "\"m\":{\"min\":0,\"max\":4611686018427387904,\"when\":{\"b\":[1,2,3]}}}";

/* From any draw of the space to a point and back: the same configuration. */
static void test_there_and_back(void **state)
{
    (void)state;
    struct bayes_space *bayes = NULL;
    struct err err = ERR_INIT;
    struct space *space = space_of(mixed);
    assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
    assert_int_equal(bayes_space_dims(bayes)->count, 10);
    assert_int_equal(space_searched_count(space), 10);
    size_t inactive = 0;
    for (uint64_t ordinal = 0; ordinal < DRAWS; ordinal++) {
        double point[DIMS_MAX];
        double again[DIMS_MAX];
        json_t *config = NULL;
        json_t *back = NULL;
        assert_int_equal(space_random_point(space, 1, ordinal, &config, &err), STATUS_OK);
        assert_int_equal(bayes_space_to_point(bayes, config, point, &err), STATUS_OK);
        assert_int_equal(bayes_space_to_params(bayes, point, &back, &err), STATUS_OK);
        assert_int_equal(bayes_space_to_point(bayes, back, again, &err), STATUS_OK);
        for (size_t i = 0; i < bayes_space_dims(bayes)->count; i++) {
            bool is_float = bayes_space_dims(bayes)->dims[i].kind == OPTIM_FLOAT;
            assert_true(fabs(point[i] - again[i]) <= (is_float ? 1e-12 : 0));
            inactive += point[i] == OPTIM_INACTIVE;
        }
        assert_int_equal(json_object_get(config, "m") == NULL, json_object_get(back, "m") == NULL);
        assert_int_equal(json_object_get(config, "j") == NULL, json_object_get(back, "j") == NULL);
        static const char *const exact[] = {"b", "c", "d", "e", "f", "g", "h", "i", "j"};
        for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
            json_t *value = json_object_get(config, exact[i]);
            if (value != NULL && !json_equal(value, json_object_get(back, exact[i])))
                fail_msg("draw %d: %s differs", (int)ordinal, exact[i]);
        }
        json_decref(config);
        json_decref(back);
    }
    assert_true(inactive > 0);
    bayes_space_free(bayes);
    space_free(space);
}

/* Multiples too many for a table: places that give the same one are the same point. */
static void test_many_multiples_are_rounded(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"x\":{\"distribution\":\"q_log_uniform_values\",\"min\":1,\"max\":1000000,\"q\":1}}",
        "{\"x\":{\"distribution\":\"q_uniform\",\"min\":-3,\"max\":1e6,\"q\":0.1}}",
        "{\"x\":{\"distribution\":\"q_log_normal\",\"mu\":0,\"sigma\":10,\"q\":1}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct bayes_space *bayes = NULL;
        struct err err = ERR_INIT;
        struct space *space = space_of(texts[i]);
        assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
        assert_int_equal(bayes_space_dims(bayes)->dims[0].kind, OPTIM_FLOAT);
        for (size_t k = 0; k <= 1000; k++) {
            double place = (double)k / 1000;
            double point = 0, again = 0, told = 0;
            bool active = true;
            json_t *raw = NULL, *config = NULL;
            dims_settle(bayes_space_dims(bayes), &place, &active, &point);
            dims_settle(bayes_space_dims(bayes), &point, &active, &again);
            assert_true(point == again && point >= 0 && point <= 1);
            assert_int_equal(bayes_space_to_params(bayes, &place, &raw, &err), STATUS_OK);
            assert_int_equal(bayes_space_to_params(bayes, &point, &config, &err), STATUS_OK);
            assert_true(json_equal(raw, config));
            assert_int_equal(bayes_space_to_point(bayes, config, &told, &err), STATUS_OK);
            assert_true(told == point);
            json_decref(raw);
            json_decref(config);
        }
        bayes_space_free(bayes);
        space_free(space);
    }
}

static void test_a_stranger_is_refused(void **state)
{
    (void)state;
    struct bayes_space *bayes = NULL;
    struct err err = ERR_INIT;
    double point[2];
    struct space *space = space_of("{\"x\":{\"min\":0.0,\"max\":1.0},\"y\":{\"values\":[\"a\",\"b\"]}}");
    json_t *missing = json_loads("{\"x\":0.5}", 0, NULL);
    json_t *other = json_loads("{\"x\":0.5,\"y\":\"c\"}", 0, NULL);
    assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
    assert_int_equal(bayes_space_to_point(bayes, missing, point, &err), STATUS_INVALID);
    assert_int_equal(bayes_space_to_point(bayes, other, point, &err), STATUS_INVALID);
    json_decref(missing);
    json_decref(other);
    bayes_space_free(bayes);
    space_free(space);
}

/* A range is cut by its law, whole numbers and multiples too, and gives each value once. */
static void test_an_axis_goes_by_the_law(void **state)
{
    (void)state;
    static const struct {
        const char *definition;
        size_t count; /* of 5 asked for */
        double first, last;
    } axes[] = {
        {"{\"distribution\":\"q_log_uniform_values\",\"min\":1,\"max\":1024,\"q\":1}", 5, 2, 512},
        {"{\"distribution\":\"q_log_uniform_values\",\"min\":1,\"max\":1048576,\"q\":1}", 5, 4, 262144},
        {"{\"distribution\":\"q_log_normal\",\"mu\":0,\"sigma\":9,\"q\":1}", 4, 0, 102293},
        {"{\"min\":1,\"max\":1000}", 5, 101, 901},
        {"{\"min\":1,\"max\":5}", 5, 1, 5},
        {"{\"values\":[\"a\",\"b\",\"c\"]}", 3, NAN, NAN},
    };
    for (size_t i = 0; i < ARRAY_LEN(axes); i++) {
        char text[256];
        double values[SLICE_POINTS_MAX];
        double ends[2] = {NAN, NAN};
        struct bayes_space *bayes = NULL;
        struct err err = ERR_INIT;
        (void)snprintf(text, sizeof text, "{\"x\":%s}", axes[i].definition);
        struct space *space = space_of(text);
        assert_int_equal(bayes_space_new(space, &bayes, &err), STATUS_OK);
        size_t count = slice_list_values(bayes_space_dims(bayes)->dims, 5, values);
        assert_int_equal(count, axes[i].count);
        for (size_t k = 0; k < 2 && !isnan(axes[i].first); k++) {
            json_t *config = NULL;
            assert_int_equal(bayes_space_to_params(bayes, &values[k * (count - 1)], &config, &err),
                             STATUS_OK);
            ends[k] = json_number_value(json_object_get(config, "x"));
            json_decref(config);
        }
        if (!isnan(axes[i].first) &&
            (fabs(ends[0] - axes[i].first) > 1 || fabs(ends[1] / axes[i].last - 1) > 0.01))
            fail_msg("%s: %g to %g", axes[i].definition, ends[0], ends[1]);
        bayes_space_free(bayes);
        space_free(space);
    }
}

/* As many as may be, and one more. */
static void test_too_many_parameters_are_refused(void **state)
{
    (void)state;
    for (size_t count = SPEC_SEARCHED_MAX; count <= SPEC_SEARCHED_MAX + 1; count++) {
        struct space *space = NULL;
        struct bayes_space *bayes = NULL;
        struct err err = ERR_INIT;
        json_t *parameters = json_object();
        for (size_t i = 0; i < count; i++) {
            char name[24];
            (void)snprintf(name, sizeof name, "x%zu", i);
            assert_int_equal(
                json_object_set_new(parameters, name, json_pack("{s:f, s:f}", "min", 0.0, "max", 1.0)), 0);
        }
        assert_int_equal(space_new(parameters, &space, &err), STATUS_OK);
        enum status status = bayes_space_new(space, &bayes, &err);
        assert_int_equal(status, count <= SPEC_SEARCHED_MAX ? STATUS_OK : STATUS_INVALID);
        if (status != STATUS_OK)
            assert_string_equal(err.text, "a model takes at most 2000 searched parameters, there are 2001");
        bayes_space_free(bayes);
        space_free(space);
        json_decref(parameters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_a_list_by_its_logarithm),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_many_multiples_are_rounded),
        cmocka_unit_test(test_a_stranger_is_refused),
        cmocka_unit_test(test_an_axis_goes_by_the_law),
        cmocka_unit_test(test_too_many_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
