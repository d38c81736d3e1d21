/*
 * What early-stopping rules would have done to runs whose histories are known:
 * each is fed the values with which runs reached its bands in the order of
 * their times, and nothing of a run that it has stopped. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_REPLAY_H
#define BESOM_CLI_REPLAY_H

#include "base/arena.h"
#include "stop/stop.h"

#define REPLAY_RULES_MAX 4

struct replay;

/* A run's history as a whole. */
struct replay_history {
    char run_id[STOP_RUN_KEY_MAX + 1];
    int64_t rows;              /* finite values of the metric */
    int64_t first_us, last_us; /* when the first and the last was logged; 0 without rows */
    double best;               /* NAN without rows */
};

/* What a rule would have done to a run. */
struct replay_outcome {
    bool stop;
    int64_t band;            /* at which it stops */
    int64_t rows_saved;      /* logged after it */
    int64_t saved_us;        /* from that value to the last one */
    double best;             /* up to there, or of the whole history; NAN without rows */
    double value, threshold; /* compared; only of a stop */
    size_t reached;          /* runs that had got to the band, as the rule counts them; only of a stop */
};

struct replay_sums {
    size_t stopped;
    int64_t rows, rows_saved; /* of all runs; of the stopped ones */
    int64_t saved_us;
    size_t best;       /* run with the best value of all, SIZE_MAX without any */
    bool best_stopped; /* the rule stops it before it has logged that value */
    double best_value; /* best that is left under the rule; NAN without any */
};

struct replay_rule {
    const struct stop_config *config; /* the caller's; NULL: stops nothing */
    bool by_resource;                 /* its bands count a resource, not rows */
};

/* NO_MEMORY, INVALID. */
enum status replay_new(const struct replay_rule rules[], size_t rule_count, bool maximize,
                       struct replay **out, struct err *err) MUST_USE;
void replay_free(struct replay *replay);
/* Usable as CLEANUP(replay_free_at). */
void replay_free_at(struct replay **replay);

/* The next run; rows that follow are its. */
enum status replay_add_run(struct replay *replay, const char *run_id, struct err *err) MUST_USE;
struct replay_point {
    int attempt;
    int64_t step, time_us;
    double value;
};

/* A value of the resource that the rule's bands count, in order and before that run's rows. */
enum status replay_add_resource(struct replay *replay, size_t rule, const struct replay_point *point,
                                struct err *err) MUST_USE;
/* The next value of that run; one that is not finite counts for nothing, as when runs are tracked. */
enum status replay_add_row(struct replay *replay, const struct replay_point *point, struct err *err) MUST_USE;

size_t replay_run_count(const struct replay *replay);
const struct replay_history *replay_history(const struct replay *replay, size_t run);

/* Decides everything under a rule; *outcomes has one entry for each run, in the arena. */
enum status replay_judge(const struct replay *replay, size_t rule, struct arena *arena,
                         struct replay_outcome **outcomes, struct replay_sums *sums,
                         struct err *err) MUST_USE;

#endif
