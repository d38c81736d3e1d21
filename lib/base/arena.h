/*
 * A bump allocator for one request or tick: many small allocations, one free.
 * Not thread-safe; one owner at a time.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_ARENA_H
#define BESOM_BASE_ARENA_H

#include <stddef.h>

#include "base/macros.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t used;                /* bytes handed out since the last reset */
    size_t limit;               /* most bytes to hand out; 0 = no limit */
};

/* An empty arena that holds at most `limit` bytes (0: any number). Allocates nothing yet. */
struct arena arena_make(size_t limit);

/* 16-byte aligned, uninitialised; NULL past the limit or without memory. */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;

/* As arena_alloc, zeroed; NULL also when count * size overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) MUST_USE;

/* Copies; NULL as arena_alloc. */
char *arena_strdup(struct arena *arena, const char *text) MUST_USE;
char *arena_strndup(struct arena *arena, const char *text, size_t length) MUST_USE;
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Forgets every allocation, keeps one block for reuse. */
void arena_reset(struct arena *arena);

/* Gives everything back. Usable as CLEANUP(arena_free). */
void arena_free(struct arena *arena);

#endif
