/*
 * Names numbered in order of arrival: finding one costs the same however many
 * there are. What belongs to a name its user keeps in an array of its own, at
 * the name's number. Not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_NAME_TABLE_H
#define BESOM_AGENT_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_NONE SIZE_MAX

struct name {
    char *text; /* owned; nul-terminated */
    size_t length;
    uint32_t hash;
};

/* Zeroed = empty. */
struct name_table {
    struct name *names; /* owned */
    size_t count, capacity;
    uint32_t *slots; /* owned; number + 1, 0 = free */
    size_t slot_count;
    size_t next; /* where the last search ended: names come in the same order again and again */
};

/* NAME_NONE when it is not there. */
size_t name_table_find(struct name_table *table, const char *text, size_t length);
/* The name's number, a new one at the end when `*added`. Aborts without memory. */
size_t name_table_put(struct name_table *table, const char *text, size_t length, bool *added);
/* Forgets all names. */
void name_table_free(struct name_table *table);

#endif
