// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sweep files and grids: milliseconds to read and check a file of 1,000 parameters, microseconds for one
 * point of a large grid, with and without conditions. The median of many rounds counts.
 *
 *     bench_spec [ROUNDS]
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "spec/spec.h"
#include "tests/bench/bench.h"

#define PARAMETERS 1000
#define FILE_GOAL_MS 20
#define POINT_GOAL_US 10
#define POINTS_A_ROUND 1000
#define FAR_POINT UINT64_C(1000000000)
#define ROUNDS_DEFAULT 21

static const char grid_file[] = "method: grid\nprogram: train.py\nparameters:\n"
                                "  layers: {min: 1, max: 1000000}\n"
                                "  width: {min: 1, max: 1000000}\n"
                                "  optimizer: {values: [sgd, adam]}\n";
static const char conditional_file[] = "method: grid\nprogram: train.py\nparameters:\n"
                                       "  layers: {min: 1, max: 1000000}\n"
                                       "  width: {min: 1, max: 1000000, when: {layers: [1, 2, 5000]}}\n"
                                       "  optimizer: {values: [sgd, adam, rmsprop]}\n"
                                       "  momentum: {min: 1, max: 1000, when: {optimizer: sgd}}\n"
                                       "  seed: {min: 1, max: 1000}\n";

static struct spec *parse(const char *text, size_t length)
{
    static struct spec_problems problems;
    spec_problems_init(&problems);
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    if (spec_parse(text, length, "bench.yaml", NULL, &spec, &problems, &err) != STATUS_OK)
        bench_fail("parsing", err.text);
    spec_problems_free(&problems);
    return spec;
}

/* Every kind of parameter in turn, a tenth of them nested, a tenth conditional. */
static void write_file(struct buffer *out)
{
    static const char *const kinds[] = {
        "min: 0.0, max: 1.0",
        "min: 1, max: 64",
        "values: [a, b, c, 4, 5.5, true]",
        "distribution: log_uniform_values, min: 0.00001, max: 0.1",
        "distribution: normal, mu: 0.5, sigma: 2",
        "value: [1, 2, 3]",
        "distribution: q_uniform, min: 0, max: 8, q: 2",
        "values: [x, y], probabilities: [0.25, 0.75]",
    };
    buffer_puts(out,
                "method: random\nprogram: train.py\nmetric: {name: loss, goal: minimize}\nparameters:\n");
    for (int i = 0; i < PARAMETERS; i++) {
        const char *keys = kinds[(size_t)i % ARRAY_LEN(kinds)];
        const char *when = i % 10 == 4 ? ", when: {p2: [a, b]}" : "";
        if (i % 10 == 7)
            buffer_printf(out, "  p%d:\n    parameters:\n      inner:\n        {%s}\n", i, keys);
        else
            buffer_printf(out, "  p%d: {%s%s}\n", i, keys, when);
    }
}

static int bench_file(int rounds)
{
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    double ms[BENCH_ROUNDS_MAX];
    write_file(&text);
    for (int i = 0; i < rounds; i++) {
        int64_t start = clock_monotonic_us(&clock_system);
        struct spec *spec = parse(buffer_text(&text), text.length);
        ms[i] = (double)(clock_monotonic_us(&clock_system) - start) / 1e3;
        if (space_parameter_count(spec->space) != PARAMETERS)
            bench_fail("parsing", "parameters are missing");
        spec_free(spec);
    }
    bench_begin("spec/file");
    return bench_at_most(bench_median(ms, rounds), "ms", FILE_GOAL_MS);
}

static int bench_points(const char *name, const char *file, int rounds)
{
    struct spec *spec = parse(file, strlen(file));
    struct err err = ERR_INIT;
    double us[BENCH_ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) {
        int64_t start = clock_monotonic_us(&clock_system);
        for (uint64_t k = 0; k < POINTS_A_ROUND; k++) {
            json_t *point = NULL;
            if (space_grid_point(spec->space, FAR_POINT + k, &point, &err) != STATUS_OK)
                bench_fail("grid point", err.text);
            json_decref(point);
        }
        us[i] = (double)(clock_monotonic_us(&clock_system) - start) / POINTS_A_ROUND;
    }
    spec_free(spec);
    bench_begin(name);
    return bench_at_most(bench_median(us, rounds), "us", POINT_GOAL_US);
}

int main(int argc, char *argv[])
{
    bench_begin("spec");
    int rounds = (int)bench_argument(argc, argv, 1, ROUNDS_DEFAULT, 1, BENCH_ROUNDS_MAX);
    int missed = bench_file(rounds);
    missed |= bench_points("spec/grid_point", grid_file, rounds);
    missed |= bench_points("spec/conditional_point", conditional_file, rounds);
    return missed;
}
