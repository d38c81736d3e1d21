/*
 * Things by key that may take so many bytes together: the least recently used go first, and what is pinned
 * stays. A thing is a struct that begins with an lru_entry. The caller's lock guards all of it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_LRU_H
#define BESOM_SERVICES_COMMON_LRU_H

#include <stddef.h>
#include <uthash.h>

struct lru_entry {
    char *key;     /* owned */
    unsigned pins; /* the owner's: it stays while there are any */
    size_t bytes;  /* in the sum */
    UT_hash_handle hh;
    struct lru_entry *prev, *next; /* by last use, oldest first */
};

struct lru {
    size_t bytes_max;
    size_t entry_size; /* of the whole struct */
    /* Frees what the struct owns beside its entry. */
    void (*release)(void *context, struct lru_entry *entry);
    void *context;
    /* The rest is zero at first. */
    struct lru_entry *by_key; /* owns the entries */
    struct lru_entry *by_use;
    size_t bytes;
};

/* NULL: there is none. */
struct lru_entry *lru_find(const struct lru *lru, const char *key);
/* That of the key; made, all zero behind its entry, when there is none. NULL without memory. */
struct lru_entry *lru_obtain(struct lru *lru, const char *key);
/* It is the last that was used, and takes so many bytes now. */
void lru_use(struct lru *lru, struct lru_entry *entry, size_t bytes);
/* Lets go of what is not pinned until the rest fits. */
void lru_trim(struct lru *lru);
void lru_drop(struct lru *lru, struct lru_entry *entry);
/* Drops all, pinned or not. */
void lru_clear(struct lru *lru);
size_t lru_count(const struct lru *lru);

#endif
