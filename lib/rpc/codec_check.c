// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "rpc/codec.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* Length of the valid multi-byte sequence at `p`, 0 when there is none. Ranges: Unicode 15, table 3-7. */
static size_t sequence_length(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t first, last, second_low, second_high, length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last)
            continue;
        if (left < forms[i].length || p[1] < forms[i].second_low || p[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool codec_is_utf8(const uint8_t *bytes, size_t length)
{
    size_t i = 0;
    while (i < length) {
        if (bytes[i] < 0x80) {
            i++;
            continue;
        }
        size_t step = sequence_length(bytes + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

static bool read_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t length)
{
    if ((uint64_t)(cursor->end - cursor->at) < length)
        return false;
    cursor->at += length;
    return true;
}

static enum status check_text(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
                              const uint8_t *bytes, size_t length, struct err *err)
{
    if (!codec_is_utf8(bytes, length))
        return err_set(err, STATUS_INVALID, "%s.%s is not UTF-8", type->name, field->name);
    if (length > 0 && memchr(bytes, 0, length) != NULL)
        return err_set(err, STATUS_INVALID, "%s.%s holds a NUL byte", type->name, field->name);
    return STATUS_OK;
}

static enum status check_message(const ProtobufCMessageDescriptor *type, struct cursor cursor, unsigned depth,
                                 struct err *err);

static enum status check_block(const ProtobufCMessageDescriptor *type, uint32_t id, const uint8_t *bytes,
                               size_t length, unsigned depth, struct err *err)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, id);
    if (field == NULL)
        return STATUS_OK;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_text(type, field, bytes, length, err);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(field->descriptor, (struct cursor){bytes, bytes + length}, depth + 1, err);
    return STATUS_OK;
}

static bool skip_fixed(struct cursor *cursor, unsigned wire_type)
{
    uint64_t ignored;
    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT: return read_varint(cursor, &ignored);
    case PROTOBUF_C_WIRE_TYPE_64BIT: return skip(cursor, 8);
    case PROTOBUF_C_WIRE_TYPE_32BIT: return skip(cursor, 4);
    default: return false;
    }
}

static enum status check_message(const ProtobufCMessageDescriptor *type, struct cursor cursor, unsigned depth,
                                 struct err *err)
{
    if (depth > CODEC_DEPTH_MAX)
        return err_set(err, STATUS_INVALID, "%s is nested too deeply", type->name);
    while (cursor.at < cursor.end) {
        uint64_t key, length;
        if (!read_varint(&cursor, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
            return err_set(err, STATUS_INVALID, "not a valid %s", type->name);
        unsigned wire_type = (unsigned)(key & 7);
        if (wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            if (!skip_fixed(&cursor, wire_type))
                return err_set(err, STATUS_INVALID, "not a valid %s", type->name);
            continue;
        }
        if (!read_varint(&cursor, &length) || (uint64_t)(cursor.end - cursor.at) < length)
            return err_set(err, STATUS_INVALID, "not a valid %s", type->name);
        TRY(check_block(type, (uint32_t)(key >> 3), cursor.at, (size_t)length, depth, err));
        cursor.at += length;
    }
    return STATUS_OK;
}

enum status codec_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                        struct err *err)
{
    if (length == 0)
        return STATUS_OK;
    return check_message(type, (struct cursor){bytes, bytes + length}, 1, err);
}
