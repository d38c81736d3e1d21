/*
 * Each band keeps its values sorted, best first, and a place per run; runs are
 * numbered as they come. A value is found again by its run's place and a
 * binary search, so that replacing it costs no scan.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Lower is better: values of a maximised metric are negated on the way in and out. */
struct entry {
    double loss;
    size_t run;
};

struct band {
    int64_t row;
    struct entry *sorted; /* owned; by loss, then run */
    size_t count;
    size_t capacity;
};

struct run {
    char key[STOP_RUN_KEY_MAX + 1];
    size_t number;
    int64_t attempt;
    double losses[STOP_BANDS_MAX]; /* NAN: no value at that band */
    UT_hash_handle hh;
};

struct stop_rule {
    double eta;
    double sign; /* -1 when the metric is maximised */
    bool strict;
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
    struct stop_rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL)
        return out_of_memory(err);
    rule->eta = config->eta;
    rule->sign = maximize ? -1 : 1;
    rule->strict = config->strict;
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
        free(rule->bands[i].sorted);
    free(rule->runs);
    free(rule);
}

void stop_rule_free_at(struct stop_rule **rule)
{
    stop_rule_free(*rule);
    *rule = NULL;
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

static bool precedes(const struct entry *a, const struct entry *b)
{
    return a->loss < b->loss || (a->loss == b->loss && a->run < b->run);
}

/* Index of the first entry that does not precede `entry`. */
static size_t lower_bound(const struct band *band, const struct entry *entry)
{
    size_t low = 0;
    size_t high = band->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (precedes(&band->sorted[middle], entry))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_value(struct band *band, double *loss, size_t run)
{
    if (isnan(*loss))
        return;
    struct entry entry = {*loss, run};
    size_t at = lower_bound(band, &entry);
    memmove(&band->sorted[at], &band->sorted[at + 1], (band->count - at - 1) * sizeof *band->sorted);
    band->count--;
    *loss = NAN;
}

static bool insert_value(struct band *band, double loss, size_t run)
{
    if (band->count == band->capacity) {
        size_t capacity = band->capacity == 0 ? 64 : band->capacity * 2;
        struct entry *grown = realloc(band->sorted, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        band->sorted = grown;
        band->capacity = capacity;
    }
    struct entry entry = {loss, run};
    size_t at = lower_bound(band, &entry);
    memmove(&band->sorted[at + 1], &band->sorted[at], (band->count - at) * sizeof *band->sorted);
    band->sorted[at] = entry;
    band->count++;
    return true;
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

enum status stop_rule_store(struct stop_rule *rule, const char *key, int64_t attempt, size_t band_index,
                            double value_at_band, bool *out_stale, struct err *err)
{
    *out_stale = false;
    TRY(check_value(rule, key, band_index, value_at_band, err));
    struct run *run = find_run(rule, key);
    if (run == NULL && (run = add_run(rule, key, attempt)) == NULL)
        return out_of_memory(err);
    if (attempt < run->attempt) {
        *out_stale = true;
        return STATUS_OK;
    }
    if (attempt > run->attempt)
        forget_values(rule, run);
    run->attempt = attempt;
    double loss = rule->sign * value_at_band;
    remove_value(&rule->bands[band_index], &run->losses[band_index], run->number);
    if (!insert_value(&rule->bands[band_index], loss, run->number))
        return out_of_memory(err);
    run->losses[band_index] = loss;
    return STATUS_OK;
}

static void add_rival(const struct stop_rule *rule, const struct band *band, size_t rank,
                      struct stop_decision *out)
{
    struct stop_rival *rival = &out->rivals[out->rival_count++];
    const struct entry *entry = &band->sorted[rank];
    memcpy(rival->run, rule->runs[entry->run]->key, sizeof rival->run);
    rival->value = rule->sign * entry->loss + 0.0;
    rival->rank = rank;
}

/* The best value, then a window of neighbours around the run's own place, which is left out. */
static void list_rivals(const struct stop_rule *rule, const struct band *band, size_t own,
                        struct stop_decision *out)
{
    size_t first = own > STOP_RIVALS_MAX / 2 ? own - STOP_RIVALS_MAX / 2 : 0;
    if (first > 0)
        add_rival(rule, band, 0, out);
    for (size_t rank = first; rank < band->count && out->rival_count < STOP_RIVALS_MAX; rank++)
        if (rank != own)
            add_rival(rule, band, rank, out);
}

enum status stop_rule_judge(const struct stop_rule *rule, const char *key, size_t band_index,
                            double best_so_far, struct stop_decision *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    TRY(check_value(rule, key, band_index, best_so_far, err));
    const struct run *run = find_run(rule, key);
    if (run == NULL || isnan(run->losses[band_index]))
        return err_set(err, STATUS_PRECONDITION, "run %s has no value at band %zu", key, band_index);
    const struct band *band = &rule->bands[band_index];
    size_t rank_index = (size_t)((double)band->count / rule->eta);
    if (rank_index >= band->count)
        rank_index = band->count - 1; /* count / eta rounded up for an eta next to 1 */
    double threshold = band->sorted[rank_index].loss;
    double loss = rule->strict ? run->losses[band_index] : rule->sign * best_so_far;
    out->stop = loss > threshold;
    out->band_index = band_index;
    out->band = band->row;
    out->value = rule->sign * loss + 0.0; /* not -0 */
    out->threshold = rule->sign * threshold + 0.0;
    out->count = band->count;
    out->rank_index = rank_index;
    struct entry own = {run->losses[band_index], run->number};
    list_rivals(rule, band, lower_bound(band, &own), out);
    return STATUS_OK;
}

enum status stop_rule_observe(struct stop_rule *rule, const char *key, int64_t attempt, size_t band_index,
                              double value_at_band, double best_so_far, struct stop_decision *out,
                              struct err *err)
{
    memset(out, 0, sizeof *out);
    bool stale = false;
    TRY(stop_rule_store(rule, key, attempt, band_index, value_at_band, &stale, err));
    if (!stale)
        return stop_rule_judge(rule, key, band_index, best_so_far, out, err);
    out->stale = true;
    out->band_index = band_index;
    out->band = rule->bands[band_index].row;
    return STATUS_OK;
}
