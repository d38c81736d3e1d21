// SPDX-License-Identifier: GPL-3.0-or-later
/* TrackRun on a real database: batches that are refused, signs of life, and what may wait. */
#include "controller_fixture.h"

#define PART (300u << 10)

static struct served served;
static struct line line;

static void open_line(struct database *database, struct controller_options options)
{
    char run_id[9];
    served_start(&served, database, 1, options);
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
}

static void close_line(void)
{
    line_free(&line);
    served_stop(&served);
}

static int64_t count_inbox(struct database *database)
{
    return database_number(database->url, "SELECT count(*) FROM besom.metric_inbox");
}

/* Those behind a refused one keep their places. */
static void a_refused_batch_loses_no_other(void **state)
{
    struct database *database = *state;
    open_line(database, (struct controller_options){.lease_ms = 0});
    database_execute(database->url, "ALTER TABLE besom.metric_inbox ADD CHECK (sequence <> 2)");
    struct locks *locks = locks_take(database, "LOCK TABLE besom.metric_inbox IN ACCESS EXCLUSIVE MODE");
    line_send_value(&line, 1, 0.5);
    await_waiting(database, 1);
    for (int64_t sequence = 2; sequence <= 5; sequence++)
        line_send_value(&line, sequence, 0.5);
    line_send_alive(&line); /* its acknowledgement says that those before it were read */
    line_await(&line, &line.acks, 1);
    locks_release(locks);
    line_await(&line, &line.last_ack, 5);
    assert_int_equal(line_read(&line, &line.refusals), 1);
    assert_int_equal(count_inbox(database), 4);
    close_line();
}

static void a_gap_ends_the_stream(void **state)
{
    struct database *database = *state;
    open_line(database, (struct controller_options){.lease_ms = 0});
    line_send_value(&line, 1, 0.5);
    line_send_value(&line, 3, 0.5);
    line_await(&line, &line.closed, 1);
    assert_int_equal(line.end, BESOM_UNAVAILABLE);
    assert_int_equal(count_inbox(database), 1);
    close_line();
}

static void signs_of_life_do_not_pile_up(void **state)
{
    struct database *database = *state;
    open_line(database, (struct controller_options){.lease_ms = 0});
    struct locks *locks = locks_take(database, "LOCK TABLE besom.leases IN ACCESS EXCLUSIVE MODE");
    for (int i = 0; i < 200; i++)
        line_send_alive(&line);
    line_send_value(&line, 1, 0.5);
    await_waiting(database, 2); /* one of each */
    locks_release(locks);
    line_send_value(&line, 2, 0.5);
    line_await(&line, &line.last_ack, 2);
    line_send_alive(&line);
    int64_t acks = line_read(&line, &line.acks);
    line_await(&line, &line.acks, acks + 1);
    assert_in_range(line_read(&line, &line.acks), 3, 5);
    close_line();
}

static void what_waits_is_bounded(void **state)
{
    struct database *database = *state;
    struct line again;
    open_line(database, (struct controller_options){.ingest_memory_bytes = 1 << 20});
    struct locks *locks = locks_take(database, "LOCK TABLE besom.run_attempts IN ACCESS EXCLUSIVE MODE");
    for (int64_t sequence = 1; sequence <= 6; sequence++)
        line_send_output(&line, sequence, PART);
    line_await(&line, &line.closed, 1);
    assert_int_equal(line.end, BESOM_UNAVAILABLE);
    locks_release(locks);
    await_number(database, "SELECT last_sequence FROM besom.run_attempts WHERE attempt = 1", 3);
    line_open(&again, &served, line.run_id);
    assert_int_equal(again.last_ack, 3);
    for (int64_t sequence = 4; sequence <= 20; sequence++) {
        line_send_output(&again, sequence, PART);
        line_await(&again, &again.last_ack, sequence);
    }
    line_free(&again);
    close_line();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_batch_loses_no_other, database_make, database_drop),
        cmocka_unit_test_setup_teardown(a_gap_ends_the_stream, database_make, database_drop),
        cmocka_unit_test_setup_teardown(signs_of_life_do_not_pile_up, database_make, database_drop),
        cmocka_unit_test_setup_teardown(what_waits_is_bounded, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
