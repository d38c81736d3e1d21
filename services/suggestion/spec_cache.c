// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/spec_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "db/store/sweeps.h"

/* A parsed spec takes several times its text; the factor need not be exact. */
#define BYTES_PER_CHARACTER 16
#define KEY_SIZE 128

struct entry {
    struct cached_spec public; /* first: handed out */
    char key[KEY_SIZE];        /* "sweep version" */
    struct spec *spec;         /* owned */
    size_t bytes;
    unsigned holders;   /* cache's lock */
    bool cached;        /* cache's lock; false: freed by its last holder */
    UT_hash_handle hh;  /* cache's lock */
    struct entry *prev; /* cache's lock; by last use, oldest first */
    struct entry *next;
};

struct spec_cache {
    struct store *store;
    size_t bytes_max;
    pthread_mutex_t lock;
    struct entry *by_key; /* lock; owns the entries */
    struct entry *by_use; /* lock */
    size_t bytes;         /* lock */
};

enum status spec_cache_new(struct store *store, size_t bytes_max, struct spec_cache **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "spec cache: out of memory");
    (*out)->store = store;
    (*out)->bytes_max = bytes_max;
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

static void free_entry(struct entry *entry)
{
    spec_free(entry->spec);
    free(entry);
}

/* Lock held. */
static void drop(struct spec_cache *cache, struct entry *entry)
{
    assert(cache->by_key != NULL && cache->by_use != NULL);
    HASH_DEL(cache->by_key, entry);
    DL_DELETE(cache->by_use, entry);
    cache->bytes -= entry->bytes;
    entry->cached = false;
    if (entry->holders == 0)
        free_entry(entry);
}

void spec_cache_free(struct spec_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->by_use != NULL)
        drop(cache, cache->by_use);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Lock held. */
static struct entry *hold(struct spec_cache *cache, const char *key)
{
    struct entry *entry = NULL;
    HASH_FIND_STR(cache->by_key, key, entry);
    if (entry == NULL)
        return NULL;
    entry->holders++;
    DL_DELETE(cache->by_use, entry);
    DL_APPEND(cache->by_use, entry);
    return entry;
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

static enum status load(struct spec_cache *cache, const char *key, const char *sweep_id, int32_t version,
                        struct entry **out, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct query query = {.sweep_id = sweep_id, .version = version};
    TRY(store_read(cache->store, &arena, read_spec, &query, err));
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", sweep_id);
    size_t length = strlen(query.spec.json);
    if (spec_from_canonical_json(query.spec.json, length, &entry->spec, err) != STATUS_OK) {
        free(entry);
        /* The controller stored it: whatever is wrong with it, the caller cannot mend it. */
        return err_set(err, STATUS_INTERNAL, "sweep %s: stored spec: %s", sweep_id, err->text);
    }
    (void)snprintf(entry->key, sizeof entry->key, "%s", key);
    entry->bytes = sizeof *entry + length * BYTES_PER_CHARACTER;
    entry->public = (struct cached_spec){
        .spec = entry->spec, .seed = query.sweep.seed, .begin_ordinal = query.spec.first_ordinal};
    entry->holders = 1;
    *out = entry;
    return STATUS_OK;
}

/* Lock held. Makes room by what nobody holds, too. */
static void insert(struct spec_cache *cache, struct entry *entry)
{
    HASH_ADD_STR(cache->by_key, key, entry);
    DL_APPEND(cache->by_use, entry);
    cache->bytes += entry->bytes;
    entry->cached = true;
    while (cache->bytes > cache->bytes_max && cache->by_use != entry)
        drop(cache, cache->by_use);
}

enum status spec_cache_get(struct spec_cache *cache, const char *sweep_id, int32_t version,
                           const struct cached_spec **out, struct err *err)
{
    char key[KEY_SIZE];
    if (snprintf(key, sizeof key, "%s %d", sweep_id, version) >= (int)sizeof key)
        return err_set(err, STATUS_NOT_FOUND, "there is no such sweep");
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = hold(cache, key);
    pthread_mutex_unlock(&cache->lock);
    if (entry == NULL) {
        TRY(load(cache, key, sweep_id, version, &entry, err));
        pthread_mutex_lock(&cache->lock);
        struct entry *other = hold(cache, key); /* another thread was faster */
        if (other == NULL)
            insert(cache, entry);
        pthread_mutex_unlock(&cache->lock);
        if (other != NULL) {
            free_entry(entry);
            entry = other;
        }
    }
    *out = &entry->public;
    return STATUS_OK;
}

void spec_cache_release(struct spec_cache *cache, const struct cached_spec *held)
{
    struct entry *entry = (struct entry *)(uintptr_t)held;
    pthread_mutex_lock(&cache->lock);
    bool last = --entry->holders == 0 && !entry->cached;
    pthread_mutex_unlock(&cache->lock);
    if (last)
        free_entry(entry);
}

size_t spec_cache_count(struct spec_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t count = HASH_COUNT(cache->by_key);
    pthread_mutex_unlock(&cache->lock);
    return count;
}
