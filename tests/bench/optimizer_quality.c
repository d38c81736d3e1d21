// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * How good Bayesian suggestions are: over standard functions, the median regret after 60 suggestions as a
 * share of that of 60 scrambled Sobol points, and the geometric mean of the shares. Each share is at least
 * 1e-4. Suggestions are told one after another.
 *
 *     bench_optimizer_quality [SEEDS]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "optim/optim.h"
#include "optim/sobol.h"
#include "tests/bench/bench.h"

#define DIMS_MAX 8
#define SUGGESTIONS 60
#define SEEDS_DEFAULT 8
#define SEEDS_MAX BENCH_ROUNDS_MAX
#define SHARE_MIN 1e-4
#define GOAL 0.1

struct problem {
    const char *name;
    double (*loss)(const double *x);
    bool (*fails)(const double *x); /* NULL: never */
    double least;                   /* the loss at the optimum */
    double noise;                   /* deviation of what is told */
    size_t count;
    struct optim_dim dims[DIMS_MAX];
};

/* Place of a point's dimension in an interval. */
static double within(double u, double low, double high)
{
    return low + u * (high - low);
}

static double branin(const double *u)
{
    double x = within(u[0], -5, 10);
    double y = within(u[1], 0, 15);
    double a = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
    return a * a + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

static double hartmann6(const double *x)
{
    static const double heights[4] = {1, 1.2, 3, 3.2};
    static const double steepness[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                           {0.05, 10, 17, 0.1, 8, 14},
                                           {3, 3.5, 1.7, 10, 17, 8},
                                           {17, 8, 0.05, 10, 0.1, 14}};
    static const double peaks[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                       {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                       {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                       {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 0;
    for (size_t k = 0; k < 4; k++) {
        double distance = 0;
        for (size_t i = 0; i < 6; i++)
            distance += steepness[k][i] * pow(x[i] - peaks[k][i], 2);
        sum -= heights[k] * exp(-distance);
    }
    return sum;
}

static double rosenbrock(const double *u)
{
    double sum = 0;
    for (size_t i = 0; i + 1 < 4; i++) {
        double x = within(u[i], -5, 10);
        sum += 100 * pow(within(u[i + 1], -5, 10) - x * x, 2) + pow(1 - x, 2);
    }
    return sum;
}

static double styblinski_tang(const double *u)
{
    double sum = 0;
    for (size_t i = 0; i < 5; i++) {
        double x = within(u[i], -5, 5);
        sum += 0.5 * (pow(x, 4) - 16 * x * x + 5 * x);
    }
    return sum;
}

/* Two continuous dimensions, a whole number, a category that shifts the valley. */
static double mixed(const double *x)
{
    double valley = x[0] - 0.4 - 0.1 * x[3];
    return pow(valley, 2) + 4 * pow(x[1] - x[0] * x[0], 2) + pow((x[2] - 6) / 10, 2) + 0.05 * (x[3] != 2);
}

/* The optimum lies beside a cliff. */
static bool beyond_cliff(const double *x)
{
    return x[0] + x[1] > 1.1;
}

static double slope(const double *x)
{
    return pow(x[0] - 0.65, 2) + 3 * pow(x[1] - 0.4, 2) + pow(x[2] - 0.5, 2);
}

#define FLOAT               \
    {                       \
        .kind = OPTIM_FLOAT \
    }
static const struct problem problems[] = {
    {"branin", branin, NULL, 0.397887357729739, 0, 2, {FLOAT, FLOAT}},
    {"branin_noisy", branin, NULL, 0.397887357729739, 3, 2, {FLOAT, FLOAT}},
    {"hartmann6", hartmann6, NULL, -3.32236801141551, 0, 6, {FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT}},
    {"rosenbrock4", rosenbrock, NULL, 0, 0, 4, {FLOAT, FLOAT, FLOAT, FLOAT}},
    {"styblinski_tang5", styblinski_tang, NULL, -195.830828518857, 0, 5, {FLOAT, FLOAT, FLOAT, FLOAT, FLOAT}},
    {"mixed4",
     mixed,
     NULL,
     0,
     0,
     4,
     {FLOAT, FLOAT, {.kind = OPTIM_ORDERED, .levels = 16}, {.kind = OPTIM_CATEGORY, .levels = 4}}},
    {"cliff3", slope, beyond_cliff, 0, 0, 3, {FLOAT, FLOAT, FLOAT}},
};

/* What one way of choosing points has reached: the true loss of the best that it was told. */
struct record {
    double told, loss;
};

/* The value that is told for a point, larger is better; NaN for a failure. */
static double evaluate(const struct problem *problem, const double *x, uint64_t seed, uint64_t ordinal,
                       struct record *record)
{
    if (problem->fails != NULL && problem->fails(x))
        return NAN;
    double loss = problem->loss(x);
    double normal = sqrt(-2 * log(1 - random_draw_unit(seed, ordinal, "noise", 0))) *
                    cos(2 * M_PI * random_draw_unit(seed, ordinal, "noise", 1));
    double told = loss + problem->noise * normal;
    if (told < record->told)
        *record = (struct record){.told = told, .loss = loss};
    return -told;
}

static double regret_of_suggestions(const struct problem *problem, uint64_t seed)
{
    const struct optim_space space = {.dims = problem->dims, .count = problem->count};
    struct record record = {HUGE_VAL, HUGE_VAL};
    struct optim *optim = NULL;
    struct err err = ERR_INIT;
    if (optim_new(&space, seed, &optim, &err) != STATUS_OK)
        bench_fail("making an optimiser", err.text);
    for (uint64_t k = 0; k < SUGGESTIONS; k++) {
        double x[DIMS_MAX];
        struct optim_report report;
        const struct optim_question question = {.ordinal = k};
        if (optim_suggest(optim, &question, x, &report, &err) != STATUS_OK ||
            optim_tell(optim, x, evaluate(problem, x, seed, k, &record), &err) != STATUS_OK)
            bench_fail("suggesting", err.text);
    }
    optim_free(optim);
    return record.loss - problem->least;
}

static double regret_of_sobol(const struct problem *problem, uint64_t seed)
{
    static struct sobol sobol;
    const struct optim_space space = {.dims = problem->dims, .count = problem->count};
    struct record record = {HUGE_VAL, HUGE_VAL};
    sobol_init(&sobol, seed);
    for (uint32_t k = 0; k < SUGGESTIONS; k++) {
        double unit[DIMS_MAX];
        double x[DIMS_MAX];
        sobol_point(&sobol, k, problem->count, unit);
        dims_from_unit(&space, unit, x);
        (void)evaluate(problem, x, seed, k, &record);
    }
    return record.loss - problem->least;
}

int main(int argc, char *argv[])
{
    bench_begin("optimizer_quality");
    int seeds = (int)bench_argument(argc, argv, 1, SEEDS_DEFAULT, 1, SEEDS_MAX);
    double sum = 0;
    for (size_t p = 0; p < ARRAY_LEN(problems); p++) {
        double ours[SEEDS_MAX];
        double even[SEEDS_MAX];
        for (int s = 0; s < seeds; s++) {
            ours[s] = regret_of_suggestions(&problems[p], (uint64_t)s);
            even[s] = regret_of_sobol(&problems[p], (uint64_t)s);
        }
        double regret = bench_median(ours, seeds);
        double share = fmin(fmax(regret / bench_median(even, seeds), SHARE_MIN), 1);
        (void)printf("  %-18s regret %.2e, share %.1e\n", problems[p].name, regret, share);
        sum += log(share);
    }
    return bench_at_most(exp(sum / ARRAY_LEN(problems)), "of the regret of Sobol points", GOAL);
}
