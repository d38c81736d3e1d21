// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static void a_key_keeps_its_run(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim first = fixture_claim(session, "agent0", 0, 7);
    assert_int_equal(first.verdict, STORE_CLAIM_RUN);
    assert_string_equal(first.run_id, "run00000");
    assert_string_equal(first.params_json, "{\"x\":0}");
    assert_int_equal(first.attempt, 1);
    assert_true(first.run_seed == UINT64_MAX);
    assert_false(first.started);
    assert_ok(session_commit(session));
    struct store_claim again = fixture_claim(session, "agent0", 0, 7);
    assert_int_equal(again.verdict, STORE_CLAIM_RUN);
    assert_string_equal(again.run_id, first.run_id);
    assert_int_equal(again.attempt, 1);
    assert_string_equal(fixture_claim(session, "agent1", 0, 7).run_id, "run00001");
    assert_int_equal(fixture_claim(session, "stranger", 0, 1).verdict, STORE_CLAIM_UNKNOWN_AGENT);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases"), 2);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.sweeps WHERE state = 'running'"), 1);
    session_close(session);
}

static void an_ended_key_is_told(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    assert_true(fixture_claim(session, "agent0", 0, 1).started);
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_int_equal(fixture_claim(session, "agent0", 0, 1).verdict, STORE_CLAIM_ENDED);
    assert_int_equal(fixture_claim(session, "agent0", 0, 2).verdict, STORE_CLAIM_NONE);
    assert_ok(session_commit(session));
    session_close(session);
}

static void many_callers_are_served_at_once(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2, .exhausted = true});
    struct session *session = session_open(database);
    /* The second key twice: a caller that called again while it waited. */
    const struct store_claim_key keys[] = {
        {"agent1", 3, 1}, {"agent0", 1, 1}, {"agent0", 1, 1}, {"agent0", 2, 1}};
    struct store_claim claims[4];
    struct store_claim_sweep sweep;
    assert_ok(store_claim_runs(session_tx(session), SWEEP, keys, 4, LEASE_MS, claims, &sweep, &test_err));
    assert_string_equal(claims[0].run_id, "run00000");
    assert_string_equal(claims[1].run_id, "run00001");
    assert_string_equal(claims[2].run_id, "run00001");
    assert_int_equal(claims[3].verdict, STORE_CLAIM_NONE);
    assert_string_equal(sweep.state, "running");
    assert_true(sweep.exhausted);
    assert_int_equal(sweep.queued, 0);
    assert_int_equal(sweep.live, 2);
    assert_int_equal(sweep.handed_out, 2);
    assert_int_equal(sweep.expected, 2);
    assert_ok(session_commit(session));
    const struct store_claim_key key = {"agent0", 0, 1};
    assert_status(STATUS_NOT_FOUND,
                  store_claim_runs(session_tx(session), "nosweep0", &key, 1, 1, claims, &sweep, &test_err));
    session_close(session);
}

static void locked_runs_are_skipped(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2});
    database_execute(database->url, "UPDATE besom.sweeps SET state = 'running'");
    struct session *a = session_open(database), *b = session_open(database);
    assert_string_equal(fixture_claim(a, "agent0", 0, 1).run_id, "run00000");
    assert_string_equal(fixture_claim(b, "agent1", 0, 1).run_id, "run00001");
    session_rollback(a);
    assert_ok(session_commit(b));
    assert_string_equal(fixture_claim(a, "agent0", 0, 1).run_id, "run00000");
    assert_ok(session_commit(a));
    session_close(a);
    session_close(b);
}

/* An operation on another session, with its outcome. */
struct operation {
    struct session *session;
    enum status status;
    struct store_claim claim;
    struct store_claim_sweep sweep;
};

static void claim_same_key(void *context)
{
    struct operation *operation = context;
    struct store_claim_key key = {.agent_id = "agent0", .slot = 0, .counter = 1};
    operation->status = store_claim_runs(session_tx(operation->session), SWEEP, &key, 1, LEASE_MS,
                                         &operation->claim, &operation->sweep, NULL);
}

static void one_key_from_two_sessions_is_one_run(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 1});
    database_execute(database->url, "UPDATE besom.sweeps SET state = 'running'");
    struct session *a = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    struct store_claim claim = fixture_claim(a, "agent0", 0, 1);
    waiting_start(&waiting, database, claim_same_key, &operation);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_int_equal(operation.status, STATUS_CONFLICT);
    session_rollback(operation.session);
    claim_same_key(&operation);
    assert_ok(operation.status);
    assert_string_equal(operation.claim.run_id, claim.run_id);
    assert_ok(session_commit(operation.session));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.run_attempts"), 1);
    session_close(a);
    session_close(operation.session);
}

static void a_pause_holds_for_a_claim_that_waited(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 1});
    database_execute(database->url, "UPDATE besom.sweeps SET state = 'running'");
    struct session *a = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    assert_ok(store_set_sweep_state(session_tx(a), SWEEP, "paused", "by hand", &test_err));
    waiting_start(&waiting, database, claim_same_key, &operation);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(operation.status);
    assert_int_equal(operation.claim.verdict, STORE_CLAIM_NONE);
    assert_string_equal(operation.sweep.state, "paused");
    assert_string_equal(operation.sweep.state_reason, "by hand");
    assert_int_equal(operation.sweep.queued, 5);
    assert_ok(session_commit(operation.session));
    session_close(a);
    session_close(operation.session);
}

static void pause(void *context)
{
    struct operation *operation = context;
    operation->status = store_set_sweep_state(session_tx(operation->session), SWEEP, "paused", "", NULL);
}

static void a_pause_waits_for_claims_under_way(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 1});
    struct session *a = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    assert_int_equal(fixture_claim(a, "agent0", 0, 1).verdict, STORE_CLAIM_RUN);
    waiting_start(&waiting, database, pause, &operation);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(operation.status);
    assert_ok(session_commit(operation.session));
    assert_int_equal(fixture_claim(a, "agent0", 0, 2).verdict, STORE_CLAIM_NONE);
    assert_int_equal(fixture_claim(a, "agent0", 0, 1).verdict, STORE_CLAIM_RUN);
    session_close(a);
    session_close(operation.session);
}

static void the_first_claims_begin_the_sweep_together(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 2});
    struct session *a = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    assert_int_equal(fixture_claim(a, "agent1", 0, 1).verdict, STORE_CLAIM_RUN);
    waiting_start(&waiting, database, claim_same_key, &operation);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(operation.status);
    assert_int_equal(operation.claim.verdict, STORE_CLAIM_RUN);
    assert_string_equal(operation.claim.run_id, "run00001");
    session_close(a);
    session_close(operation.session);
}

#define RACERS 2
#define RACE_RUNS 500

struct racer {
    struct database *database;
    pthread_t thread;
    char agent[16];
    int64_t counter;
    int claims;
    enum status status;
    bool got;
};

static enum status claim_one(struct store_tx *tx, void *context, struct err *err)
{
    struct racer *racer = context;
    struct store_claim_key key = {.agent_id = racer->agent, .slot = 0, .counter = racer->counter};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    TRY(store_claim_runs(tx, SWEEP, &key, 1, LEASE_MS, &claim, &sweep, err));
    racer->got = claim.verdict == STORE_CLAIM_RUN;
    return STATUS_OK;
}

static void *race(void *context)
{
    struct racer *racer = context;
    struct arena arena = arena_make(0);
    do {
        racer->counter++;
        racer->status = store_transaction(racer->database->store, &arena, claim_one, racer, NULL);
        racer->claims += racer->status == STATUS_OK && racer->got;
    } while (racer->status == STATUS_OK && racer->claims < RACE_RUNS && racer->got);
    arena_free(&arena);
    return NULL;
}

static void racing_claimers_share_every_run_once(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = RACERS * RACE_RUNS, .agents = RACERS});
    struct racer racers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.database = database};
        snprintf(racers[i].agent, sizeof racers[i].agent, "agent%d", i);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_ok(racers[i].status);
        assert_int_equal(racers[i].claims, RACE_RUNS);
    }
    assert_int_equal(database_number(database->url, "SELECT count(DISTINCT run_id) FROM besom.run_attempts"),
                     RACERS * RACE_RUNS);
    assert_int_equal(database_number(database->url, "SELECT max(attempt) FROM besom.runs"), 1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases"), RACERS * RACE_RUNS);
}

static void a_limit_holds_at_once(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 6, .agents = 2});
    database_execute(database->url, "UPDATE besom.sweeps SET concurrency = 2");
    struct session *session = session_open(database);
    const struct store_claim_key keys[] = {{"agent0", 0, 1}, {"agent0", 1, 1}, {"agent1", 0, 1}};
    struct store_claim claims[3];
    struct store_claim_sweep sweep;
    assert_ok(store_claim_runs(session_tx(session), SWEEP, keys, 3, LEASE_MS, claims, &sweep, &test_err));
    assert_string_equal(claims[0].run_id, "run00000");
    assert_string_equal(claims[1].run_id, "run00001");
    assert_int_equal(claims[2].verdict, STORE_CLAIM_NONE);
    assert_int_equal(sweep.running, 2);
    assert_int_equal(sweep.queued, 4);
    assert_int_equal(store_claim_room(&sweep), 0);
    assert_string_equal(fixture_claim(session, "agent0", 1, 1).run_id, "run00001");
    fixture_finish(session, fixture_end(&claims[0], "agent0", "finished"));
    assert_string_equal(fixture_claim(session, "agent1", 0, 1).run_id, "run00002");
    assert_int_equal(fixture_claim(session, "agent1", 1, 1).verdict, STORE_CLAIM_NONE);
    session_close(session);
}

/* Claims and ends runs until there are none; both racers meet at a limit of one. */
static enum status claim_and_count(struct store_tx *tx, void *context, struct err *err)
{
    struct racer *racer = context;
    struct store_claim_key key = {.agent_id = racer->agent, .slot = 0, .counter = racer->counter};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    TRY(store_claim_runs(tx, SWEEP, &key, 1, LEASE_MS, &claim, &sweep, err));
    racer->got = claim.verdict == STORE_CLAIM_RUN;
    if (!racer->got)
        return STATUS_OK;
    sweep = (struct store_claim_sweep){0};
    TRY(store_get_claim_sweep(tx, SWEEP, &sweep, err));
    return sweep.running == 1 ? STATUS_OK
                              : err_set(err, STATUS_INTERNAL, "%d are running", (int)sweep.running);
}

static enum status end_one(struct store_tx *tx, void *context, struct err *err)
{
    struct racer *racer = context;
    struct store_claim_key key = {.agent_id = racer->agent, .slot = 0, .counter = racer->counter};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    struct store_finish_result result;
    TRY(store_claim_runs(tx, SWEEP, &key, 1, LEASE_MS, &claim, &sweep, err));
    struct store_finish end = fixture_end(&claim, racer->agent, "finished");
    return store_finish_runs(tx, &end, 1, &result, err);
}

static void *race_for_the_slot(void *context)
{
    struct racer *racer = context;
    struct arena arena = arena_make(0);
    while (racer->status == STATUS_OK && racer->counter < RACE_RUNS) {
        racer->counter++;
        racer->status = store_transaction(racer->database->store, &arena, claim_and_count, racer, NULL);
        if (racer->status != STATUS_OK || !racer->got)
            continue;
        racer->claims++;
        racer->status = store_transaction(racer->database->store, &arena, end_one, racer, NULL);
    }
    arena_free(&arena);
    return NULL;
}

static void racing_claimers_keep_a_limit(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = RACERS * RACE_RUNS, .agents = RACERS});
    database_execute(database->url, "UPDATE besom.sweeps SET concurrency = 1");
    struct racer racers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.database = database};
        snprintf(racers[i].agent, sizeof racers[i].agent, "agent%d", i);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race_for_the_slot, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_ok(racers[i].status);
        assert_true(racers[i].claims > 0);
    }
}

static void a_retired_agent_gets_nothing(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    assert_ok(store_retire_agent(session_tx(session), SWEEP, "agent0", "exit", false, &test_err));
    assert_int_equal(fixture_claim(session, "agent0", 0, 1).verdict, STORE_CLAIM_UNKNOWN_AGENT);
    struct store_agent agent = {.sweep_id = SWEEP, .agent_id = "agent0", .host = "other", .slots = 1};
    assert_ok(store_register_agent(session_tx(session), &agent, &test_err));
    assert_int_equal(fixture_claim(session, "agent0", 0, 1).verdict, STORE_CLAIM_RUN);
    struct store_agent *agents;
    size_t count;
    assert_ok(store_list_agents(session_tx(session), "", NULL, &agents, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(agents[0].host, "other");
    assert_int_equal(agents[0].running, 1);
    assert_int_equal(agents[0].retired_us, 0);
    assert_true(agents[0].registered_us > 0);
    agent.sweep_id = "nosweep0";
    assert_status(STATUS_NOT_FOUND, store_register_agent(session_tx(session), &agent, &test_err));
    session_close(session);
}

static const char *quarantine_for(struct session *session, const char *host, const char *agent_id)
{
    const char *reason;
    assert_ok(store_get_quarantine(session_tx(session), SWEEP, host, agent_id, &reason, &test_err));
    return reason;
}

static const char *quarantine_of(struct session *session, const char *host)
{
    return quarantine_for(session, host, "newcomer");
}

static void a_host_is_quarantined_once_others_finish(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2});
    struct session *session = session_open(database);
    struct store_agent agent = {.sweep_id = SWEEP, .agent_id = "other", .host = "broken", .slots = 1},
                       *agents;
    size_t count;
    bool ended;
    assert_ok(store_register_agent(session_tx(session), &agent, &test_err));
    assert_ok(store_retire_agent(session_tx(session), SWEEP, "other", "no GPU", true, &test_err));
    assert_null(quarantine_of(session, "broken"));
    struct store_claim claim = fixture_start_run(session, "agent0");
    fixture_finish(session, fixture_end(&claim, "agent0", "failed"));
    assert_null(quarantine_of(session, "broken"));
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.runs SET state = 'finished' WHERE state = 'failed'");
    assert_string_equal(quarantine_of(session, "broken"), "no GPU");
    assert_null(quarantine_of(session, "host"));
    fixture_start_run(session, "agent1"); /* restarted there it would lose its run */
    assert_null(quarantine_for(session, "broken", "agent1"));
    assert_ok(store_list_agents(session_tx(session), SWEEP, NULL, &agents, &count, &test_err));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(agents[i].quarantined, strcmp(agents[i].agent_id, "other") == 0);
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.agents SET retired_at = now() - interval '25 hours' "
                                    "WHERE retired_at IS NOT NULL");
    assert_null(quarantine_of(session, "broken"));
    assert_ok(session_commit(session));
    database_execute(database->url,
                     "UPDATE besom.agents SET retired_at = now() WHERE retired_at IS NOT NULL");
    assert_string_equal(quarantine_of(session, "broken"), "no GPU");
    for (int i = 0; i < 2; i++) {
        assert_ok(store_end_quarantine(session_tx(session), SWEEP, "broken", &ended, &test_err));
        assert_int_equal(ended, i == 0);
        assert_null(quarantine_of(session, "broken"));
    }
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_key_keeps_its_run),
        CASE(an_ended_key_is_told),
        CASE(many_callers_are_served_at_once),
        CASE(locked_runs_are_skipped),
        CASE(one_key_from_two_sessions_is_one_run),
        CASE(a_pause_holds_for_a_claim_that_waited),
        CASE(a_pause_waits_for_claims_under_way),
        CASE(the_first_claims_begin_the_sweep_together),
        CASE(racing_claimers_share_every_run_once),
        CASE(a_limit_holds_at_once),
        CASE(racing_claimers_keep_a_limit),
        CASE(a_retired_agent_gets_nothing),
        CASE(a_host_is_quarantined_once_others_finish),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
