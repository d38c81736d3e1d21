/*
 * `besom export` of a sweep's runs: a row each, with a column for each
 * parameter and each entry of a summary. Reads twice, so that no more than a
 * page of runs is in memory.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_EXPORT_RUNS_H
#define BESOM_CLI_EXPORT_RUNS_H

#include "out_file.h"
#include "records.h"
#include "run_columns.h"

/* Columns NULL = all: then JSON has the parameters and the summary as objects. `count` is the rows written.
 */
int export_runs(struct run_query *query, besom_client *client, const char *sweep_id,
                struct run_columns *columns, enum record_format format, struct out_file *file,
                int64_t *count) MUST_USE;

#endif
