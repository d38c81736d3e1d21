// SPDX-License-Identifier: Apache-2.0
#include "name_table.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_AT_FIRST 32

/* FNV-1a. */
static uint32_t hash_name(const char *text, size_t length)
{
    uint32_t hash = 0x811c9dc5U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x01000193U;
    return hash;
}

static bool is_at(const struct name_table *table, size_t index, const char *text, size_t length)
{
    return index < table->count && table->names[index].length == length &&
           memcmp(table->names[index].text, text, length) == 0;
}

/* The slot that holds the name, or the free one where it belongs. There is always a free one. */
static size_t find_slot(const struct name_table *table, uint32_t hash, const char *text, size_t length)
{
    size_t mask = table->slot_count - 1;
    for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
        uint32_t entry = table->slots[slot];
        if (entry == 0)
            return slot;
        if (table->names[entry - 1].hash == hash && is_at(table, entry - 1, text, length))
            return slot;
    }
}

static size_t find_with_hash(const struct name_table *table, uint32_t hash, const char *text, size_t length)
{
    if (table->slot_count == 0)
        return NAME_NONE;
    uint32_t entry = table->slots[find_slot(table, hash, text, length)];
    return entry == 0 ? NAME_NONE : entry - 1;
}

size_t name_table_find(struct name_table *table, const char *text, size_t length)
{
    size_t index = table->next;
    if (!is_at(table, index, text, length))
        index = find_with_hash(table, hash_name(text, length), text, length);
    if (index != NAME_NONE)
        table->next = index + 1 < table->count ? index + 1 : 0;
    return index;
}

static void grow_slots(struct name_table *table)
{
    size_t wanted = table->slot_count == 0 ? SLOTS_AT_FIRST : table->slot_count * 2;
    free(table->slots);
    table->slots = calloc(wanted, sizeof *table->slots);
    if (table->slots == NULL)
        abort();
    table->slot_count = wanted;
    for (size_t i = 0; i < table->count; i++) {
        const struct name *name = &table->names[i];
        table->slots[find_slot(table, name->hash, name->text, name->length)] = (uint32_t)i + 1;
    }
}

static void add_name(struct name_table *table, const char *text, size_t length)
{
    if (table->count == table->capacity) {
        size_t wanted = table->capacity == 0 ? 16 : table->capacity * 2;
        struct name *grown = realloc(table->names, wanted * sizeof *grown);
        if (grown == NULL)
            abort();
        table->names = grown;
        table->capacity = wanted;
    }
    if (2 * (table->count + 1) > table->slot_count)
        grow_slots(table);
    uint32_t hash = hash_name(text, length);
    char *copy = malloc(length + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, text, length);
    copy[length] = '\0';
    table->slots[find_slot(table, hash, text, length)] = (uint32_t)table->count + 1;
    table->names[table->count++] = (struct name){.text = copy, .length = length, .hash = hash};
}

size_t name_table_put(struct name_table *table, const char *text, size_t length, bool *added)
{
    size_t index = name_table_find(table, text, length);
    *added = index == NAME_NONE;
    if (!*added)
        return index;
    add_name(table, text, length);
    table->next = 0;
    return table->count - 1;
}

void name_table_free(struct name_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->names[i].text);
    free(table->names);
    free(table->slots);
    *table = (struct name_table){.names = NULL};
}
