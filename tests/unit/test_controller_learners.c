// SPDX-License-Identifier: GPL-3.0-or-later
/* Threads that fill sweeps which learn: one turn of a sweep at a time, none lost, nobody held up. */
#include "services/controller/learners.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SWEEPS 8

/* Turns of "slow" wait until they may go on. */
struct turns {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool may_go;
    int slow_began, slow_ended, at_once, most_at_once, others;
};

static void turns_init(struct turns *turns)
{
    *turns = (struct turns){.may_go = false};
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->changed, NULL);
}

static void turns_await(struct turns *turns, const int *number, int value)
{
    pthread_mutex_lock(&turns->lock);
    while (*number < value)
        pthread_cond_wait(&turns->changed, &turns->lock);
    pthread_mutex_unlock(&turns->lock);
}

static void take_turn(void *context, const char *sweep_id, struct fill_memory *memory)
{
    struct turns *turns = context;
    pthread_mutex_lock(&turns->lock);
    if (strcmp(sweep_id, "slow") == 0) {
        turns->slow_began++;
        turns->at_once++;
        turns->most_at_once = turns->at_once > turns->most_at_once ? turns->at_once : turns->most_at_once;
        pthread_cond_broadcast(&turns->changed);
        while (!turns->may_go)
            pthread_cond_wait(&turns->changed, &turns->lock);
        turns->at_once--;
        turns->slow_ended++;
        memory->cursor = 7;
    } else {
        turns->others++;
    }
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
}

static void let_go(struct turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    turns->may_go = true;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
}

static void offer(struct learners *learners, const char *sweep_id, bool due, int64_t cursor)
{
    learners_offer(learners, &(struct learners_offer){.sweep_id = sweep_id, .due = due, .cursor = cursor});
}

static void a_slow_sweep_holds_up_nobody(void **state)
{
    (void)state;
    struct turns turns;
    struct learners *learners = NULL;
    struct err err = ERR_INIT;
    turns_init(&turns);
    assert_int_equal(learners_start(2, take_turn, &turns, &learners, &err), STATUS_OK);
    offer(learners, "slow", true, LEARNERS_NO_CURSOR);
    turns_await(&turns, &turns.slow_began, 1);
    for (int i = 0; i < 5; i++)
        offer(learners, "slow", true, LEARNERS_NO_CURSOR); /* one more turn */
    for (int i = 0; i < SWEEPS; i++) {
        char sweep_id[ID_SIZE];
        (void)snprintf(sweep_id, sizeof sweep_id, "other%d", i);
        offer(learners, sweep_id, true, LEARNERS_NO_CURSOR);
    }
    turns_await(&turns, &turns.others, SWEEPS);
    let_go(&turns);
    turns_await(&turns, &turns.slow_ended, 2);
    learners_stop(learners);
    assert_int_equal(turns.slow_began, 2);
    assert_int_equal(turns.most_at_once, 1);
}

static void a_turn_is_due_once_for_each_cursor(void **state)
{
    (void)state;
    struct turns turns;
    struct learners *learners = NULL;
    struct err err = ERR_INIT;
    turns_init(&turns);
    let_go(&turns);
    assert_int_equal(learners_start(1, take_turn, &turns, &learners, &err), STATUS_OK);
    offer(learners, "slow", false, LEARNERS_NO_CURSOR); /* nothing is due */
    offer(learners, "slow", false, 7);
    turns_await(&turns, &turns.slow_ended, 1);
    offer(learners, "other", true, LEARNERS_NO_CURSOR); /* after it, "slow" is at rest */
    turns_await(&turns, &turns.others, 1);
    offer(learners, "slow", false, 7);
    offer(learners, "other", true, LEARNERS_NO_CURSOR);
    turns_await(&turns, &turns.others, 2);
    learners_stop(learners);
    assert_int_equal(turns.slow_began, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_sweep_holds_up_nobody),
        cmocka_unit_test(a_turn_is_due_once_for_each_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
