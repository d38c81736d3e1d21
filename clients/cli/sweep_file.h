/*
 * A sweep file: read, checked here with every problem told at once, and sent
 * to the controller.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_SWEEP_FILE_H
#define BESOM_CLI_SWEEP_FILE_H

#include <besom/client.h>

#include "base/buffer.h"
#include "cli.h"
#include "spec/spec.h"

/* Flags that stand above the file's keys; unset = NULL. */
struct sweep_flags {
    const char *project, *name, *program;
    const char *seed;   /* text, because 0 is a seed; below 2^63 */
    const char *entity; /* W&B's flag, taken and not used */
    bool any_method; /* not a flag: the file is only read, so methods that no service here runs are right */
};

#define SWEEP_FLAG_KEYS(Options)                                                                         \
    {.name = "project",                                                                                  \
     .letter = 'p',                                                                                      \
     .type = CONFIG_TEXT,                                                                                \
     .offset = offsetof(Options, flags.project),                                                         \
     .environment = "BESOM_PROJECT",                                                                     \
     .value_name = "NAME",                                                                               \
     .help = "project of the sweep, above the file's"},                                                  \
        {.name = "entity",                                                                               \
         .letter = 'e',                                                                                  \
         .type = CONFIG_TEXT,                                                                            \
         .offset = offsetof(Options, flags.entity),                                                      \
         .value_name = "NAME",                                                                           \
         .help = "taken for W&B's sake and ignored: there are projects only"},                           \
        {.name = "name",                                                                                 \
         .type = CONFIG_TEXT,                                                                            \
         .offset = offsetof(Options, flags.name),                                                        \
         .value_name = "NAME",                                                                           \
         .help = "display name, above the file's"},                                                      \
        {.name = "program",                                                                              \
         .type = CONFIG_TEXT,                                                                            \
         .offset = offsetof(Options, flags.program),                                                     \
         .value_name = "FILE",                                                                           \
         .help = "program to run, above the file's"},                                                    \
    {                                                                                                    \
        .name = "seed", .type = CONFIG_TEXT, .offset = offsetof(Options, flags.seed), .value_name = "N", \
        .help = "seed of all draws, above the file's"                                                    \
    }

/* A file as it was read, and what it says. */
struct sweep_file {
    const char *path;              /* as given */
    struct buffer bytes;           /* owned */
    struct spec *spec;             /* owned; NULL when the file is wrong */
    struct spec_problems problems; /* owned; errors and warnings */
};

/* Reads the file ("-" is stdin) and parses it under the flags; problems go to stderr as FILE:LINE:COL unless
 * `tell` is false. CLI_USAGE when there is an error. `out` is to be given back in any case. */
int sweep_file_load(const char *path, const struct sweep_flags *flags, bool tell,
                    struct sweep_file *out) MUST_USE;
/* The second half of it: of bytes that are there, with `problems` initialised. */
int sweep_file_parse(struct sweep_file *file, const struct sweep_flags *flags, bool tell) MUST_USE;
/* Usable as CLEANUP. */
void sweep_file_free(struct sweep_file *file);

/* Seed flag to number. *has = false when it was not given. */
int sweep_flags_seed(const struct sweep_flags *flags, bool *has, uint64_t *out) MUST_USE;

/* Sends a checked file. `prior_runs` may be NULL. *out is the caller's. */
int sweep_file_create(besom_client *client, const struct sweep_file *file, const struct sweep_flags *flags,
                      const struct config_list *prior_runs, Besom__V1__CreateSweepResponse **out) MUST_USE;
/* Sends a checked file as the next version of a sweep. *out is the caller's. */
int sweep_file_update(besom_client *client, const char *sweep_id, const struct sweep_file *file,
                      const struct sweep_flags *flags, Besom__V1__UpdateSweepResponse **out) MUST_USE;

/* What the server says beyond the file's own problems, on stderr. */
void sweep_file_tell_warnings(const struct sweep_file *file, char *const *warnings, size_t count);

/* Whether the services of this version run it. */
bool sweep_file_is_run(const struct spec *spec);

/* Whether all its configurations are known before any result: grid and random. */
bool sweep_file_has_points(const struct spec *spec);

/*
 * The configurations that are known before any result, as the server hands them out: the points of `enqueue`,
 * then a grid's others or the draws under the spec's seed (0 when it has none).
 */
struct sweep_points {
    const struct spec *spec; /* borrowed */
    uint64_t next;
    struct sweep_point *given; /* owned; of a grid: those of the file */
};

/* How many there are: UINT64_MAX when there is no end. */
enum status sweep_points_count(const struct spec *spec, uint64_t *out, struct err *err) MUST_USE;
/* The next one, a new reference; *out is NULL after the last. Begins zeroed but for the spec. */
enum status sweep_points_next(struct sweep_points *points, json_t **out, struct err *err) MUST_USE;
/* Usable as CLEANUP. */
void sweep_points_release(struct sweep_points *points);

#endif
