// SPDX-License-Identifier: GPL-3.0-or-later
/* The optimiser over random spaces and random histories: suggestions are valid, new and replayable, whatever
 * it was told. A failure names the seed of its space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/random.h"
#include "optim/search.h"

#define SPACES 1000
#define DIMS_MAX 100
#define TOLD_MAX 40
#define PENDING_MAX 6
#define LEVELS_MAX 40
#define REPLAY_EACH 5
#define EXHAUST_MAX 60

static const struct search_method *method = &search_gp;

struct world {
    uint64_t seed;
    struct optim_dim dims[DIMS_MAX];
    double positions[DIMS_MAX][LEVELS_MAX];
    double shares[DIMS_MAX][LEVELS_MAX];
    size_t parent[DIMS_MAX]; /* active while that earlier dimension's level is even; own index: always */
    struct optim_space space;
};

static double draw(const struct world *world, const char *name, size_t index)
{
    return random_draw_unit(world->seed, 0, name, (uint32_t)index);
}

static void find_active(void *context, const double *point, bool *out_active)
{
    const struct world *world = context;
    for (size_t i = 0; i < world->space.count; i++) {
        size_t parent = world->parent[i];
        out_active[i] = parent == i || (out_active[parent] && fmod(point[parent], 2) == 0);
    }
}

/* One of 64 equal cells. */
static double snap(void *context, double place)
{
    (void)context;
    return (fmin(floor(64 * place), 63) + 0.5) / 64;
}

static void make_dim(struct world *world, size_t i, bool discrete)
{
    struct optim_dim *dim = &world->dims[i];
    double u = draw(world, "kind", i);
    *dim = (struct optim_dim){.kind = OPTIM_FLOAT};
    if (!discrete && u < 0.5) {
        dim->snap = draw(world, "rounds", i) < 0.2 ? snap : NULL;
        return;
    }
    dim->kind = u < 0.75 ? OPTIM_ORDERED : OPTIM_CATEGORY;
    dim->levels = 1 + (uint64_t)(draw(world, "levels", i) * (discrete ? 4 : LEVELS_MAX - 1));
    double sum = 0;
    for (size_t k = 0; k < dim->levels; k++) {
        world->positions[i][k] = pow(((double)k + 0.5) / (double)dim->levels, 2);
        sum += world->shares[i][k] = 0.1 + draw(world, "share", i * LEVELS_MAX + k);
    }
    for (size_t k = 0; k < dim->levels; k++)
        world->shares[i][k] /= sum;
    if (draw(world, "table", i) < 0.5) {
        dim->positions = dim->kind == OPTIM_ORDERED ? world->positions[i] : NULL;
        dim->shares = dim->kind == OPTIM_CATEGORY ? world->shares[i] : NULL;
    } else if (dim->kind == OPTIM_ORDERED && !discrete && draw(world, "wide", i) < 0.3) {
        dim->levels = OPTIM_LEVELS_MAX;
    }
}

static void make_world(struct world *world, uint64_t seed)
{
    world->seed = seed;
    bool discrete = draw(world, "discrete", 0) < 0.3;
    bool conditional = draw(world, "conditional", 0) < 0.3;
    size_t most = seed % 100 == 99 ? DIMS_MAX : discrete ? 4 : 7;
    world->space = (struct optim_space){.dims = world->dims,
                                        .count = 1 + (size_t)(draw(world, "count", 0) * (double)most),
                                        .active = conditional ? find_active : NULL,
                                        .context = world};
    for (size_t i = 0; i < world->space.count; i++) {
        make_dim(world, i, discrete);
        size_t parent = (size_t)(draw(world, "parent", i) * (double)(i + 1));
        world->parent[i] = world->dims[parent].kind == OPTIM_FLOAT ? i : parent;
    }
}

static void settled_point(const struct world *world, const char *name, size_t index, double *out)
{
    double unit[DIMS_MAX];
    double full[DIMS_MAX];
    bool active[DIMS_MAX];
    for (size_t i = 0; i < world->space.count; i++)
        unit[i] = draw(world, name, index * DIMS_MAX + i);
    dims_from_unit(&world->space, unit, full);
    dims_settle(&world->space, full, active, out);
}

/* Numbers of all sizes, equal ones, and none at all: one time in ten, or nine in ten. */
static double value_of(const struct world *world, size_t index)
{
    double u = draw(world, "value", index);
    double v = draw(world, "fate", index);
    if (v < (world->seed % 7 == 3 ? 0.9 : 0.1))
        return u < 0.3 ? NAN : u < 0.6 ? HUGE_VAL : -HUGE_VAL;
    switch (world->seed % 5) {
    case 0: return 3;
    case 1: return u < 0.1 ? 1e308 : u < 0.2 ? -1e308 : u;
    case 2: return floor(3 * u);
    case 3: return 1e-300 * u;
    default: return u;
    }
}

static void assert_valid(const struct world *world, const double *point)
{
    double full[DIMS_MAX];
    double again[DIMS_MAX];
    bool active[DIMS_MAX];
    for (size_t i = 0; i < world->space.count; i++) {
        const struct optim_dim *dim = &world->dims[i];
        full[i] = point[i] == OPTIM_INACTIVE ? 0 : point[i];
        if (point[i] == OPTIM_INACTIVE)
            assert_true(world->space.active != NULL);
        else if (dim->kind == OPTIM_FLOAT)
            assert_true(point[i] >= 0 && point[i] <= 1);
        else
            assert_true(point[i] >= 0 && point[i] < (double)dim->levels && point[i] == floor(point[i]));
    }
    dims_settle(&world->space, full, active, again);
    assert_memory_equal(point, again, world->space.count * sizeof *point);
}

static void assert_new(const struct world *world, const double *point, const double *others, size_t count)
{
    for (size_t j = 0; j < count; j++)
        if (memcmp(point, others + j * world->space.count, world->space.count * sizeof *point) == 0)
            fail_msg("space %llu: a point that was known", (unsigned long long)world->seed);
}

/* An optimiser that was told the world's history. */
static struct search tell_all(struct world *world, size_t told, const double *known)
{
    struct err err = ERR_INIT;
    struct search search;
    assert_int_equal(search_init(&search, method, &world->space, world->seed, &err), STATUS_OK);
    for (size_t j = 0; j < told; j++)
        assert_int_equal(method->tell(search.state, known + j * world->space.count, value_of(world, j), &err),
                         STATUS_OK);
    return search;
}

static bool suggest(struct search *search, uint64_t ordinal, const double *pending, size_t count, double *out)
{
    struct err err = ERR_INIT;
    struct search_report report;
    const struct optim_question question = {.ordinal = ordinal, .pending = pending, .pending_count = count};
    assert_int_equal(method->suggest(search->state, &question, out, &report, &err), STATUS_OK);
    if (report.has_model)
        assert_true(isfinite(report.model.mean) && isfinite(report.model.deviation) &&
                    isfinite(report.model.success));
    for (size_t i = 0; i < report.fact_count; i++)
        assert_true(isfinite(report.facts[i].value));
    assert_non_null(report.phase);
    return !report.exhausted;
}

static void check_space(struct world *world)
{
    size_t dims = world->space.count;
    size_t told = (size_t)(draw(world, "told", 0) * TOLD_MAX);
    size_t pending = (size_t)(draw(world, "pending", 0) * PENDING_MAX);
    double *known = calloc((told + pending + 3) * dims, sizeof *known);
    double point[DIMS_MAX];
    double again[DIMS_MAX];
    assert_non_null(known);
    for (size_t j = 0; j < told + pending; j++)
        settled_point(world, "known", world->seed % 4 == 1 ? j / 2 : j, known + j * dims);
    struct search optim = tell_all(world, told, known);
    for (uint64_t k = 0; k < 2; k++) {
        if (!suggest(&optim, told + pending + k, known + told * dims, pending, point))
            break;
        assert_valid(world, point);
        assert_new(world, point, known, told + pending);
        if (world->seed % REPLAY_EACH == 0) {
            struct search other = tell_all(world, told, known);
            assert_true(suggest(&other, told + pending + k, known + told * dims, pending, again));
            assert_memory_equal(point, again, dims * sizeof *point);
            search_release(&other);
        }
        memcpy(known + (told + pending++) * dims, point, dims * sizeof *point);
    }
    search_release(&optim);
    free(known);
}

static void test_random_spaces(void **state)
{
    static struct world world;
    (void)state;
    for (uint64_t seed = 0; seed < SPACES; seed++) {
        make_world(&world, seed);
        check_space(&world);
    }
}

static size_t count_points(struct world *world, uint64_t combinations, double *out)
{
    size_t count = 0;
    double full[DIMS_MAX];
    bool active[DIMS_MAX];
    for (uint64_t c = 0; c < combinations; c++) {
        double *next = out + count * world->space.count;
        bool known = false;
        dims_combination(&world->space, c, full);
        dims_settle(&world->space, full, active, next);
        for (size_t j = 0; j < count && !known; j++)
            known = memcmp(out + j * world->space.count, next, world->space.count * sizeof *next) == 0;
        count += !known;
    }
    return count;
}

/* Every point of a discrete space once, then none. */
static void test_exhaustion(void **state)
{
    static struct world world;
    (void)state;
    size_t spaces = 0;
    for (uint64_t seed = 0; seed < SPACES && spaces < 60; seed++) {
        make_world(&world, seed);
        uint64_t combinations = dims_combinations(&world.space);
        if (combinations > EXHAUST_MAX)
            continue;
        spaces++;
        size_t dims = world.space.count;
        double all[EXHAUST_MAX * 7];
        double known[(EXHAUST_MAX + 1) * 7];
        size_t count = count_points(&world, combinations, all);
        struct err err = ERR_INIT;
        struct search optim = tell_all(&world, 0, NULL);
        for (size_t j = 0; j < count; j++) {
            double *point = known + j * dims;
            assert_true(suggest(&optim, j, NULL, 0, point));
            assert_valid(&world, point);
            assert_new(&world, point, known, j);
            assert_int_equal(method->tell(optim.state, point, value_of(&world, j), &err), STATUS_OK);
        }
        assert_false(suggest(&optim, count, NULL, 0, known + count * dims));
        search_release(&optim);
    }
    assert_true(spaces > 20);
}

/* Asks and tells until nothing is left, or `most` times; how many different points that gave. */
static size_t ask_out(const struct optim_space *space, uint64_t seed, size_t most)
{
    struct err err = ERR_INIT;
    struct search search;
    size_t count = 0;
    double *known = calloc((most + 1) * space->count, sizeof *known);
    assert_non_null(known);
    assert_int_equal(search_init(&search, method, space, seed, &err), STATUS_OK);
    for (; count < most && suggest(&search, count, NULL, 0, known + count * space->count); count++) {
        double *point = known + count * space->count;
        for (size_t j = 0; j < count; j++)
            assert_memory_not_equal(point, known + j * space->count, space->count * sizeof *point);
        double value = (double)(count * 7 % 17);
        assert_int_equal(method->tell(search.state, point, value, &err), STATUS_OK);
    }
    search_release(&search);
    free(known);
    return count;
}

#define CHAIN 25

/* Each dimension is there while the one before it is 1; *context: the last dimension is the first of them. */
static void find_links(void *context, const double *point, bool *out_active)
{
    const bool *backwards = context;
    for (size_t i = 0; i < CHAIN; i++) {
        size_t at = *backwards ? CHAIN - 1 - i : i;
        size_t before = *backwards ? at + 1 : at - 1;
        out_active[at] = i == 0 || (out_active[before] && point[before] == 1);
    }
}

/* 26 points among 2^25 combinations, most of which are the same point. */
static void test_a_chain_of_conditions_is_exhausted(void **state)
{
    (void)state;
    struct optim_dim dims[CHAIN];
    for (size_t i = 0; i < CHAIN; i++)
        dims[i] = (struct optim_dim){.kind = OPTIM_CATEGORY, .levels = 2};
    for (int k = 0; k < 2; k++) {
        bool backwards = k == 1;
        const struct optim_space space = {
            .dims = dims, .count = CHAIN, .active = find_links, .context = &backwards};
        assert_int_equal(ask_out(&space, 1, 40), CHAIN + 1);
    }
}

static void find_branch(void *context, const double *point, bool *out_active)
{
    (void)context;
    out_active[0] = true;
    out_active[1] = point[0] == 0;
}

/* The other branch is one point; after it only what is hardly ever drawn is new. */
static void test_a_rare_branch_is_found(void **state)
{
    (void)state;
    static const double shares[] = {1e-6, 1 - 1e-6};
    const struct optim_dim dims[] = {{.kind = OPTIM_CATEGORY, .levels = 2, .shares = shares},
                                     {.kind = OPTIM_FLOAT}};
    const struct optim_space space = {.dims = dims, .count = 2, .active = find_branch};
    assert_int_equal(ask_out(&space, 1, 12), 12);
}

/* Each of 64 once, then none. */
static void test_rounded_numbers_do_not_repeat(void **state)
{
    (void)state;
    const struct optim_dim dims[] = {{.kind = OPTIM_FLOAT, .snap = snap}};
    const struct optim_space space = {.dims = dims, .count = 1};
    for (uint64_t seed = 0; seed < 5; seed++)
        assert_int_equal(ask_out(&space, seed, 70), 64);
}

/* Told piece by piece with questions in between, or all at once: the same suggestions. */
static void test_questions_change_nothing(void **state)
{
    static struct world world;
    (void)state;
    static const uint64_t seeds[] = {3, 4, 7, 8, 14};
    for (size_t s = 0; s < ARRAY_LEN(seeds); s++) {
        struct err err = ERR_INIT;
        make_world(&world, seeds[s]);
        struct search often = tell_all(&world, 0, NULL);
        double known[120 * DIMS_MAX];
        for (size_t j = 0; j < 120; j++) {
            double point[DIMS_MAX];
            settled_point(&world, "known", j, known + j * world.space.count);
            assert_int_equal(
                method->tell(often.state, known + j * world.space.count, value_of(&world, j), &err),
                STATUS_OK);
            if (j % 3 == 0)
                (void)suggest(&often, j, NULL, 0, point);
        }
        struct search once = tell_all(&world, 120, known);
        double a[DIMS_MAX];
        double b[DIMS_MAX];
        assert_int_equal(suggest(&often, 500, NULL, 0, a), suggest(&once, 500, NULL, 0, b));
        assert_memory_equal(a, b, world.space.count * sizeof *a);
        search_release(&often);
        search_release(&once);
    }
}

/* A bowl: the optimiser comes close where even designs do not. */
static void test_finds_an_optimum(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct optim_dim dims[] = {{.kind = OPTIM_FLOAT},
                                     {.kind = OPTIM_FLOAT},
                                     {.kind = OPTIM_ORDERED, .levels = 100},
                                     {.kind = OPTIM_CATEGORY, .levels = 4}};
    const struct optim_space space = {.dims = dims, .count = 4};
    struct optim *optim = NULL;
    assert_int_equal(optim_new(&space, 1, &optim, &err), STATUS_OK);
    double best = -HUGE_VAL;
    for (uint64_t k = 0; k < 60; k++) {
        double x[4];
        struct optim_report report;
        const struct optim_question question = {.ordinal = k};
        assert_int_equal(optim_suggest(optim, &question, x, &report, &err), STATUS_OK);
        double value = -pow(x[0] - 0.3, 2) - pow(x[1] - 0.8, 2) - pow(x[2] / 100 - 0.42, 2) - 0.1 * x[3];
        best = fmax(best, value);
        assert_int_equal(optim_tell(optim, x, value, &err), STATUS_OK);
    }
    assert_true(best > -1e-4);
    optim_free(optim);
}

static void test_other_methods(void **state)
{
    static const struct search_method *const others[] = {&search_tpe, &search_cmaes, &search_sobol};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        method = others[i];
        test_random_spaces(state);
        test_exhaustion(state);
        test_a_chain_of_conditions_is_exhausted(state);
        test_a_rare_branch_is_found(state);
        test_rounded_numbers_do_not_repeat(state);
        test_questions_change_nothing(state);
    }
    method = &search_gp;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_methods),
        cmocka_unit_test(test_random_spaces),
        cmocka_unit_test(test_exhaustion),
        cmocka_unit_test(test_a_chain_of_conditions_is_exhausted),
        cmocka_unit_test(test_a_rare_branch_is_found),
        cmocka_unit_test(test_rounded_numbers_do_not_repeat),
        cmocka_unit_test(test_questions_change_nothing),
        cmocka_unit_test(test_finds_an_optimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
