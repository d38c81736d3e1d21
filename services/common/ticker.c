// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/ticker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

struct ticker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken;    /* lock */
    bool stopping; /* lock */
    int64_t interval_ms;
    ticker_work *work;
    void *context;
};

/* Waits for the next turn; false: the end. */
static bool await_turn(struct ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    int64_t end_ms = clock_monotonic_ms(&clock_system) + ticker->interval_ms;
    while (!ticker->woken && !ticker->stopping) {
        int64_t left_ms = end_ms - clock_monotonic_ms(&clock_system);
        if (left_ms <= 0)
            break;
        (void)clock_cond_wait(&ticker->changed, &ticker->lock, left_ms);
    }
    ticker->woken = false;
    bool go_on = !ticker->stopping;
    pthread_mutex_unlock(&ticker->lock);
    return go_on;
}

static void *run(void *argument)
{
    struct ticker *ticker = argument;
    do
        ticker->work(ticker->context);
    while (await_turn(ticker));
    return NULL;
}

enum status ticker_start(const char *name, int64_t interval_ms, ticker_work *work, void *context,
                         struct ticker **out, struct err *err)
{
    struct ticker *ticker = calloc(1, sizeof *ticker);
    *out = NULL;
    if (ticker == NULL)
        return err_set(err, STATUS_NO_MEMORY, "starting thread %s: out of memory", name);
    pthread_mutex_init(&ticker->lock, NULL);
    clock_cond_init(&ticker->changed);
    ticker->interval_ms = interval_ms;
    ticker->work = work;
    ticker->context = context;
    int failure = pthread_create(&ticker->thread, NULL, run, ticker);
    if (failure != 0) {
        pthread_cond_destroy(&ticker->changed);
        pthread_mutex_destroy(&ticker->lock);
        free(ticker);
        return err_set_errno(err, STATUS_IO, failure, "starting thread %s", name);
    }
    (void)pthread_setname_np(ticker->thread, name);
    *out = ticker;
    return STATUS_OK;
}

void ticker_wake(struct ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    ticker->woken = true;
    pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
}

void ticker_stop(struct ticker *ticker)
{
    if (ticker == NULL)
        return;
    pthread_mutex_lock(&ticker->lock);
    ticker->stopping = true;
    pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->changed);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}
