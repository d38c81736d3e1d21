// SPDX-License-Identifier: GPL-3.0-or-later
#include "fixture.h"

#include <stdio.h>
#include <string.h>

struct store_new_run *fixture_runs(struct arena *arena, int64_t first, int count)
{
    struct store_new_run *runs = arena_calloc(arena, (size_t)count + 1, sizeof *runs);
    assert_non_null(runs);
    for (int i = 0; i < count; i++) {
        int64_t ordinal = first + i;
        unsigned char *hash = arena_calloc(arena, 1, 32);
        assert_non_null(hash);
        memcpy(hash, &ordinal, sizeof ordinal);
        runs[i] = (struct store_new_run){
            .run_id = arena_printf(arena, "run%05d", (int)ordinal),
            .ordinal = ordinal,
            .params_json = arena_printf(arena, "{\"x\":%d}", (int)ordinal),
            .why_json = "{}",
            .config_hash = hash,
            .run_seed = UINT64_MAX - (uint64_t)ordinal,
        };
    }
    return runs;
}

static void prepare(struct session *session, const char *sweep_id, struct sweep_options options)
{
    struct store_tx *tx = session_tx(session);
    bool taken;
    int64_t epoch, inserted;
    assert_ok(store_take_refill(tx, sweep_id, "fixture", LEASE_MS, &taken, &epoch, &test_err));
    assert_true(taken);
    assert_ok(store_insert_runs(tx, sweep_id, "fixture", epoch, 1, 0, true,
                                fixture_runs(store_tx_arena(tx), 0, options.runs), (size_t)options.runs,
                                options.exhausted, &inserted, &test_err));
    assert_int_equal(inserted, options.runs);
    assert_ok(store_take_refill(tx, sweep_id, "fixture", -1000, &taken, &epoch, &test_err));
}

void fixture_sweep(struct database *database, struct sweep_options options)
{
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    const char *sweep_id = options.sweep_id == NULL ? SWEEP : options.sweep_id, *existing;
    struct store_sweep_new sweep = {
        .sweep_id = sweep_id,
        .project = "tests",
        .name = "a test",
        .method = "grid",
        .metric = "loss",
        .spec_json = "{}",
        .maximize = options.maximize,
        .seed = UINT64_MAX,
        .run_cap = options.run_cap,
        .source = "method: grid\n",
        .source_length = 13,
    };
    assert_ok(store_create_sweep(tx, &sweep, &existing, &test_err));
    assert_null(existing);
    if (options.runs > 0 || options.exhausted)
        prepare(session, sweep_id, options);
    for (int i = 0; i < options.agents; i++) {
        struct store_agent agent = {.sweep_id = sweep_id,
                                    .host = "host",
                                    .pid = 42,
                                    .slots = 4,
                                    .protocol = 1,
                                    .features = "",
                                    .version = "1"};
        agent.agent_id = arena_printf(store_tx_arena(tx), "agent%d", i);
        assert_ok(store_register_agent(tx, &agent, &test_err));
    }
    assert_ok(session_commit(session));
    session_close(session);
}

struct store_claim fixture_claim(struct session *session, const char *agent_id, int slot, int64_t counter)
{
    struct store_claim_key key = {.agent_id = agent_id, .slot = slot, .counter = counter};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    assert_ok(store_claim_runs(session_tx(session), SWEEP, &key, 1, LEASE_MS, &claim, &sweep, &test_err));
    return claim;
}

struct store_claim_sweep fixture_claim_sweep(struct session *session)
{
    struct store_claim_key key = {.agent_id = "agent0", .slot = 1000, .counter = 1};
    struct store_claim claim;
    struct store_claim_sweep sweep;
    assert_ok(store_claim_runs(session_tx(session), SWEEP, &key, 1, LEASE_MS, &claim, &sweep, &test_err));
    return sweep;
}

struct store_claim fixture_start_run(struct session *session, const char *agent_id)
{
    struct store_claim claim = fixture_claim(session, agent_id, 0, 1);
    struct store_open_attempt open;
    assert_int_equal(claim.verdict, STORE_CLAIM_RUN);
    assert_ok(store_open_run(session_tx(session), SWEEP, claim.run_id, claim.attempt, agent_id, 1, LEASE_MS,
                             &open, &test_err));
    assert_true(open.current);
    assert_string_equal(open.run_state, "running");
    assert_ok(session_commit(session));
    return claim;
}

struct store_finish fixture_end(const struct store_claim *claim, const char *agent_id, const char *state)
{
    return (struct store_finish){
        .sweep_id = SWEEP,
        .run_id = claim->run_id,
        .agent_id = agent_id,
        .attempt = claim->attempt,
        .state = state,
        .end_reason = strcmp(state, "crashed") == 0 ? "lost" : "exit",
        .error_text = "",
        .run_time_ms = 1000,
        .retries_max = 3,
    };
}

struct store_finish_result fixture_finish(struct session *session, struct store_finish end)
{
    struct store_finish_result result;
    assert_ok(store_finish_runs(session_tx(session), &end, 1, &result, &test_err));
    return result;
}

struct store_run fixture_run(struct session *session, const char *run_id)
{
    struct store_run run;
    assert_ok(store_get_run(session_tx(session), SWEEP, run_id, &run, &test_err));
    return run;
}
