/*
 * Running one query of db/queries: parameters and results in libpq's binary
 * format, described by tables of fields, so that a struct is bound and read
 * by one call. Many rows go as one array per column. For files of this folder.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_QUERY_H
#define BESOM_DB_STORE_QUERY_H

#include <stddef.h>

#include "db/store/internal.h"

enum field_kind {
    FIELD_TEXT,  /* const char *; NULL is an SQL NULL, and an SQL NULL is read as "" */
    FIELD_BYTES, /* const void *, its size_t length at `beside` */
    FIELD_HASH,  /* const unsigned char * of 32 bytes; parameters only */
    FIELD_I16,
    FIELD_I32,
    FIELD_I64,       /* int64_t or uint64_t */
    FIELD_F64,       /* an SQL NULL is read as NaN */
    FIELD_BOOL,      /* an SQL NULL is read as false */
    FIELD_TIME,      /* int64_t, microseconds since 1970; 0 is an SQL NULL */
    FIELD_MAYBE_F64, /* double, with a bool at `beside` that is false for an SQL NULL */
    FIELD_MAYBE_I64, /* likewise */
};
struct field {
    enum field_kind kind;
    size_t offset, beside;
};
#define FIELD(kind, type, member)               \
    {                                           \
        FIELD_##kind, offsetof(type, member), 0 \
    }
#define FIELD_WITH(kind, type, member, other)                       \
    {                                                               \
        FIELD_##kind, offsetof(type, member), offsetof(type, other) \
    }
/* A struct as the columns of a query, in order. */
struct shape {
    const struct field *fields;
    int count;
    size_t size; /* of the struct */
};
#define SHAPE(type, table) ((struct shape){(table), (int)ARRAY_LEN(table), sizeof(type)})

#define PARAMS_MAX 24
struct params {
    struct arena *arena;
    int count;
    bool failed; /* no memory */
    Oid types[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
};
struct params params_begin(struct store_tx *tx);
void params_text(struct params *params, const char *value);
void params_bytes(struct params *params, const void *bytes, size_t length);
void params_i64(struct params *params, int64_t value);
void params_i32(struct params *params, int32_t value);
void params_bool(struct params *params, bool value);
void params_time(struct params *params, int64_t us);
/* Two parameters: project and sweep; NULL = everything. */
void params_reach(struct params *params, const struct store_reach *reach);
/* Four parameters of a listing by time and id, newest first: project, the last entry before, how many. */
void params_page(struct params *params, const char *project, int64_t after_us, const char *after_id,
                 int limit);
/* text[] */
void params_texts(struct params *params, const char *const *values, size_t count);
/* One parameter for each field of a struct. */
void params_row(struct params *params, struct shape shape, const void *row);
/* One array parameter for each field of `count` structs. */
void params_columns(struct params *params, struct shape shape, const void *rows, size_t count);

struct result {
    PGresult *pg; /* owned */
};
void result_clear(struct result *result);
int result_count(const struct result *result);
/* Rows that an INSERT, UPDATE or DELETE touched. */
int64_t result_affected(const struct result *result);
bool result_is_null(const struct result *result, int row, int column);
int64_t result_i64(const struct result *result, int row, int column);
int32_t result_i32(const struct result *result, int row, int column);
bool result_bool(const struct result *result, int row, int column);
double result_f64(const struct result *result, int row, int column);
/* Copied into the arena; NULL without memory. */
const char *result_text(const struct result *result, int row, int column, struct arena *arena);
/* Columns first_column... of one row into a struct. */
enum status result_row(const struct result *result, int row, int first_column, struct shape shape, void *out,
                       struct arena *arena, struct err *err) MUST_USE;

/* Runs a query on the transaction's connection (BEGIN and, once per connection, PREPARE in the same round
 * trip). */
enum status query_run(struct store_tx *tx, enum query query, const struct params *params,
                      struct result *result, struct err *err) MUST_USE;
/* Without rows in the answer. *affected may be NULL. */
enum status query_change(struct store_tx *tx, enum query query, const struct params *params,
                         int64_t *affected, struct err *err) MUST_USE;
/* All rows; `out` is a `struct T **`. */
enum status query_rows(struct store_tx *tx, enum query query, const struct params *params, struct shape shape,
                       void *out, size_t *count, struct err *err) MUST_USE;
/* One row; NOT_FOUND, with `what` as the text, when there is none. */
enum status query_row(struct store_tx *tx, enum query query, const struct params *params, struct shape shape,
                      void *out, const char *what, struct err *err) MUST_USE;
/* The first column of all rows; `out` in the arena. */
enum status query_texts(struct store_tx *tx, enum query query, const struct params *params, const char ***out,
                        size_t *count, struct err *err) MUST_USE;

#endif
