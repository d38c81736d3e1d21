/*
 * Sweeps, runs and agents to test with, made through the store itself.
 * Everything fails the test when it fails.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_DB_FIXTURE_H
#define BESOM_TESTS_DB_FIXTURE_H

#include "db/store/metrics.h"
#include "db/store/runs.h"
#include "db/store/stops.h"
#include "db/store/sweeps.h"
#include "harness.h"

#define LEASE_MS 60000

struct sweep_options {
    const char *sweep_id; /* NULL = "sweep001" */
    int64_t run_cap;
    bool maximize;
    int runs;       /* prepared */
    bool exhausted; /* after them */
    int agents;     /* "agent0"... */
};
/* Commits a sweep with what the options say. Its runs are "run00000"... */
void fixture_sweep(struct database *database, struct sweep_options options);
/* Fills `count` new runs from an ordinal on; texts live in the arena. */
struct store_new_run *fixture_runs(struct arena *arena, int64_t first, int count);

/* On a session, without a commit. */
struct store_claim fixture_claim(struct session *session, const char *agent_id, int slot, int64_t counter);
struct store_claim_sweep fixture_claim_sweep(struct session *session);
/* Claims with counter 1 in slot 0, opens, commits. */
struct store_claim fixture_start_run(struct session *session, const char *agent_id);
struct store_finish fixture_end(const struct store_claim *claim, const char *agent_id, const char *state);
struct store_finish_result fixture_finish(struct session *session, struct store_finish end);
struct store_run fixture_run(struct session *session, const char *run_id);

#define SWEEP "sweep001"

#endif
