/*
 * Early stopping by bands. A rule is fed the values with which runs reach a
 * band, in order, and answers at once whether that run stops; the same values
 * in the same order give the same decisions. Pure; one thread at a time per
 * rule.
 *
 *   hyperband  W&B's rule: worse than the value at rank int(1 / eta * n) of the n that got there
 *   asha       asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter
 *              Tuning", 2018), stopping variant: not among the best max(1, floor(n / eta))
 *   median     median stopping rule (Golovin et al., "Google Vizier", 2017): the best so far is worse than
 * the median of the others' running averages
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_STOP_STOP_H
#define BESOM_STOP_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STOP_BANDS_MAX 100
#define STOP_RIVALS_MAX 20
#define STOP_RUN_KEY_MAX 63
#define STOP_UNIT_SIZE 64

/* The last two pause runs at their bands: halving.h decides by them, and stop_rule_new takes neither. */
enum stop_type { STOP_HYPERBAND, STOP_ASHA, STOP_MEDIAN, STOP_HYPERBAND_FULL, STOP_BOHB };
/* Of hyperband; the others count up from min_iter. */
enum stop_form { STOP_FORM_MIN_ITER, STOP_FORM_MAX_ITER };

struct stop_config {
    enum stop_type type;
    enum stop_form form;
    int64_t min_iter; /* first band; not with STOP_FORM_MAX_ITER */
    int64_t max_iter; /* no band itself; STOP_FORM_MAX_ITER, asha; of types that pause a whole run */
    int64_t s;        /* number of bands below max_iter; STOP_FORM_MAX_ITER */
    double eta;       /* > 1: a band is eta times the one before; default 3, for median 1.15 */
    bool strict;      /* judge the value at the band, else the best so far; default true; not for median */
    int64_t grace;    /* nothing is stopped at bands below it; 0 = none */
    double
        max_stops; /* greatest share of the runs that got to a band, 0 to 1, that is stopped; 0 = no bound */
    int64_t min_runs;          /* median: others that must have got there; default 5 */
    int64_t brackets;          /* of types that pause: how many are used, the longest first; 0 = all */
    char unit[STOP_UNIT_SIZE]; /* what bands count, for words alone; "" = rows that hold the metric */
};

/* What a run brings to a band. All finite, as logged. */
struct stop_value {
    double value; /* at the band */
    double best;  /* best up to it */
    double mean;  /* of all values up to it */
};

/* The bands, ascending and distinct: the ordinal (1-based) of a row that holds the metric, or what the logged
 * resource has come to (stop/resource.h). INVALID for a config that has none. */
enum status stop_bands(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count,
                       struct err *err) MUST_USE;

/* "row", or the unit as it is called. */
const char *stop_unit(const struct stop_config *config);

/* Whether runs of that type pause at their bands until a verdict. */
bool stop_type_pauses(enum stop_type type);

struct stop_rule;

struct stop_rival {
    char run[STOP_RUN_KEY_MAX + 1];
    double value;
    size_t rank; /* 0 = best */
};

/* Why a run goes on that is worse than the threshold. */
enum stop_spared { STOP_NOT_SPARED, STOP_SPARED_GRACE, STOP_SPARED_MAX_STOPS, STOP_SPARED_TOO_FEW };

/* Values are as logged (not negated). `rank_index` is the 0-based place, best first, that the threshold was
 * read at; for the median the lower of the two in the middle. */
struct stop_decision {
    bool stop;
    enum stop_spared spared;
    bool stale; /* a later attempt of the run is known: nothing was stored or judged */
    size_t band_index;
    int64_t band;
    double value; /* what was judged: the value at the band, or the best so far (not strict, median) */
    double threshold;
    size_t count; /* n: runs with a value at the band, this one included, for the median without it */
    size_t rank_index;
    struct stop_rival rivals[STOP_RIVALS_MAX]; /* the best and those nearest to `value`, best first */
    size_t rival_count;
};

/* INVALID for a type that pauses. */
enum status stop_rule_new(const struct stop_config *config, bool maximize, struct stop_rule **out,
                          struct err *err) MUST_USE;
void stop_rule_free(struct stop_rule *rule);
/* Usable as CLEANUP(stop_rule_free_at). */
void stop_rule_free_at(struct stop_rule **rule);

const struct stop_config *stop_rule_config(const struct stop_rule *rule);
size_t stop_rule_band_count(const struct stop_rule *rule);
/* Row ordinal of a band; 0 past the end. */
int64_t stop_rule_band(const struct stop_rule *rule, size_t band_index);

/* Stores the value with which `run` reached a band and judges it. One value per run and band: that of the
 * latest attempt, which goes on where the one before ended. INVALID: not finite, no such band. */
enum status stop_rule_observe(struct stop_rule *rule, const char *run, int64_t attempt, size_t band_index,
                              const struct stop_value *value, struct stop_decision *out,
                              struct err *err) MUST_USE;

/* The halves of observe, for callers that store many values before they judge. */
enum status stop_rule_store(struct stop_rule *rule, const char *run, int64_t attempt, size_t band_index,
                            const struct stop_value *value, bool *out_stale, struct err *err) MUST_USE;
/* PRECONDITION when the run has no value at that band. Counts a stop towards max_stops. */
enum status stop_rule_judge(struct stop_rule *rule, const char *run, size_t band_index, double best_so_far,
                            struct stop_decision *out, struct err *err) MUST_USE;

/* Forgets every value of a run. */
void stop_rule_forget(struct stop_rule *rule, const char *run);

#endif
