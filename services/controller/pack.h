/*
 * Chunks: the points of one metric as bytes. Bit-exact both ways, NaN and
 * infinities included. Pure; safe on bytes of any origin.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_PACK_H
#define BESOM_CONTROLLER_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"

/*
 * Stored with each chunk; a number is never used again for another layout. Chunks are written as PACK_BITS.
 * The rows of the others name the first and last step by order of logging; from PACK_BITS on these are the
 * least and the greatest.
 */
enum pack_encoding { PACK_PLAIN = 1, PACK_XOR = 2, PACK_BITS = 3 };

#define PACK_POINTS_MAX 100000

struct pack_columns {
    int64_t *steps;
    double *values;
    int64_t *times_us;
    size_t count;
};

/* Appends the packed points to `out` and says which encoding it is. NO_MEMORY. */
enum status pack_points(const struct pack_columns *columns, struct buffer *out, int16_t *encoding,
                        struct err *err) MUST_USE;

/* Columns of exactly `count` points in the arena. INVALID for bytes that are not such a chunk. */
enum status pack_read(int16_t encoding, const void *data, size_t length, size_t count, struct arena *arena,
                      struct pack_columns *out, struct err *err) MUST_USE;

#endif
