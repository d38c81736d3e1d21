/*
 * What both layouts of chunks share, varints; and reading the older ones,
 * which nothing writes any more: steps and times as varints of zigzag second
 * differences, values as little-endian doubles (PACK_PLAIN) or XORed with the
 * one before (PACK_XOR). For pack.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_PACK_BYTES_H
#define BESOM_CONTROLLER_PACK_BYTES_H

#include <stdbool.h>

#include "services/controller/pack.h"

struct pack_cursor {
    const unsigned char *at, *end;
};

void pack_put_varint(struct buffer *out, uint64_t value);
bool pack_get_varint(struct pack_cursor *cursor, uint64_t *out);

/* Small codes for small numbers of either sign. */
static inline uint64_t pack_zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t pack_unzigzag(uint64_t code)
{
    return code >> 1 ^ (0 - (code & 1));
}

/* False: damaged. */
bool pack_get_older(int16_t encoding, struct pack_cursor *cursor, struct pack_columns *out);

#endif
