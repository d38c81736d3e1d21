// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Bayesian suggestions: milliseconds of a processor for one suggestion after 100, 1,000 and 10,000 results in
 * ten dimensions, median and 99th percentile of those that the model makes. Each is told before the next is
 * asked, so fits that fall due are in them; what a process that starts anew learns first is not.
 *
 *     bench_optimizer_speed [SUGGESTIONS]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "optim/optim.h"
#include "tests/bench/bench.h"

#define DIMS 10
#define SUGGESTIONS 30
#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX 60

struct size {
    size_t results;
    const char *median_name, *tail_name;
    double median_goal_ms, tail_goal_ms;
};

static const struct size sizes[] = {
    {100, "optimizer_speed/100", "optimizer_speed/100/p99", 10, 30},
    {1000, "optimizer_speed/1000", "optimizer_speed/1000/p99", 60, 200},
    {10000, "optimizer_speed/10000", "optimizer_speed/10000/p99", 100, 300},
};

static const struct optim_dim dims[DIMS] = {
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_ORDERED, .levels = 8},
    {.kind = OPTIM_ORDERED, .levels = 100},
    {.kind = OPTIM_CATEGORY, .levels = 4},
};

/* A curved valley, a preferred category, a little noise. */
static double value_of(const double *point, uint64_t ordinal)
{
    double sum = 0.2 * point[DIMS - 1] + pow(point[7] / 8 - 0.4, 2) + pow(point[8] / 100 - 0.6, 2);
    for (size_t i = 0; i + 1 < 7; i++)
        sum += 4 * pow(point[i + 1] - point[i] * point[i], 2) + pow(point[i] - 0.7, 2);
    return -sum + 0.01 * random_draw_unit(1, ordinal, "noise", 0);
}

static void tell(struct optim *optim, const double *point, uint64_t ordinal)
{
    struct err err = ERR_INIT;
    if (optim_tell(optim, point, value_of(point, ordinal), &err) != STATUS_OK)
        bench_fail("telling", err.text);
}

static void tell_random(struct optim *optim, const struct optim_space *space, uint64_t seed, size_t count)
{
    for (uint64_t j = 0; j < count; j++) {
        double unit[DIMS];
        double point[DIMS];
        for (uint32_t i = 0; i < DIMS; i++)
            unit[i] = random_draw_unit(seed, j, "point", i);
        dims_from_unit(space, unit, point);
        tell(optim, point, j);
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Of this process, which has one thread: other programs on the machine do not count. */
static double processor_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Milliseconds of each suggestion by the model into `out`; how many. */
static size_t measure(struct optim *optim, size_t results, double *out)
{
    size_t measured = 0;
    for (uint64_t k = 0; k <= SUGGESTIONS; k++) {
        double point[DIMS];
        struct err err = ERR_INIT;
        struct optim_report report;
        const struct optim_question question = {.ordinal = results + k};
        double start = processor_ms();
        if (optim_suggest(optim, &question, point, &report, &err) != STATUS_OK)
            bench_fail("suggesting", err.text);
        if (k > 0 && report.phase == OPTIM_MODEL)
            out[measured++] = processor_ms() - start;
        tell(optim, point, results + k);
    }
    return measured;
}

static int bench_size(const struct size *size, size_t rounds)
{
    static double ms[ROUNDS_MAX * SUGGESTIONS];
    const struct optim_space space = {.dims = dims, .count = DIMS};
    size_t measured = 0;
    for (uint64_t seed = 0; seed < rounds; seed++) {
        struct optim *optim = NULL;
        struct err err = ERR_INIT;
        if (optim_new(&space, seed, &optim, &err) != STATUS_OK)
            bench_fail("making an optimiser", err.text);
        tell_random(optim, &space, seed, size->results);
        measured += measure(optim, size->results, ms + measured);
        optim_free(optim);
    }
    if (measured == 0)
        bench_fail("measuring", "the model made no suggestion");
    qsort(ms, measured, sizeof *ms, compare);
    bench_begin(size->median_name);
    int missed = bench_at_most(ms[measured / 2], "ms", size->median_goal_ms);
    bench_begin(size->tail_name);
    missed |= bench_at_most(ms[measured * 99 / 100], "ms", size->tail_goal_ms);
    return missed;
}

int main(int argc, char *argv[])
{
    bench_begin("optimizer_speed");
    size_t rounds = (size_t)bench_argument(argc, argv, 1, ROUNDS_DEFAULT, 1, ROUNDS_MAX);
    int missed = 0;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        missed |= bench_size(&sizes[i], rounds);
    return missed;
}
