// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *bench_name = "bench";

void bench_begin(const char *name)
{
    bench_name = name;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

_Noreturn void bench_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_%s: %s: %s\n", bench_name, what, why);
    exit(2);
}

void bench_sleep_ms(int64_t ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

double bench_argument(int argc, char *const argv[], int index, double otherwise, double least, double most)
{
    if (index >= argc)
        return otherwise;
    char *end;
    double value = strtod(argv[index], &end);
    if (end == argv[index] || *end != '\0' || !(value >= least && value <= most))
        bench_fail("argument out of range", argv[index]);
    return value;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int verdict(double value, const char *unit, const char *side, double goal, bool met)
{
    (void)printf("%s %.2f %s (goal at %s %.2f) %s\n", bench_name, value, unit, side, goal,
                 met ? "ok" : "missed");
    return met ? 0 : 1;
}

int bench_at_least(double value, const char *unit, double goal)
{
    return verdict(value, unit, "least", goal, value >= goal);
}

int bench_at_most(double value, const char *unit, double goal)
{
    return verdict(value, unit, "most", goal, value <= goal);
}
