// SPDX-License-Identifier: GPL-3.0-or-later
/* A ticker runs at once, again after its interval, and as soon as it is woken. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/common/ticker.h"

#define PATIENCE_MS 20000

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int runs; /* lock */
};

static void count(void *context)
{
    struct counter *counter = context;
    pthread_mutex_lock(&counter->lock);
    counter->runs++;
    pthread_cond_signal(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

static bool reaches(struct counter *counter, int runs)
{
    bool in_time = true;
    pthread_mutex_lock(&counter->lock);
    while (counter->runs < runs && in_time)
        in_time = clock_cond_wait(&counter->changed, &counter->lock, PATIENCE_MS) == 0;
    pthread_mutex_unlock(&counter->lock);
    return in_time;
}

static void run_ticker(int64_t interval_ms, int wakes, int runs)
{
    struct counter counter = {.lock = PTHREAD_MUTEX_INITIALIZER, .runs = 0};
    struct ticker *ticker = NULL;
    struct err err = ERR_INIT;
    clock_cond_init(&counter.changed);
    assert_int_equal(ticker_start("test", interval_ms, count, &counter, &ticker, &err), STATUS_OK);
    assert_true(reaches(&counter, 1));
    for (int i = 0; i < wakes; i++) {
        ticker_wake(ticker);
        assert_true(reaches(&counter, 2 + i));
    }
    assert_true(reaches(&counter, runs));
    ticker_stop(ticker);
    pthread_cond_destroy(&counter.changed);
}

static void test_it_repeats(void **state)
{
    (void)state;
    run_ticker(1, 0, 5);
}

static void test_waking_cuts_the_wait(void **state)
{
    (void)state;
    run_ticker(INT64_C(3600000), 3, 4);
}

static void test_stopping_nothing_is_fine(void **state)
{
    (void)state;
    ticker_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_repeats),
        cmocka_unit_test(test_waking_cuts_the_wait),
        cmocka_unit_test(test_stopping_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
