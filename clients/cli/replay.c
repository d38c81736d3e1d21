// SPDX-License-Identifier: GPL-3.0-or-later
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stop/halving.h"
#include "stop/resource.h"

/* A run reached a band. */
struct reached {
    size_t run, band_index;
    int64_t time_us;
    int64_t row;
    struct stop_value value;
};

struct rule {
    const struct stop_config *config; /* NULL: stops nothing */
    bool by_resource;
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    size_t next_band;              /* of the run that is being added, as what follows */
    struct stop_resource resource; /* of one attempt, over the arrays below */
    int attempt;                   /* which */
    int64_t *steps, *times_us;     /* owned */
    double *values;                /* owned */
    int *attempts;                 /* owned */
    size_t value_count, value_room;
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

enum status replay_new(const struct replay_rule rules[], size_t rule_count, bool maximize,
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
        rule->config = rules[i].config;
        rule->by_resource = rules[i].by_resource;
        if (rule->config != NULL)
            status = stop_bands(rule->config, rule->bands, &rule->band_count, err);
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
    for (size_t i = 0; i < replay->rule_count; i++) {
        free(replay->rules[i].events);
        free(replay->rules[i].steps);
        free(replay->rules[i].times_us);
        free(replay->rules[i].values);
        free(replay->rules[i].attempts);
    }
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
    for (size_t i = 0; i < replay->rule_count; i++) {
        struct rule *rule = &replay->rules[i];
        rule->next_band = rule->value_count = 0;
        rule->attempt = 0;
    }
    return STATUS_OK;
}

static bool grow_resource(struct rule *rule)
{
    size_t wanted = rule->value_room == 0 ? 64 : 2 * rule->value_room;
    int64_t *steps = realloc(rule->steps, wanted * sizeof *steps);
    rule->steps = steps != NULL ? steps : rule->steps;
    int64_t *times_us = realloc(rule->times_us, wanted * sizeof *times_us);
    rule->times_us = times_us != NULL ? times_us : rule->times_us;
    double *values = realloc(rule->values, wanted * sizeof *values);
    rule->values = values != NULL ? values : rule->values;
    int *attempts = realloc(rule->attempts, wanted * sizeof *attempts);
    rule->attempts = attempts != NULL ? attempts : rule->attempts;
    if (steps == NULL || times_us == NULL || values == NULL || attempts == NULL)
        return false;
    rule->value_room = wanted;
    return true;
}

enum status replay_add_resource(struct replay *replay, size_t index, const struct replay_point *point,
                                struct err *err)
{
    struct rule *rule = &replay->rules[index];
    if (rule->value_count == rule->value_room && !grow_resource(rule))
        return no_memory(err);
    rule->steps[rule->value_count] = point->step;
    rule->times_us[rule->value_count] = point->time_us;
    rule->values[rule->value_count] = point->value;
    rule->attempts[rule->value_count++] = point->attempt;
    return STATUS_OK;
}

/* Each attempt logs its own. */
static void turn_to_attempt(struct rule *rule, int attempt)
{
    size_t first = 0;
    while (first < rule->value_count && rule->attempts[first] != attempt)
        first++;
    size_t end = first;
    while (end < rule->value_count && rule->attempts[end] == attempt)
        end++;
    rule->attempt = attempt;
    rule->resource = (struct stop_resource){.count = end - first, .newest = STOP_RESOURCE_NONE};
    if (end == first)
        return;
    rule->resource.steps = rule->steps + first;
    rule->resource.times_us = rule->times_us + first;
    rule->resource.values = rule->values + first;
}

/* How far the run is at its newest row, in the rule's unit. */
static double units_at(struct rule *rule, const struct replay_history *run, const struct replay_point *point)
{
    if (!rule->by_resource)
        return (double)run->rows;
    if (rule->attempt != point->attempt)
        turn_to_attempt(rule, point->attempt);
    return stop_resource_at(&rule->resource, point->step, point->time_us);
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

static enum status add_events(struct replay *replay, struct rule *rule, const struct replay_point *point,
                              struct err *err)
{
    const struct replay_history *run = &replay->runs[replay->run_count - 1];
    size_t reached =
        stop_bands_reached(rule->bands, rule->band_count, rule->next_band, units_at(rule, run, point));
    while (rule->next_band < reached) {
        const struct reached event = {.run = replay->run_count - 1,
                                      .band_index = rule->next_band++,
                                      .time_us = run->last_us,
                                      .row = run->rows,
                                      .value = {point->value, run->best, replay->total / (double)run->rows}};
        TRY(add_event(rule, &event, err));
    }
    return STATUS_OK;
}

enum status replay_add_row(struct replay *replay, const struct replay_point *point, struct err *err)
{
    struct replay_history *run = &replay->runs[replay->run_count - 1];
    const double value = point->value;
    const int64_t time_us = point->time_us;
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
    for (size_t i = 0; i < replay->rule_count; i++)
        TRY(add_events(replay, &replay->rules[i], point, err));
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
                                           .band = rule->bands[event->band_index],
                                           .rows_saved = run->rows - event->row,
                                           .saved_us = run->last_us - event->time_us,
                                           .best = event->value.best,
                                           .value = decision.value,
                                           .threshold = decision.threshold,
                                           .reached = decision.count};
    }
    return STATUS_OK;
}

/* ---- judging cohorts: the runs in their order are dealt to the brackets ---- */

/* A run that others left behind stops with its value at the rung; one that had ended before has none. */
static void take_verdicts(const struct replay *replay, const struct rule *rule, const struct halving *halving,
                          const struct reached *const *places, struct replay_outcome *outcomes)
{
    size_t count;
    const struct halving_verdict *verdicts = halving_verdicts(halving, &count);
    for (size_t i = 0; i < count; i++) {
        const struct halving_verdict *verdict = &verdicts[i];
        size_t index = (size_t)verdict->ordinal;
        const struct reached *event = places[index * rule->band_count + verdict->band_index];
        if (verdict->promoted || event == NULL)
            continue;
        const struct replay_history *run = &replay->runs[index];
        outcomes[index] = (struct replay_outcome){.stop = true,
                                                  .band = verdict->band,
                                                  .rows_saved = run->rows - event->row,
                                                  .saved_us = run->last_us - event->time_us,
                                                  .best = event->value.best,
                                                  .value = verdict->value,
                                                  .threshold = verdict->threshold,
                                                  .reached = (size_t)verdict->planned};
    }
}

static enum status feed_cohorts(const struct replay *replay, const struct rule *rule, struct halving *halving,
                                const struct reached *const *places, struct replay_outcome *outcomes,
                                struct err *err)
{
    struct halving_decision decision;
    for (size_t i = 0; i < rule->count; i++) {
        const struct reached *event = &rule->events[i];
        if (outcomes[event->run].stop)
            continue;
        TRY(halving_observe(halving, (int64_t)event->run, replay->runs[event->run].run_id, event->band_index,
                            event->value.value, &decision, err));
        take_verdicts(replay, rule, halving, places, outcomes);
    }
    for (size_t i = 0; i < replay->run_count; i++) {
        TRY(halving_end(halving, (int64_t)i, replay->runs[i].run_id, replay->runs[i].best, err));
        take_verdicts(replay, rule, halving, places, outcomes);
    }
    TRY(halving_close(halving, (int64_t)replay->run_count, err));
    take_verdicts(replay, rule, halving, places, outcomes);
    return STATUS_OK;
}

static enum status judge_cohorts(const struct replay *replay, const struct rule *rule, struct arena *arena,
                                 struct replay_outcome *outcomes, struct err *err)
{
    struct halving *halving CLEANUP(halving_free_at) = NULL;
    const struct reached **places =
        arena_calloc(arena, replay->run_count * rule->band_count + 1, sizeof(*places));
    if (places == NULL)
        return no_memory(err);
    for (size_t i = 0; i < rule->count; i++)
        places[rule->events[i].run * rule->band_count + rule->events[i].band_index] = &rule->events[i];
    TRY(halving_new(rule->config, replay->maximize, &halving, err));
    return feed_cohorts(replay, rule, halving, places, outcomes, err);
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
    if (judged->config != NULL && stop_type_pauses(judged->config->type))
        TRY(judge_cohorts(replay, judged, arena, *outcomes, err));
    else if (judged->config != NULL)
        TRY(judge_events(replay, judged, *outcomes, err));
    sum_up(replay, *outcomes, sums);
    return STATUS_OK;
}
