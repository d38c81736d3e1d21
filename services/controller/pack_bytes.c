// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The XOR form has for each value a byte with the number of zero bytes at the top (high nibble) and at the
 * bottom (low nibble) of value XOR predecessor, then the bytes between, lowest first; after Pelkonen et al.,
 * "Gorilla" (VLDB 2015), in whole bytes.
 */
#include "services/controller/pack_bytes.h"

#include <string.h>

void pack_put_varint(struct buffer *out, uint64_t value)
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

bool pack_get_varint(struct pack_cursor *cursor, uint64_t *out)
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

static bool get_integers(struct pack_cursor *cursor, int64_t *numbers, size_t count)
{
    uint64_t last = 0, last_difference = 0, code;
    for (size_t i = 0; i < count; i++) {
        if (!pack_get_varint(cursor, &code))
            return false;
        uint64_t difference = pack_unzigzag(code) + last_difference;
        last += difference;
        numbers[i] = (int64_t)last;
        last_difference = i == 0 ? 0 : difference;
    }
    return true;
}

static uint64_t get_bytes(struct pack_cursor *cursor, unsigned from, unsigned to)
{
    uint64_t bits = 0;
    for (unsigned i = from; i < to; i++)
        bits |= (uint64_t)*cursor->at++ << 8 * i;
    return bits;
}

static bool get_xor(struct pack_cursor *cursor, double *values, size_t count)
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

static bool get_plain(struct pack_cursor *cursor, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cursor->end - cursor->at < 8)
            return false;
        uint64_t bits = get_bytes(cursor, 0, 8);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return true;
}

bool pack_get_older(int16_t encoding, struct pack_cursor *cursor, struct pack_columns *out)
{
    return get_integers(cursor, out->steps, out->count) && get_integers(cursor, out->times_us, out->count) &&
           (encoding == PACK_XOR ? get_xor(cursor, out->values, out->count)
                                 : get_plain(cursor, out->values, out->count));
}
