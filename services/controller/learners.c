// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/learners.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define SWEEPS_MAX 4096 /* remembered; beyond, those at rest are forgotten, which costs a suggestion each */

struct sweep {
    char sweep_id[ID_SIZE];
    struct fill_memory memory; /* of the thread at work, else lock */
    bool in_line, at_work;     /* lock */
    struct sweep *prev, *next; /* lock; of the line */
    UT_hash_handle hh;         /* lock */
};

struct learners {
    learners_work *work;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sweep *sweeps; /* lock; owned */
    struct sweep *line;   /* lock */
    bool stopping;        /* lock */
    pthread_t *threads;   /* owned */
    int started;
};

/* Lock held. NULL: all are at work. */
static struct sweep *take(struct learners *learners)
{
    struct sweep *sweep;
    DL_FOREACH(learners->line, sweep)
    {
        if (sweep->at_work)
            continue;
        DL_DELETE(learners->line, sweep);
        sweep->in_line = false;
        sweep->at_work = true;
        return sweep;
    }
    return NULL;
}

static void *run(void *argument)
{
    struct learners *learners = argument;
    pthread_mutex_lock(&learners->lock);
    while (!learners->stopping) {
        struct sweep *sweep = take(learners);
        if (sweep == NULL) {
            pthread_cond_wait(&learners->changed, &learners->lock);
            continue;
        }
        pthread_mutex_unlock(&learners->lock);
        learners->work(learners->context, sweep->sweep_id, &sweep->memory);
        pthread_mutex_lock(&learners->lock);
        sweep->at_work = false;
        pthread_cond_broadcast(&learners->changed);
    }
    pthread_mutex_unlock(&learners->lock);
    return NULL;
}

enum status learners_start(int threads, learners_work *work, void *context, struct learners **out,
                           struct err *err)
{
    struct learners *learners = calloc(1, sizeof *learners);
    *out = learners;
    if (learners == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    learners->work = work;
    learners->context = context;
    pthread_mutex_init(&learners->lock, NULL);
    pthread_cond_init(&learners->changed, NULL);
    learners->threads = calloc((size_t)threads, sizeof *learners->threads);
    enum status status =
        learners->threads != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
    while (status == STATUS_OK && learners->started < threads) {
        int failure = pthread_create(&learners->threads[learners->started], NULL, run, learners);
        if (failure != 0)
            status = err_set_errno(err, STATUS_IO, failure, "starting a refill thread");
        else
            (void)pthread_setname_np(learners->threads[learners->started++], "learner");
    }
    if (status != STATUS_OK) {
        learners_stop(learners);
        *out = NULL;
    }
    return status;
}

void learners_stop(struct learners *learners)
{
    if (learners == NULL)
        return;
    pthread_mutex_lock(&learners->lock);
    learners->stopping = true;
    pthread_cond_broadcast(&learners->changed);
    pthread_mutex_unlock(&learners->lock);
    for (int i = 0; i < learners->started; i++)
        pthread_join(learners->threads[i], NULL);
    struct sweep *sweep;
    struct sweep *next;
    HASH_ITER(hh, learners->sweeps, sweep, next)
    {
        HASH_DEL(learners->sweeps, sweep);
        free(sweep);
    }
    pthread_cond_destroy(&learners->changed);
    pthread_mutex_destroy(&learners->lock);
    free(learners->threads);
    free(learners);
}

/* Lock held. */
static void forget_idle(struct learners *learners)
{
    struct sweep *sweep;
    struct sweep *next;
    HASH_ITER(hh, learners->sweeps, sweep, next)
    {
        if (sweep->at_work || sweep->in_line)
            continue;
        HASH_DEL(learners->sweeps, sweep);
        free(sweep);
    }
}

/* Lock held. NULL without memory. */
static struct sweep *obtain(struct learners *learners, const char *sweep_id)
{
    struct sweep *sweep = NULL;
    HASH_FIND_STR(learners->sweeps, sweep_id, sweep);
    if (sweep != NULL)
        return sweep;
    if (HASH_COUNT(learners->sweeps) >= SWEEPS_MAX)
        forget_idle(learners);
    sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL)
        return NULL;
    (void)snprintf(sweep->sweep_id, sizeof sweep->sweep_id, "%s", sweep_id);
    sweep->memory.cursor = LEARNERS_NO_CURSOR;
    HASH_ADD_STR(learners->sweeps, sweep_id, sweep);
    return sweep;
}

void learners_offer(struct learners *learners, const struct learners_offer *offer)
{
    pthread_mutex_lock(&learners->lock);
    struct sweep *sweep = obtain(learners, offer->sweep_id);
    bool due = sweep != NULL && !sweep->in_line &&
               (offer->due || (!sweep->at_work && offer->cursor != LEARNERS_NO_CURSOR &&
                               offer->cursor != sweep->memory.cursor));
    if (due) {
        sweep->in_line = true;
        DL_APPEND(learners->line, sweep);
        pthread_cond_signal(&learners->changed);
    }
    pthread_mutex_unlock(&learners->lock);
}
