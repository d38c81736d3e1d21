/*
 * Queries about early stopping: numbered rung values, the decider row, and
 * decisions with the directives that follow from them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_STOPS_H
#define BESOM_DB_STORE_STOPS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_rung_value {
    const char *sweep_id, *run_id;
    int64_t number; /* given by the database */
    int32_t attempt, band_index;
    int64_t band;
    double value, best, mean; /* at the row, best and mean up to it */
    const char *kind;         /* reading only: "value", "ended", "closed" (the migration says what) */
    int64_t ordinal;          /* reading only: of the run; -1 = not known */
    int64_t age_us;           /* reading only: since it was recorded */
};
/* Gives gapless numbers per sweep in the order of `rows` (sorted by sweep_id). One counter update per sweep.
 */
enum status store_add_rung_values(struct store_tx *tx, struct store_rung_value *rows, size_t count,
                                  struct err *err) MUST_USE;
/* After `after`, in order, at most limit; with what else has a number. */
enum status store_list_rung_values(struct store_tx *tx, const char *sweep_id, int64_t after, int limit,
                                   struct store_rung_value **out, size_t *count, struct err *err) MUST_USE;
/* Live sweeps whose newest rung value has no decision yet. */
enum status store_list_undecided(struct store_tx *tx, const char ***sweep_ids, size_t *count,
                                 struct err *err) MUST_USE;

/* As store_take_refill. *decided = number of the last decision. */
enum status store_take_decider(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t hold_ms,
                               bool *taken, int64_t *epoch, int64_t *decided, struct err *err) MUST_USE;

struct store_decision {
    const char *sweep_id, *run_id, *rivals_json, *reason;
    int64_t number, band, reached;
    int32_t attempt, band_index;
    double value, compared, threshold;
    bool stop;
    bool pause;
    int64_t planned; /* runs of its cohort that are awaited at the rung; 0 = no rung of a cohort */
    int64_t cohort;  /* its first ordinal */
    int32_t bracket;
    int64_t decided_us; /* reading only */
};
/*
 * Checks owner and epoch of the decider row (CONFLICT when they changed), writes the decisions, a stop_early
 * directive for each that stops an attempt which is current and live, and advances `decided`. *stops counts
 * the directives; *agent_ids are their agents.
 */
enum status store_record_decisions(struct store_tx *tx, const char *sweep_id, const char *owner,
                                   int64_t epoch, const struct store_decision *decisions, size_t count,
                                   int64_t *stops, const char ***agent_ids, size_t *agent_count,
                                   struct err *err) MUST_USE;

/* What became of a run when its cohort was complete at a rung. */
struct store_verdict {
    const char *run_id; /* "" = an ordinal without a run */
    int64_t ordinal, cohort;
    int32_t bracket, band_index;
    int64_t band, number;
    bool promoted;
    int64_t rank, planned;
    double value, threshold; /* NaN: none */
    int64_t decided_us;      /* reading only */
    const char *reason;      /* writing only: for the order to stop */
};
struct store_verdicts {
    const char *sweep_id, *owner;
    int64_t epoch;
    int64_t decided; /* number up to which all is decided */
    const struct store_decision *decisions;
    size_t decision_count;
    const struct store_verdict *verdicts;
    size_t verdict_count;
};
/*
 * As store_record_decisions, for a sweep whose runs pause: runs that nobody runs change their state (promoted
 * ones are queued again, others end), those on a machine get an order to pause or to stop, whichever their
 * attempt. *changed counts both.
 */
enum status store_record_verdicts(struct store_tx *tx, const struct store_verdicts *verdicts,
                                  int64_t *changed, const char ***agent_ids, size_t *agent_count,
                                  struct err *err) MUST_USE;
/* On a run, in order of their rungs. */
enum status store_list_verdicts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                struct store_verdict **out, size_t *count, struct err *err) MUST_USE;

/* Numbers ordinals without a run, and where no more runs come, for live sweeps whose cohorts wait for them.
 * Gives those sweeps. */
enum status store_close_cohorts(struct store_tx *tx, const char ***sweep_ids, size_t *count,
                                struct err *err) MUST_USE;
/* Ends all paused runs of a sweep. */
enum status store_end_paused_runs(struct store_tx *tx, const char *sweep_id, const char *state,
                                  const char *reason, struct err *err) MUST_USE;
/* Sweeps that are over with runs that paused as they ended, and the sweeps' states. */
struct store_left_paused {
    const char *sweep_id, *state;
};
enum status store_list_left_paused(struct store_tx *tx, struct store_left_paused **out, size_t *count,
                                   struct err *err) MUST_USE;

/* A cohort at one of its rungs. */
struct store_cohort_rung {
    int64_t cohort, band;
    int32_t bracket;
    int64_t planned, reached, ended, paused, promoted, stopped;
    double threshold;   /* NaN before the verdict, and when none went on */
    int64_t decided_us; /* 0 = no verdict yet */
};
/* The newest `most`, in order of cohort and rung. */
enum status store_list_cohorts(struct store_tx *tx, const char *sweep_id, int64_t most,
                               struct store_cohort_rung **out, size_t *count, struct err *err) MUST_USE;

enum status store_list_decisions(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                 struct store_decision **out, size_t *count, struct err *err) MUST_USE;

/* A band that a run has reached: runs by what became of them there. */
struct store_band {
    int32_t band_index;
    int64_t band;
    int64_t reached, went_on, stopped; /* reached - went_on - stopped: not decided yet */
    int64_t outrun;                    /* of the stopped: ended by themselves before the order came */
    int64_t spared_too_few, spared_grace, spared_max_stops;   /* of those that went on */
    int64_t thresholds;                                       /* decisions that compared */
    double first_threshold, median_threshold, last_threshold; /* NaN without one */
};
/* In order. `min_runs` and `grace` are the rule's, 0 = none. */
enum status store_list_bands(struct store_tx *tx, const char *sweep_id, bool maximize, int64_t min_runs,
                             int64_t grace, struct store_band **out, size_t *count, struct err *err) MUST_USE;

struct store_threshold {
    int32_t band_index;
    int64_t reached;
    double threshold;
    int64_t decided_us;
};
/* At most `most` (from 2 on) of each band, by band and in the order of the decisions. */
enum status store_list_thresholds(struct store_tx *tx, const char *sweep_id, int64_t most,
                                  struct store_threshold **out, size_t *count, struct err *err) MUST_USE;

struct store_savings {
    int64_t finished_runs, finished_rows, finished_run_time_ms;
    int64_t stopped_runs, stopped_rows, stopped_run_time_ms;
    int64_t rows_saved, run_time_saved_ms; /* estimates; 0 while nothing with rows has finished */
};
enum status store_get_savings(struct store_tx *tx, const char *sweep_id, struct store_savings *out,
                              struct err *err) MUST_USE;

#endif
