/*
 * Sweep files: YAML or JSON text → a checked `struct spec` with its search
 * space, or every problem with line and column. Also the canonical JSON from
 * which services rebuild a spec without YAML. The only user of libyaml. Pure:
 * no I/O, no clock. A spec never changes, so threads may share it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_SPEC_H
#define BESOM_SPEC_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "space/space.h"
#include "stop/stop.h"

#define SPEC_FILE_MAX (1u << 20)
#define SPEC_ENQUEUE_MAX 10000
/* Parameters that a model searches. Beyond it, one file could take all memory: what a model keeps of them
 * grows with their square. */
#define SPEC_SEARCHED_MAX 2000

enum spec_method { SPEC_METHOD_GRID, SPEC_METHOD_RANDOM, SPEC_METHOD_BAYES, SPEC_METHOD_CUSTOM };
/* How method bayes chooses; gp is the default. */
enum spec_optimizer { SPEC_OPTIMIZER_GP, SPEC_OPTIMIZER_TPE, SPEC_OPTIMIZER_CMAES, SPEC_OPTIMIZER_SOBOL };
enum spec_goal { SPEC_GOAL_MINIMIZE, SPEC_GOAL_MAXIMIZE };
enum spec_impute { SPEC_IMPUTE_WORST, SPEC_IMPUTE_BEST, SPEC_IMPUTE_LATEST, SPEC_IMPUTE_NONE };
enum spec_on_disconnect { SPEC_ON_DISCONNECT_CONTINUE, SPEC_ON_DISCONNECT_STOP };

enum spec_output { SPEC_OUTPUT_NONE, SPEC_OUTPUT_STDOUT, SPEC_OUTPUT_STDERR, SPEC_OUTPUT_BOTH };

/* Bits of spec_retry.on. */
enum spec_retry_on {
    SPEC_RETRY_CRASHED = 1,   /* ended by a signal nobody here sent */
    SPEC_RETRY_LOST = 2,      /* its agent went away */
    SPEC_RETRY_PREEMPTED = 4, /* said so, then ended */
    SPEC_RETRY_FAILED = 8     /* exit code other than 0 */
};

struct spec_retry {
    int64_t max; /* attempts after the first; default 3 */
    unsigned on; /* default SPEC_RETRY_LOST | SPEC_RETRY_PREEMPTED */
};

/* Metrics read from a program's output. */
struct spec_metrics_from {
    enum spec_output source; /* default none: the program logs */
    const char *pattern;     /* POSIX extended, two groups; NULL = JSON objects and key=value */
    const char *step;        /* name that holds a line's step; NULL = lines count */
};

struct spec_metric {
    const char *name; /* NULL: the file has no metric */
    enum spec_goal goal;
    bool has_target;
    double target;
    bool has_impute;                       /* the file says it: failed runs count as it says */
    enum spec_impute impute;               /* default worst */
    enum spec_impute impute_while_running; /* default none ("false" in the file) */
};

/* Read-only. Texts that were not given are NULL. */
struct spec {
    enum spec_method method;
    enum spec_optimizer optimizer;
    struct spec_metric metric;
    const char *program;
    const char *const *command; /* items with their macros; NULL = the default, spec_default_command */
    size_t command_count;
    int64_t run_cap;     /* 0 = none */
    int64_t concurrency; /* most runs at once; 0 = no bound */
    bool has_seed;
    uint64_t seed;
    bool has_early_terminate;
    struct stop_config early_terminate;
    const char *step_metric; /* logged value that bands count, such as epoch; NULL = rows with the metric */
    struct spec_retry retry;
    struct spec_metrics_from metrics_from;
    enum spec_on_disconnect on_disconnect;
    bool resume;           /* programs can be stopped by SIGTERM, and go on when they are started again */
    int64_t stop_grace_ms; /* between SIGTERM and SIGKILL; -1 = not given */
    int64_t lost_after_ms; /* -1 = not given */
    const char *name, *description, *project, *entity, *job, *image_uri, *notes;
    const char *const *tags;
    size_t tag_count;
    struct space *space; /* owned */
    json_t *enqueue;     /* owned; configurations to try first, parts of ones too; NULL = none */
    struct arena arena;  /* owns the texts; not for callers */
};

/* ${env} ${interpreter} ${program} ${args} */
extern const char *const spec_default_command[];
extern const size_t spec_default_command_count;

/* What the caller runs, and flags that stand above the file's keys. Zeroed = all that are served, no flags.
 */
struct spec_options {
    unsigned methods;    /* bits 1u << enum spec_method that may be run; 0 = grid, random and bayes */
    const char *program; /* --program */
    const char *name;
    const char *project;
    const char *entity;
    bool has_seed;
    uint64_t seed;
    bool require_program; /* a command that needs ${program} without one is an error, not a warning */
};

enum spec_severity { SPEC_ERROR, SPEC_WARNING };

struct spec_problem {
    enum spec_severity severity;
    size_t line, column; /* 1-based; column in characters */
    const char *text;
};

/* In order of place. At most SPEC_PROBLEMS_MAX are kept, the rest counted. */
#define SPEC_PROBLEMS_MAX 200
struct spec_problems {
    struct spec_problem items[SPEC_PROBLEMS_MAX];
    size_t count;
    size_t error_count; /* including dropped ones */
    size_t dropped;
    struct arena arena; /* owns the texts */
};

void spec_problems_init(struct spec_problems *problems);
/* Usable as CLEANUP(spec_problems_free). */
void spec_problems_free(struct spec_problems *problems);
/* Appends "FILE:LINE:COL: message\n", warnings as "FILE:LINE:COL: warning: message\n". */
void spec_problem_format(const struct spec_problem *problem, const char *filename, struct buffer *out);

/* OK: *out is the spec, `problems` (initialised by the caller) holds warnings at most. INVALID: problems has
 * the errors, err the first of them. `options` may be NULL. */
enum status spec_parse(const char *bytes, size_t length, const char *filename,
                       const struct spec_options *options, struct spec **out, struct spec_problems *problems,
                       struct err *err) MUST_USE;
void spec_free(struct spec *spec);
/* Usable as CLEANUP(spec_free_at). */
void spec_free_at(struct spec **spec);

/* Everything that is not a default, under the file's key names; parameters with their distribution. New
 * reference; NULL without memory. Write it with space_config_text. */
json_t *spec_to_json(const struct spec *spec) MUST_USE;
/* Canonical text of spec_to_json, to be freed with free(). */
char *spec_to_canonical_json(const struct spec *spec) MUST_USE;
/* The reverse: takes any method, INVALID for what spec_to_json would not write. */
enum status spec_from_canonical_json(const char *text, size_t length, struct spec **out,
                                     struct err *err) MUST_USE;

const char *spec_method_name(enum spec_method method);
const char *spec_optimizer_name(enum spec_optimizer optimizer);
/* Its suggestions depend on the results of runs before. */
bool spec_method_learns(enum spec_method method);
/* They depend on what runs brought to rungs, in that order, not on results. */
bool spec_learns_rungs(const struct spec *spec);
const char *spec_goal_name(enum spec_goal goal);

#endif
