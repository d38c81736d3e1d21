/*
 * What the controller counts beside what every service does, and the thread
 * that looks at what waits in the database every so often.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_METRICS_H
#define BESOM_CONTROLLER_METRICS_H

#include "services/common/metrics.h"
#include "services/controller/controller.h"

enum {
    CONTROLLER_CLAIMS, /* of enum claim_metric */
    CONTROLLER_PARKED,
    CONTROLLER_STARVING,
    CONTROLLER_OPEN_ATTEMPTS,
    CONTROLLER_QUEUED_RUNS,
    CONTROLLER_REFILLS, /* of enum refill_metric */
    CONTROLLER_SUGGESTED_RUNS,
    CONTROLLER_SUGGEST_DURATION,
    CONTROLLER_BATCHES, /* of enum batch_metric */
    CONTROLLER_POINTS,
    CONTROLLER_LOG_BYTES,
    CONTROLLER_COMMIT_DURATION,
    CONTROLLER_COMMIT_BATCHES,
    CONTROLLER_INGEST_WAITING,
    CONTROLLER_SPOOLED_BATCHES,
    CONTROLLER_INBOX_ROWS,
    CONTROLLER_INBOX_POINTS,
    CONTROLLER_COMPACTIONS, /* of enum outcome_metric */
    CONTROLLER_SILENT_RUNS,
    CONTROLLER_LEASES_LOST, /* of enum lost_metric */
    CONTROLLER_RUNS_ENDED,  /* of enum run_state */
    CONTROLLER_RETRIES,
    CONTROLLER_STOP_CALLS, /* of enum outcome_metric */
    CONTROLLER_WAKES_SENT,
    CONTROLLER_WAKES_HEARD,
    CONTROLLER_STANDBYS, /* of enum standby_metric */
    CONTROLLER_REFUSALS, /* of enum refusal_metric */
    CONTROLLER_METRIC_COUNT
};
extern struct metric controller_metrics[CONTROLLER_METRIC_COUNT];

/* The first ones as enum store_claim_verdict. */
enum claim_metric {
    CLAIM_METRIC_EXIT,
    CLAIM_METRIC_RUN,
    CLAIM_METRIC_ENDED,
    CLAIM_METRIC_UNKNOWN,
    CLAIM_METRIC_WAIT
};
enum refill_metric { REFILL_METRIC_FILLED, REFILL_METRIC_NOTHING, REFILL_METRIC_FAILED };
enum batch_metric { BATCH_METRIC_STORED, BATCH_METRIC_REPEATED, BATCH_METRIC_REFUSED, BATCH_METRIC_FAILED };
enum outcome_metric { OUTCOME_METRIC_DONE, OUTCOME_METRIC_FAILED };
enum lost_metric { LOST_METRIC_LOST, LOST_METRIC_RELEASED };
enum refusal_metric { REFUSAL_METRIC_UNAUTHENTICATED, REFUSAL_METRIC_DENIED, REFUSAL_METRIC_LIMITED };
enum standby_metric { STANDBY_METRIC_SYNCHRONOUS, STANDBY_METRIC_ASYNCHRONOUS, STANDBY_METRIC_UNKNOWN };

/* One more in a series of a counter of the table. */
void controller_count(size_t metric, size_t series);
/* A run has ended in a state ("finished"), or went back to the queue. */
void controller_count_end(const char *state, bool requeued);

struct backlog;
/* IO, NO_MEMORY. */
enum status backlog_start(struct controller *controller, struct backlog **out, struct err *err) MUST_USE;
/* NULL is fine. */
void backlog_stop(struct backlog *backlog);

#endif
