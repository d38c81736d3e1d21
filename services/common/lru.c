// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/lru.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct lru_entry *lru_find(const struct lru *lru, const char *key)
{
    struct lru_entry *entry = NULL;
    HASH_FIND_STR(lru->by_key, key, entry);
    return entry;
}

struct lru_entry *lru_obtain(struct lru *lru, const char *key)
{
    struct lru_entry *entry = lru_find(lru, key);
    if (entry != NULL)
        return entry;
    entry = calloc(1, lru->entry_size);
    if (entry == NULL || (entry->key = strdup(key)) == NULL) {
        free(entry);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, lru->by_key, entry->key, strlen(entry->key), entry);
    DL_APPEND(lru->by_use, entry);
    return entry;
}

void lru_use(struct lru *lru, struct lru_entry *entry, size_t bytes)
{
    lru->bytes += bytes - entry->bytes;
    entry->bytes = bytes;
    DL_DELETE(lru->by_use, entry);
    DL_APPEND(lru->by_use, entry);
}

void lru_drop(struct lru *lru, struct lru_entry *entry)
{
    assert(lru->by_key != NULL && lru->by_use != NULL);
    HASH_DEL(lru->by_key, entry);
    DL_DELETE(lru->by_use, entry);
    lru->bytes -= entry->bytes;
    lru->release(lru->context, entry);
    free(entry->key);
    free(entry);
}

void lru_trim(struct lru *lru)
{
    struct lru_entry *entry, *next;
    DL_FOREACH_SAFE(lru->by_use, entry, next)
    {
        if (lru->bytes <= lru->bytes_max)
            break;
        if (entry->pins == 0)
            lru_drop(lru, entry);
    }
}

void lru_clear(struct lru *lru)
{
    while (lru->by_use != NULL)
        lru_drop(lru, lru->by_use);
}

size_t lru_count(const struct lru *lru)
{
    return HASH_COUNT(lru->by_key);
}
