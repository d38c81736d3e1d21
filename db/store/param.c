// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits.h>
#include <string.h>

#include "db/store/query.h"

#define UNIX_TO_PG_US INT64_C(946684800000000) /* PostgreSQL counts from 2000-01-01 */
#define HASH_LENGTH 32

/* Type oids are fixed by PostgreSQL (pg_type.dat) but in no header that libpq installs. */
static const struct {
    Oid type, array;
} OIDS[] = {
    [FIELD_TEXT] = {25, 1009},       [FIELD_BYTES] = {17, 1001},     [FIELD_HASH] = {17, 1001},
    [FIELD_I16] = {21, 1005},        [FIELD_I32] = {23, 1007},       [FIELD_I64] = {20, 1016},
    [FIELD_F64] = {701, 1022},       [FIELD_BOOL] = {16, 1000},      [FIELD_TIME] = {1184, 1185},
    [FIELD_MAYBE_F64] = {701, 1022}, [FIELD_MAYBE_I64] = {20, 1016},
};

/* A value in PostgreSQL's binary format: big-endian numbers, bytes as they are. */
struct wire {
    const void *bytes; /* NULL is an SQL NULL */
    size_t length;
    unsigned char number[8];
    bool is_number;
};

static void put_big_endian(unsigned char *out, uint64_t value, size_t length)
{
    for (size_t i = length; i-- > 0; value >>= 8)
        out[i] = (unsigned char)(value & 0xff);
}

static void wire_number(struct wire *wire, uint64_t value, size_t length)
{
    put_big_endian(wire->number, value, length);
    wire->length = length;
    wire->is_number = true;
}

static void wire_bytes(struct wire *wire, const void *bytes, size_t length)
{
    /* An empty value is not NULL. */
    wire->bytes = bytes == NULL && length == 0 ? "" : bytes;
    wire->length = length;
}

static const void *pointer_at(const char *place)
{
    const void *pointer;
    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

static uint64_t word_at(const char *place)
{
    uint64_t word;
    memcpy(&word, place, sizeof word);
    return word;
}

static struct wire wire_field(const struct field *field, const char *row)
{
    struct wire wire = {.bytes = NULL};
    const char *place = row + field->offset;
    int32_t i32;
    int16_t i16;
    switch (field->kind) {
    case FIELD_TEXT:
        if (pointer_at(place) != NULL)
            wire_bytes(&wire, pointer_at(place), strlen(pointer_at(place)));
        break;
    case FIELD_BYTES:
        wire_bytes(&wire, pointer_at(place), *(const size_t *)(const void *)(row + field->beside));
        break;
    case FIELD_HASH: wire_bytes(&wire, pointer_at(place), HASH_LENGTH); break;
    case FIELD_I16:
        memcpy(&i16, place, sizeof i16);
        wire_number(&wire, (uint64_t)i16, 2);
        break;
    case FIELD_I32:
        memcpy(&i32, place, sizeof i32);
        wire_number(&wire, (uint64_t)i32, 4);
        break;
    case FIELD_I64:
    case FIELD_F64: wire_number(&wire, word_at(place), 8); break;
    case FIELD_BOOL: wire_number(&wire, *(const bool *)(const void *)place, 1); break;
    case FIELD_TIME:
        if (word_at(place) != 0)
            wire_number(&wire, word_at(place) - (uint64_t)UNIX_TO_PG_US, 8);
        break;
    case FIELD_MAYBE_F64:
    case FIELD_MAYBE_I64:
        if (*(const bool *)(const void *)(row + field->beside))
            wire_number(&wire, word_at(place), 8);
        break;
    }
    return wire;
}

struct params params_begin(struct store_tx *tx)
{
    return (struct params){.arena = tx->arena};
}

static void add(struct params *params, Oid type, const void *value, size_t length)
{
    if (params->count == PARAMS_MAX || length > INT_MAX) {
        params->failed = true;
        return;
    }
    params->types[params->count] = type;
    params->values[params->count] = value;
    params->lengths[params->count] = (int)length;
    params->formats[params->count] = 1;
    params->count++;
}

static void add_field(struct params *params, const struct field *field, const char *row)
{
    struct wire wire = wire_field(field, row);
    const void *value = wire.bytes;
    if (wire.is_number) {
        char *copy = arena_alloc(params->arena, sizeof wire.number);
        if (copy == NULL)
            params->failed = true;
        else
            memcpy(copy, wire.number, sizeof wire.number);
        value = copy;
    }
    add(params, OIDS[field->kind].type, value, wire.length);
}

void params_row(struct params *params, struct shape shape, const void *row)
{
    for (int i = 0; i < shape.count; i++)
        add_field(params, &shape.fields[i], row);
}

static const struct field SINGLE_TEXT = {FIELD_TEXT, 0, 0}, SINGLE_I64 = {FIELD_I64, 0, 0},
                          SINGLE_I32 = {FIELD_I32, 0, 0}, SINGLE_BOOL = {FIELD_BOOL, 0, 0},
                          SINGLE_TIME = {FIELD_TIME, 0, 0};

void params_text(struct params *params, const char *value)
{
    add_field(params, &SINGLE_TEXT, (const char *)&value);
}

void params_bytes(struct params *params, const void *bytes, size_t length)
{
    add(params, OIDS[FIELD_BYTES].type, bytes == NULL ? "" : bytes, length);
}

void params_i64(struct params *params, int64_t value)
{
    add_field(params, &SINGLE_I64, (const char *)&value);
}

void params_i32(struct params *params, int32_t value)
{
    add_field(params, &SINGLE_I32, (const char *)&value);
}

void params_bool(struct params *params, bool value)
{
    add_field(params, &SINGLE_BOOL, (const char *)&value);
}

void params_time(struct params *params, int64_t us)
{
    add_field(params, &SINGLE_TIME, (const char *)&us);
}

static size_t array_size(const struct field *field, size_t stride, const char *rows, size_t count)
{
    size_t size = 20;
    for (size_t i = 0; i < count; i++)
        size += 4 + wire_field(field, rows + i * stride).length;
    return size;
}

static void write_array(unsigned char *out, const struct field *field, size_t stride, const char *rows,
                        size_t count)
{
    const uint64_t header[] = {1, 1, OIDS[field->kind].type, count, 1};
    for (size_t i = 0; i < ARRAY_LEN(header); i++, out += 4)
        put_big_endian(out, header[i], 4);
    for (size_t i = 0; i < count; i++) {
        struct wire wire = wire_field(field, rows + i * stride);
        bool is_null = wire.bytes == NULL && !wire.is_number;
        put_big_endian(out, is_null ? UINT32_MAX : wire.length, 4);
        if (!is_null)
            memcpy(out + 4, wire.is_number ? wire.number : wire.bytes, wire.length);
        out += 4 + wire.length;
    }
}

static void add_array(struct params *params, const struct field *field, size_t stride, const char *rows,
                      size_t count)
{
    static const unsigned char EMPTY[12] = {0}; /* no dimensions; the element type follows */
    size_t size = count == 0 ? sizeof EMPTY : array_size(field, stride, rows, count);
    unsigned char *array = arena_alloc(params->arena, size);
    if (array == NULL) {
        params->failed = true;
        return;
    }
    if (count == 0) {
        memcpy(array, EMPTY, sizeof EMPTY);
        put_big_endian(array + 8, OIDS[field->kind].type, 4);
    } else {
        write_array(array, field, stride, rows, count);
    }
    add(params, OIDS[field->kind].array, array, size);
}

void params_columns(struct params *params, struct shape shape, const void *rows, size_t count)
{
    for (int i = 0; i < shape.count; i++)
        add_array(params, &shape.fields[i], shape.size, rows, count);
}

void params_reach(struct params *params, const struct store_reach *reach)
{
    params_text(params, reach != NULL ? reach->project : "");
    params_text(params, reach != NULL ? reach->sweep_id : "");
}

void params_page(struct params *params, const char *project, int64_t after_us, const char *after_id,
                 int limit)
{
    params_text(params, project);
    params_time(params, after_us);
    params_text(params, after_id);
    params_i32(params, limit);
}

void params_texts(struct params *params, const char *const *values, size_t count)
{
    add_array(params, &SINGLE_TEXT, sizeof *values, (const char *)values, count);
}
