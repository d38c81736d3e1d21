/*
 * Hyperband with its brackets of successive halving (Li et al., "Hyperband: A Novel Bandit-Based Approach to
 * Hyperparameter Optimization", JMLR 2018): R = max_iter, η = eta, s_max = floor(log_η(R / min_iter)).
 * Bracket s starts ceil((s_max + 1) / (s + 1) · η^s) runs, which pause at rung R / η^s; when all have come,
 * the best 1 / η of them go on to the next rung, and the last of all to R, where nothing pauses.
 *
 * Ordinals are dealt to the brackets s_max, s_max - 1, ..., 0, and round again: the runs that one bracket
 * starts are a cohort. Where no more runs come, a closing cuts the last cohort, and those after it begin with
 * s_max anew. The same events in the same order give the same verdicts. Pure; one thread at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_STOP_HALVING_H
#define BESOM_STOP_HALVING_H

#include "stop/stop.h"

#define HALVING_BRACKETS_MAX (STOP_BANDS_MAX + 1)

struct halving_bracket {
    int64_t s;
    int64_t runs;      /* it starts with */
    size_t first_band; /* index of its first rung; the number of bands when it has none (s = 0) */
};

/* The brackets in the order in which ordinals are dealt to them. INVALID as stop_bands. */
enum status halving_brackets(const struct stop_config *config,
                             struct halving_bracket out[HALVING_BRACKETS_MAX], size_t *count,
                             struct err *err) MUST_USE;

/* How many of `runs` go on from a rung: the best floor(runs / eta), at least one. */
int64_t halving_keeps(int64_t runs, double eta);

struct halving;

/* INVALID for a config that does not pause or has no bands; NO_MEMORY. */
enum status halving_new(const struct stop_config *config, bool maximize, struct halving **out,
                        struct err *err) MUST_USE;
void halving_free(struct halving *halving);
/* Usable as CLEANUP(halving_free_at). */
void halving_free_at(struct halving **halving);
const struct stop_config *halving_config(const struct halving *halving);

/* What a value means for its run. */
enum halving_answer {
    HALVING_NO_RUNG,  /* its cohort does not pause there: it goes on */
    HALVING_WAITS,    /* it pauses until the others of its cohort have come */
    HALVING_PROMOTED, /* all have come: it goes on */
    HALVING_OUT       /* others were better: it stops */
};

struct halving_decision {
    enum halving_answer answer;
    size_t band_index;
    int64_t band;
    int64_t s;        /* bracket */
    int64_t cohort;   /* its first ordinal */
    int64_t planned;  /* runs that are awaited at the rung */
    int64_t arrived;  /* of them, this one included: with a value there, or ended */
    int64_t keeps;    /* how many go on */
    int64_t rank;     /* 1 = best; 0 while the verdict is open */
    double threshold; /* worst value that goes on; NAN while the verdict is open */
};

/* A cohort is complete at a rung. One for each run that was awaited there, best first. */
struct halving_verdict {
    char run[STOP_RUN_KEY_MAX + 1]; /* empty: an ordinal without a run */
    int64_t ordinal;
    bool promoted;
    size_t band_index;
    int64_t band;
    int64_t s;
    int64_t cohort;
    int64_t planned;
    int64_t rank;     /* 1 = best */
    double value;     /* NAN: it ended without one that counts */
    double threshold; /* worst value that was promoted; NAN when none was */
};

/* Run `run` of `ordinal` brings a value to a band. INVALID: no such band, not finite, no ordinal. */
enum status halving_observe(struct halving *halving, int64_t ordinal, const char *run, size_t band_index,
                            double value, struct halving_decision *out, struct err *err) MUST_USE;

/* The run of `ordinal` has ended; `run` is empty for an ordinal that never had one. With a finite `value` it
 * has finished and keeps its place with that, NAN otherwise: nothing can be promoted. */
enum status halving_end(struct halving *halving, int64_t ordinal, const char *run, double value,
                        struct err *err) MUST_USE;

/* Runs that are to come have ordinals from `ordinal` on, and begin with a bracket of their own. */
enum status halving_close(struct halving *halving, int64_t ordinal, struct err *err) MUST_USE;

/* Verdicts of the last of the three calls above; valid until the next. */
const struct halving_verdict *halving_verdicts(const struct halving *halving, size_t *count);

#endif
