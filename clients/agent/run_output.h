/*
 * The command's output: reads both pipes into the batcher, keeps the newest
 * error output for the report of a failure, and writes the metrics found in it
 * as rows. Belongs to the shim's loop.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_OUTPUT_H
#define BESOM_AGENT_RUN_OUTPUT_H

#include "attempt.h"
#include "batcher.h"
#include "loop.h"
#include "row.h"

struct run_output;

struct run_output_options {
    const struct attempt_spec *spec;
    struct loop *loop;
    struct batcher *batcher;
    struct row_steps *steps;
    /* After output was taken in: batches may be due now. */
    void (*on_input)(void *context);
    void *context;
};

/* What `options` points to must outlive it. A pattern that is none is told in the run's output. NO_MEMORY. */
enum status run_output_new(const struct run_output_options *options, struct run_output **out,
                           struct err *err) MUST_USE;

/* Reads from the pipes of output and error output from now on; they are the reader's. */
void run_output_watch(struct run_output *output, const int pipes[2]);

/* Stops or goes on reading what metrics are read from, as the batcher has room. */
void run_output_hold(struct run_output *output, bool hold);

/* Reads what the command left behind. After its end. */
void run_output_drain(struct run_output *output);

/* The newest error output. */
void run_output_error_text(const struct run_output *output, char out[ATTEMPT_ERROR_MAX]);

void run_output_free(struct run_output *output);

#endif
