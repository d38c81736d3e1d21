// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/metrics.h"

#include "services/controller/run_state.h"

static const struct metric_label claim_label =
    METRIC_LABEL("verdict", "exit", "run", "ended", "unknown_agent", "wait");
static const struct metric_label refill_label = METRIC_LABEL("outcome", "filled", "nothing", "failed");
static const struct metric_label batch_label =
    METRIC_LABEL("verdict", "stored", "repeated", "refused", "failed");
static const struct metric_label outcome_label = METRIC_LABEL("outcome", "done", "failed");
static const struct metric_label lost_label = METRIC_LABEL("outcome", "lost", "released");
static const struct metric_label refusal_label =
    METRIC_LABEL("reason", "unauthenticated", "denied", "limited");
static const struct metric_label standby_label =
    METRIC_LABEL("mode", "synchronous", "asynchronous", "unknown");
/* In the order of enum run_state. */
static const struct metric_label state_label =
    METRIC_LABEL("state", "pending", "assigned", "running", "preempting", "paused", "finished", "stopped",
                 "failed", "killed", "crashed");

static const int64_t group_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};

struct metric controller_metrics[CONTROLLER_METRIC_COUNT] = {
    [CONTROLLER_CLAIMS] = {.name = "besom_controller_claims_total",
                           .type = METRIC_COUNTER,
                           .labels = {&claim_label},
                           .help = "Answers to agents that asked for a run."},
    [CONTROLLER_PARKED] = {.name = "besom_controller_parked_agents",
                           .type = METRIC_GAUGE,
                           .help = "Free slots of agents that wait for a run on this replica."},
    [CONTROLLER_STARVING] = {.name = "besom_controller_starving_agents",
                             .type = METRIC_GAUGE,
                             .help = "Those of them that wait only because suggestions are missing."},
    [CONTROLLER_OPEN_ATTEMPTS] = {.name = "besom_controller_open_attempts",
                                  .type = METRIC_GAUGE,
                                  .help = "Running attempts whose stream is on this replica."},
    [CONTROLLER_QUEUED_RUNS] =
        {.name = "besom_controller_queued_runs",
         .type = METRIC_GAUGE,
         .help = "Runs in the queues of all sweeps that hand out, up to 100000; read every "
                 "15 s and the same on all replicas."},
    [CONTROLLER_REFILLS] = {.name = "besom_controller_refills_total",
                            .type = METRIC_COUNTER,
                            .labels = {&refill_label},
                            .help = "Turns of filling a queue, by what came of them."},
    [CONTROLLER_SUGGESTED_RUNS] = {.name = "besom_controller_suggested_runs_total",
                                   .type = METRIC_COUNTER,
                                   .help = "Runs that were put into queues."},
    [CONTROLLER_SUGGEST_DURATION] =
        {.name = "besom_controller_suggest_duration_seconds",
         .type = METRIC_HISTOGRAM,
         METRIC_LATENCY,
         .help = "Calls of besom-suggestion as the controller sees them, retries too."},
    [CONTROLLER_BATCHES] = {.name = "besom_controller_batches_total",
                            .type = METRIC_COUNTER,
                            .labels = {&batch_label},
                            .help =
                                "Batches of metrics and output that agents sent; failed ones come again."},
    [CONTROLLER_POINTS] = {.name = "besom_controller_points_total",
                           .type = METRIC_COUNTER,
                           .help = "Points of metrics that were stored."},
    [CONTROLLER_LOG_BYTES] = {.name = "besom_controller_log_bytes_total",
                              .type = METRIC_COUNTER,
                              .help = "Bytes of output that were stored."},
    [CONTROLLER_COMMIT_DURATION] = {.name = "besom_controller_commit_duration_seconds",
                                    .type = METRIC_HISTOGRAM,
                                    METRIC_LATENCY,
                                    .help = "One transaction that stores batches of many streams."},
    [CONTROLLER_COMMIT_BATCHES] = {.name = "besom_controller_commit_batches",
                                   .type = METRIC_HISTOGRAM,
                                   .bounds = group_bounds,
                                   .bound_count = ARRAY_LEN(group_bounds),
                                   .help = "Batches in one such transaction."},
    [CONTROLLER_INGEST_WAITING] =
        {.name = "besom_controller_ingest_waiting_bytes",
         .type = METRIC_GAUGE,
         .help = "Batches in memory that are not stored yet; bounded by --ingest-memory."},
    [CONTROLLER_SPOOLED_BATCHES] =
        {.name = "besom_controller_spooled_batches",
         .type = METRIC_GAUGE,
         .help = "Batches that wait in the spools of agents with a stream on this replica, as "
                 "they said last."},
    [CONTROLLER_INBOX_ROWS] =
        {.name = "besom_controller_inbox_rows",
         .type = METRIC_GAUGE,
         .help = "Stored batches that are not packed yet, up to 100000; read every 15 s and the "
                 "same on all replicas."},
    [CONTROLLER_INBOX_POINTS] = {.name = "besom_controller_inbox_points",
                                 .type = METRIC_GAUGE,
                                 .help = "Points in those batches."},
    [CONTROLLER_COMPACTIONS] = {.name = "besom_controller_compactions_total",
                                .type = METRIC_COUNTER,
                                .labels = {&outcome_label},
                                .help = "Turns of packing an attempt's batches into chunks."},
    [CONTROLLER_SILENT_RUNS] = {.name = "besom_controller_silent_runs",
                                .type = METRIC_GAUGE,
                                .help = "Attempts whose lease is over, up to 1000 of each sweep: shown as "
                                        "unreachable."},
    [CONTROLLER_LEASES_LOST] =
        {.name = "besom_controller_leases_lost_total",
         .type = METRIC_COUNTER,
         .labels = {&lost_label},
         .help = "Attempts given up after lost-after: lost, or released as never started."},
    [CONTROLLER_RUNS_ENDED] = {.name = "besom_controller_runs_ended_total",
                               .type = METRIC_COUNTER,
                               .labels = {&state_label},
                               .sparse = true,
                               .help = "Attempts that ended, by the state of the run afterwards."},
    [CONTROLLER_RETRIES] = {.name = "besom_controller_retries_total",
                            .type = METRIC_COUNTER,
                            .help = "Attempts after which the run went back to the queue."},
    [CONTROLLER_STOP_CALLS] = {.name = "besom_controller_stop_calls_total",
                               .type = METRIC_COUNTER,
                               .labels = {&outcome_label},
                               .help = "Calls of besom-scheduler; another scheduler at work counts as done."},
    [CONTROLLER_WAKES_SENT] = {.name = "besom_controller_wakeups_sent_total",
                               .type = METRIC_COUNTER,
                               .help = "Wake-ups sent to the other replicas."},
    [CONTROLLER_WAKES_HEARD] = {.name = "besom_controller_wakeups_heard_total",
                                .type = METRIC_COUNTER,
                                .help = "Wake-ups of other replicas."},
    [CONTROLLER_STANDBYS] =
        {.name = "besom_controller_database_standbys",
         .type = METRIC_GAUGE,
         .labels = {&standby_label},
         .help = "Standbys of the database by how commits wait for them; unknown when the role may "
                 "not see it (grant it pg_monitor)."},
    [CONTROLLER_REFUSALS] = {.name = "besom_controller_refused_calls_total",
                             .type = METRIC_COUNTER,
                             .labels = {&refusal_label},
                             .help = "Calls without a token that counts, of the wrong role, or beyond "
                                     "--rate-limit."},
};

void controller_count(size_t metric, size_t series)
{
    metric_add(&controller_metrics[metric], series, 1);
}

void controller_count_end(const char *state, bool requeued)
{
    enum run_state known;
    if (run_state_from_name(state, &known))
        controller_count(CONTROLLER_RUNS_ENDED, known);
    if (requeued)
        controller_count(CONTROLLER_RETRIES, 0);
}
