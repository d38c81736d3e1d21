/*
 * A Bayesian optimiser, asked and told. A suggestion is a function of the
 * space, the seed, what was told (in order), what is pending and the ordinal:
 * asking again, or in another process that was told the same, gives the same.
 * No clock, no global state but OpenBLAS's number of threads, which becomes 1.
 * An optimiser serves one thread at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_OPTIM_H
#define BESOM_OPTIM_OPTIM_H

#include "base/err.h"
#include "optim/dims.h"

#define OPTIM_PENDING_MAX 256  /* the latest ones count in the model, all of them against repeats */
#define OPTIM_FAILURES_MAX 128 /* likewise */

struct optim;

enum optim_phase {
    OPTIM_START, /* too little is known: points that fill the space evenly */
    /* One in ten looks elsewhere however much is known, one in two once nothing is expected: an even point,
     * or the most worth within a level of a category that the best point does not have. */
    OPTIM_EXPLORE,
    OPTIM_MODEL,     /* most worth by the model */
    OPTIM_EXHAUSTED, /* every point of a discrete space was told or is pending; no point */
    OPTIM_PHASE_COUNT
};

const char *optim_phase_name(enum optim_phase phase);

struct optim_question {
    uint64_t ordinal;      /* of the suggestion */
    const double *pending; /* settled points as rows: suggested, not told */
    size_t pending_count;
};

/* Why a point was suggested. What follows `focus_dim` only of OPTIM_MODEL. */
struct optim_report {
    enum optim_phase phase;
    bool has_focus;              /* of OPTIM_EXPLORE: by a level of a category, not an even point */
    size_t focus_dim;            /* that category */
    double mean;                 /* predicted value, over all likely parameters like what follows */
    double deviation;            /* half the width from one deviation below to one above */
    double log_improvement;      /* logarithm of the expected improvement, times the chance of success */
    bool has_bound;              /* it was chosen by the bound, not by the improvement */
    double bound;                /* the value that is one deviation above, by each set of them */
    double success;              /* chance that the point does not fail */
    double noise;                /* deviation, in units of the model (values have deviation 1); most likely */
    size_t model_count;          /* successes in the model */
    const double *length_scales; /* most likely; borrowed until the next call; logarithms, one a dimension */
};

/* `space` is borrowed until optim_free; 1 or more dimensions. NO_MEMORY. */
enum status optim_new(const struct optim_space *space, uint64_t seed, struct optim **out,
                      struct err *err) MUST_USE;
/* NULL is fine. */
void optim_free(struct optim *optim);

/* A settled point's value, larger is better. Not finite: it failed. */
enum status optim_tell(struct optim *optim, const double *point, double value, struct err *err) MUST_USE;

/* The settled point for a question; `out_point` is left alone when exhausted. */
enum status optim_suggest(struct optim *optim, const struct optim_question *question, double *out_point,
                          struct optim_report *report, struct err *err) MUST_USE;

/* What the model (of two successes or more) believes of settled points: means and deviations in units of the
 * values. PRECONDITION without a model. */
enum status optim_predict(struct optim *optim, const double *points, size_t count, double *means,
                          double *deviations, struct err *err) MUST_USE;

#endif
