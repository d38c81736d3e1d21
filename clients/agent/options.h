/*
 * The agent's command line and environment, from one table.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_OPTIONS_H
#define BESOM_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"

#define SLOTS_MAX 1024

struct agent_options {
    const char *sweep_id; /* last part of the argument; NULL with submit */
    const char *submit;   /* file with the parameters of a single run, "-" = standard input; NULL = serve */
    const char *name;     /* of the single run; may be NULL */
    char *const *command; /* what stood behind "--", NULL-terminated; NULL = the sweep's own */
    int64_t count;        /* runs to end before leaving; 0 = no bound */
    const char *project;  /* of the single run; ignored otherwise */
    const char *entity;   /* ignored */
    int64_t slots;        /* 0 = not said */
    const char *gpus;
    int64_t gpus_per_run;
    const char *time_left_from; /* "slurm"; NULL = nobody is asked */
    int64_t time_per_run_ms;    /* 0 = not said */
    bool wandb;
    bool forward_signals;
    int64_t term_timeout_ms; /* -1 = none */
    const char *workdir;
    const char *run_dir;
    struct config_list allowed_programs;
    const char *host; /* NULL = the machine's name */
    bool ignore_quarantine;
    const char *state_dir;
    int64_t spool_limit_bytes;
    bool quiet;
    const char *log_file;
    const char *log_level;
    const char *address, *token_file, *ca_file, *certificate_file, *key_file, *server_name;
    bool tls, insecure;
};

/* Texts live in the arena, argv or the environment. `done` is set after --help or --version. INVALID. */
enum status options_parse(int argc, char *const argv[], struct arena *arena, struct agent_options *out,
                          bool *done, struct err *err) MUST_USE;

#endif
