// SPDX-License-Identifier: GPL-3.0-or-later
/* Grids of random nested and conditional spaces against an enumeration of every combination, written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/random.h"
#include "space/space.h"

#define SPACES 200
#define SEED UINT64_C(20260821)
#define LEAVES_MAX 9
#define COMBINATIONS_MAX 3000
#define DEPTH 4

/* ---- random spaces ---- */

static uint64_t drawn;
static uint64_t space_number;

static uint64_t below(uint64_t bound)
{
    return random_draw_u64(SEED, space_number, "enumeration", (uint32_t)drawn++) % bound;
}

/* One parameter of the space being made, with all that the enumeration needs. */
struct model {
    const char *names[DEPTH];
    size_t depth;
    json_t *values;             /* owned list, in grid order, repeats included */
    const json_t *whens[DEPTH]; /* borrowed; own and groups' */
    size_t when_count;
};

static struct model models[LEAVES_MAX];
static size_t model_count;

static json_t *random_scalar(void)
{
    switch (below(5)) {
    case 0: return json_integer((json_int_t)below(4));
    case 1: return json_real((double)below(3));
    case 2: return json_boolean(below(2));
    case 3: return json_string(below(2) == 0 ? "x" : "1");
    default: return json_pack("{s:i}", "k", (int)below(2));
    }
}

static json_t *random_definition(void)
{
    json_t *list;
    switch (below(5)) {
    case 0: return json_pack("{s:o}", "value", random_scalar());
    case 1: return json_pack("{s:i,s:i}", "min", 1, "max", 2 + (int)below(3));
    case 2:
        return json_pack("{s:s,s:i,s:i,s:i}", "distribution", "q_uniform", "min", 0, "max", 1 + (int)below(6),
                         "q", 2);
    default:
        list = json_array();
        for (uint64_t i = 1 + below(4); i > 0; i--)
            json_array_append_new(list, random_scalar());
        return json_pack("{s:o}", "values", list);
    }
}

/* What numpy's arange, range and the file's own order give. */
static json_t *values_of(const json_t *definition)
{
    json_t *list = json_array();
    if (json_object_get(definition, "values") != NULL)
        json_array_extend(list, json_object_get(definition, "values"));
    else if (json_object_get(definition, "value") != NULL)
        json_array_append(list, json_object_get(definition, "value"));
    else {
        json_int_t step = json_integer_value(json_object_get(definition, "q"));
        json_int_t end = json_integer_value(json_object_get(definition, "max")) + (step == 0);
        for (json_int_t at = json_integer_value(json_object_get(definition, "min")); at < end;
             at += step == 0 ? 1 : step)
            json_array_append_new(list, json_integer(at));
    }
    return list;
}

/* A condition on a parameter made before, by its whole path; NULL when there is none. */
static json_t *random_when(void)
{
    json_t *when = json_object();
    for (uint64_t i = below(2) + 1; i > 0 && model_count > 0; i--) {
        const struct model *parent = &models[below(model_count)];
        char path[64] = "";
        for (size_t k = 0; k < parent->depth; k++)
            snprintf(path + strlen(path), sizeof path - strlen(path), "%s%s", k > 0 ? "." : "",
                     parent->names[k]);
        size_t count = json_array_size(parent->values);
        json_t *value = json_incref(json_array_get(parent->values, (size_t)below(count)));
        if (below(3) == 0)
            value = json_pack("[o,O]", value, json_array_get(parent->values, (size_t)below(count)));
        json_object_set_new(when, path, value);
    }
    return when;
}

/* Each depth has names of its own, so that a path from the root never means something nearer. */
static const char *const names[DEPTH - 1][7] = {{"a", "d", "g", "j", "m", "p", "s"},
                                                {"b", "e", "h", "k", "n", "q", "t"},
                                                {"c", "f", "i", "l", "o", "r", "u"}};

static json_t *random_level(struct model *above, size_t depth, size_t *wanted);

static void add_parameter(json_t *level, struct model *above, size_t depth, size_t *wanted)
{
    const char *name = names[depth][below(7)];
    if (json_object_get(level, name) != NULL)
        return;
    struct model model = *above;
    model.names[depth] = name;
    json_t *when = below(2) == 0 ? random_when() : json_object();
    if (json_object_size(when) > 0)
        model.whens[model.when_count++] = when;
    json_t *definition;
    if (depth + 1 < DEPTH - 1 && below(4) == 0) {
        json_t *inner = random_level(&model, depth + 1, wanted);
        definition = json_pack("{s:o}", "parameters", inner);
    } else {
        --*wanted;
        definition = random_definition();
        model.depth = depth + 1;
        model.values = values_of(definition);
        models[model_count++] = model;
    }
    if (json_object_size(when) > 0)
        json_object_set(definition, "when", when);
    json_object_set_new(level, name, definition);
    json_decref(when);
}

static json_t *random_level(struct model *above, size_t depth, size_t *wanted)
{
    json_t *level = json_object();
    for (uint64_t i = 1 + below(depth == 0 ? 7 : 3); (i > 0 || json_object_size(level) == 0) && *wanted > 0;
         i -= i > 0)
        add_parameter(level, above, depth, wanted);
    if (json_object_size(level) ==
        0) { /* the budget is used up: a constant keeps the group from being empty */
        struct model model = *above;
        json_t *definition = json_pack("{s:i}", "value", 7);
        model.names[depth] = "z";
        model.depth = depth + 1;
        model.values = values_of(definition);
        if (model_count < LEAVES_MAX)
            models[model_count++] = model;
        json_object_set_new(level, "z", definition);
    }
    return level;
}

/* ---- the enumeration ---- */

static int compare_models(const void *a, const void *b)
{
    const struct model *x = a;
    const struct model *y = b;
    for (size_t i = 0; i < x->depth && i < y->depth; i++) {
        int order = strcmp(x->names[i], y->names[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

/* 3.0 as 3, everywhere. New reference. */
static json_t *normal(const json_t *value)
{
    if (json_is_real(value) && json_real_value(value) == (double)(json_int_t)json_real_value(value))
        return json_integer((json_int_t)json_real_value(value));
    if (!json_is_object(value))
        return json_deep_copy(value);
    json_t *object = json_object();
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        json_object_set_new(object, key, normal(member));
    return object;
}

static bool same(const json_t *a, const json_t *b)
{
    json_t *x = normal(a);
    json_t *y = normal(b);
    bool equal = json_equal(x, y) != 0;
    json_decref(x);
    json_decref(y);
    return equal;
}

static const struct model *find_model(const char *path)
{
    for (size_t i = 0; i < model_count; i++) {
        char own[64] = "";
        for (size_t k = 0; k < models[i].depth; k++)
            snprintf(own + strlen(own), sizeof own - strlen(own), "%s%s", k > 0 ? "." : "",
                     models[i].names[k]);
        if (strcmp(own, path) == 0)
            return &models[i];
    }
    fail_msg("no %s", path);
    return NULL;
}

static bool is_active(const struct model *model, const size_t *chosen)
{
    for (size_t i = 0; i < model->when_count; i++) {
        const char *path;
        json_t *wanted;
        json_object_foreach((json_t *)(uintptr_t)model->whens[i], path, wanted)
        {
            const struct model *parent = find_model(path);
            const json_t *value = json_array_get(parent->values, chosen[parent - models]);
            bool holds = !json_is_array(wanted) && same(value, wanted);
            for (size_t k = 0; k < json_array_size(wanted); k++)
                holds |= same(value, json_array_get(wanted, k));
            if (!holds || !is_active(parent, chosen))
                return false;
        }
    }
    return true;
}

static json_t *configuration(const size_t *chosen)
{
    json_t *config = json_object();
    for (size_t i = 0; i < model_count; i++) {
        if (!is_active(&models[i], chosen))
            continue;
        json_t *level = config;
        for (size_t k = 0; k + 1 < models[i].depth; k++) {
            if (json_object_get(level, models[i].names[k]) == NULL)
                json_object_set_new(level, models[i].names[k], json_object());
            level = json_object_get(level, models[i].names[k]);
        }
        json_object_set(level, models[i].names[models[i].depth - 1],
                        json_array_get(models[i].values, chosen[i]));
    }
    return config;
}

/* The next combination, the last parameter fastest. */
static bool next_combination(size_t *chosen)
{
    for (size_t i = model_count; i-- > 0;) {
        if (++chosen[i] < json_array_size(models[i].values))
            return true;
        chosen[i] = 0;
    }
    return false;
}

/* Every distinct configuration where it first occurs. New reference. */
static json_t *enumerate(void)
{
    json_t *seen = json_object();
    json_t *list = json_array();
    size_t chosen[LEAVES_MAX] = {0};
    do {
        json_t *config = configuration(chosen);
        json_t *plain = normal(config);
        char *text = json_dumps(plain, JSON_COMPACT | JSON_SORT_KEYS);
        if (json_object_get(seen, text) == NULL) {
            json_object_set_new(seen, text, json_true());
            json_array_append(list, config);
        }
        free(text);
        json_decref(plain);
        json_decref(config);
    } while (next_combination(chosen));
    json_decref(seen);
    return list;
}

static uint64_t combinations(void)
{
    uint64_t product = 1;
    for (size_t i = 0; i < model_count; i++)
        product *= json_array_size(models[i].values);
    return product;
}

/* ---- the comparison ---- */

static void fail_space(const json_t *parameters, const char *what, uint64_t at)
{
    char *text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
    fail_msg("seed %llu, space %llu: %s %llu of %s", (unsigned long long)SEED,
             (unsigned long long)space_number, what, (unsigned long long)at, text);
}

static void compare_space(const json_t *parameters, const json_t *expected)
{
    struct space *space = NULL;
    struct err err = ERR_INIT;
    uint64_t count = 0;
    json_t *point = NULL;
    if (space_new(parameters, &space, &err) != STATUS_OK ||
        space_grid_count(space, &count, &err) != STATUS_OK)
        fail_space(parameters, err.text, 0);
    if (count != json_array_size(expected))
        fail_space(parameters, "the count is", count);
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(space_grid_point(space, i, &point, &err), STATUS_OK);
        if (!json_equal(point, json_array_get(expected, (size_t)i)))
            fail_space(parameters, "wrong point", i);
        json_decref(point);
    }
    assert_int_equal(space_grid_point(space, count, &point, &err), STATUS_INVALID);
    space_free(space);
}

/* False when the space is too large for every combination to be looked at. */
static bool try_space(size_t *conditional)
{
    size_t wanted = 2 + (size_t)below(LEAVES_MAX - 3);
    struct model nothing = {.depth = 0};
    model_count = 0;
    json_t *parameters = random_level(&nothing, 0, &wanted);
    bool usable = combinations() <= COMBINATIONS_MAX && model_count < LEAVES_MAX;
    if (usable) {
        qsort(models, model_count, sizeof *models, compare_models);
        json_t *expected = enumerate();
        compare_space(parameters, expected);
        *conditional += combinations() != json_array_size(expected);
        json_decref(expected);
    }
    for (size_t i = 0; i < model_count; i++)
        json_decref(models[i].values);
    json_decref(parameters);
    return usable;
}

static void test_order_count_and_end_agree(void **state)
{
    (void)state;
    size_t compared = 0;
    size_t conditional = 0;
    for (space_number = 0; compared < SPACES; space_number++) {
        drawn = 0;
        compared += try_space(&conditional);
    }
    print_message("seed %llu: %zu spaces, %zu of them with fewer points than combinations\n",
                  (unsigned long long)SEED, compared, conditional);
    assert_true(conditional > SPACES / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_count_and_end_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
