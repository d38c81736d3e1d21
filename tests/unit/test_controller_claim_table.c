// SPDX-License-Identifier: GPL-3.0-or-later
/* Parked callers: turns, keys, deadlines, wakes, cancellation; calls are only addresses here. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/controller/claim_answer.h"
#include "services/controller/claim_table.h"

#define SWEEP "aaaaaaaa"
#define AGENT "0123456789abcdef"
#define POLL_MS 10000
#define CALLERS 4000
#define SERVERS 3

static char calls[CALLERS];
static bool gone[CALLERS];

static int64_t now_us; /* of `stopped` */

static int64_t read_stopped(void *context)
{
    (void)context;
    return now_us;
}

static const struct clock stopped = {.wall_us = read_stopped, .monotonic_us = read_stopped};

static int64_t in_ms(int64_t ms)
{
    return clock_monotonic_ms(&clock_system) + ms;
}

static enum status try_to_park(struct claim_table *table, const char *sweep_id, size_t call, int64_t counter,
                               int64_t deadline_ms, struct claim_waiter **replaced)
{
    const struct claim_caller caller = {.sweep_id = sweep_id,
                                        .agent_id = AGENT,
                                        .counter = counter,
                                        .call = &calls[call],
                                        .gone = &gone[call],
                                        .deadline_ms = deadline_ms};
    struct err err = ERR_INIT;
    return claim_table_park(table, &caller, replaced, &err);
}

static struct claim_waiter *park(struct claim_table *table, size_t call, int64_t counter, int64_t wait_ms)
{
    struct claim_waiter *replaced;
    assert_int_equal(try_to_park(table, SWEEP, call, counter, in_ms(wait_ms), &replaced), STATUS_OK);
    return replaced;
}

static void park_for(struct claim_table *table, const char *sweep_id, size_t call)
{
    struct claim_waiter *replaced;
    assert_int_equal(try_to_park(table, sweep_id, call, (int64_t)call, in_ms(60000), &replaced), STATUS_OK);
    assert_null(replaced);
}

static void park_until(struct claim_table *table, size_t call, int64_t deadline_ms)
{
    struct claim_waiter *replaced;
    assert_int_equal(try_to_park(table, SWEEP, call, 0, deadline_ms, &replaced), STATUS_OK);
}

static struct claim_waiter *cancel(struct claim_table *table, size_t call)
{
    return claim_table_remove(table, &calls[call], &gone[call]);
}

static size_t drop(struct claim_list *list)
{
    struct claim_waiter *waiter;
    size_t count = 0;
    for (; (waiter = claim_list_pop(list)) != NULL; count++)
        free(waiter);
    return count;
}

static struct claim_table *make_table(void)
{
    struct claim_table *table;
    struct err err = ERR_INIT;
    memset(gone, 0, sizeof gone);
    assert_int_equal(claim_table_new(&clock_system, &table, &err), STATUS_OK);
    return table;
}

static void close_table(struct claim_table *table)
{
    struct claim_list left = claim_table_close(table);
    drop(&left);
    claim_table_free(table);
}

static void a_caller_is_looked_up_then_waits_for_a_wake(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_turn turn;
    struct claim_list expired;
    assert_null(park(table, 0, 0, 60000));
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    assert_string_equal(turn.sweep_id, SWEEP);
    assert_int_equal(turn.fresh.count, 1);
    claim_table_return(table, &turn, &turn.fresh);
    claim_table_end(table, &turn);
    claim_table_wake(table, SWEEP);
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    assert_int_equal(turn.fresh.count, 0);
    assert_true(turn.look);
    struct claim_list taken = claim_table_take(table, &turn, 10);
    assert_int_equal(drop(&taken), 1);
    claim_table_end(table, &turn);
    assert_int_equal(claim_table_count(table, SWEEP), 0);
    close_table(table);
}

static void the_older_of_two_calls_with_one_key_is_given_back(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    assert_null(park(table, 0, 7, 60000));
    struct claim_waiter *older = park(table, 1, 7, 60000);
    assert_non_null(older);
    assert_ptr_equal(older->call, &calls[0]);
    free(older);
    assert_null(park(table, 2, 8, 60000));
    assert_int_equal(claim_table_count(table, NULL), 2);
    close_table(table);
}

static void a_caller_without_patience_expires_with_the_reason(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_turn turn;
    struct claim_list expired;
    char reason[CLAIM_REASON_MAX];
    assert_null(park(table, 0, 0, 0));
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    claim_table_set_reason(table, turn.sweep, "sweep is paused", true);
    claim_table_return(table, &turn, &turn.fresh);
    claim_table_end(table, &turn);
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    assert_null(turn.sweep);
    assert_int_equal(expired.count, 1);
    claim_table_leave(table, expired.first, reason);
    assert_string_equal(reason, "sweep is paused");
    drop(&expired);
    close_table(table);
}

static void a_cancelled_caller_is_removed_once(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    assert_null(park(table, 0, 0, 60000));
    struct claim_waiter *waiter = cancel(table, 0);
    assert_non_null(waiter);
    free(waiter);
    assert_null(cancel(table, 0));
    close_table(table);
}

static void a_caller_that_gave_up_before_it_was_parked_is_refused(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_waiter *replaced;
    assert_null(cancel(table, 0));
    assert_int_equal(try_to_park(table, SWEEP, 0, 0, in_ms(60000), &replaced), STATUS_CANCELLED);
    assert_int_equal(claim_table_count(table, NULL), 0);
    close_table(table);
}

static void a_caller_that_gave_up_while_served_is_not_parked_again(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_turn turn;
    struct claim_list expired;
    assert_null(park(table, 0, 0, 60000));
    assert_null(park(table, 1, 1, 60000));
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    assert_null(cancel(table, 0));
    claim_table_return(table, &turn, &turn.fresh);
    assert_int_equal(turn.fresh.count, 1);
    assert_ptr_equal(turn.fresh.first->call, &calls[0]);
    assert_int_equal(drop(&turn.fresh), 1);
    claim_table_end(table, &turn);
    assert_int_equal(claim_table_count(table, SWEEP), 1);
    close_table(table);
}

static void who_is_served_while_the_table_closes_is_given_back(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_turn turn;
    struct claim_list expired;
    assert_null(park(table, 0, 0, 60000));
    assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    struct claim_list left = claim_table_close(table);
    assert_int_equal(left.count, 0);
    claim_table_return(table, &turn, &turn.fresh);
    assert_int_equal(drop(&turn.fresh), 1);
    claim_table_end(table, &turn);
    claim_table_free(table);
}

static void a_busy_sweep_keeps_no_other_waiting(void **state)
{
    (void)state;
    static const char *const busy[] = {"bbbbbbbb", "cccccccc"};
    struct claim_table *table = make_table();
    struct claim_turn turn;
    struct claim_list expired;
    bool served = false;
    size_t call = 0;
    park_for(table, SWEEP, call++);
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        park_for(table, busy[i], call++);
    for (size_t turns = 0; turns < 3; turns++) {
        assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
        served = served || strcmp(turn.sweep_id, SWEEP) == 0;
        drop(&turn.fresh);
        park_for(table, turn.sweep_id, call++); /* another one comes before the turn is over */
        claim_table_end(table, &turn);
    }
    assert_true(served);
    close_table(table);
}

static void old_news_is_told_less_often(void **state)
{
    (void)state;
    static const struct {
        int64_t age_ms, told_after_ms;
    } rows[] = {{0, 3000}, {3000, 3000}, {20000, 20000}, {59000, 59000}, {60000, 90000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct claim_table *table;
        struct claim_turn turn;
        struct claim_list expired;
        struct err err = ERR_INIT;
        now_us = 1000000;
        assert_int_equal(claim_table_new(&stopped, &table, &err), STATUS_OK);
        park_until(table, 0, 1000 + rows[i].age_ms + 90000);
        assert_true(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
        claim_table_set_reason(table, turn.sweep, "sweep is paused", true);
        now_us += rows[i].age_ms * 1000;
        const struct claim_waiter *waiter = turn.fresh.first;
        claim_table_return(table, &turn, &turn.fresh);
        assert_int_equal(waiter->deadline_ms - now_us / 1000, rows[i].told_after_ms);
        claim_table_end(table, &turn);
        close_table(table);
    }
}

static void a_closed_table_takes_nobody(void **state)
{
    (void)state;
    struct claim_table *table = make_table();
    struct claim_waiter *replaced;
    struct claim_turn turn;
    struct claim_list expired;
    assert_null(park(table, 0, 0, 60000));
    struct claim_list left = claim_table_close(table);
    assert_int_equal(drop(&left), 1);
    assert_false(claim_table_begin(table, 10, POLL_MS, &turn, &expired));
    assert_int_equal(try_to_park(table, SWEEP, 1, 1, in_ms(1000), &replaced), STATUS_UNAVAILABLE);
    claim_table_free(table);
}

/* ---- many threads: every caller is let go exactly once ---- */

struct crowd {
    struct claim_table *table;
    atomic_int let_go[CALLERS];
    atomic_size_t total;
};

static void let_go(struct crowd *crowd, struct claim_waiter *waiter)
{
    atomic_fetch_add(&crowd->let_go[(char *)waiter->call - calls], 1);
    atomic_fetch_add(&crowd->total, 1);
    free(waiter);
}

static void *serve_crowd(void *argument)
{
    struct crowd *crowd = argument;
    struct claim_turn turn;
    struct claim_list expired;
    struct claim_waiter *waiter;
    char reason[CLAIM_REASON_MAX];
    while (claim_table_begin(crowd->table, 64, 1, &turn, &expired)) {
        while ((waiter = claim_list_pop(&expired)) != NULL) {
            claim_table_leave(crowd->table, waiter, reason);
            let_go(crowd, waiter);
        }
        if (turn.sweep == NULL)
            continue;
        /* every other fresh caller gets something, the others wait */
        struct claim_list back = {.first = NULL};
        for (size_t i = turn.fresh.count; i > 0; i--) {
            waiter = claim_list_pop(&turn.fresh);
            if (waiter->counter % 2 == 0) {
                let_go(crowd, waiter);
                continue;
            }
            back = (struct claim_list){waiter, waiter, 1};
            claim_table_return(crowd->table, &turn, &back);
            while ((waiter = claim_list_pop(&back)) != NULL)
                let_go(crowd, waiter);
        }
        if (turn.look) {
            struct claim_list taken = claim_table_take(crowd->table, &turn, 5);
            while ((waiter = claim_list_pop(&taken)) != NULL)
                let_go(crowd, waiter);
        }
        claim_table_end(crowd->table, &turn);
    }
    return NULL;
}

static void *cancel_crowd(void *argument)
{
    struct crowd *crowd = argument;
    for (size_t i = 0; i < CALLERS; i += 3) {
        struct claim_waiter *waiter = cancel(crowd->table, i);
        if (waiter != NULL)
            let_go(crowd, waiter);
    }
    return NULL;
}

static void everybody_is_let_go_exactly_once(void **state)
{
    (void)state;
    static struct crowd crowd;
    pthread_t servers[SERVERS], canceller;
    crowd.table = make_table();
    for (size_t i = 0; i < SERVERS; i++)
        assert_int_equal(pthread_create(&servers[i], NULL, serve_crowd, &crowd), 0);
    for (size_t i = 0; i < CALLERS; i++)
        assert_null(park(crowd.table, i, (int64_t)i, (int64_t)(i % 50)));
    assert_int_equal(pthread_create(&canceller, NULL, cancel_crowd, &crowd), 0);
    pthread_join(canceller, NULL);
    struct claim_list left = claim_table_close(crowd.table);
    struct claim_waiter *waiter;
    while ((waiter = claim_list_pop(&left)) != NULL)
        let_go(&crowd, waiter);
    for (size_t i = 0; i < SERVERS; i++)
        pthread_join(servers[i], NULL);
    assert_int_equal(claim_table_count(crowd.table, NULL), 0);
    assert_int_equal(crowd.total, CALLERS);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(crowd.let_go[i], 1);
    claim_table_free(crowd.table);
}

static void reasons_are_in_words(void **state)
{
    (void)state;
    static const struct {
        struct store_claim_sweep sweep;
        const char *note, *wait, *leave; /* leave NULL = agents stay */
    } rows[] = {
        {{"paused", "", false, 3, 1, 1, 4, 9, 0}, "", "sweep is paused", NULL},
        {{"running", "", true, 0, 3, 3, 9, 9, 0}, "", "3 runs are running and may be retried", NULL},
        {{"running", "", true, 0, 1, 1, 9, 9, 0}, "", "1 run is running and may be retried", NULL},
        {{"running", "", false, 0, 0, 0, 4, 0, 0}, "", "waiting for suggestions", NULL},
        {{"running", "", false, 0, 0, 0, 4, 0, 0}, "no service", "no service", NULL},
        {{"running", "", false, 7, 2, 2, 4, 9, 2}, "", "2 runs are running, the sweep's concurrency", NULL},
        {{"running", "", false, 7, 2, 1, 4, 0, 2}, "", "waiting for suggestions", NULL},
        {{"running", "", true, 0, 0, 0, 9, 9, 0}, "", NULL, "sweep is finished: all 9 runs ended"},
        {{"finished", "stopped by a user", false, 5, 2, 2, 4, 9, 0},
         "",
         NULL,
         "sweep is finished: stopped by a user"},
        {{"canceled", "canceled by a user", false, 5, 2, 2, 4, 9, 0},
         "",
         NULL,
         "sweep is canceled: canceled by a user"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256];
        assert_int_equal(claim_answer_is_over(&rows[i].sweep), rows[i].leave != NULL);
        if (rows[i].leave != NULL)
            claim_answer_exit_reason(&rows[i].sweep, text, sizeof text);
        else
            claim_answer_reason(&rows[i].sweep, rows[i].note, text, sizeof text);
        assert_string_equal(text, rows[i].leave != NULL ? rows[i].leave : rows[i].wait);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caller_is_looked_up_then_waits_for_a_wake),
        cmocka_unit_test(the_older_of_two_calls_with_one_key_is_given_back),
        cmocka_unit_test(a_caller_without_patience_expires_with_the_reason),
        cmocka_unit_test(a_cancelled_caller_is_removed_once),
        cmocka_unit_test(a_caller_that_gave_up_before_it_was_parked_is_refused),
        cmocka_unit_test(a_caller_that_gave_up_while_served_is_not_parked_again),
        cmocka_unit_test(who_is_served_while_the_table_closes_is_given_back),
        cmocka_unit_test(a_busy_sweep_keeps_no_other_waiting),
        cmocka_unit_test(old_news_is_told_less_often),
        cmocka_unit_test(a_closed_table_takes_nobody),
        cmocka_unit_test(everybody_is_let_go_exactly_once),
        cmocka_unit_test(reasons_are_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
