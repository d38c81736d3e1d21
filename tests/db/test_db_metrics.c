// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/backlog.h"
#include "db/store/replication.h"
#include "db/store/run_facts.h"
#include "fixture.h"

static const struct store_compaction KEY = {SWEEP, "run00000", 1, false};
static const struct store_metric_key RUN = {SWEEP, "run00000", 1, 9};
static const struct store_inbox_limit ALL = {100, 1000000}, THREE = {3, 1000000};

static void started_sweep(struct database *database, struct session *session)
{
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    fixture_start_run(session, "agent0");
}

static void append(struct session *session, int64_t first, int count)
{
    struct store_inbox_row rows[10];
    assert_true(count <= 10);
    for (int i = 0; i < count; i++)
        rows[i] = (struct store_inbox_row){.sweep_id = SWEEP,
                                           .run_id = "run00000",
                                           .attempt = 1,
                                           .points = 100,
                                           .sequence = first + i,
                                           .payload = "a\0b",
                                           .payload_length = 3};
    assert_ok(store_append_inbox(session_tx(session), rows, (size_t)count, &test_err));
}

static void put_chunk(struct session *session, const char *name, int64_t number, int points)
{
    struct store_chunk chunk = {.name = name,
                                .chunk = number,
                                .first_step = 1,
                                .last_step = 9,
                                .points = points,
                                .encoding = 1,
                                .min = (double)NAN,
                                .max = 2,
                                .last = 3,
                                .data = "xyz",
                                .length = 3};
    assert_ok(store_put_chunks(session_tx(session), &KEY, &chunk, 1, &test_err));
}

static void summaries_merge(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    struct store_summary row = {.sweep_id = SWEEP,
                                .run_id = "run00000",
                                .name = "loss",
                                .attempt = 1,
                                .points = 2,
                                .last_step = 5,
                                .last = (double)NAN,
                                .min = (double)NAN,
                                .max = (double)NAN,
                                .first = 7,
                                .least_step = 4};
    assert_ok(store_merge_summaries(session_tx(session), &row, 1, &test_err));
    row = (struct store_summary){.sweep_id = SWEEP,
                                 .run_id = "run00000",
                                 .name = "loss",
                                 .attempt = 1,
                                 .points = 3,
                                 .last_step = 8,
                                 .last = 4,
                                 .min = -1,
                                 .max = 4,
                                 .first = 1,
                                 .total = 5,
                                 .finite = 3,
                                 .least_step = -3};
    assert_ok(store_merge_summaries(session_tx(session), &row, 1, &test_err));
    row.last = row.min = row.max = (double)NAN;
    row.last_step = row.least_step = 9;
    assert_ok(store_merge_summaries(session_tx(session), &row, 1, &test_err));
    const char *const runs[] = {"run00000", "run00001"};
    for (int i = 0; i < 2; i++) {
        struct store_summary *read;
        size_t count;
        if (i == 0)
            assert_ok(
                store_list_summaries(session_tx(session), SWEEP, "run00000", 0, &read, &count, &test_err));
        else
            assert_ok(
                store_list_summaries_of(session_tx(session), SWEEP, runs, 2, 9, &read, &count, &test_err));
        assert_int_equal(count, 1);
        assert_int_equal(read[0].points, 8);
        assert_int_equal(read[0].last_step, 9);
        assert_true(isnan(read[0].last) && read[0].min == -1 && read[0].max == 4);
        assert_true(read[0].first == 7 && read[0].total == 10 && read[0].finite == 6);
        assert_int_equal(read[0].least_step, -3);
    }
    session_close(session);
}

static void newest_values_are_of_their_attempt(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    const struct store_summary rows[] = {
        {.sweep_id = SWEEP, .run_id = "run00000", .name = "epoch", .attempt = 1, .points = 1, .last = 3},
        {.sweep_id = SWEEP,
         .run_id = "run00000",
         .name = "epoch",
         .attempt = 2,
         .points = 1,
         .last = (double)NAN},
    };
    assert_ok(store_merge_summaries(session_tx(session), rows, 2, &test_err));
    struct store_newest_value keys[] = {{SWEEP, "run00000", "epoch", 3, -1},
                                        {SWEEP, "run00000", "epoch", 2, -1},
                                        {SWEEP, "run00000", "loss", 1, -1},
                                        {SWEEP, "run00000", "epoch", 1, -1}};
    assert_ok(store_list_newest_values(session_tx(session), keys, 4, &test_err));
    assert_true(keys[0].value == -1 && isnan(keys[1].value) && keys[2].value == -1 && keys[3].value == 3);
    session_close(session);
}

static void a_total_may_grow_beyond_all_numbers(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    struct store_summary row = {.sweep_id = SWEEP, .run_id = "run00000", .name = "loss", .attempt = 1};
    const double totals[] = {1e308, 1e308, 1};
    struct store_summary *read;
    size_t count;
    for (size_t i = 0; i < ARRAY_LEN(totals); i++) {
        row.total = totals[i];
        assert_ok(store_merge_summaries(session_tx(session), &row, 1, &test_err));
    }
    assert_ok(store_list_summaries(session_tx(session), SWEEP, "run00000", 0, &read, &count, &test_err));
    assert_true(isnan(read[0].total));
    session_close(session);
}

static void summaries_of_all_attempts_are_read(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    struct store_summary rows[] = {
        {.sweep_id = SWEEP, .run_id = "run00000", .name = "acc", .attempt = 1},
        {.sweep_id = SWEEP, .run_id = "run00000", .name = "acc", .attempt = 2},
        {.sweep_id = SWEEP, .run_id = "run00000", .name = "loss", .attempt = 1},
    };
    struct store_summary *read;
    size_t count;
    assert_ok(store_merge_summaries(session_tx(session), rows, 3, &test_err));
    assert_ok(store_list_summaries(session_tx(session), SWEEP, "run00000", 0, &read, &count, &test_err));
    assert_int_equal(count, 3);
    assert_int_equal(read[1].attempt, 2);
    assert_ok(store_list_summaries(session_tx(session), SWEEP, "run00000", 2, &read, &count, &test_err));
    assert_int_equal(count, 1);
    session_close(session);
}

static void logs_are_read_from_a_byte_and_trimmed(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    struct store_log_row rows[3], *read;
    size_t count;
    for (int i = 0; i < 3; i++)
        rows[i] = (struct store_log_row){.sweep_id = SWEEP,
                                         .run_id = "run00000",
                                         .attempt = 1,
                                         .first_byte = 10 * i,
                                         .is_stderr = i == 1,
                                         .text = "0123456789",
                                         .length = 10};
    assert_ok(store_append_logs(session_tx(session), rows, 3, &test_err));
    assert_ok(store_read_logs(session_tx(session), SWEEP, "run00000", 1, 15, 10, &read, &count, &test_err));
    assert_int_equal(count, 2);
    assert_int_equal(read[0].first_byte, 10);
    assert_true(read[0].is_stderr);
    assert_memory_equal(read[0].text, "0123456789", 10);
    assert_ok(store_trim_logs(session_tx(session), SWEEP, "run00000", 1, 15, &test_err));
    assert_ok(store_read_logs(session_tx(session), SWEEP, "run00000", 1, 0, 10, &read, &count, &test_err));
    assert_int_equal(count, 2);
    rows[0].run_id = "nothing";
    assert_status(STATUS_NOT_FOUND, store_append_logs(session_tx(session), rows, 1, &test_err));
    session_close(session);
}

static void the_first_output_at_an_offset_stands(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    struct store_log_row rows[2], *read;
    size_t count;
    for (int i = 0; i < 2; i++)
        rows[i] = (struct store_log_row){.sweep_id = SWEEP,
                                         .run_id = "run00000",
                                         .attempt = 1,
                                         .first_byte = 0,
                                         .text = i == 0 ? "first" : "later",
                                         .length = 5};
    assert_ok(store_append_logs(session_tx(session), rows, 2, &test_err));
    assert_ok(store_append_logs(session_tx(session), rows + 1, 1, &test_err));
    assert_ok(store_read_logs(session_tx(session), SWEEP, "run00000", 1, 0, 10, &read, &count, &test_err));
    assert_int_equal(count, 1);
    assert_memory_equal(read[0].text, "first", 5);
    session_close(session);
}

/* Whether the attempt that KEY names is due, looking from the start. */
static bool is_due(struct session *session, int64_t metric_points, int64_t points)
{
    static const struct store_compaction start = {"", "", 0, false};
    const struct store_pack_rule rule = {metric_points, points};
    struct store_compaction *keys;
    size_t count;
    assert_ok(store_list_compactions(session_tx(session), &start, 10, &rule, &keys, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(keys[0].run_id, KEY.run_id);
    bool due = keys[0].due;
    assert_ok(store_list_compactions(session_tx(session), &KEY, 10, &rule, &keys, &count, &test_err));
    assert_int_equal(count, 0);
    return due;
}

static void attempts_are_due_by_points_age_and_end(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct store_claim claim = fixture_start_run(session, "agent0");
    append(session, 1, 5);
    assert_false(is_due(session, 501, 501));
    assert_true(is_due(session, 501, 500));
    assert_true(is_due(session, 500, 501));
    for (int i = 0; i < 3; i++) {
        const char *const names[] = {"a", "b", "c"};
        struct store_summary row = {
            .sweep_id = SWEEP, .run_id = "run00000", .name = names[i], .attempt = 1, .points = 1};
        assert_ok(store_merge_summaries(session_tx(session), &row, 1, &test_err));
    }
    assert_false(is_due(session, 167, 501)); /* of each metric */
    assert_true(is_due(session, 166, 501));
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.metric_inbox SET received_at = now() - interval '1 hour'");
    assert_true(is_due(session, 1000, 1000));
    database_execute(database->url, "UPDATE besom.metric_inbox SET received_at = now()");
    append(session, 500, 1); /* between them batches without metrics */
    assert_false(is_due(session, 1000, 1000));
    assert_true(is_due(session, 1000, 600));
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_true(is_due(session, 1000, 1000));
    session_close(session);
}

static void the_inbox_is_taken_in_order(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database), *other = session_open(database);
    started_sweep(database, session);
    struct store_inbox_row *rows;
    size_t count;
    append(session, 1, 5);
    assert_ok(session_commit(session));
    assert_ok(store_take_inbox(session_tx(session), &KEY, (struct store_inbox_limit){10, 201}, &rows, &count,
                               &test_err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rows[i].sequence, i + 1);
    assert_int_equal(rows[0].payload_length, 3);
    assert_memory_equal(rows[0].payload, "a\0b", 3);
    /* Another compactor gets nothing meanwhile, and a batch is not held up. */
    assert_ok(store_take_inbox(session_tx(other), &KEY, ALL, &rows, &count, &test_err));
    assert_int_equal(count, 0);
    append(other, 6, 1);
    assert_ok(session_commit(other));
    assert_ok(session_commit(session));
    assert_ok(store_take_inbox(session_tx(other), &KEY, ALL, &rows, &count, &test_err));
    assert_int_equal(count, 3);
    assert_int_equal(rows[0].sequence, 4);
    session_close(session);
    session_close(other);
}

struct deletion {
    struct database *database;
    bool whole_sweep;
};

static void delete_packed(void *context)
{
    const struct deletion *deletion = context;
    struct session *session = session_open(deletion->database);
    if (deletion->whole_sweep)
        assert_ok(store_delete_sweep(session_tx(session), SWEEP, &test_err));
    else
        assert_ok(store_delete_run(session_tx(session), SWEEP, "run00000", &test_err));
    assert_ok(session_commit(session));
    session_close(session);
}

/* A deletion waits for the packing of the attempt; neither is sent away as a deadlock. */
static void check_deletion_waits(struct database *database, bool whole_sweep)
{
    struct session *session = session_open(database);
    struct deletion deletion = {database, whole_sweep};
    struct waiting waiting;
    struct store_inbox_row *rows;
    size_t count;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct store_claim claim = fixture_start_run(session, "agent0");
    append(session, 1, 5);
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_ok(session_commit(session));
    assert_ok(store_take_inbox(session_tx(session), &KEY, THREE, &rows, &count, &test_err));
    assert_int_equal(count, 3);
    waiting_start(&waiting, database, delete_packed, &deletion);
    put_chunk(session, "loss", 0, 300);
    assert_ok(session_commit(session));
    waiting_join(&waiting);
    assert_ok(store_take_inbox(session_tx(session), &KEY, THREE, &rows, &count, &test_err));
    assert_int_equal(count, 0);
    session_close(session);
}

static void a_deleted_run_waits_for_its_packing(void **state)
{
    check_deletion_waits(*state, false);
}

static void a_deleted_sweep_waits_for_its_packing(void **state)
{
    check_deletion_waits(*state, true);
}

static void chunks_are_replaced_and_read_in_pages(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    const char *const names[] = {"none", "acc", "loss"};
    const struct store_chunk_range range = {KEY, "acc", 0, INT64_MAX}, second = {KEY, "acc", 1, 1};
    struct store_chunk *chunks;
    size_t count;
    put_chunk(session, "acc", 0, 500);
    put_chunk(session, "acc", 1, 10);
    put_chunk(session, "acc", 1, 20);
    put_chunk(session, "loss", 0, 30);
    assert_ok(store_list_last_chunks(session_tx(session), &KEY, names, 3, 30, &chunks, &count, &test_err));
    assert_int_equal(count, 2);
    assert_int_equal(chunks[0].points, 20);
    assert_true(isnan(chunks[0].min) && chunks[0].max == 2);
    assert_int_equal(chunks[0].length, 3);
    assert_string_equal(chunks[1].name, "loss");
    assert_int_equal(chunks[1].length, 0);
    assert_ok(store_read_chunks(session_tx(session), &range, 1, &chunks, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(chunks[0].points, 500);
    assert_ok(store_read_chunks(session_tx(session), &second, 10, &chunks, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(chunks[0].length, 3);
    assert_ok(store_list_chunks(session_tx(session), &range, 10, &chunks, &count, &test_err));
    assert_int_equal(count, 2);
    assert_int_equal(chunks[1].points, 20);
    assert_int_equal(chunks[1].length, 0);
    session_close(session);
}

static void metrics_are_listed_by_attempt_and_name(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session);
    const char *const names[] = {"b", "none"};
    const struct store_metric_key second = {SWEEP, "run00000", 2, 2};
    struct store_metric *metrics;
    size_t count;
    for (int i = 0; i < 6; i++)
        put_chunk(session, i < 3 ? "b" : "a", i % 3, 600 + i);
    assert_ok(session_commit(session));
    database_execute(database->url,
                     "INSERT INTO besom.run_attempts SELECT sweep_id, run_id, 2, agent_id, 7, 7 FROM "
                     "besom.run_attempts; INSERT INTO besom.metric_chunks SELECT sweep_id, run_id, 2, name, "
                     "chunk, encoding, points, first_step, last_step, min, max, last, data FROM "
                     "besom.metric_chunks WHERE name = 'b'");
    assert_ok(store_list_metrics(session_tx(session), &RUN, NULL, 0, 10, &metrics, &count, &test_err));
    assert_int_equal(count, 3);
    assert_string_equal(metrics[0].name, "a");
    assert_int_equal(metrics[0].points, 605);
    assert_int_equal(metrics[0].chunk, 2);
    assert_string_equal(metrics[1].name, "b");
    assert_int_equal(metrics[2].attempt, 2);
    assert_ok(store_list_metrics(session_tx(session), &RUN, NULL, 0, 2, &metrics, &count, &test_err));
    assert_int_equal(count, 2);
    assert_ok(store_list_metrics(session_tx(session), &RUN, names, 2, 10, &metrics, &count, &test_err));
    assert_int_equal(count, 2);
    assert_ok(store_list_metrics(session_tx(session), &second, NULL, 0, 10, &metrics, &count, &test_err));
    assert_int_equal(count, 1);
    session_close(session);
}

struct totals {
    struct database *database;
    int64_t points;
    int reads;
};

static enum status read_both(struct store_tx *tx, void *context, struct err *err)
{
    struct totals *totals = context;
    struct store_chunk *chunks;
    struct store_inbox_row *rows;
    size_t count;
    totals->points = 0;
    const struct store_chunk_range range = {KEY, "loss", 0, INT64_MAX};
    TRY(store_read_chunks(tx, &range, 100, &chunks, &count, err));
    for (size_t i = 0; i < count; i++)
        totals->points += chunks[i].points;
    if (totals->reads++ == 0) {
        struct session *session = session_open(totals->database);
        assert_ok(store_take_inbox(session_tx(session), &KEY, ALL, &rows, &count, &test_err));
        put_chunk(session, "loss", 0, (int)count * 100);
        assert_ok(session_commit(session));
        session_close(session);
    }
    TRY(store_read_inbox(tx, &RUN, 0, 0, ALL, &rows, &count, err));
    for (size_t i = 0; i < count; i++)
        totals->points += rows[i].points;
    return STATUS_OK;
}

static void readers_never_see_half_a_compaction(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    struct arena arena = arena_make(0);
    struct totals totals = {.database = database};
    started_sweep(database, session);
    append(session, 1, 5);
    assert_ok(session_commit(session));
    for (int i = 0; i < 2; i++) {
        assert_ok(store_read(database->store, &arena, read_both, &totals, &test_err));
        assert_int_equal(totals.points, 500);
    }
    arena_free(&arena);
    session_close(session);
}

/* Something in every table that belongs to run00000. */
static void fill_everything(struct database *database, struct session *session)
{
    struct store_tx *tx = session_tx(session);
    started_sweep(database, session);
    append(session, 1, 2);
    put_chunk(session, "loss", 0, 10);
    struct store_summary summary = {
        .sweep_id = SWEEP, .run_id = "run00000", .name = "loss", .attempt = 1, .points = 1};
    assert_ok(store_merge_summaries(tx, &summary, 1, &test_err));
    struct store_log_row log = {
        .sweep_id = SWEEP, .run_id = "run00000", .attempt = 1, .text = "x", .length = 1};
    assert_ok(store_append_logs(tx, &log, 1, &test_err));
    bool created;
    assert_ok(store_add_directive(tx, SWEEP, "run00000", "kill", "", &created, &test_err));
    struct store_rung_value value = {.sweep_id = SWEEP, .run_id = "run00000", .attempt = 1, .band = 3};
    assert_ok(store_add_rung_values(tx, &value, 1, &test_err));
    int64_t epoch, decided, stops;
    const char **agents;
    size_t count;
    assert_ok(store_take_decider(tx, SWEEP, "me", LEASE_MS, &created, &epoch, &decided, &test_err));
    struct store_decision decision = {
        .run_id = "run00000", .rivals_json = "[]", .reason = "", .number = 1, .attempt = 1};
    assert_ok(
        store_record_decisions(tx, SWEEP, "me", epoch, &decision, 1, &stops, &agents, &count, &test_err));
    assert_ok(store_add_event(tx, SWEEP, "test", "me", "", "", &test_err));
    struct store_fact fact = {SWEEP, "run00000", "summary", "note", "1", 1};
    bool left_out = false;
    assert_ok(store_put_facts(tx, &fact, 1, 10, &left_out, &test_err));
    assert_false(left_out);
    assert_ok(session_commit(session));
}

/* Rows of a table (of one run, where it has runs), summed over the tables that LIKE the pattern. */
static int64_t rows_left(struct database *database, const char *where, const char *column)
{
    char sql[1024];
    snprintf(
        sql, sizeof sql,
        "SELECT coalesce(sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM "
        "besom.%%I "
        "WHERE %s', table_name), false, true, '')))[1]::text::bigint), 0) FROM information_schema.columns "
        "JOIN information_schema.tables USING (table_schema, table_name) WHERE table_schema = 'besom' "
        "AND table_type = 'BASE TABLE' AND column_name = '%s'",
        where, column);
    return database_number(database->url, sql);
}

static void a_deleted_sweep_leaves_only_its_audit_trail(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    fill_everything(database, session);
    assert_true(rows_left(database, "true", "sweep_id") > 15);
    assert_ok(store_delete_sweep(session_tx(session), SWEEP, &test_err));
    assert_ok(session_commit(session));
    assert_int_equal(rows_left(database, "true", "sweep_id"), 1); /* the audit trail's */
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.events"), 1);
    assert_status(STATUS_NOT_FOUND, store_delete_sweep(session_tx(session), SWEEP, &test_err));
    session_close(session);
}

static void a_deleted_run_leaves_only_its_rung_values(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    fill_everything(database, session);
    struct store_claim claim = {.run_id = "run00000", .attempt = 1};
    assert_status(STATUS_PRECONDITION, store_delete_run(session_tx(session), SWEEP, "run00000", &test_err));
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_ok(store_delete_run(session_tx(session), SWEEP, "run00000", &test_err));
    assert_ok(session_commit(session));
    assert_int_equal(rows_left(database, "run_id = ''run00000''", "run_id"), 2);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.suggestions WHERE ordinal = 0"), 0);
    assert_status(STATUS_NOT_FOUND, store_delete_run(session_tx(session), SWEEP, "run00000", &test_err));
    session_close(session);
}

struct batch_call {
    struct session *session;
    struct store_attempt attempt;
    enum status status;
};

static void lock_there(void *context)
{
    struct batch_call *call = context;
    call->status = store_lock_attempts(session_tx(call->session), &call->attempt, 1, NULL);
}

static void a_late_batch_finds_no_deleted_run(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    struct batch_call call = {.session = session_open(database),
                              .attempt = {.sweep_id = SWEEP, .run_id = "run00000", .attempt = 1}};
    struct waiting waiting;
    fill_everything(database, session);
    struct store_claim claim = {.run_id = "run00000", .attempt = 1};
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_ok(session_commit(session));
    assert_ok(store_delete_run(session_tx(session), SWEEP, "run00000", &test_err));
    waiting_start(&waiting, database, lock_there, &call);
    assert_ok(session_commit(session));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_false(call.attempt.found);
    session_close(session);
    session_close(call.session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

static struct store_backlog backlog(struct session *session, int64_t most)
{
    struct store_backlog found;
    assert_ok(store_get_backlog(session_tx(session), most, &found, &test_err));
    return found;
}

static void the_backlog_is_counted_up_to_a_bound(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    started_sweep(database, session); /* one run is left */
    assert_int_equal(backlog(session, 1000).queued_runs, 1);
    assert_int_equal(backlog(session, 1000).inbox_rows, 0);
    assert_int_equal(backlog(session, 1000).inbox_points, 0);
    append(session, 1, 5);
    assert_int_equal(backlog(session, 1000).inbox_rows, 5);
    assert_int_equal(backlog(session, 1000).inbox_points, 500);
    assert_int_equal(backlog(session, 2).inbox_rows, 2);
    session_close(session);
}

static void a_server_alone_has_no_standbys(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    struct store_replication found;
    assert_ok(store_get_replication(session_tx(session), &found, &test_err));
    assert_int_equal(found.synchronous + found.asynchronous + found.unknown, 0);
    assert_string_equal(found.synchronous_commit, "on");
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(summaries_merge),
        CASE(newest_values_are_of_their_attempt),
        CASE(a_total_may_grow_beyond_all_numbers),
        CASE(summaries_of_all_attempts_are_read),
        CASE(logs_are_read_from_a_byte_and_trimmed),
        CASE(the_first_output_at_an_offset_stands),
        CASE(attempts_are_due_by_points_age_and_end),
        CASE(the_inbox_is_taken_in_order),
        CASE(a_deleted_run_waits_for_its_packing),
        CASE(a_deleted_sweep_waits_for_its_packing),
        CASE(chunks_are_replaced_and_read_in_pages),
        CASE(metrics_are_listed_by_attempt_and_name),
        CASE(readers_never_see_half_a_compaction),
        CASE(a_deleted_sweep_leaves_only_its_audit_trail),
        CASE(a_deleted_run_leaves_only_its_rung_values),
        CASE(a_late_batch_finds_no_deleted_run),
        CASE(the_backlog_is_counted_up_to_a_bound),
        CASE(a_server_alone_has_no_standbys),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
