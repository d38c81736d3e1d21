/*
 * Each band keeps its values ranked, and each run its value at each band; runs
 * are numbered as they come. A decision costs O(log n) in the runs that reached
 * the band.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "stop/ranking.h"

/* Lower is better: values of a maximised metric are negated on the way in and out. */
struct band {
    int64_t row;
    struct ranking ranking; /* owned */
};

struct run {
    char key[STOP_RUN_KEY_MAX + 1];
    size_t number;
    int64_t attempt;
    bool stopped;
    double losses[STOP_BANDS_MAX]; /* what is ranked at each band; NAN: nothing */
    UT_hash_handle hh;
};

struct stop_rule {
    struct stop_config config;
    double sign; /* -1 when the metric is maximised */
    size_t stops;
    struct band bands[STOP_BANDS_MAX];
    size_t band_count;
    struct run *by_key; /* owned; uthash */
    struct run **runs;  /* owned array; by number */
    size_t run_count;
    size_t run_capacity;
};

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "early stopping: out of memory");
}

enum status stop_rule_new(const struct stop_config *config, bool maximize, struct stop_rule **out,
                          struct err *err)
{
    int64_t rows[STOP_BANDS_MAX];
    size_t count = 0;
    *out = NULL;
    TRY(stop_bands(config, rows, &count, err));
    if (stop_type_pauses(config->type))
        return err_set(err, STATUS_INVALID, "runs pause at these bands: no value decides by itself");
    struct stop_rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL)
        return out_of_memory(err);
    rule->config = *config;
    rule->sign = maximize ? -1 : 1;
    rule->band_count = count;
    for (size_t i = 0; i < count; i++)
        rule->bands[i].row = rows[i];
    *out = rule;
    return STATUS_OK;
}

void stop_rule_free(struct stop_rule *rule)
{
    if (rule == NULL)
        return;
    HASH_CLEAR(hh, rule->by_key);
    for (size_t i = 0; i < rule->run_count; i++)
        free(rule->runs[i]);
    for (size_t i = 0; i < rule->band_count; i++)
        ranking_free(&rule->bands[i].ranking);
    free(rule->runs);
    free(rule);
}

void stop_rule_free_at(struct stop_rule **rule)
{
    stop_rule_free(*rule);
    *rule = NULL;
}

const struct stop_config *stop_rule_config(const struct stop_rule *rule)
{
    return &rule->config;
}

size_t stop_rule_band_count(const struct stop_rule *rule)
{
    return rule->band_count;
}

int64_t stop_rule_band(const struct stop_rule *rule, size_t band_index)
{
    return band_index < rule->band_count ? rule->bands[band_index].row : 0;
}

static struct run *find_run(const struct stop_rule *rule, const char *key)
{
    struct run *run = NULL;
    HASH_FIND_STR(rule->by_key, key, run);
    return run;
}

static struct run *make_run(const char *key, size_t number, int64_t attempt)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return NULL;
    memcpy(run->key, key, strlen(key));
    run->number = number;
    run->attempt = attempt;
    for (size_t i = 0; i < STOP_BANDS_MAX; i++)
        run->losses[i] = NAN;
    return run;
}

/* NULL without memory. */
static struct run *add_run(struct stop_rule *rule, const char *key, int64_t attempt)
{
    if (rule->run_count == rule->run_capacity) {
        size_t capacity = rule->run_capacity == 0 ? 64 : rule->run_capacity * 2;
        struct run **grown = realloc(rule->runs, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        rule->runs = grown;
        rule->run_capacity = capacity;
    }
    struct run *run = make_run(key, rule->run_count, attempt);
    if (run == NULL)
        return NULL;
    rule->runs[rule->run_count++] = run;
    HASH_ADD_STR(rule->by_key, key, run);
    return run;
}

static void remove_value(struct band *band, double *loss, size_t run)
{
    if (isnan(*loss))
        return;
    ranking_remove(&band->ranking, *loss, run);
    *loss = NAN;
}

static void forget_values(struct stop_rule *rule, struct run *run)
{
    for (size_t i = 0; i < rule->band_count; i++)
        remove_value(&rule->bands[i], &run->losses[i], run->number);
}

void stop_rule_forget(struct stop_rule *rule, const char *key)
{
    struct run *run = find_run(rule, key);
    if (run == NULL)
        return;
    forget_values(rule, run);
    run->attempt = INT64_MIN;
}

static enum status check_value(const struct stop_rule *rule, const char *key, size_t band_index, double value,
                               struct err *err)
{
    if (key[0] == '\0' || strlen(key) > STOP_RUN_KEY_MAX)
        return err_set(err, STATUS_INVALID, "a run's key has 1 to %d bytes", STOP_RUN_KEY_MAX);
    if (band_index >= rule->band_count)
        return err_set(err, STATUS_INVALID, "run %s: there is no band %zu", key, band_index);
    if (!isfinite(value))
        return err_set(err, STATUS_INVALID, "run %s: the value is not finite", key);
    return STATUS_OK;
}

static enum status check_values(const struct stop_rule *rule, const char *key, size_t band_index,
                                const struct stop_value *value, struct err *err)
{
    TRY(check_value(rule, key, band_index, value->value, err));
    TRY(check_value(rule, key, band_index, value->best, err));
    return check_value(rule, key, band_index, value->mean, err);
}

enum status stop_rule_store(struct stop_rule *rule, const char *key, int64_t attempt, size_t band_index,
                            const struct stop_value *value, bool *out_stale, struct err *err)
{
    *out_stale = false;
    TRY(check_values(rule, key, band_index, value, err));
    struct run *run = find_run(rule, key);
    if (run == NULL && (run = add_run(rule, key, attempt)) == NULL)
        return out_of_memory(err);
    if (attempt < run->attempt) {
        *out_stale = true;
        return STATUS_OK;
    }
    run->attempt = attempt;
    double loss = rule->sign * (rule->config.type == STOP_MEDIAN ? value->mean : value->value);
    remove_value(&rule->bands[band_index], &run->losses[band_index], run->number);
    if (!ranking_insert(&rule->bands[band_index].ranking, loss, run->number))
        return out_of_memory(err);
    run->losses[band_index] = loss;
    return STATUS_OK;
}

static void add_rival(const struct stop_rule *rule, const struct band *band, size_t rank,
                      struct stop_decision *out)
{
    struct stop_rival *rival = &out->rivals[out->rival_count++];
    double loss;
    size_t run;
    ranking_at(&band->ranking, rank, &loss, &run);
    memcpy(rival->run, rule->runs[run]->key, sizeof rival->run);
    rival->value = rule->sign * loss + 0.0;
    rival->rank = rank;
}

/* The best value, then a window of neighbours around the run's own place, which is left out. */
static void list_rivals(const struct stop_rule *rule, const struct band *band, size_t own,
                        struct stop_decision *out)
{
    size_t first = own > STOP_RIVALS_MAX / 2 ? own - STOP_RIVALS_MAX / 2 : 0;
    if (first > 0)
        add_rival(rule, band, 0, out);
    for (size_t rank = first; rank < ranking_count(&band->ranking) && out->rival_count < STOP_RIVALS_MAX;
         rank++)
        if (rank != own)
            add_rival(rule, band, rank, out);
}

static double loss_at(const struct band *band, size_t rank)
{
    double loss;
    size_t run;
    ranking_at(&band->ranking, rank, &loss, &run);
    return loss;
}

/* hyperband and asha: a rank among all that got there. */
static double rank_threshold(const struct stop_rule *rule, const struct band *band, struct stop_decision *out)
{
    size_t reached = ranking_count(&band->ranking);
    size_t kept;
    if (rule->config.type == STOP_ASHA) {
        kept = (size_t)((double)reached / rule->config.eta);
        kept = kept > 0 ? kept - 1 : 0;
    } else { /* Python multiplies by a rounded 1 / eta, which of 49 values at eta 49 leaves 0 */
        kept = (size_t)(1 / rule->config.eta * (double)reached);
    }
    if (kept >= reached)
        kept = reached - 1; /* rounded up for an eta next to 1 */
    out->count = reached;
    out->rank_index = kept;
    return loss_at(band, kept);
}

/* The rank among the others of `own`'s rival number `index`. */
static double other_at(const struct band *band, size_t own, size_t index)
{
    return loss_at(band, index < own ? index : index + 1);
}

/* The median of the others; NAN while there is none. */
static double median_threshold(const struct band *band, size_t own, struct stop_decision *out)
{
    size_t others = ranking_count(&band->ranking) - 1;
    out->count = others;
    out->rank_index = others > 0 ? (others - 1) / 2 : 0;
    if (others == 0)
        return NAN;
    double lower = other_at(band, own, out->rank_index);
    return others % 2 == 1 ? lower : (lower + other_at(band, own, out->rank_index + 1)) / 2;
}

/* Whether and why a run that the threshold condemns goes on. */
static enum stop_spared is_spared(const struct stop_rule *rule, const struct stop_decision *decision)
{
    const struct stop_config *config = &rule->config;
    if (config->type == STOP_MEDIAN && (int64_t)decision->count < config->min_runs)
        return STOP_SPARED_TOO_FEW;
    if (decision->band < config->grace)
        return STOP_SPARED_GRACE;
    if (config->max_stops > 0 && (double)(rule->stops + 1) > config->max_stops * (double)rule->run_count)
        return STOP_SPARED_MAX_STOPS;
    return STOP_NOT_SPARED;
}

static void count_stop(struct stop_rule *rule, struct run *run)
{
    rule->stops += !run->stopped;
    run->stopped = true;
}

enum status stop_rule_judge(struct stop_rule *rule, const char *key, size_t band_index, double best_so_far,
                            struct stop_decision *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    TRY(check_value(rule, key, band_index, best_so_far, err));
    struct run *run = find_run(rule, key);
    if (run == NULL || isnan(run->losses[band_index]))
        return err_set(err, STATUS_PRECONDITION, "run %s has no value at band %zu", key, band_index);
    const struct band *band = &rule->bands[band_index];
    bool by_median = rule->config.type == STOP_MEDIAN;
    size_t own = ranking_rank(&band->ranking, run->losses[band_index], run->number);
    double threshold = by_median ? median_threshold(band, own, out) : rank_threshold(rule, band, out);
    double loss = rule->config.strict && !by_median ? run->losses[band_index] : rule->sign * best_so_far;
    threshold = isnan(threshold) ? loss : threshold;
    out->band_index = band_index;
    out->band = band->row;
    out->value = rule->sign * loss + 0.0; /* not -0 */
    out->threshold = rule->sign * threshold + 0.0;
    out->spared = loss > threshold ? is_spared(rule, out) : STOP_NOT_SPARED;
    out->stop = loss > threshold && out->spared == STOP_NOT_SPARED;
    if (out->stop)
        count_stop(rule, run);
    list_rivals(rule, band, own, out);
    return STATUS_OK;
}

enum status stop_rule_observe(struct stop_rule *rule, const char *key, int64_t attempt, size_t band_index,
                              const struct stop_value *value, struct stop_decision *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    bool stale = false;
    TRY(stop_rule_store(rule, key, attempt, band_index, value, &stale, err));
    if (!stale)
        return stop_rule_judge(rule, key, band_index, value->best, out, err);
    out->stale = true;
    out->band_index = band_index;
    out->band = rule->bands[band_index].row;
    return STATUS_OK;
}
