// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/rule_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct entry {
    struct sweep_rule public; /* first: handed out */
    char *sweep_id;           /* owned */
    unsigned waiting;         /* cache's lock */
    bool borrowed;            /* cache's lock */
    size_t counted;           /* cache's lock; its bytes in the sum */
    UT_hash_handle hh;        /* cache's lock */
    struct entry *prev;       /* cache's lock; by last use, oldest first */
    struct entry *next;
};

struct rule_cache {
    size_t bytes_max;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct entry *by_key; /* lock; owns the entries */
    struct entry *by_use; /* lock */
    size_t bytes;         /* lock */
};

bool sweep_rule_is_built(const struct sweep_rule *rule)
{
    return rule->rule != NULL || rule->halving != NULL;
}

void sweep_rule_clear(struct sweep_rule *rule)
{
    stop_rule_free(rule->rule);
    halving_free(rule->halving);
    *rule = (struct sweep_rule){0};
}

enum status rule_cache_new(size_t bytes_max, struct rule_cache **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "rule cache: out of memory");
    (*out)->bytes_max = bytes_max;
    pthread_mutex_init(&(*out)->lock, NULL);
    pthread_cond_init(&(*out)->returned, NULL);
    return STATUS_OK;
}

static void free_entry(struct entry *entry)
{
    sweep_rule_clear(&entry->public);
    free(entry->sweep_id);
    free(entry);
}

/* Lock held. */
static void drop(struct rule_cache *cache, struct entry *entry)
{
    assert(cache->by_key != NULL && cache->by_use != NULL);
    HASH_DEL(cache->by_key, entry);
    DL_DELETE(cache->by_use, entry);
    cache->bytes -= entry->counted;
    free_entry(entry);
}

void rule_cache_free(struct rule_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->by_use != NULL)
        drop(cache, cache->by_use);
    pthread_cond_destroy(&cache->returned);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Lock held. NULL without memory. */
static struct entry *find_or_add(struct rule_cache *cache, const char *sweep_id)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(cache->by_key, sweep_id, entry);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL || (entry->sweep_id = strdup(sweep_id)) == NULL) {
        free(entry);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, cache->by_key, entry->sweep_id, strlen(entry->sweep_id), entry);
    DL_APPEND(cache->by_use, entry);
    return entry;
}

enum status rule_cache_borrow(struct rule_cache *cache, const char *sweep_id, struct sweep_rule **out,
                              struct err *err)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find_or_add(cache, sweep_id);
    if (entry != NULL) {
        entry->waiting++;
        while (entry->borrowed)
            pthread_cond_wait(&cache->returned, &cache->lock);
        entry->waiting--;
        entry->borrowed = true;
        DL_DELETE(cache->by_use, entry);
        DL_APPEND(cache->by_use, entry);
    }
    pthread_mutex_unlock(&cache->lock);
    if (entry == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", sweep_id);
    *out = &entry->public;
    return STATUS_OK;
}

/* Lock held. Lets go of what nobody uses, oldest first, until the rest fits. */
static void trim(struct rule_cache *cache)
{
    struct entry *entry;
    struct entry *next;
    DL_FOREACH_SAFE(cache->by_use, entry, next)
    {
        if (cache->bytes <= cache->bytes_max)
            break;
        if (!entry->borrowed && entry->waiting == 0)
            drop(cache, entry);
    }
}

void rule_cache_return(struct rule_cache *cache, struct sweep_rule *rule)
{
    struct entry *entry = (struct entry *)(void *)rule;
    pthread_mutex_lock(&cache->lock);
    entry->borrowed = false;
    cache->bytes += rule->bytes - entry->counted;
    entry->counted = rule->bytes;
    pthread_cond_broadcast(&cache->returned);
    if (!sweep_rule_is_built(rule) && entry->waiting == 0)
        drop(cache, entry);
    trim(cache);
    pthread_mutex_unlock(&cache->lock);
}

void rule_cache_visit(struct rule_cache *cache, void (*visit)(void *context, const char *sweep_id),
                      void *context)
{
    struct entry *entry;
    DL_FOREACH(cache->by_use, entry)
    visit(context, entry->sweep_id);
}
