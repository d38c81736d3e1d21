// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Layout of PACK_BITS: steps, times, values, one after the other. Of steps and times the first one as a
 * zigzag varint, then the differences from one to the next; of values the 64 bits of each. These numbers go
 * in blocks of 128: their least as a varint, a byte for the width, then each one's excess over the least in
 * so many bits, lowest bit first, up to a whole byte. Values have a byte before that: the low six bits say
 * how many zero bits at the bottom are left out (those that all magnitudes of the block share), and bit 6
 * whether any is negative; then the sign is put below the magnitude, so that both signs are near each other.
 * After the frames of reference of Zukowski et al., "Super-scalar RAM-CPU cache compression" (ICDE 2006),
 * without exceptions.
 */
#include "services/controller/pack.h"

#include <stdbool.h>
#include <string.h>

#include "services/controller/pack_bytes.h"

#define BLOCK 128
#define SIGNED_FLAG 0x40
#define MAGNITUDE (UINT64_MAX >> 1)

__extension__ typedef unsigned __int128 wide;

/* ---- bits ---- */

static unsigned width_of(uint64_t range)
{
    return range == 0 ? 0 : 64 - (unsigned)__builtin_clzll(range);
}

static void put_bits(struct buffer *out, const uint64_t *numbers, size_t count, uint64_t least,
                     unsigned width)
{
    unsigned char bytes[BLOCK * 8 + 16];
    wide pending = 0;
    unsigned held = 0;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        pending |= (wide)(numbers[i] - least) << held;
        for (held += width; held >= 8; held -= 8, pending >>= 8)
            bytes[length++] = (unsigned char)pending;
    }
    if (held > 0)
        bytes[length++] = (unsigned char)pending;
    buffer_append(out, bytes, length);
}

static bool get_bits(struct pack_cursor *cursor, uint64_t *numbers, size_t count, uint64_t least,
                     unsigned width)
{
    size_t length = (count * width + 7) / 8;
    uint64_t mask = width == 0 ? 0 : UINT64_MAX >> (64 - width);
    wide pending = 0;
    unsigned held = 0;
    if ((size_t)(cursor->end - cursor->at) < length)
        return false;
    for (size_t i = 0; i < count; i++) {
        for (; held < width; held += 8)
            pending |= (wide)*cursor->at++ << held;
        numbers[i] = least + ((uint64_t)pending & mask);
        pending >>= width;
        held -= width;
    }
    return true;
}

static void put_block(struct buffer *out, const uint64_t *numbers, size_t count, uint64_t least,
                      uint64_t greatest)
{
    unsigned width = width_of(greatest - least);
    buffer_putc(out, (char)(unsigned char)width);
    if (width > 0)
        put_bits(out, numbers, count, least, width);
}

static bool get_block(struct pack_cursor *cursor, uint64_t *numbers, size_t count, uint64_t least)
{
    if (cursor->at == cursor->end || *cursor->at > 64)
        return false;
    unsigned width = *cursor->at++;
    return get_bits(cursor, numbers, count, least, width);
}

static size_t block_size(size_t at, size_t count)
{
    return count - at < BLOCK ? count - at : BLOCK;
}

/* ---- steps and times: arithmetic is modulo 2^64, so every sequence has a form ---- */

static void put_differences(struct buffer *out, const int64_t *numbers, size_t count)
{
    uint64_t differences[BLOCK];
    int64_t least = 0, greatest = 0;
    for (size_t i = 0; i < count; i++) {
        differences[i] = (uint64_t)numbers[i + 1] - (uint64_t)numbers[i];
        least = i == 0 || (int64_t)differences[i] < least ? (int64_t)differences[i] : least;
        greatest = i == 0 || (int64_t)differences[i] > greatest ? (int64_t)differences[i] : greatest;
    }
    pack_put_varint(out, pack_zigzag((uint64_t)least));
    put_block(out, differences, count, (uint64_t)least, (uint64_t)greatest);
}

static void put_integers(struct buffer *out, const int64_t *numbers, size_t count)
{
    if (count == 0)
        return;
    pack_put_varint(out, pack_zigzag((uint64_t)numbers[0]));
    for (size_t at = 0; at + 1 < count; at += BLOCK)
        put_differences(out, numbers + at, block_size(at, count - 1));
}

static bool get_integers(struct pack_cursor *cursor, int64_t *numbers, size_t count)
{
    uint64_t differences[BLOCK], code, number;
    if (count == 0)
        return true;
    if (!pack_get_varint(cursor, &code))
        return false;
    number = pack_unzigzag(code);
    numbers[0] = (int64_t)number;
    for (size_t at = 1; at < count; at += BLOCK) {
        size_t size = block_size(at, count);
        if (!pack_get_varint(cursor, &code) || !get_block(cursor, differences, size, pack_unzigzag(code)))
            return false;
        for (size_t i = 0; i < size; i++) {
            number += differences[i];
            numbers[at + i] = (int64_t)number;
        }
    }
    return true;
}

/* ---- values ---- */

static void put_doubles(struct buffer *out, const double *values, size_t count)
{
    uint64_t codes[BLOCK], all = 0, least = UINT64_MAX, greatest = 0;
    memcpy(codes, values, count * sizeof *codes);
    for (size_t i = 0; i < count; i++)
        all |= codes[i];
    unsigned zeros = (all & MAGNITUDE) == 0 ? 0 : (unsigned)__builtin_ctzll(all & MAGNITUDE);
    unsigned sign = (unsigned)(all >> 63);
    for (size_t i = 0; i < count; i++) {
        codes[i] = (codes[i] & MAGNITUDE) >> zeros << sign | codes[i] >> 63;
        least = codes[i] < least ? codes[i] : least;
        greatest = codes[i] > greatest ? codes[i] : greatest;
    }
    buffer_putc(out, (char)(unsigned char)(zeros | (sign != 0 ? SIGNED_FLAG : 0)));
    pack_put_varint(out, least);
    put_block(out, codes, count, least, greatest);
}

static bool get_doubles(struct pack_cursor *cursor, double *values, size_t count)
{
    uint64_t codes[BLOCK], least;
    if (cursor->at == cursor->end || *cursor->at >= 2 * SIGNED_FLAG)
        return false;
    unsigned zeros = *cursor->at % SIGNED_FLAG, sign = *cursor->at >= SIGNED_FLAG;
    cursor->at++;
    if (!pack_get_varint(cursor, &least) || !get_block(cursor, codes, count, least))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t negative = sign != 0 ? codes[i] & 1 : 0;
        codes[i] = (codes[i] >> sign << zeros & MAGNITUDE) | negative << 63;
    }
    memcpy(values, codes, count * sizeof *codes);
    return true;
}

static bool get_values(struct pack_cursor *cursor, double *values, size_t count)
{
    for (size_t at = 0; at < count; at += BLOCK)
        if (!get_doubles(cursor, values + at, block_size(at, count)))
            return false;
    return true;
}

/* ---- chunks ---- */

enum status pack_points(const struct pack_columns *columns, struct buffer *out, int16_t *encoding,
                        struct err *err)
{
    *encoding = PACK_BITS;
    put_integers(out, columns->steps, columns->count);
    put_integers(out, columns->times_us, columns->count);
    for (size_t at = 0; at < columns->count; at += BLOCK)
        put_doubles(out, columns->values + at, block_size(at, columns->count));
    return out->failed ? err_set(err, STATUS_NO_MEMORY, "packing a chunk: out of memory") : STATUS_OK;
}

static bool get_columns(int16_t encoding, struct pack_cursor *cursor, struct pack_columns *out)
{
    if (encoding != PACK_BITS)
        return pack_get_older(encoding, cursor, out);
    return get_integers(cursor, out->steps, out->count) && get_integers(cursor, out->times_us, out->count) &&
           get_values(cursor, out->values, out->count);
}

enum status pack_read(int16_t encoding, const void *data, size_t length, size_t count, struct arena *arena,
                      struct pack_columns *out, struct err *err)
{
    if (count > PACK_POINTS_MAX || encoding < PACK_PLAIN || encoding > PACK_BITS)
        return err_set(err, STATUS_INVALID, "a chunk of encoding %d with %zu points is not readable",
                       encoding, count);
    struct pack_cursor cursor = {data, (const unsigned char *)data + length};
    out->count = count;
    out->steps = arena_calloc(arena, count + 1, sizeof *out->steps);
    out->times_us = arena_calloc(arena, count + 1, sizeof *out->times_us);
    out->values = arena_calloc(arena, count + 1, sizeof *out->values);
    if (out->steps == NULL || out->times_us == NULL || out->values == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading a chunk: out of memory");
    return get_columns(encoding, &cursor, out) && cursor.at == cursor.end
               ? STATUS_OK
               : err_set(err, STATUS_INVALID, "a chunk is damaged");
}
