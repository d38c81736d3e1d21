/*
 * What this agent puts around its runs, made out once at the start: the folder
 * that keeps what a run wants to find again, the GPUs to share out, and where
 * Python finds Besom's package.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SURROUNDINGS_H
#define BESOM_AGENT_SURROUNDINGS_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "gpus.h"
#include "options.h"

struct surroundings {
    char run_root[PATH_MAX]; /* absolute; "" = RUN_ROOT_NAME in the working folder */
    char *python_path;       /* owned; NULL = nothing */
    struct gpu_list gpus;    /* owned; empty = runs are not bound to any */
    int slots;               /* runs side by side */
};

#define RUN_ROOT_NAME "besom-runs"

/* INVALID when an option does not fit this machine or another option. */
enum status surroundings_open(const struct agent_options *options, struct surroundings *out,
                              struct err *err) MUST_USE;
void surroundings_close(struct surroundings *surroundings);

/* The run's folder, made if it is missing: owned by the caller, NULL when there is none because the working
 * folder takes no new ones and no --run-dir was given. IO when that was given. */
enum status surroundings_run_dir(const struct surroundings *surroundings, const char *workdir,
                                 const char *run_id, char **out, struct err *err) MUST_USE;

#endif
