/*
 * A growing byte buffer that is always nul-terminated. Errors stick: after a
 * failed growth `failed` is set and further writes do nothing, so a caller
 * checks once at the end.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_BUFFER_H
#define BESOM_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct buffer {
    char *data; /* owned; NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

#define BUFFER_INIT                                               \
    {                                                             \
        .data = NULL, .length = 0, .capacity = 0, .failed = false \
    }

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* The text so far; "" while empty. Valid until the next write. */
const char *buffer_text(const struct buffer *buffer);

/* Hands the text to the caller (free with free()); NULL after a failure. */
char *buffer_take(struct buffer *buffer) MUST_USE;

void buffer_clear(struct buffer *buffer);
/* Usable as CLEANUP(buffer_free). */
void buffer_free(struct buffer *buffer);

#endif
