// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/rule_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <utlist.h>

#include "services/common/lru.h"

/* Pinned by its borrower and by each who waits for it. */
struct entry {
    struct lru_entry lru;     /* first; cache's lock; its key is the sweep */
    struct sweep_rule public; /* handed out */
    bool borrowed;            /* cache's lock */
};

struct rule_cache {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct lru lru; /* lock */
};

static struct entry *entry_of(struct lru_entry *entry)
{
    return (struct entry *)(void *)entry;
}

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

static void release(void *context, struct lru_entry *entry)
{
    (void)context;
    sweep_rule_clear(&entry_of(entry)->public);
}

enum status rule_cache_new(size_t bytes_max, struct rule_cache **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "rule cache: out of memory");
    (*out)->lru =
        (struct lru){.bytes_max = bytes_max, .entry_size = sizeof(struct entry), .release = release};
    pthread_mutex_init(&(*out)->lock, NULL);
    pthread_cond_init(&(*out)->returned, NULL);
    return STATUS_OK;
}

void rule_cache_free(struct rule_cache *cache)
{
    if (cache == NULL)
        return;
    lru_clear(&cache->lru);
    pthread_cond_destroy(&cache->returned);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

enum status rule_cache_borrow(struct rule_cache *cache, const char *sweep_id, struct sweep_rule **out,
                              struct err *err)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_of(lru_obtain(&cache->lru, sweep_id));
    if (entry != NULL) {
        entry->lru.pins++;
        while (entry->borrowed)
            pthread_cond_wait(&cache->returned, &cache->lock);
        entry->borrowed = true;
    }
    pthread_mutex_unlock(&cache->lock);
    if (entry == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", sweep_id);
    *out = &entry->public;
    return STATUS_OK;
}

void rule_cache_return(struct rule_cache *cache, struct sweep_rule *rule)
{
    struct entry *entry = (struct entry *)(void *)((char *)rule - offsetof(struct entry, public));
    pthread_mutex_lock(&cache->lock);
    entry->borrowed = false;
    entry->lru.pins--;
    lru_use(&cache->lru, &entry->lru, rule->bytes);
    pthread_cond_broadcast(&cache->returned);
    if (!sweep_rule_is_built(rule) && entry->lru.pins == 0)
        lru_drop(&cache->lru, &entry->lru);
    lru_trim(&cache->lru);
    pthread_mutex_unlock(&cache->lock);
}

void rule_cache_visit(struct rule_cache *cache, void (*visit)(void *context, const char *sweep_id),
                      void *context)
{
    struct lru_entry *entry;
    DL_FOREACH(cache->lru.by_use, entry)
    visit(context, entry->key);
}
