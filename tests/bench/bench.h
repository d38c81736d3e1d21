/*
 * What all benchmarks share: how they fail, wait and report against a goal.
 * A failure ends the process with exit code 2.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_H
#define BESOM_TESTS_BENCH_H

#include <stdint.h>

#define BENCH_ROUNDS_MAX 32

/* `name` stands before messages and in the verdict. */
void bench_begin(const char *name);
_Noreturn void bench_fail(const char *what, const char *why);

void bench_sleep_ms(int64_t ms);
/* argv[index] as a number within bounds, `otherwise` when it is not given. */
double bench_argument(int argc, char *const argv[], int index, double otherwise, double least, double most);
/* Sorts them. */
double bench_median(double *values, int count);

/* Print "NAME VALUE UNIT (goal at least/at most GOAL) ok|missed" and give the exit code. */
int bench_at_least(double value, const char *unit, double goal);
int bench_at_most(double value, const char *unit, double goal);

#endif
