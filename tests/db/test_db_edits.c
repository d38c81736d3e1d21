// SPDX-License-Identifier: GPL-3.0-or-later
/* What users say of runs, while others say it, too, or the runs go on. */
#include <string.h>

#include "fixture.h"

static const char *const both[] = {"run00000", "run00001"}, *const turned[] = {"run00001", "run00000"};

static enum status add_tag(struct session *session, const char *const *run_ids, const char *tag)
{
    const struct store_run_edit edit = {.add_tags = &tag, .add_count = 1};
    return store_edit_runs(session_tx(session), SWEEP, run_ids, 2, &edit, &test_err);
}

struct operation {
    struct session *session;
    enum status status;
};

static void tag_turned(void *context)
{
    struct operation *operation = context;
    operation->status = add_tag(operation->session, turned, "second");
}

/* In whatever order their callers name the runs. */
static void edits_at_once_both_stand(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *first = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    assert_ok(add_tag(first, both, "first"));
    waiting_start(&waiting, database, tag_turned, &operation);
    assert_ok(session_commit(first));
    waiting_join(&waiting);
    assert_ok(operation.status);
    assert_ok(session_commit(operation.session));
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.runs WHERE tags = '{first,second}'"), 2);
    session_close(first);
    session_close(operation.session);
}

static void an_edit_undoes_no_end(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *first = session_open(database);
    struct operation operation = {.session = session_open(database)};
    struct waiting waiting;
    struct store_claim claim = fixture_start_run(first, "agent0");
    (void)fixture_finish(first, fixture_end(&claim, "agent0", "finished"));
    waiting_start(&waiting, database, tag_turned, &operation);
    assert_ok(session_commit(first));
    waiting_join(&waiting);
    assert_ok(operation.status);
    assert_ok(session_commit(operation.session));
    struct store_run run = fixture_run(first, claim.run_id);
    assert_string_equal(run.state, "finished");
    assert_int_equal(run.result_number, 1);
    assert_string_equal(run.tags_json, "[\"second\"]");
    session_close(first);
    session_close(operation.session);
}

/* A run that is being edited is skipped, not handed out twice, and no claim waits for it. */
static void a_claim_waits_for_no_edit(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 1});
    struct session *first = session_open(database), *second = session_open(database);
    assert_ok(add_tag(first, both, "tag"));
    struct store_claim claim = fixture_claim(second, "agent0", 0, 1);
    assert_string_equal(claim.run_id, "run00002");
    assert_ok(session_commit(second));
    assert_ok(session_commit(first));
    claim = fixture_claim(second, "agent0", 1, 1);
    assert_string_equal(claim.run_id, "run00000");
    session_close(first);
    session_close(second);
}

static void all_or_none_are_edited(void **state)
{
    struct database *database = *state;
    const char *const one_is_missing[] = {"run00000", "run00009"};
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    assert_status(STATUS_NOT_FOUND, add_tag(session, one_is_missing, "tag"));
    assert_non_null(strstr(test_err.text, "run00009"));
    session_rollback(session);
    database_execute(database->url, "UPDATE besom.runs SET tags = (SELECT array_agg('t' || i) FROM "
                                    "generate_series(1, 100) i) WHERE run_id = 'run00001'");
    assert_status(STATUS_PRECONDITION, add_tag(session, both, "tag"));
    assert_non_null(strstr(test_err.text, "run00001"));
    session_rollback(session);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.runs WHERE 'tag' = ANY (tags)"), 0);
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(edits_at_once_both_stand),
        CASE(an_edit_undoes_no_end),
        CASE(a_claim_waits_for_no_edit),
        CASE(all_or_none_are_edited),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
