// SPDX-License-Identifier: GPL-3.0-or-later
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run reached a band. */
struct reached {
    size_t run, band_index;
    int64_t time_us;
    int64_t row;
    struct stop_value value;
};

struct rule {
    const struct stop_config *config; /* NULL: stops nothing */
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    size_t next_band;       /* of the run that is being added */
    struct reached *events; /* owned */
    size_t count, capacity;
};

struct replay {
    bool maximize;
    struct rule rules[REPLAY_RULES_MAX];
    size_t rule_count;
    struct replay_history *runs; /* owned */
    size_t run_count, run_capacity;
    double total; /* of the values of the run that is being added */
};

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* Room for one more entry of `size` bytes. */
static bool make_room(void **entries, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    void *grown = realloc(*entries, wanted * size);
    if (grown == NULL)
        return false;
    *entries = grown;
    *capacity = wanted;
    return true;
}

enum status replay_new(const struct stop_config *const rules[], size_t rule_count, bool maximize,
                       struct replay **out, struct err *err)
{
    *out = NULL;
    struct replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL)
        return no_memory(err);
    replay->maximize = maximize;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < rule_count && i < REPLAY_RULES_MAX && status == STATUS_OK; i++) {
        struct rule *rule = &replay->rules[replay->rule_count++];
        rule->config = rules[i];
        if (rules[i] != NULL)
            status = stop_bands(rules[i], rule->bands, &rule->band_count, err);
    }
    if (status != STATUS_OK) {
        replay_free(replay);
        return status;
    }
    *out = replay;
    return STATUS_OK;
}

void replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    for (size_t i = 0; i < replay->rule_count; i++)
        free(replay->rules[i].events);
    free(replay->runs);
    free(replay);
}

void replay_free_at(struct replay **replay)
{
    replay_free(*replay);
    *replay = NULL;
}

enum status replay_add_run(struct replay *replay, const char *run_id, struct err *err)
{
    void *runs = replay->runs;
    if (strlen(run_id) > STOP_RUN_KEY_MAX || run_id[0] == '\0')
        return err_set(err, STATUS_INVALID, "a run's id has 1 to %d bytes", STOP_RUN_KEY_MAX);
    if (!make_room(&runs, replay->run_count, &replay->run_capacity, sizeof *replay->runs))
        return no_memory(err);
    replay->runs = runs;
    struct replay_history *run = &replay->runs[replay->run_count++];
    *run = (struct replay_history){.best = NAN};
    memcpy(run->run_id, run_id, strlen(run_id));
    replay->total = 0;
    for (size_t i = 0; i < replay->rule_count; i++)
        replay->rules[i].next_band = 0;
    return STATUS_OK;
}

static bool is_better(const struct replay *replay, double value, double than)
{
    if (isnan(value))
        return false;
    return isnan(than) || (replay->maximize ? value > than : value < than);
}

static enum status add_event(struct rule *rule, const struct reached *event, struct err *err)
{
    void *events = rule->events;
    if (!make_room(&events, rule->count, &rule->capacity, sizeof *rule->events))
        return no_memory(err);
    rule->events = events;
    rule->events[rule->count++] = *event;
    return STATUS_OK;
}

enum status replay_add_row(struct replay *replay, int64_t time_us, double value, struct err *err)
{
    struct replay_history *run = &replay->runs[replay->run_count - 1];
    if (!isfinite(value))
        return STATUS_OK;
    /* a later attempt may have another clock: a run's rows never go back in time */
    if (run->rows++ == 0)
        run->first_us = run->last_us = time_us;
    else if (time_us > run->last_us)
        run->last_us = time_us;
    replay->total += value;
    if (is_better(replay, value, run->best))
        run->best = value;
    for (size_t i = 0; i < replay->rule_count; i++) {
        struct rule *rule = &replay->rules[i];
        if (rule->next_band >= rule->band_count || rule->bands[rule->next_band] != run->rows)
            continue;
        const struct reached event = {.run = replay->run_count - 1,
                                      .band_index = rule->next_band++,
                                      .time_us = run->last_us,
                                      .row = run->rows,
                                      .value = {value, run->best, replay->total / (double)run->rows}};
        TRY(add_event(rule, &event, err));
    }
    return STATUS_OK;
}

size_t replay_run_count(const struct replay *replay)
{
    return replay->run_count;
}

const struct replay_history *replay_history(const struct replay *replay, size_t run)
{
    return &replay->runs[run];
}

/* ---- judging ---- */

static int compare_events(const void *a, const void *b)
{
    const struct reached *x = a, *y = b;
    if (x->time_us != y->time_us)
        return x->time_us < y->time_us ? -1 : 1;
    if (x->run != y->run)
        return x->run < y->run ? -1 : 1;
    return (x->band_index > y->band_index) - (x->band_index < y->band_index);
}

static enum status judge_events(const struct replay *replay, const struct rule *rule,
                                struct replay_outcome *outcomes, struct err *err)
{
    struct stop_rule *judge CLEANUP(stop_rule_free_at) = NULL;
    TRY(stop_rule_new(rule->config, replay->maximize, &judge, err));
    for (size_t i = 0; i < rule->count; i++) {
        const struct reached *event = &rule->events[i];
        const struct replay_history *run = &replay->runs[event->run];
        struct replay_outcome *outcome = &outcomes[event->run];
        struct stop_decision decision;
        if (outcome->stop)
            continue;
        TRY(stop_rule_observe(judge, run->run_id, 1, event->band_index, &event->value, &decision, err));
        if (!decision.stop)
            continue;
        *outcome = (struct replay_outcome){.stop = true,
                                           .band = event->row,
                                           .rows_saved = run->rows - event->row,
                                           .saved_us = run->last_us - event->time_us,
                                           .best = event->value.best,
                                           .value = decision.value,
                                           .threshold = decision.threshold,
                                           .reached = decision.count};
    }
    return STATUS_OK;
}

static void sum_up(const struct replay *replay, const struct replay_outcome *outcomes,
                   struct replay_sums *sums)
{
    *sums = (struct replay_sums){.best = SIZE_MAX, .best_value = NAN};
    double best = NAN;
    for (size_t i = 0; i < replay->run_count; i++) {
        sums->stopped += outcomes[i].stop;
        sums->rows += replay->runs[i].rows;
        sums->rows_saved += outcomes[i].rows_saved;
        sums->saved_us += outcomes[i].saved_us;
        if (is_better(replay, outcomes[i].best, sums->best_value))
            sums->best_value = outcomes[i].best;
        if (is_better(replay, replay->runs[i].best, best)) {
            best = replay->runs[i].best;
            sums->best = i;
        }
    }
    if (sums->best != SIZE_MAX)
        sums->best_stopped = outcomes[sums->best].stop && outcomes[sums->best].best != best;
}

enum status replay_judge(const struct replay *replay, size_t rule, struct arena *arena,
                         struct replay_outcome **outcomes, struct replay_sums *sums, struct err *err)
{
    const struct rule *judged = &replay->rules[rule];
    *outcomes = arena_calloc(arena, replay->run_count + 1, sizeof **outcomes);
    if (*outcomes == NULL)
        return no_memory(err);
    for (size_t i = 0; i < replay->run_count; i++)
        (*outcomes)[i].best = replay->runs[i].best;
    if (judged->count > 1)
        qsort(judged->events, judged->count, sizeof *judged->events, compare_events);
    if (judged->config != NULL)
        TRY(judge_events(replay, judged, *outcomes, err));
    sum_up(replay, *outcomes, sums);
    return STATUS_OK;
}
