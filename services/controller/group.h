/*
 * Group commit: items of many callers are carried out together, one group in
 * one transaction, and then answered one by one. A queue and a thread per
 * lane; items of one lane keep their order. A group that fails for a reason
 * that another try cannot help is split until only the culprit is refused.
 * Knows nothing of what an item is.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_GROUP_H
#define BESOM_CONTROLLER_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Embedded as the first member of the caller's item. */
struct group_item {
    struct group_item *next;
    const char *request; /* log_request of who submitted it, until it is answered */
};

struct group_options {
    const char *name;  /* of the threads, at most 12 characters */
    size_t lanes;      /* threads; >= 1 */
    size_t max_items;  /* of one group */
    int64_t linger_ms; /* while busy: how long a small group waits for more */
    /* Carries all items out or none. Run again with fewer items after a failure that retrying cannot help. */
    enum status (*run)(void *context, struct group_item *const *items, size_t count, struct err *err);
    /* Once per item, after its group: err->code is OK or why it failed. Takes the item back. */
    void (*answer)(void *context, struct group_item *item, const struct err *err);
    void *context;
};

struct group;

/* `options` is copied. IO, NO_MEMORY. */
enum status group_new(const struct group_options *options, struct group **out, struct err *err) MUST_USE;

/* Queues an item in lane `key` modulo the number of lanes. After group_stop began it is answered with
 * UNAVAILABLE at once. Any thread. */
void group_submit(struct group *group, uint64_t key, struct group_item *item);

/* Carries out what is queued, then ends the threads; once a group has found the database UNAVAILABLE, the
 * rest is answered so without trying. One thread. */
void group_stop(struct group *group);
/* Stops when needed. NULL is fine. */
void group_free(struct group *group);

#endif
