/*
 * `besom deploy` in parts: what it has made, how that is told, and the programs of others that it runs.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_DEPLOY_H
#define BESOM_CLI_DEPLOY_H

#include "connection.h"
#include "deploy_file.h"
#include "deploy_template.h"

struct deploy_options {
    struct connection_options connection;
    struct sweep_flags flags;
    const char *slurm; /* template; NULL = not given */
    int64_t nodes;     /* 0 = not given */
    double hours_per_run;
    const char *sync;
    const char *out;
    bool submit, dry_run, json;
};

struct deploy {
    struct cli *cli;
    const struct deploy_options *options;
    struct deploy_file file;         /* owned */
    struct buffer text;              /* owned; the template's */
    struct deploy_template template; /* points into text */
};

/* Table, totals and commands for people, or one JSON value. An exit code. */
int deploy_report(const struct deploy *deploy) MUST_USE;
/* Says on stderr what is there after a failure, and how to go on. */
void deploy_report_rest(const struct deploy *deploy);

/* The user's command, by sh; its output goes to stderr. An error has been printed. */
int deploy_sync(const struct deploy *deploy) MUST_USE;
/* Whether sbatch can be found. An error has been printed. */
int deploy_find_sbatch(const struct deploy *deploy) MUST_USE;
/* Submits each script and keeps the job's id; ends at the first failure, which has been printed. */
int deploy_submit(struct deploy *deploy) MUST_USE;

/* The last line of what `sbatch --parsable` printed that is "ID" or "ID;CLUSTER": the length of its id, and
 * *start where it begins; 0 = there is none. */
size_t deploy_job_id(const char *printed, size_t *start);

#endif
