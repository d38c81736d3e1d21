/*
 * Queries about the life of runs: claim, open, batches, finish, lose, and the
 * orders to agents. They keep the invariants; the comments say which locks
 * they take. Lock order everywhere: sweeps, agents, runs and run_attempts in
 * (sweep_id, run_id) order, leases, sweep_counters.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_RUNS_H
#define BESOM_DB_STORE_RUNS_H

#include <stddef.h>

#include "db/store/store.h"

/* ---- agents ---- */

struct store_agent {
    const char *sweep_id, *agent_id, *host, *features, *version;
    int64_t pid;
    int32_t slots, protocol;
    int64_t registered_us, seen_us, retired_us; /* reading only */
    int64_t running, ended;                     /* reading only */
    const char *retire_reason;                  /* reading only */
    bool quarantined;                           /* reading only */
};
/* Upsert by (sweep_id, agent_id); clears retired_at and what came with it. NOT_FOUND for the sweep. */
enum status store_register_agent(struct store_tx *tx, const struct store_agent *agent,
                                 struct err *err) MUST_USE;
enum status store_retire_agent(struct store_tx *tx, const char *sweep_id, const char *agent_id,
                               const char *reason, bool quarantine, struct err *err) MUST_USE;
/* Why an agent of the host is refused; *reason NULL when it is not: nobody was quarantined there within a
 * day, no run of the sweep finished elsewhere, or the agent has runs. */
enum status store_get_quarantine(struct store_tx *tx, const char *sweep_id, const char *host,
                                 const char *agent_id, const char **reason, struct err *err) MUST_USE;
/* *ended false: there was none. */
enum status store_end_quarantine(struct store_tx *tx, const char *sweep_id, const char *host, bool *ended,
                                 struct err *err) MUST_USE;
/* sweep_id "" = all, reach NULL = everything. At most 1000, most recently seen first. */
enum status store_list_agents(struct store_tx *tx, const char *sweep_id, const struct store_reach *reach,
                              struct store_agent **out, size_t *count, struct err *err) MUST_USE;

/* ---- claim ---- */

struct store_claim_key {
    const char *agent_id;
    int32_t slot;
    int64_t counter;
};
enum store_claim_verdict {
    STORE_CLAIM_NONE,  /* nothing to hand out now */
    STORE_CLAIM_RUN,   /* the run of this key, new or handed out before */
    STORE_CLAIM_ENDED, /* the key's attempt has ended or was superseded */
    STORE_CLAIM_UNKNOWN_AGENT
};
struct store_claim {
    enum store_claim_verdict verdict;
    const char *run_id, *params_json;
    int32_t attempt, spec_version;
    int64_t ordinal;
    uint64_t run_seed;
    bool started;      /* start was reported before */
    bool fresh;        /* handed out just now */
    int64_t next_step; /* above every step of the run's attempts so far */
};
struct store_claim_sweep { /* what the answer to callers that got nothing depends on */
    const char *state, *state_reason;
    bool exhausted;
    int64_t queued, live,
        running; /* after this transaction; live = running (assigned, preempting) and paused */
    int64_t handed_out, expected; /* runs ever handed out; expected 0 = unbounded */
    int64_t concurrency;          /* most running at once; 0 = no limit */
};
/*
 * Serves all of one sweep's callers together: locks the sweep row FOR SHARE, answers keys that have an
 * attempt already, and gives each other key one pending run (priority, then ordinal; FOR UPDATE SKIP LOCKED),
 * writing attempt + 1, state assigned, lease of lease_ms, run_attempts row; sweep pending → running with the
 * first one. An attempt after the first goes on from where the one before ended: next step, rows, best value,
 * bands. Nothing is handed out unless the sweep is pending or running. With a concurrency the sweep's row is
 * locked FOR UPDATE instead, and no more runs are running afterwards than it allows (a lost run that comes
 * back is not held up by it). NOT_FOUND for the sweep. agents.seen_at is set.
 */
enum status store_claim_runs(struct store_tx *tx, const char *sweep_id, const struct store_claim_key *keys,
                             size_t count, int64_t lease_ms, struct store_claim *claims,
                             struct store_claim_sweep *sweep, struct err *err) MUST_USE;

struct store_submission {
    const char *sweep_id, *run_id;
    struct store_claim_key key;
    int64_t ordinal; /* the sweep's next_ordinal, which store_get_sweep has locked */
    const char *params_json, *name;
    const unsigned char *config_hash; /* 32 bytes */
    uint64_t run_seed;
};
/* A run that the caller's agent has from its beginning, assigned and leased. CONFLICT when the key has one.
 */
enum status store_submit_run(struct store_tx *tx, const struct store_submission *submission, int64_t lease_ms,
                             struct err *err) MUST_USE;

/* How many of the queued runs may be handed out now. */
int64_t store_claim_room(const struct store_claim_sweep *sweep);
/* The same figures without a caller: whether those who wait are worth a claim. NOT_FOUND. */
enum status store_get_claim_sweep(struct store_tx *tx, const char *sweep_id, struct store_claim_sweep *out,
                                  struct err *err) MUST_USE;

/* ---- track ---- */

struct store_open_attempt {
    bool current; /* this attempt is the run's newest and has not ended */
    int64_t last_sequence;
    const char *run_state;
};
/* Reports the start (assigned → running, started_at once) when started_us != 0, renews the lease, and gives a
 * lost attempt whose successor was not claimed its lease back (pending/crashed-lost → running, the requeue
 * undone). NOT_FOUND, also of another agent's attempt: whoever has that of a database that was set back since
 * is to end it. Locks run and attempt. */
enum status store_open_run(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                           const char *agent_id, int64_t started_us, int64_t lease_ms,
                           struct store_open_attempt *out, struct err *err) MUST_USE;

/* State that batches advance; read and locked by store_lock_attempts, written by store_save_attempts. */
struct store_attempt {
    const char *sweep_id, *run_id; /* in: key */
    int32_t attempt;               /* in: key */
    bool found, current, ended;
    int64_t last_sequence, metric_rows, log_bytes, dropped_lines;
    bool has_best, preempting, was_preempting; /* was_preempting: as locked */
    double best_value;
    int32_t bands_reached;
    int64_t next_step; /* above every step so far */
    bool has_facts;
    double metric_total; /* sum of the values that metric_rows counts */
};
/* Locks the rows of `keys` (which must be sorted by sweep_id, run_id, attempt and distinct) and fills them.
 * One query. */
enum status store_lock_attempts(struct store_tx *tx, struct store_attempt *keys, size_t count,
                                struct err *err) MUST_USE;
/* Writes last_sequence, metric_rows, best_value, bands_reached, log_bytes, dropped_lines, next_step,
 * has_facts, preempting (current attempts: also run state running ⇄ preempting) of those rows and renews
 * their leases. One query each. */
enum status store_save_attempts(struct store_tx *tx, const struct store_attempt *attempts, size_t count,
                                int64_t lease_ms, struct err *err) MUST_USE;
struct store_lease_key {
    const char *sweep_id, *run_id;
    int32_t attempt;
};
/* Signs of life alone: renews leases (sorted, distinct keys) where the attempt is current. */
enum status store_renew_leases(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                               int64_t lease_ms, struct err *err) MUST_USE;

/* Those of `keys` (sorted) that hold their run's lease: the others have ended or were superseded. */
enum status store_list_held(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                            struct store_lease_key **out, size_t *out_count, struct err *err) MUST_USE;

/* ---- finish ---- */

struct store_finish {
    const char *sweep_id, *run_id, *agent_id;
    int32_t attempt;
    const char *state; /* wanted end state: finished, stopped, failed, killed, crashed */
    const char *end_reason, *error_text;
    int32_t exit_code, signal;
    int64_t run_time_ms, final_sequence;
    bool may_retry; /* the failure's class is one that the spec retries */
    int64_t retries_max;
    bool has_objective; /* computed by the caller from best_value when not requeued */
};
enum store_finish_verdict { STORE_FINISH_DONE, STORE_FINISH_AGAIN, STORE_FINISH_SUPERSEDED };
struct store_finish_result {
    enum store_finish_verdict verdict;
    const char *state, *end_reason; /* of the run afterwards (or already: the call is idempotent) */
    bool requeued;
    bool ended_now; /* by this call, not by one before it */
    int64_t last_sequence;
    int64_t result_number; /* 0 when requeued */
};
/*
 * Ends attempts: AGAIN while last_sequence < final_sequence; SUPERSEDED when attempt is not the run's newest.
 * When may_retry and retries < retries_max and the sweep is not finished/canceled: back to pending with
 * priority 1, retries + 1. Else terminal: objective = the attempt's best_value, next gapless result_number
 * (one counter update per sweep and transaction), lease deleted. Items sorted by (sweep_id, run_id).
 */
enum status store_finish_runs(struct store_tx *tx, const struct store_finish *items, size_t count,
                              struct store_finish_result *results, struct err *err) MUST_USE;

/* Ends a pending run as killed by a user: no agent has it. Its objective is the best of its attempts. *killed
 * false: it is not pending (any more). */
enum status store_kill_pending_run(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                   bool *killed, struct err *err) MUST_USE;

/* What decides an end: the attempt's newest directive (a pause only when there is no other) and the
 * preempting mark. NOT_FOUND. */
struct store_end_facts {
    const char *directive_kind; /* "" = none */
    const char *directive_reason;
    bool preempting;
    int32_t spec_version;
};
enum status store_get_end_facts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                int32_t attempt, struct store_end_facts *out, struct err *err) MUST_USE;

/* ---- reaper ---- */

struct store_expired {
    const char *sweep_id, *run_id, *agent_id, *state;
    int32_t attempt, spec_version;
    int64_t silent_ms; /* since the lease ended */
};
/* Leases that ended more than after_ms ago, the oldest first, at most limit of each sweep. */
enum status store_list_expired(struct store_tx *tx, int64_t after_ms, int limit, struct store_expired **out,
                               size_t *count, struct err *err) MUST_USE;
/* An assigned run whose start was never reported: back to pending (no retry is counted), lease deleted,
 * attempt ended as "never started". Only when the lease is still expired by after_ms; *released says so. */
enum status store_release_unstarted(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                    int32_t attempt, int64_t after_ms, bool *released,
                                    struct err *err) MUST_USE;
/* As store_finish_runs for one attempt that is lost (checks that its lease is still expired by after_ms). */
enum status store_lose_run(struct store_tx *tx, const struct store_finish *item, int64_t after_ms,
                           struct store_finish_result *result, struct err *err) MUST_USE;
/* How long the database has been up (pg_postmaster_start_time), and its clock. */
enum status store_get_uptime(struct store_tx *tx, int64_t *uptime_ms, int64_t *now_us,
                             struct err *err) MUST_USE;
/* Sets live sweeps to finished that are exhausted (or at run_cap) with nothing queued and nothing live; gives
 * their ids. */
enum status store_finish_idle_sweeps(struct store_tx *tx, const char ***sweep_ids, size_t *count,
                                     struct err *err) MUST_USE;

/* ---- directives ---- */

struct store_directive {
    const char *sweep_id, *agent_id, *run_id, *kind, *reason;
    int64_t generation;
    int32_t attempt;
};
/* For the run's current attempt, with the agent's next generation; no second one of the same kind. *created
 * false: nothing to order (not live). */
enum status store_add_directive(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                const char *kind, const char *reason, bool *created,
                                struct err *err) MUST_USE;
/* For every live run of the sweep; *created counts. */
enum status store_add_directives_for_sweep(struct store_tx *tx, const char *sweep_id, const char *kind,
                                           const char *reason, int64_t *created, struct err *err) MUST_USE;
/* Unanswered ones of the given attempts (sorted keys). */
enum status store_list_directives(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                                  struct store_directive **out, size_t *out_count, struct err *err) MUST_USE;
enum status store_answer_directive(struct store_tx *tx, const char *sweep_id, const char *agent_id,
                                   int64_t generation, bool supported, struct err *err) MUST_USE;

/* ---- reading ---- */

struct store_run {
    const char *sweep_id, *run_id, *state, *end_reason, *params_json, *agent_id, *host, *error_text;
    int64_t ordinal, created_us, started_us, ended_us, result_number, run_time_ms;
    int32_t attempt, exit_code, signal, spec_version;
    bool has_objective, unreachable;
    double objective; /* of an ended run; of another the best so far */
    /* users', and lists of texts */
    const char *name, *notes, *tags_json, *hidden_tags_json;
};
/* sweep_id "" resolves a bare id (ALREADY_EXISTS when two sweeps have it). NOT_FOUND. */
enum status store_get_run(struct store_tx *tx, const char *sweep_id, const char *run_id,
                          struct store_run *out, struct err *err) MUST_USE;
enum store_run_order { STORE_BY_ORDINAL, STORE_BY_OBJECTIVE, STORE_BY_NEWEST };
#define STORE_RUNS_BYTES (8 << 20)
/* `states` is a comma-separated list, "" = all that were handed out. Offset paging; after STORE_RUNS_BYTES of
 * params no other run is given, whatever the limit. */
enum status store_list_runs(struct store_tx *tx, const char *sweep_id, const char *states,
                            enum store_run_order order, int64_t offset, int limit, struct store_run **out,
                            size_t *count, struct err *err) MUST_USE;
/* In the order of their ids; those that there are. */
enum status store_list_runs_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                               size_t run_count, struct store_run **out, size_t *count,
                               struct err *err) MUST_USE;
#define STORE_RUN_TAGS_MAX 100
#define STORE_RUN_HIDDEN_TAGS_MAX 1000
struct store_run_edit {
    const char *name, *notes; /* NULL = it stays */
    const char *const *add_tags, *const *remove_tags;
    size_t add_count, remove_count;
};
/* All or none: NOT_FOUND names the first that is missing, PRECONDITION one that would have too many tags.
 * Locks the runs. */
enum status store_edit_runs(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                            size_t run_count, const struct store_run_edit *edit, struct err *err) MUST_USE;
/* Best ended or live run by the sweep's metric. NOT_FOUND when no run has a value. */
enum status store_get_best_run(struct store_tx *tx, const char *sweep_id, struct store_run *out,
                               struct err *err) MUST_USE;
/* Ended within the last minute. */
enum status store_count_recent_ends(struct store_tx *tx, const char *sweep_id, int64_t *out,
                                    struct err *err) MUST_USE;
enum status store_delete_run(struct store_tx *tx, const char *sweep_id, const char *run_id,
                             struct err *err) MUST_USE; /* PRECONDITION while live; the ordinal stays used */
struct store_attempt_row {
    int32_t attempt;
    const char *agent_id, *host, *end_reason;
    int64_t claimed_us, started_us, ended_us, last_sequence;
};
enum status store_list_attempts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                struct store_attempt_row **out, size_t *count, struct err *err) MUST_USE;
enum status store_get_suggestion(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                 const char **why_json, struct err *err) MUST_USE;

#endif
