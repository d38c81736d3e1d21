/*
 * How much time the batch system leaves this job.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_TIME_LEFT_H
#define BESOM_AGENT_TIME_LEFT_H

#include <stdint.h>

#include "base/err.h"

#define TIME_LEFT_UNLIMITED INT64_MAX

/* As squeue writes it: "1-02:03:04", "2:03:04", "3:04", "UNLIMITED". INVALID for all else. */
enum status time_left_parse_slurm(const char *text, int64_t *out_ms, struct err *err) MUST_USE;

/* By SLURM_JOB_END_TIME, else by squeue; waits for it. PRECONDITION: this is no job, or nobody says. */
enum status time_left_ask_slurm(int64_t *out_ms, struct err *err) MUST_USE;

#endif
