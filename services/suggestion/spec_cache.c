// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/spec_cache.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/sweeps.h"
#include "services/common/lru.h"

/* A parsed spec takes several times its text; the factor need not be exact. */
#define BYTES_PER_CHARACTER 16
#define KEY_SIZE 128

struct entry {
    struct lru_entry lru; /* first; cache's lock; its key is "sweep version", its pins those who hold it */
    struct cached_spec public;
    struct spec *spec; /* owned */
};

struct spec_cache {
    struct store *store;
    pthread_mutex_t lock;
    struct lru lru; /* lock */
};

static struct entry *entry_of(struct lru_entry *entry)
{
    return (struct entry *)(void *)entry;
}

static void release(void *context, struct lru_entry *entry)
{
    (void)context;
    spec_free(entry_of(entry)->spec);
}

enum status spec_cache_new(struct store *store, size_t bytes_max, struct spec_cache **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "spec cache: out of memory");
    (*out)->store = store;
    (*out)->lru =
        (struct lru){.bytes_max = bytes_max, .entry_size = sizeof(struct entry), .release = release};
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

void spec_cache_free(struct spec_cache *cache)
{
    if (cache == NULL)
        return;
    lru_clear(&cache->lru);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

struct query {
    const char *sweep_id;
    int32_t version;
    struct store_sweep sweep;
    struct store_spec spec;
};

static enum status read_spec(struct store_tx *tx, void *context, struct err *err)
{
    struct query *query = context;
    TRY(store_get_sweep(tx, query->sweep_id, false, &query->sweep, err));
    return store_get_spec(tx, query->sweep_id, query->version, &query->spec, err);
}

/* What was read, before it is in the cache. */
struct loaded {
    struct cached_spec public;
    struct spec *spec; /* owned */
    size_t bytes;
};

static enum status load(struct spec_cache *cache, const char *sweep_id, int32_t version, struct loaded *out,
                        struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct query query = {.sweep_id = sweep_id, .version = version};
    TRY(store_read(cache->store, &arena, read_spec, &query, err));
    size_t length = strlen(query.spec.json);
    if (spec_from_canonical_json(query.spec.json, length, &out->spec, err) != STATUS_OK)
        /* The controller stored it: whatever is wrong with it, the caller cannot mend it. */
        return err_set(err, STATUS_INTERNAL, "sweep %s: stored spec: %s", sweep_id, err->text);
    out->bytes = sizeof(struct entry) + length * BYTES_PER_CHARACTER;
    out->public = (struct cached_spec){
        .spec = out->spec, .seed = query.sweep.seed, .begin_ordinal = query.spec.first_ordinal};
    return STATUS_OK;
}

/* Lock held. */
static void hold(struct spec_cache *cache, struct entry *entry, size_t bytes)
{
    entry->lru.pins++;
    lru_use(&cache->lru, &entry->lru, bytes);
    lru_trim(&cache->lru);
}

static struct entry *find(struct spec_cache *cache, const char *key)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_of(lru_find(&cache->lru, key));
    if (entry != NULL)
        hold(cache, entry, entry->lru.bytes);
    pthread_mutex_unlock(&cache->lock);
    return entry;
}

/* Takes the spec over; another thread may have been faster. NULL without memory. */
static struct entry *insert(struct spec_cache *cache, const char *key, const struct loaded *loaded)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_of(lru_obtain(&cache->lru, key));
    bool is_new = entry != NULL && entry->spec == NULL;
    if (is_new) {
        entry->public = loaded->public;
        entry->spec = loaded->spec;
    }
    if (entry != NULL)
        hold(cache, entry, loaded->bytes);
    pthread_mutex_unlock(&cache->lock);
    if (!is_new)
        spec_free(loaded->spec);
    return entry;
}

enum status spec_cache_get(struct spec_cache *cache, const char *sweep_id, int32_t version,
                           const struct cached_spec **out, struct err *err)
{
    char key[KEY_SIZE];
    struct loaded loaded = {.spec = NULL};
    if (snprintf(key, sizeof key, "%s %d", sweep_id, version) >= (int)sizeof key)
        return err_set(err, STATUS_NOT_FOUND, "there is no such sweep");
    struct entry *entry = find(cache, key);
    if (entry == NULL) {
        TRY(load(cache, sweep_id, version, &loaded, err));
        entry = insert(cache, key, &loaded);
    }
    if (entry == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", sweep_id);
    *out = &entry->public;
    return STATUS_OK;
}

void spec_cache_release(struct spec_cache *cache, const struct cached_spec *held)
{
    struct entry *entry = (struct entry *)(void *)((char *)(uintptr_t)held - offsetof(struct entry, public));
    pthread_mutex_lock(&cache->lock);
    entry->lru.pins--;
    lru_trim(&cache->lru);
    pthread_mutex_unlock(&cache->lock);
}

size_t spec_cache_count(struct spec_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t count = lru_count(&cache->lru);
    pthread_mutex_unlock(&cache->lock);
    return count;
}
