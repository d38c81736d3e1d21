// SPDX-License-Identifier: GPL-3.0-or-later
/* What programs say of their runs: kept with their batches, and shown. */
#include <string.h>

#include "controller_fixture.h"
#include "db/store/run_facts.h"

static struct served served;

/* One batch: a row of "loss" unless it is NULL, then a fact unless its name is NULL. */
static void send_batch(struct line *line, int64_t sequence, const double *loss, int kind, const char *name,
                       const char *value)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT, *all[] = {&series};
    Besom__V1__Fact fact = BESOM__V1__FACT__INIT, *facts[] = {&fact};
    int64_t time_us = 1;
    double copy = loss != NULL ? *loss : 0;
    series.name = (char *)(uintptr_t) "loss";
    series.n_values = series.n_steps = series.n_times_us = 1;
    series.values = &copy;
    series.steps = &sequence;
    series.times_us = &time_us;
    fact.kind = (Besom__V1__FactKind)kind;
    fact.name = (char *)(uintptr_t)name;
    fact.value_json = (char *)(uintptr_t)value;
    batch.sequence = sequence;
    batch.n_series = loss != NULL;
    batch.series = all;
    batch.n_facts = name != NULL;
    batch.facts = facts;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    assert_int_equal(besom_run_track_send(line->stream, &message), BESOM_OK);
}

static void send_fact(struct line *line, int64_t sequence, int kind, const char *name, const char *value)
{
    send_batch(line, sequence, NULL, kind, name, value);
}

static Besom__V1__GetRunResponse *get_run(const char *run_id)
{
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)SWEEP;
    request.run_id = (char *)(uintptr_t)run_id;
    if (besom_run_get(served.client, &request, &response, &error) != BESOM_OK)
        fail_msg("GetRun: %s", error.text);
    return response;
}

static void assert_summary(const char *run_id, const char *expected)
{
    Besom__V1__GetRunResponse *response = get_run(run_id);
    assert_string_equal(response->run->summary_json, expected);
    besom_message_free(response);
}

static void begin(struct database *database, struct controller_options options, struct line *line)
{
    char run_id[9];
    served_start(&served, database, 1, options);
    served_acquire(&served, 0, run_id);
    line_open(line, &served, run_id);
}

static void end(struct line *line)
{
    line_free(line);
    served_stop(&served);
}

static void what_a_program_says_is_shown(void **state)
{
    struct line line;
    const double loss = 0.5;
    begin(*state, (struct controller_options){0}, &line);
    send_fact(&line, 1, 2, "loss", "{\"summary\":[\"best\"]}");
    send_batch(&line, 2, &loss, 3, "layers", "3");
    send_fact(&line, 3, 4, "name", "\"first try\"");
    send_fact(&line, 4, 4, "tags", "[\"b\",\"a\"]");
    send_fact(&line, 5, 1, "note", "\"ok\"");
    line_await(&line, &line.last_ack, 5);
    Besom__V1__GetRunResponse *response = get_run(line.run_id);
    const Besom__V1__Run *run = response->run;
    assert_string_equal(run->summary_json, "{\"loss\":{\"best\":0.5},\"note\":\"ok\"}");
    assert_string_equal(run->config_json, "{\"x\":0,\"layers\":3}");
    assert_string_equal(run->name, "first try");
    assert_int_equal(run->n_tags, 2);
    assert_string_equal(run->tags[0], "a");
    assert_int_equal(run->n_summaries, 1);
    assert_true(run->summaries[0]->first == 0.5 && run->summaries[0]->mean == 0.5);
    besom_message_free(response);
    end(&line);
}

/* Also when the batches come so fast that one transaction takes them. */
static void a_metric_ends_the_entry_of_its_name(void **state)
{
    struct database *database = *state;
    struct line line;
    const double loss = 0.25;
    begin(database, (struct controller_options){0}, &line);
    send_batch(&line, 1, &loss, 1, "loss", "\"text\"");
    line_await(&line, &line.last_ack, 1);
    assert_summary(line.run_id, "{\"loss\":\"text\"}");
    send_batch(&line, 2, &loss, 1, "other", "1");
    line_await(&line, &line.last_ack, 2);
    assert_summary(line.run_id, "{\"loss\":0.25,\"other\":1}");
    for (int64_t i = 3; i < 40; i += 2) {
        send_fact(&line, i, 1, "loss", "true");
        send_batch(&line, i + 1, &loss, 0, NULL, NULL);
    }
    line_await(&line, &line.last_ack, 40);
    assert_summary(line.run_id, "{\"loss\":0.25,\"other\":1}");
    send_fact(&line, 41, 1, "loss", "true");
    line_await(&line, &line.last_ack, 41);
    assert_summary(line.run_id, "{\"loss\":true,\"other\":1}");
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.run_facts"), 2);
    end(&line);
}

static void a_bad_fact_is_refused(void **state)
{
    struct database *database = *state;
    struct line line;
    begin(database, (struct controller_options){0}, &line);
    send_fact(&line, 1, 1, "a", "{");
    send_fact(&line, 2, 1, "b", "{}");
    line_await(&line, &line.last_ack, 2);
    assert_int_equal(line_read(&line, &line.refusals), 1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.run_facts"), 1);
    end(&line);
}

static void too_many_facts_are_left_out(void **state)
{
    struct database *database = *state;
    struct line line;
    begin(database, (struct controller_options){0}, &line);
    database_execute(database->url,
                     "INSERT INTO besom.run_facts SELECT sweep_id, run_id, 1, 'config', 'n' || i, '1' "
                     "FROM besom.runs, generate_series(1, 9999) i");
    send_fact(&line, 1, 1, "fits", "1");
    send_fact(&line, 2, 1, "one more", "1");
    send_fact(&line, 3, 1, "fits", "2");
    send_fact(&line, 4, 3, "n1", "2");
    line_await(&line, &line.last_ack, 4);
    assert_int_equal(line_read(&line, &line.refusals), 0);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.run_facts"), 10000);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.run_facts WHERE value = '2'"),
                     2);
    assert_summary(line.run_id, "{\"fits\":2}");
    end(&line);
}

static void a_superseded_attempt_says_nothing(void **state)
{
    struct database *database = *state;
    char run_id[9];
    struct line line;
    begin(database, (struct controller_options){.lease_ms = 200, .renew_ms = 100, .lost_after_ms = 500},
          &line);
    send_fact(&line, 1, 1, "note", "1");
    line_await(&line, &line.last_ack, 1);
    await_number(database, "SELECT count(*) FROM besom.run_attempts WHERE end_reason = 'lost'", 1);
    line_free(&line);
    served_acquire(&served, 1, run_id);
    line_open(&line, &served, run_id);
    send_fact(&line, 2, 1, "note", "2");
    line_await(&line, &line.last_ack, 2);
    assert_summary(run_id, "{\"note\":1}");
    end(&line);
}

static void the_newest_attempt_has_the_last_word(void **state)
{
    struct database *database = *state;
    const char *const runs[] = {"run00000", "run00001"};
    struct store_fact *facts;
    size_t count;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    database_execute(database->url,
                     "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) "
                     "SELECT '" SWEEP "', 'run00000', i, 'agent0', 0, i FROM generate_series(1, 3) i;"
                     "INSERT INTO besom.run_facts VALUES ('" SWEEP "', 'run00000', 1, 'config', 'a', '1'), "
                     "('" SWEEP "', 'run00000', 3, 'config', 'a', '3'), "
                     "('" SWEEP "', 'run00000', 2, 'config', 'B', '2'), "
                     "('" SWEEP "', 'run00000', 2, 'summary', 'a', '4')");
    struct session *session = session_open(database);
    assert_ok(store_list_facts_of(session_tx(session), SWEEP, runs, 2, 100, &facts, &count, &test_err));
    assert_int_equal(count, 3);
    assert_string_equal(facts[0].name, "B"); /* as bytes, whatever the database's language */
    assert_string_equal(facts[1].value, "3");
    assert_int_equal(facts[1].attempt, 3);
    assert_string_equal(facts[2].kind, "summary");
    assert_ok(store_list_facts_of(session_tx(session), SWEEP, runs, 2, 3, &facts, &count, &test_err));
    assert_int_equal(count, 2);
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)
        CASE(what_a_program_says_is_shown),
        CASE(a_metric_ends_the_entry_of_its_name),
        CASE(a_bad_fact_is_refused),
        CASE(too_many_facts_are_left_out),
        CASE(a_superseded_attempt_says_nothing),
        CASE(the_newest_attempt_has_the_last_word),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
