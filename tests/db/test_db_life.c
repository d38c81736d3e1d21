// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static void expire_leases(struct database *database)
{
    database_execute(database->url, "UPDATE besom.leases SET expires_at = now() - interval '1 hour'");
}

static struct store_open_attempt open_run(struct session *session, const struct store_claim *claim,
                                          bool started)
{
    struct store_open_attempt open;
    assert_ok(store_open_run(session_tx(session), SWEEP, claim->run_id, claim->attempt, "agent0", started,
                             LEASE_MS, &open, &test_err));
    return open;
}

static struct store_finish_result lose(struct session *session, const struct store_claim *claim,
                                       int64_t retries_max)
{
    struct store_finish end = fixture_end(claim, "", "crashed");
    struct store_finish_result result;
    end.may_retry = true;
    end.retries_max = retries_max;
    assert_ok(store_lose_run(session_tx(session), &end, 1000, &result, &test_err));
    return result;
}

static void finishing_twice_is_one_result(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    struct store_attempt attempt = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 1};
    assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
    assert_true(attempt.found && attempt.current && !attempt.has_best);
    attempt.last_sequence = 5;
    attempt.has_best = true;
    attempt.best_value = 0.25;
    assert_ok(store_save_attempts(session_tx(session), &attempt, 1, LEASE_MS, &test_err));
    struct store_finish end = fixture_end(&claim, "agent0", "finished");
    end.final_sequence = 6;
    end.has_objective = true;
    struct store_finish_result result = fixture_finish(session, end);
    assert_int_equal(result.verdict, STORE_FINISH_AGAIN);
    assert_int_equal(result.last_sequence, 5);
    end.final_sequence = 5;
    for (int i = 0; i < 2; i++) {
        result = fixture_finish(session, end);
        assert_int_equal(result.verdict, STORE_FINISH_DONE);
        assert_string_equal(result.state, "finished");
        assert_string_equal(result.end_reason, "exit");
        assert_int_equal(result.result_number, 1);
        assert_false(result.requeued);
        assert_int_equal(result.ended_now, i == 0);
    }
    struct store_run run = fixture_run(session, claim.run_id);
    assert_true(run.has_objective && run.objective == 0.25);
    assert_int_equal(run.run_time_ms, 1000);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases"), 0);
    session_close(session);
}

static void strangers_cannot_finish_or_open(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    struct store_open_attempt open;
    assert_int_equal(fixture_finish(session, fixture_end(&claim, "agent1", "finished")).verdict,
                     STORE_FINISH_SUPERSEDED);
    assert_status(STATUS_NOT_FOUND, store_open_run(session_tx(session), SWEEP, claim.run_id, 1, "agent1", 1,
                                                   LEASE_MS, &open, &test_err));
    assert_status(STATUS_NOT_FOUND, store_open_run(session_tx(session), SWEEP, claim.run_id, 2, "agent0", 1,
                                                   LEASE_MS, &open, &test_err));
    assert_string_equal(fixture_run(session, claim.run_id).state, "running");
    session_close(session);
}

static void failures_are_tried_again_so_many_times(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 1});
    struct session *session = session_open(database);
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct store_claim claim = fixture_claim(session, "agent0", 0, attempt);
        /* Ahead of new suggestions. */
        assert_string_equal(claim.run_id, "run00000");
        assert_int_equal(claim.attempt, attempt);
        struct store_finish end = fixture_end(&claim, "agent0", "failed");
        end.may_retry = true;
        end.retries_max = 2;
        struct store_finish_result result = fixture_finish(session, end);
        assert_int_equal(result.requeued, attempt <= 2);
        assert_string_equal(result.state, attempt <= 2 ? "pending" : "failed");
        assert_int_equal(result.result_number, attempt <= 2 ? 0 : 1);
        assert_ok(session_commit(session));
    }
    assert_int_equal(fixture_run(session, "run00000").run_time_ms, 3000);
    struct store_attempt_row *attempts;
    size_t count;
    assert_ok(store_list_attempts(session_tx(session), SWEEP, "run00000", &attempts, &count, &test_err));
    assert_int_equal(count, 3);
    assert_string_equal(attempts[2].end_reason, "exit");
    session_close(session);
}

static void a_stopped_sweep_queues_nothing_again(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    assert_ok(store_set_sweep_state(session_tx(session), SWEEP, "finished", "stopped", &test_err));
    struct store_finish end = fixture_end(&claim, "agent0", "failed");
    end.may_retry = true;
    assert_string_equal(fixture_finish(session, end).state, "failed");
    session_close(session);
}

struct finish_call {
    struct session *session;
    struct store_finish end;
    struct store_finish_result result;
    enum status status;
};

static void finish_there(void *context)
{
    struct finish_call *call = context;
    call->status = store_finish_runs(session_tx(call->session), &call->end, 1, &call->result, NULL);
}

static void lose_there(void *context)
{
    struct finish_call *call = context;
    call->status = store_lose_run(session_tx(call->session), &call->end, 1000, &call->result, NULL);
}

static void finish_wins_over_lose(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *a = session_open(database);
    struct store_claim claim = fixture_start_run(a, "agent0");
    struct finish_call call = {.session = session_open(database), .end = fixture_end(&claim, "", "crashed")};
    struct waiting waiting;
    call.end.may_retry = true;
    expire_leases(database);
    assert_string_equal(fixture_finish(a, fixture_end(&claim, "agent0", "finished")).state, "finished");
    waiting_start(&waiting, database, lose_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_int_equal(call.result.verdict, STORE_FINISH_AGAIN);
    assert_ok(session_commit(call.session));
    assert_string_equal(fixture_run(a, claim.run_id).state, "finished");
    session_close(a);
    session_close(call.session);
}

static void a_finish_after_a_loss_still_counts(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *a = session_open(database);
    struct store_claim claim = fixture_start_run(a, "agent0");
    struct finish_call call = {.session = session_open(database),
                               .end = fixture_end(&claim, "agent0", "finished")};
    struct waiting waiting;
    expire_leases(database);
    assert_true(lose(a, &claim, 3).requeued);
    waiting_start(&waiting, database, finish_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_int_equal(call.result.verdict, STORE_FINISH_DONE);
    assert_string_equal(call.result.state, "finished");
    assert_ok(session_commit(call.session));
    assert_int_equal(database_number(database->url, "SELECT retries FROM besom.runs"), 0);
    assert_int_equal(database_number(database->url, "SELECT run_time_ms FROM besom.runs"), 1000);
    session_close(a);
    session_close(call.session);
}

static void a_lost_attempt_returns_before_its_successor(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    assert_int_equal(lose(session, &claim, 3).verdict, STORE_FINISH_AGAIN); /* heard of just now */
    session_rollback(session);
    expire_leases(database);
    struct store_finish_result lost = lose(session, &claim, 3);
    assert_true(lost.requeued);
    assert_string_equal(lost.end_reason, "lost");
    assert_ok(session_commit(session));
    struct store_open_attempt open = open_run(session, &claim, true);
    assert_true(open.current);
    assert_string_equal(open.run_state, "running");
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT retries FROM besom.runs"), 0);
    assert_int_equal(database_number(database->url, "SELECT run_time_ms FROM besom.runs"), 0);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases"), 1);
    assert_int_equal(fixture_claim(session, "agent0", 0, 2).verdict, STORE_CLAIM_NONE);
    assert_int_equal(fixture_finish(session, fixture_end(&claim, "agent0", "finished")).result_number, 1);
    session_close(session);
}

static void a_run_lost_for_good_returns_with_its_number(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    expire_leases(database);
    struct store_finish_result lost = lose(session, &claim, 0);
    assert_string_equal(lost.state, "crashed");
    assert_int_equal(lost.result_number, 1);
    assert_true(open_run(session, &claim, true).current);
    struct store_finish_result result = fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_int_equal(result.result_number, 1);
    assert_string_equal(result.state, "finished");
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT results FROM besom.sweep_counters"), 1);
    session_close(session);
}

static void a_superseded_attempt_changes_nothing(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    expire_leases(database);
    lose(session, &claim, 3);
    struct store_claim next = fixture_claim(session, "agent1", 0, 1);
    assert_int_equal(next.attempt, 2);
    assert_ok(session_commit(session));
    struct store_open_attempt open = open_run(session, &claim, true);
    assert_false(open.current);
    assert_string_equal(open.run_state, "assigned");
    struct store_attempt stale = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 1};
    assert_ok(store_lock_attempts(session_tx(session), &stale, 1, &test_err));
    assert_true(stale.found && stale.ended && !stale.current);
    stale.last_sequence = 9;
    stale.preempting = true;
    assert_ok(store_save_attempts(session_tx(session), &stale, 1, LEASE_MS * 100, &test_err));
    assert_int_equal(fixture_finish(session, fixture_end(&claim, "agent0", "finished")).verdict,
                     STORE_FINISH_SUPERSEDED);
    assert_string_equal(fixture_run(session, claim.run_id).state, "assigned");
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases "
                                                    "WHERE expires_at > now() + interval '10 minutes'"),
                     0);
    assert_int_equal(fixture_claim(session, "agent0", 0, 1).verdict, STORE_CLAIM_ENDED);
    session_close(session);
}

static void save_progress(struct session *session, const struct store_claim *claim, double best)
{
    struct store_attempt attempt = {
        .sweep_id = SWEEP, .run_id = claim->run_id, .attempt = claim->attempt, .found = true};
    assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
    attempt.has_best = true;
    attempt.best_value = best;
    attempt.metric_rows += 5;
    attempt.bands_reached += 1;
    attempt.next_step += 8;
    assert_ok(store_save_attempts(session_tx(session), &attempt, 1, LEASE_MS, &test_err));
}

static void the_next_attempt_goes_on(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    assert_int_equal(claim.next_step, 0);
    save_progress(session, &claim, 0.25);
    assert_ok(session_commit(session));
    expire_leases(database);
    assert_true(lose(session, &claim, 3).requeued);
    struct store_run run = fixture_run(session, claim.run_id);
    assert_true(run.has_objective && run.objective == 0.25);
    assert_ok(session_commit(session));
    for (int i = 0; i < 2; i++) { /* its key again gives the same */
        struct store_claim next = fixture_claim(session, "agent1", 0, 1);
        assert_int_equal(next.attempt, 2);
        assert_int_equal(next.fresh, i == 0);
        assert_int_equal(next.next_step, 8);
        assert_ok(session_commit(session));
    }
    struct store_attempt second = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 2};
    assert_ok(store_lock_attempts(session_tx(session), &second, 1, &test_err));
    assert_true(second.has_best && second.best_value == 0.25);
    assert_int_equal(second.metric_rows, 5);
    assert_int_equal(second.bands_reached, 1);
    assert_int_equal(second.next_step, 8);
    run = fixture_run(session, claim.run_id);
    assert_true(run.has_objective && run.objective == 0.25);
    claim.attempt = 2;
    struct store_finish end = fixture_end(&claim, "agent1", "finished");
    end.has_objective = true;
    fixture_finish(session, end);
    run = fixture_run(session, claim.run_id);
    assert_true(run.has_objective && run.objective == 0.25);
    session_close(session);
}

static void a_run_killed_in_the_queue_keeps_its_objective(void **state)
{
    struct database *database = *state;
    bool killed;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    save_progress(session, &claim, 0.25);
    assert_ok(session_commit(session));
    expire_leases(database);
    assert_true(lose(session, &claim, 3).requeued);
    assert_ok(store_kill_pending_run(session_tx(session), SWEEP, claim.run_id, &killed, &test_err));
    assert_true(killed);
    struct store_run run = fixture_run(session, claim.run_id);
    assert_true(run.has_objective && run.objective == 0.25);
    session_close(session);
}

static void release_loses_against_an_open(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_claim(session, "agent0", 0, 1);
    bool released;
    assert_ok(session_commit(session));
    expire_leases(database);
    assert_true(open_run(session, &claim, true).current);
    assert_ok(
        store_release_unstarted(session_tx(session), SWEEP, claim.run_id, 1, 1000, &released, &test_err));
    assert_false(released);
    session_close(session);
}

struct release_call {
    struct session *session;
    enum status status;
    bool released;
};

static void release_there(void *context)
{
    struct release_call *call = context;
    call->status =
        store_release_unstarted(session_tx(call->session), SWEEP, "run00000", 1, 1000, &call->released, NULL);
}

static void release_waits_for_an_open_and_sees_it(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *a = session_open(database);
    struct release_call call = {.session = session_open(database), .released = true};
    struct waiting waiting;
    struct store_claim claim = fixture_claim(a, "agent0", 0, 1);
    assert_ok(session_commit(a));
    expire_leases(database);
    open_run(a, &claim, true);
    waiting_start(&waiting, database, release_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_false(call.released);
    session_close(a);
    session_close(call.session);
}

static void release_waits_for_a_repeated_claim_and_sees_it(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *a = session_open(database);
    struct release_call call = {.session = session_open(database), .released = true};
    struct waiting waiting;
    fixture_claim(a, "agent0", 0, 1);
    assert_ok(session_commit(a));
    expire_leases(database);
    assert_int_equal(fixture_claim(a, "agent0", 0, 1).verdict, STORE_CLAIM_RUN);
    waiting_start(&waiting, database, release_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_false(call.released);
    session_close(a);
    session_close(call.session);
}

static void an_unstarted_run_goes_back(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_claim(session, "agent0", 0, 1);
    struct store_expired *expired;
    size_t count;
    bool released;
    assert_ok(session_commit(session));
    expire_leases(database);
    assert_ok(store_list_expired(session_tx(session), 1000, 10, &expired, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(expired[0].state, "assigned");
    assert_true(expired[0].silent_ms > 3000000);
    assert_ok(
        store_release_unstarted(session_tx(session), SWEEP, claim.run_id, 1, 1000, &released, &test_err));
    assert_true(released);
    assert_int_equal(fixture_claim(session, "agent0", 0, 1).verdict, STORE_CLAIM_ENDED);
    struct store_claim next = fixture_claim(session, "agent0", 0, 2);
    assert_string_equal(next.run_id, claim.run_id);
    assert_int_equal(next.attempt, 2);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT retries FROM besom.runs WHERE ordinal = 0"), 0);
    session_close(session);
}

/* Each sweep says how long it waits for its runs: one that waits for days must not fill the list. */
static void silence_in_one_sweep_hides_none_in_another(void **state)
{
    struct database *database = *state;
    struct store_expired *expired;
    size_t count;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 3});
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep002", .runs = 1});
    struct session *session = session_open(database);
    (void)fixture_start_run(session, "agent0");
    (void)fixture_start_run(session, "agent1");
    (void)fixture_start_run(session, "agent2");
    expire_leases(database);
    database_execute(database->url,
                     "INSERT INTO besom.leases SELECT sweep_id, run_id, 1, '', now() - interval '1 minute' "
                     "FROM besom.runs WHERE sweep_id = 'sweep002'");
    assert_ok(store_list_expired(session_tx(session), 0, 2, &expired, &count, &test_err));
    assert_int_equal(count, 3);
    assert_string_equal(expired[0].sweep_id, SWEEP);
    assert_string_equal(expired[1].sweep_id, SWEEP);
    assert_string_equal(expired[2].sweep_id, "sweep002");
    session_close(session);
}

static void preempting_shows_in_the_run(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    for (int i = 0; i < 2; i++) {
        struct store_attempt attempt = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 1};
        struct store_end_facts facts;
        assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
        attempt.preempting = i == 0;
        assert_ok(store_save_attempts(session_tx(session), &attempt, 1, LEASE_MS, &test_err));
        assert_string_equal(fixture_run(session, claim.run_id).state, i == 0 ? "preempting" : "running");
        assert_ok(store_get_end_facts(session_tx(session), SWEEP, claim.run_id, 1, &facts, &test_err));
        assert_int_equal(facts.preempting, i == 0);
        assert_string_equal(facts.directive_kind, "");
    }
    session_close(session);
}

#define WORKERS 4
#define RUNS_EACH 50

struct worker {
    struct database *database;
    pthread_t thread;
    char agent[16];
    int64_t counter;
    int tries;
    enum status status;
};

static enum status cycle(struct store_tx *tx, void *context, struct err *err)
{
    struct worker *worker = context;
    struct store_claim_key key = {.agent_id = worker->agent, .slot = 0, .counter = worker->counter};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    struct store_finish_result result;
    TRY(store_claim_runs(tx, SWEEP, &key, 1, LEASE_MS, &claim, &sweep, err));
    struct store_finish end = fixture_end(&claim, worker->agent, "finished");
    TRY(store_finish_runs(tx, &end, 1, &result, err));
    /* Every third one is rolled back after it had its number. */
    return ++worker->tries % 3 == 0 ? err_set(err, STATUS_CANCELLED, "on purpose") : STATUS_OK;
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct arena arena = arena_make(0);
    while (worker->counter < RUNS_EACH) {
        worker->counter++;
        do {
            worker->status = store_transaction(worker->database->store, &arena, cycle, worker, NULL);
        } while (worker->status == STATUS_CANCELLED);
        if (worker->status != STATUS_OK)
            break;
    }
    arena_free(&arena);
    return NULL;
}

static void result_numbers_have_no_gaps(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = WORKERS * RUNS_EACH, .agents = WORKERS});
    struct worker workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.database = database};
        snprintf(workers[i].agent, sizeof workers[i].agent, "agent%d", i);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_ok(workers[i].status);
    }
    assert_int_equal(database_number(database->url, "SELECT count(DISTINCT result_number) FROM besom.runs"),
                     WORKERS * RUNS_EACH);
    assert_int_equal(database_number(database->url, "SELECT max(result_number) FROM besom.runs"),
                     WORKERS * RUNS_EACH);
    assert_int_equal(database_number(database->url, "SELECT results FROM besom.sweep_counters"),
                     WORKERS * RUNS_EACH);
}

static void ends_of_a_group_are_numbered_in_order(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 4, .agents = 1});
    struct session *session = session_open(database);
    struct store_finish ends[4];
    struct store_finish_result results[4];
    for (int i = 0; i < 4; i++) {
        struct store_claim claim = fixture_claim(session, "agent0", i, 1);
        ends[i] = fixture_end(&claim, "agent0", "finished");
    }
    ends[1].final_sequence = 10;
    ends[2].attempt = 7;
    assert_ok(store_finish_runs(session_tx(session), ends, 4, results, &test_err));
    assert_int_equal(results[0].result_number, 1);
    assert_int_equal(results[1].verdict, STORE_FINISH_AGAIN);
    assert_int_equal(results[2].verdict, STORE_FINISH_SUPERSEDED);
    assert_int_equal(results[3].result_number, 2);
    session_close(session);
}

static void a_lease_is_renewed_by_signs_of_life(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    struct store_run_counts counts;
    expire_leases(database);
    assert_true(fixture_run(session, claim.run_id).unreachable);
    assert_ok(store_count_runs(session_tx(session), SWEEP, &counts, &test_err));
    assert_int_equal(counts.unreachable, 1);
    assert_int_equal(counts.running, 0);
    struct store_lease_key key = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 1};
    assert_ok(store_renew_leases(session_tx(session), &key, 1, LEASE_MS, &test_err));
    assert_false(fixture_run(session, claim.run_id).unreachable);
    assert_ok(session_commit(session));
    int64_t uptime_ms, now_us;
    assert_ok(store_get_uptime(session_tx(session), &uptime_ms, &now_us, &test_err));
    assert_true(uptime_ms >= 0 && now_us > INT64_C(1700000000000000));
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(finishing_twice_is_one_result),
        CASE(strangers_cannot_finish_or_open),
        CASE(failures_are_tried_again_so_many_times),
        CASE(a_stopped_sweep_queues_nothing_again),
        CASE(finish_wins_over_lose),
        CASE(a_finish_after_a_loss_still_counts),
        CASE(a_lost_attempt_returns_before_its_successor),
        CASE(a_run_lost_for_good_returns_with_its_number),
        CASE(a_superseded_attempt_changes_nothing),
        CASE(the_next_attempt_goes_on),
        CASE(a_run_killed_in_the_queue_keeps_its_objective),
        CASE(release_loses_against_an_open),
        CASE(release_waits_for_an_open_and_sees_it),
        CASE(release_waits_for_a_repeated_claim_and_sees_it),
        CASE(an_unstarted_run_goes_back),
        CASE(silence_in_one_sweep_hides_none_in_another),
        CASE(preempting_shows_in_the_run),
        CASE(result_numbers_have_no_gaps),
        CASE(ends_of_a_group_are_numbered_in_order),
        CASE(a_lease_is_renewed_by_signs_of_life),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
