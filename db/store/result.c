// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/query.h"

#define UNIX_TO_PG_US INT64_C(946684800000000)

void result_clear(struct result *result)
{
    PQclear(result->pg);
    result->pg = NULL;
}

int result_count(const struct result *result)
{
    return PQntuples(result->pg);
}

int64_t result_affected(const struct result *result)
{
    return strtoll(PQcmdTuples(result->pg), NULL, 10);
}

bool result_is_null(const struct result *result, int row, int column)
{
    return PQgetisnull(result->pg, row, column) != 0;
}

static uint64_t get_word(const struct result *result, int row, int column)
{
    const unsigned char *bytes = (const unsigned char *)PQgetvalue(result->pg, row, column);
    int length = PQgetlength(result->pg, row, column);
    uint64_t word = 0;
    for (int i = 0; i < length && i < 8; i++)
        word = word << 8 | bytes[i];
    return word;
}

int64_t result_i64(const struct result *result, int row, int column)
{
    uint64_t word = get_word(result, row, column);
    switch (PQgetlength(result->pg, row, column)) {
    case 2: return (int16_t)word;
    case 4: return (int32_t)word;
    default: return (int64_t)word;
    }
}

int32_t result_i32(const struct result *result, int row, int column)
{
    return (int32_t)result_i64(result, row, column);
}

bool result_bool(const struct result *result, int row, int column)
{
    return get_word(result, row, column) != 0;
}

double result_f64(const struct result *result, int row, int column)
{
    if (result_is_null(result, row, column))
        return (double)NAN;
    uint64_t word = get_word(result, row, column);
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

const char *result_text(const struct result *result, int row, int column, struct arena *arena)
{
    return arena_strndup(arena, PQgetvalue(result->pg, row, column),
                         (size_t)PQgetlength(result->pg, row, column));
}

/* With a nul after it, whatever the kind. */
static bool read_bytes(const struct result *result, int row, int column, char *place, struct arena *arena,
                       size_t *length)
{
    *length = (size_t)PQgetlength(result->pg, row, column);
    char *copy = arena_alloc(arena, *length + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, PQgetvalue(result->pg, row, column), *length);
    copy[*length] = '\0';
    memcpy(place, &copy, sizeof copy);
    return true;
}

static bool read_field(const struct result *result, int row, int column, const struct field *field, char *out,
                       struct arena *arena)
{
    char *place = out + field->offset;
    bool is_null = result_is_null(result, row, column);
    int64_t word = result_i64(result, row, column);
    double real = result_f64(result, row, column);
    int32_t i32 = (int32_t)word;
    int16_t i16 = (int16_t)word;
    size_t length;
    switch (field->kind) {
    case FIELD_TEXT: return read_bytes(result, row, column, place, arena, &length);
    case FIELD_BYTES:
    case FIELD_HASH:
        if (!read_bytes(result, row, column, place, arena, &length))
            return false;
        if (field->kind == FIELD_BYTES)
            memcpy(out + field->beside, &length, sizeof length);
        break;
    case FIELD_I16: memcpy(place, &i16, sizeof i16); break;
    case FIELD_I32: memcpy(place, &i32, sizeof i32); break;
    case FIELD_BOOL: *(bool *)(void *)place = result_bool(result, row, column); break;
    case FIELD_TIME:
        word = is_null ? 0 : word + UNIX_TO_PG_US;
        memcpy(place, &word, sizeof word);
        break;
    case FIELD_MAYBE_I64:
        *(bool *)(void *)(out + field->beside) = !is_null;
        memcpy(place, &word, sizeof word);
        break;
    case FIELD_I64: memcpy(place, &word, sizeof word); break;
    case FIELD_MAYBE_F64:
        *(bool *)(void *)(out + field->beside) = !is_null;
        memcpy(place, &real, sizeof real);
        break;
    case FIELD_F64: memcpy(place, &real, sizeof real); break;
    }
    return true;
}

enum status result_row(const struct result *result, int row, int first_column, struct shape shape, void *out,
                       struct arena *arena, struct err *err)
{
    if (first_column + shape.count > PQnfields(result->pg))
        return err_set(err, STATUS_INTERNAL, "a query has %d columns, not %d", PQnfields(result->pg),
                       first_column + shape.count);
    for (int i = 0; i < shape.count; i++)
        if (!read_field(result, row, first_column + i, &shape.fields[i], out, arena))
            return err_set(err, STATUS_NO_MEMORY, "no memory for a query's rows");
    return STATUS_OK;
}
