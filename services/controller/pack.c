// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Layout: steps, times, values, one after the other. The XOR form writes for
 * each value a byte with the number of zero bytes at the top (high nibble) and
 * at the bottom (low nibble) of value XOR predecessor, then the bytes between,
 * lowest first; after Pelkonen et al., "Gorilla" (VLDB 2015), in whole bytes.
 */
#include "services/controller/pack.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
    const unsigned char *at, *end;
};

static void put_varint(struct buffer *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (unsigned char)value;
    buffer_append(out, bytes, length);
}

static bool get_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        unsigned char byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag(uint64_t code)
{
    return code >> 1 ^ (0 - (code & 1));
}

/* Arithmetic is modulo 2^64, so every sequence has a form. */
static void put_integers(struct buffer *out, const int64_t *numbers, size_t count)
{
    uint64_t last = 0, last_difference = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t difference = (uint64_t)numbers[i] - last;
        put_varint(out, zigzag(difference - last_difference));
        last = (uint64_t)numbers[i];
        last_difference = i == 0 ? 0 : difference;
    }
}

static bool get_integers(struct cursor *cursor, int64_t *numbers, size_t count)
{
    uint64_t last = 0, last_difference = 0, code;
    for (size_t i = 0; i < count; i++) {
        if (!get_varint(cursor, &code))
            return false;
        uint64_t difference = unzigzag(code) + last_difference;
        last += difference;
        numbers[i] = (int64_t)last;
        last_difference = i == 0 ? 0 : difference;
    }
    return true;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_bytes(struct buffer *out, uint64_t bits, unsigned from, unsigned to)
{
    unsigned char bytes[8];
    for (unsigned i = from; i < to; i++)
        bytes[i - from] = (unsigned char)(bits >> 8 * i);
    buffer_append(out, bytes, to - from);
}

static uint64_t get_bytes(struct cursor *cursor, unsigned from, unsigned to)
{
    uint64_t bits = 0;
    for (unsigned i = from; i < to; i++)
        bits |= (uint64_t)*cursor->at++ << 8 * i;
    return bits;
}

static void put_xor(struct buffer *out, const double *values, size_t count)
{
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = bits_of(values[i]), changed = bits ^ last;
        unsigned top = changed == 0 ? 8 : (unsigned)__builtin_clzll(changed) / 8;
        unsigned bottom = changed == 0 ? 0 : (unsigned)__builtin_ctzll(changed) / 8;
        buffer_putc(out, (char)(unsigned char)(top << 4 | bottom));
        put_bytes(out, changed, bottom, 8 - top);
        last = bits;
    }
}

static bool get_xor(struct cursor *cursor, double *values, size_t count)
{
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (cursor->at == cursor->end)
            return false;
        unsigned top = *cursor->at >> 4, bottom = *cursor->at & 15u;
        cursor->at++;
        if (top + bottom > 8 || (size_t)(cursor->end - cursor->at) < 8 - top - bottom)
            return false;
        last ^= get_bytes(cursor, bottom, 8 - top);
        memcpy(&values[i], &last, sizeof last);
    }
    return true;
}

static bool get_plain(struct cursor *cursor, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cursor->end - cursor->at < 8)
            return false;
        uint64_t bits = get_bytes(cursor, 0, 8);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return true;
}

enum status pack_points(const struct pack_columns *columns, struct buffer *out, int16_t *encoding,
                        struct err *err)
{
    struct buffer squeezed CLEANUP(buffer_free) = BUFFER_INIT;
    put_integers(out, columns->steps, columns->count);
    put_integers(out, columns->times_us, columns->count);
    put_xor(&squeezed, columns->values, columns->count);
    *encoding = squeezed.length < columns->count * 7 ? PACK_XOR : PACK_PLAIN;
    if (*encoding == PACK_XOR)
        buffer_append(out, squeezed.data, squeezed.length);
    else
        for (size_t i = 0; i < columns->count; i++)
            put_bytes(out, bits_of(columns->values[i]), 0, 8);
    return out->failed || squeezed.failed ? err_set(err, STATUS_NO_MEMORY, "packing a chunk: out of memory")
                                          : STATUS_OK;
}

enum status pack_read(int16_t encoding, const void *data, size_t length, size_t count, struct arena *arena,
                      struct pack_columns *out, struct err *err)
{
    if (count > PACK_POINTS_MAX || (encoding != PACK_PLAIN && encoding != PACK_XOR))
        return err_set(err, STATUS_INVALID, "a chunk of encoding %d with %zu points is not readable",
                       encoding, count);
    struct cursor cursor = {data, (const unsigned char *)data + length};
    out->count = count;
    out->steps = arena_calloc(arena, count + 1, sizeof *out->steps);
    out->times_us = arena_calloc(arena, count + 1, sizeof *out->times_us);
    out->values = arena_calloc(arena, count + 1, sizeof *out->values);
    if (out->steps == NULL || out->times_us == NULL || out->values == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading a chunk: out of memory");
    bool good = get_integers(&cursor, out->steps, count) && get_integers(&cursor, out->times_us, count) &&
                (encoding == PACK_XOR ? get_xor(&cursor, out->values, count)
                                      : get_plain(&cursor, out->values, count)) &&
                cursor.at == cursor.end;
    return good ? STATUS_OK : err_set(err, STATUS_INVALID, "a chunk is damaged");
}
