/*
 * Numbered rung values, ends and closings → decisions and verdicts on cohorts, for sweeps whose runs pause.
 * As judge.h: a function of what has a number up to and including its own.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_COHORTS_H
#define BESOM_SERVICES_SCHEDULER_COHORTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "db/store/stops.h"
#include "stop/halving.h"

struct cohorts_outcome {
    struct store_decision *decision; /* filled when `decided`; ends and closings have none */
    bool decided;
    struct store_verdict *verdicts; /* appended to; moved within the arena */
    size_t verdict_count;
};

/* Feeds what was decided before. NO_MEMORY. */
enum status cohorts_replay(struct halving *halving, const struct store_rung_value *value,
                           struct err *err) MUST_USE;

/* Texts and verdicts live in `arena`, ids are those of `value`. What the rule refuses changes nothing; a
 * refused value is decided as "goes on". NO_MEMORY. */
enum status cohorts_judge(struct halving *halving, const struct store_rung_value *value, struct arena *arena,
                          struct cohorts_outcome *outcome, struct err *err) MUST_USE;

/* "paused at row 9: 3 of the 9 runs of its cohort have come". */
void cohorts_explain(const struct halving_decision *decision, const struct stop_config *config, double value,
                     struct buffer *out);
/* "0.31 at row 9 is number 5 of 9 there, and the best 3 go on (0.27 would do)". */
void cohorts_explain_verdict(const struct halving_verdict *verdict, const struct stop_config *config,
                             struct buffer *out);

#endif
