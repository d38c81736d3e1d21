// SPDX-License-Identifier: GPL-3.0-or-later
/* Runs that pause at rungs: what the verdict on their cohort makes of them, whenever it comes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

/* A sweep whose runs pause, with `runs` of them handed to agents and a value at band 0. */
static void begin(struct database *database, int runs, struct store_claim *claims)
{
    fixture_sweep(database, (struct sweep_options){.runs = runs, .agents = runs, .exhausted = true});
    database_execute(database->url, "UPDATE besom.sweeps SET pauses = true");
    struct session *session = session_open(database);
    for (int i = 0; i < runs; i++) {
        char agent[16];
        (void)snprintf(agent, sizeof agent, "agent%d", i);
        claims[i] = fixture_start_run(session, agent);
        struct store_rung_value value = {.sweep_id = SWEEP,
                                         .run_id = claims[i].run_id,
                                         .attempt = 1,
                                         .band = 1,
                                         .value = i,
                                         .best = i,
                                         .mean = i};
        assert_ok(store_add_rung_values(session_tx(session), &value, 1, &test_err));
        assert_ok(session_commit(session));
    }
    session_close(session);
    for (int i = 0; i < runs; i++) { /* the session held their texts */
        static char ids[8][16];
        (void)snprintf(ids[i], sizeof ids[i], "run%05d", i);
        claims[i].run_id = ids[i];
    }
}

static struct store_verdict verdict(const char *run_id, int64_t ordinal, int64_t number, bool promoted)
{
    return (struct store_verdict){.run_id = run_id,
                                  .ordinal = ordinal,
                                  .bracket = 2,
                                  .band = 1,
                                  .number = number,
                                  .promoted = promoted,
                                  .rank = ordinal + 1,
                                  .planned = 2,
                                  .value = (double)ordinal,
                                  .threshold = 0,
                                  .reason = "others were better"};
}

static struct store_decision waits(const char *run_id, int64_t number)
{
    return (struct store_decision){.sweep_id = SWEEP,
                                   .run_id = run_id,
                                   .rivals_json = "[]",
                                   .reason = "paused at row 1",
                                   .number = number,
                                   .band = 1,
                                   .attempt = 1,
                                   .pause = true,
                                   .planned = 2,
                                   .bracket = 2};
}

/* All of it again does nothing, as after a lost COMMIT. */
static int64_t record(struct session *session, int64_t decided, const struct store_decision *decisions,
                      size_t decision_count, const struct store_verdict *verdicts, size_t verdict_count)
{
    bool taken;
    int64_t epoch, before, changed, again;
    const char **agents;
    size_t agent_count;
    assert_ok(store_take_decider(session_tx(session), SWEEP, "scheduler", LEASE_MS, &taken, &epoch, &before,
                                 &test_err));
    assert_true(taken);
    const struct store_verdicts all = {.sweep_id = SWEEP,
                                       .owner = "scheduler",
                                       .epoch = epoch,
                                       .decided = decided,
                                       .decisions = decisions,
                                       .decision_count = decision_count,
                                       .verdicts = verdicts,
                                       .verdict_count = verdict_count};
    assert_ok(store_record_verdicts(session_tx(session), &all, &changed, &agents, &agent_count, &test_err));
    assert_ok(store_record_verdicts(session_tx(session), &all, &again, &agents, &agent_count, &test_err));
    assert_int_equal(again, 0);
    return changed;
}

static void assert_state(struct database *database, const char *run_id, const char *state, const char *reason)
{
    struct session *session = session_open(database);
    struct store_run run = fixture_run(session, run_id);
    assert_string_equal(run.state, state);
    assert_string_equal(run.end_reason, reason);
    session_close(session);
}

static int64_t number(struct database *database, const char *what)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql, "SELECT %s", what);
    return database_number(database->url, sql);
}

static void end(struct session *session, const struct store_claim *claim, int agent, const char *state)
{
    char name[16];
    (void)snprintf(name, sizeof name, "agent%d", agent);
    struct store_finish finish = fixture_end(claim, name, state);
    finish.has_objective = true;
    (void)fixture_finish(session, finish);
    assert_ok(session_commit(session));
}

static void the_verdict_comes_after_the_pause(void **state)
{
    struct database *database = *state;
    struct store_claim claims[2];
    begin(database, 2, claims);
    struct session *session = session_open(database);
    const struct store_decision first = waits("run00000", 1);
    assert_int_equal(record(session, 1, &first, 1, NULL, 0), 1); /* the order */
    assert_ok(session_commit(session));
    struct store_end_facts facts;
    assert_ok(store_get_end_facts(session_tx(session), SWEEP, "run00000", 1, &facts, &test_err));
    assert_string_equal(facts.directive_kind, "pause");
    struct store_verdict *read;
    size_t count;
    bool created;
    assert_ok(
        store_add_directive(session_tx(session), SWEEP, "run00001", "stop_user", "", &created, &test_err));
    const struct store_decision second = waits("run00001", 2); /* comes after a user's order */
    (void)record(session, 2, &second, 1, NULL, 0);
    assert_ok(store_get_end_facts(session_tx(session), SWEEP, "run00001", 1, &facts, &test_err));
    assert_string_equal(facts.directive_kind, "stop_user");
    session_rollback(session);
    end(session, &claims[0], 0, "paused");
    end(session, &claims[1], 1, "paused");
    assert_state(database, "run00000", "paused", "");
    struct store_run_counts counts;
    assert_ok(store_count_runs(session_tx(session), SWEEP, &counts, &test_err));
    assert_true(counts.paused == 2 && counts.running == 0);
    assert_int_equal(number(database, "results FROM besom.sweep_counters"), 0);
    const struct store_verdict verdicts[] = {verdict("run00000", 0, 2, true),
                                             verdict("run00001", 1, 2, false)};
    assert_int_equal(record(session, 2, NULL, 0, verdicts, 2), 2);
    assert_ok(session_commit(session));
    assert_state(database, "run00000", "pending", "");
    assert_state(database, "run00001", "stopped", "early_stop");
    assert_int_equal(number(database, "priority FROM besom.runs WHERE run_id = 'run00000'"), 1);
    assert_int_equal(number(database, "retries FROM besom.runs WHERE run_id = 'run00000'"), 0);
    assert_int_equal(number(database, "result_number FROM besom.runs WHERE run_id = 'run00001'"), 1);
    assert_ok(store_list_verdicts(session_tx(session), SWEEP, "run00001", &read, &count, &test_err));
    assert_true(count == 1 && !read[0].promoted && read[0].rank == 2);
    session_close(session);
}

static void the_verdict_comes_before_the_end(void **state)
{
    struct database *database = *state;
    struct store_claim claims[2];
    begin(database, 2, claims);
    struct session *session = session_open(database);
    const struct store_verdict verdicts[] = {verdict("run00000", 0, 2, true),
                                             verdict("run00001", 1, 2, false)};
    const struct store_decision decisions[] = {waits("run00000", 1), waits("run00001", 2)};
    /* only the order to stop: the other is promoted, and the pause of neither is needed any more */
    assert_int_equal(record(session, 2, decisions, 2, verdicts, 2), 1);
    assert_ok(session_commit(session));
    assert_int_equal(number(database, "count(*) FROM besom.directives WHERE kind = 'pause'"), 0);
    end(session, &claims[0], 0, "paused");
    end(session, &claims[1], 1, "paused");
    assert_state(database, "run00000", "pending", "");
    assert_state(database, "run00001", "stopped", "early_stop");
    session_close(session);
}

struct ending {
    struct session *session;
    struct store_claim *claim;
    enum status status;
    struct store_finish_result result;
};

static void end_there(void *context)
{
    struct ending *ending = context;
    struct err err = ERR_INIT;
    struct store_finish finish = fixture_end(ending->claim, "agent0", "paused");
    ending->status = store_finish_runs(session_tx(ending->session), &finish, 1, &ending->result, &err);
}

static void the_verdict_comes_as_it_ends(void **state)
{
    struct database *database = *state;
    struct store_claim claims[1];
    begin(database, 1, claims);
    struct session *session = session_open(database);
    struct ending ending = {.session = session_open(database), .claim = claims};
    struct waiting waiting;
    const struct store_verdict promoted = verdict("run00000", 0, 1, true);
    (void)record(session, 1, NULL, 0, &promoted, 1);
    waiting_start(&waiting, database, end_there, &ending); /* waits for the run */
    assert_ok(session_commit(session));
    waiting_join(&waiting);
    assert_ok(ending.status);
    assert_string_equal(ending.result.state, "pending");
    assert_true(ending.result.requeued);
    assert_ok(session_commit(ending.session));
    session_close(session);
    session_close(ending.session);
}

/* It logged the next rung's row before the order to pause came. */
static void a_promoted_run_with_a_later_value_waits_for_that_verdict(void **state)
{
    struct database *database = *state;
    struct store_claim claims[1];
    begin(database, 1, claims);
    struct session *session = session_open(database);
    struct store_rung_value later = {.sweep_id = SWEEP,
                                     .run_id = "run00000",
                                     .attempt = 1,
                                     .band_index = 1,
                                     .band = 3,
                                     .value = 1,
                                     .best = 1,
                                     .mean = 1};
    assert_ok(store_add_rung_values(session_tx(session), &later, 1, &test_err));
    assert_ok(session_commit(session));
    end(session, &claims[0], 0, "paused");
    struct store_verdict promoted = verdict("run00000", 0, 1, true);
    assert_int_equal(record(session, 1, NULL, 0, &promoted, 1), 0);
    assert_ok(session_commit(session));
    assert_state(database, "run00000", "paused", "");
    promoted.band_index = 1;
    promoted.number = 2;
    assert_int_equal(record(session, 2, NULL, 0, &promoted, 1), 1);
    assert_ok(session_commit(session));
    assert_state(database, "run00000", "pending", "");
    session_close(session);
}

/* A lost run is queued again before its value is decided. */
static void what_is_queued_again_pauses_or_ends_too(void **state)
{
    struct database *database = *state;
    struct store_claim claims[2];
    begin(database, 2, claims);
    struct session *session = session_open(database);
    for (int i = 0; i < 2; i++) {
        char agent[16];
        (void)snprintf(agent, sizeof agent, "agent%d", i);
        struct store_finish lost = fixture_end(&claims[i], agent, "crashed");
        lost.may_retry = true;
        assert_true(fixture_finish(session, lost).requeued);
        assert_ok(session_commit(session));
    }
    const struct store_decision decisions[] = {waits("run00000", 1), waits("run00001", 2)};
    const struct store_verdict out = verdict("run00001", 1, 2, false);
    assert_int_equal(record(session, 2, decisions, 2, &out, 1), 2);
    assert_ok(session_commit(session));
    assert_state(database, "run00000", "paused", "");
    assert_state(database, "run00001", "stopped", "early_stop");
    session_close(session);
}

/* Both logged the next rung's row before the verdict, and only one was awaited there. */
static void who_was_let_go_did_not_come_to_the_next_rung(void **state)
{
    struct database *database = *state;
    struct store_claim claims[2];
    begin(database, 2, claims);
    struct session *session = session_open(database);
    struct store_decision decisions[4];
    for (int i = 0; i < 4; i++)
        decisions[i] = waits(claims[i % 2].run_id, i + 1);
    for (int i = 2; i < 4; i++) {
        struct store_rung_value value = {.sweep_id = SWEEP,
                                         .run_id = claims[i % 2].run_id,
                                         .attempt = 1,
                                         .band_index = 1,
                                         .band = 3,
                                         .value = i,
                                         .best = i,
                                         .mean = i};
        assert_ok(store_add_rung_values(session_tx(session), &value, 1, &test_err));
        decisions[i].band_index = 1;
        decisions[i].band = 3;
        decisions[i].planned = 1;
    }
    const struct store_verdict verdicts[] = {verdict("run00000", 0, 2, true),
                                             verdict("run00001", 1, 2, false)};
    (void)record(session, 4, decisions, 4, verdicts, 2);
    struct store_cohort_rung *rungs;
    size_t count;
    assert_ok(store_list_cohorts(session_tx(session), SWEEP, 10, &rungs, &count, &test_err));
    assert_int_equal(count, 2);
    assert_true(rungs[0].band == 1 && rungs[0].planned == 2 && rungs[0].reached == 2);
    assert_true(rungs[1].band == 3 && rungs[1].planned == 1 && rungs[1].reached == 1);
    session_close(session);
}

static void ends_have_a_place_in_the_order(void **state)
{
    struct database *database = *state;
    struct store_claim claims[4];
    begin(database, 4, claims);
    database_execute(database->url,
                     "UPDATE besom.run_attempts SET best_value = 0.5 WHERE run_id <> 'run00003'");
    struct session *session = session_open(database);
    end(session, &claims[0], 0, "finished");
    end(session, &claims[1], 1, "failed");
    end(session, &claims[2], 2, "paused");
    bool killed;
    assert_ok(store_kill_pending_run(session_tx(session), SWEEP, "run00002", &killed, &test_err));
    assert_true(killed);
    assert_ok(session_commit(session));
    end(session, &claims[3], 3, "finished"); /* without a value of the metric */
    struct store_rung_value *values;
    size_t count;
    assert_ok(store_list_rung_values(session_tx(session), SWEEP, 4, 10, &values, &count, &test_err));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(values[i].kind, "ended");
        assert_int_equal(values[i].number, 5 + i);
        assert_int_equal(values[i].ordinal, i);
    }
    assert_true(values[0].value == 0.5);
    assert_true(isnan(values[1].value) && isnan(values[2].value) && isnan(values[3].value));
    assert_state(database, "run00002", "killed", "user");
    session_close(session);
}

static void close_cohorts(struct database *database, size_t expected)
{
    struct session *session = session_open(database);
    const char **ids;
    size_t count;
    assert_ok(store_close_cohorts(session_tx(session), &ids, &count, &test_err));
    assert_int_equal(count, expected);
    assert_ok(session_commit(session));
    session_close(session);
}

static void what_does_not_come_is_told_once(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2, .exhausted = true});
    database_execute(database->url, "UPDATE besom.sweeps SET pauses = true");
    close_cohorts(database, 0); /* runs wait to be handed out */
    struct session *session = session_open(database);
    (void)fixture_start_run(session, "agent0");
    (void)fixture_start_run(session, "agent1");
    database_execute(database->url,
                     "UPDATE besom.sweeps SET next_ordinal = 4"); /* two ordinals were duplicates */
    close_cohorts(database, 1);
    close_cohorts(database, 0);
    struct store_rung_value *values;
    size_t count;
    assert_ok(store_list_rung_values(session_tx(session), SWEEP, 0, 10, &values, &count, &test_err));
    assert_int_equal(count, 3);
    assert_true(strcmp(values[0].kind, "ended") == 0 && values[0].ordinal == 2);
    assert_true(strcmp(values[1].kind, "ended") == 0 && values[1].ordinal == 3);
    assert_true(strcmp(values[2].kind, "closed") == 0 && values[2].ordinal == 4);
    session_close(session);
}

static void a_deleted_run_is_not_waited_for(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1, .exhausted = true});
    database_execute(database->url, "UPDATE besom.sweeps SET pauses = true");
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    end(session, &claim, 0, "finished");
    for (int i = 0; i < 2; i++) {
        char run[16];
        (void)snprintf(run, sizeof run, "run%05d", i);
        assert_ok(store_delete_run(session_tx(session), SWEEP, run, &test_err));
        assert_ok(session_commit(session));
        assert_int_equal(number(database, "count(*) FROM besom.rung_values WHERE kind = 'ended'"), i + 1);
    }
    assert_int_equal(number(database, "max(ordinal) FROM besom.rung_values"), 1);
    session_close(session);
}

static void what_is_left_paused_ends_with_its_sweep(void **state)
{
    struct database *database = *state;
    struct store_claim claims[3];
    begin(database, 3, claims);
    struct session *session = session_open(database);
    end(session, &claims[0], 0, "paused");
    assert_ok(store_set_sweep_state(session_tx(session), SWEEP, "finished", "stopped by a user", &test_err));
    assert_ok(session_commit(session));
    end(session, &claims[1], 1, "paused");
    assert_state(database, "run00001", "stopped", "early_stop");
    struct store_left_paused *left;
    size_t count;
    assert_ok(store_list_left_paused(session_tx(session), &left, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(left[0].state, "finished");
    assert_ok(store_end_paused_runs(session_tx(session), SWEEP, "stopped", "early_stop", &test_err));
    assert_ok(store_set_sweep_state(session_tx(session), SWEEP, "canceled", "canceled", &test_err));
    assert_ok(session_commit(session));
    end(session, &claims[2], 2, "paused");
    assert_state(database, "run00000", "stopped", "early_stop");
    assert_state(database, "run00002", "killed", "user");
    assert_int_equal(number(database, "results FROM besom.sweep_counters"), 3);
    assert_int_equal(number(database, "count(DISTINCT result_number) FROM besom.runs"), 3);
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_verdict_comes_after_the_pause),
        CASE(the_verdict_comes_before_the_end),
        CASE(the_verdict_comes_as_it_ends),
        CASE(a_promoted_run_with_a_later_value_waits_for_that_verdict),
        CASE(what_is_queued_again_pauses_or_ends_too),
        CASE(who_was_let_go_did_not_come_to_the_next_rung),
        CASE(ends_have_a_place_in_the_order),
        CASE(what_does_not_come_is_told_once),
        CASE(a_deleted_run_is_not_waited_for),
        CASE(what_is_left_paused_ends_with_its_sweep),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
