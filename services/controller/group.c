// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/group.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct lane {
    struct group *group;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct group_item *first, *last; /* lock */
    size_t queued;                   /* lock */
    bool stopping;                   /* lock */
    struct group_item **taken;       /* owned; lane's thread only */
    size_t last_size;                /* lane's thread only */
    int64_t last_end_ms;             /* lane's thread only */
};

struct group {
    struct group_options options;
    struct lane *lanes; /* owned */
    size_t started;
    bool stopped; /* by the one who stops it */
};

static void answer_all(struct group *group, struct group_item *const *items, size_t count,
                       const struct err *err)
{
    const char *before = log_request();
    for (size_t i = 0; i < count; i++) {
        (void)log_set_request(items[i]->request);
        group->options.answer(group->options.context, items[i], err);
    }
    (void)log_set_request(before);
}

/* Returns why the last items failed, OK when they did not. */
static enum status run_span(struct group *group, struct group_item *const *items, size_t count)
{
    struct err err = ERR_INIT;
    enum status status = group->options.run(group->options.context, items, count, &err);
    if (status != STATUS_OK && count > 1 && !status_info(status)->retry) {
        (void)run_span(group, items, count / 2);
        return run_span(group, items + count / 2, count - count / 2);
    }
    err.code = status;
    answer_all(group, items, count, &err);
    return status;
}

/* Just after a group its callers come back within moments: waiting for them saves a commit. */
static void linger(struct lane *lane)
{
    int64_t end_ms = lane->last_end_ms + lane->group->options.linger_ms;
    while (lane->queued < lane->last_size / 2 && !lane->stopping) {
        int64_t left_ms = end_ms - clock_monotonic_ms(&clock_system);
        if (left_ms <= 0 || clock_cond_wait(&lane->filled, &lane->lock, left_ms) != 0)
            return;
    }
}

/* Waits for items and moves them to lane->taken; 0: the end. */
static size_t take_items(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    while (lane->first == NULL && !lane->stopping)
        pthread_cond_wait(&lane->filled, &lane->lock);
    linger(lane);
    size_t count = 0;
    while (lane->first != NULL && count < lane->group->options.max_items) {
        lane->taken[count++] = lane->first;
        lane->first = lane->first->next;
    }
    if (lane->first == NULL)
        lane->last = NULL;
    lane->queued -= count;
    lane->last_size = count;
    pthread_mutex_unlock(&lane->lock);
    return count;
}

static bool is_stopping(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    bool stopping = lane->stopping;
    pthread_mutex_unlock(&lane->lock);
    return stopping;
}

static void refuse(struct group *group, struct group_item *const *items, size_t count)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_UNAVAILABLE, "the controller is shutting down");
    answer_all(group, items, count, &err);
}

static void *serve_lane(void *argument)
{
    struct lane *lane = argument;
    enum status status = STATUS_OK;
    size_t count;
    while ((count = take_items(lane)) > 0) {
        if (status == STATUS_UNAVAILABLE && is_stopping(lane))
            refuse(lane->group, lane->taken, count);
        else
            status = run_span(lane->group, lane->taken, count);
        lane->last_end_ms = clock_monotonic_ms(&clock_system);
    }
    return NULL;
}

static enum status start_lane(struct group *group, size_t index, struct err *err)
{
    struct lane *lane = &group->lanes[index];
    lane->group = group;
    lane->taken = calloc(group->options.max_items, sizeof *lane->taken);
    if (lane->taken == NULL)
        return err_set(err, STATUS_NO_MEMORY, "starting group %s: out of memory", group->options.name);
    pthread_mutex_init(&lane->lock, NULL);
    clock_cond_init(&lane->filled);
    int failure = pthread_create(&lane->thread, NULL, serve_lane, lane);
    if (failure != 0) {
        pthread_cond_destroy(&lane->filled);
        pthread_mutex_destroy(&lane->lock);
        free(lane->taken);
        return err_set_errno(err, STATUS_IO, failure, "starting group %s", group->options.name);
    }
    char name[16];
    (void)snprintf(name, sizeof name, "%.12s-%zu", group->options.name, index % 100);
    (void)pthread_setname_np(lane->thread, name);
    group->started++;
    return STATUS_OK;
}

enum status group_new(const struct group_options *options, struct group **out, struct err *err)
{
    *out = NULL;
    struct group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    group->options = *options;
    group->lanes = calloc(options->lanes, sizeof *group->lanes);
    if (group->lanes == NULL) {
        free(group);
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; i < options->lanes && status == STATUS_OK; i++)
        status = start_lane(group, i, err);
    if (status != STATUS_OK) {
        group_free(group);
        return status;
    }
    *out = group;
    return STATUS_OK;
}

void group_submit(struct group *group, uint64_t key, struct group_item *item)
{
    struct lane *lane = &group->lanes[key % group->options.lanes];
    item->next = NULL;
    item->request = log_request();
    pthread_mutex_lock(&lane->lock);
    bool stopping = lane->stopping;
    if (!stopping) {
        if (lane->last != NULL)
            lane->last->next = item;
        else
            lane->first = item;
        lane->last = item;
        lane->queued++;
        pthread_cond_signal(&lane->filled);
    }
    pthread_mutex_unlock(&lane->lock);
    if (stopping)
        refuse(group, &item, 1);
}

static void tell_to_stop(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_signal(&lane->filled);
    pthread_mutex_unlock(&lane->lock);
}

void group_stop(struct group *group)
{
    for (size_t i = 0; i < group->started; i++)
        tell_to_stop(&group->lanes[i]);
    for (size_t i = 0; i < group->started && !group->stopped; i++)
        pthread_join(group->lanes[i].thread, NULL);
    group->stopped = true;
}

void group_free(struct group *group)
{
    if (group == NULL)
        return;
    group_stop(group);
    for (size_t i = 0; i < group->started; i++) {
        pthread_cond_destroy(&group->lanes[i].filled);
        pthread_mutex_destroy(&group->lanes[i].lock);
        free(group->lanes[i].taken);
    }
    free(group->lanes);
    free(group);
}
