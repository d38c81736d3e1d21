/*
 * What the benchmarks share: how they fail, wait, report against a goal, and
 * the calls to a running controller that each of them needs. The controller is
 * found as by any client: BESOM_ADDRESS and BESOM_TOKEN, or BESOM_HOME.
 * A failure ends the process with exit code 2.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_H
#define BESOM_TESTS_BENCH_H

#include <besom/client.h>
#include <stdint.h>

#include "base/id.h"

#define BENCH_AGENT_ID_SIZE 17
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

besom_client *bench_connect(void);
/* From the text of a sweep file. */
void bench_create_sweep(besom_client *client, const char *text, char out[ID_SIZE]);
void bench_cancel_sweep(besom_client *client, const char *sweep_id);
/* With all its runs and metrics; they must have ended. */
void bench_delete_sweep(besom_client *client, const char *sweep_id);
/* Writes the id of agent `number` and registers it with one slot. */
void bench_register_agent(besom_client *client, const char *sweep_id, int number,
                          char out[BENCH_AGENT_ID_SIZE]);

#endif
