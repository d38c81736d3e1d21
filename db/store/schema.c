// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/query.h"
#include "migrations.h"

struct schema_row {
    int32_t version, oldest_compatible_binary;
};

static enum status read_schema(struct store_tx *tx, void *context, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I32, struct schema_row, version),
        FIELD(I32, struct schema_row, oldest_compatible_binary),
    };
    struct params params = params_begin(tx);
    return query_row(tx, QUERY_GET_SCHEMA, &params, SHAPE(struct schema_row, FIELDS), context, "no schema",
                     err);
}

enum status store_check_schema(struct store *store, struct err *err)
{
    CLEANUP(arena_free) struct arena arena = arena_make(0);
    struct schema_row row = {0};
    enum status status = store_read(store, &arena, read_schema, &row, err);
    if (status == STATUS_PRECONDITION || status == STATUS_NOT_FOUND)
        return err_set(err, STATUS_PRECONDITION,
                       "the database has no besom schema (run besom-controller migrate)");
    TRY(status);
    if (row.version < MIGRATION_COUNT)
        return err_set(
            err, STATUS_PRECONDITION,
            "the database's schema is at version %d, this program needs %d (run besom-controller migrate)",
            (int)row.version, MIGRATION_COUNT);
    if (row.oldest_compatible_binary > MIGRATION_COUNT)
        return err_set(
            err, STATUS_PRECONDITION,
            "the database's schema is for programs of version %d or newer, this one is of version %d "
            "(install a newer release)",
            (int)row.oldest_compatible_binary, MIGRATION_COUNT);
    return STATUS_OK;
}

enum status store_get_constraint(struct store_tx *tx, const char *name, const char **definition,
                                 struct err *err)
{
    static const struct field FIELDS[] = {{FIELD_TEXT, 0, 0}};
    struct params params = params_begin(tx);
    params_text(&params, name);
    return query_row(tx, QUERY_GET_CONSTRAINT, &params, SHAPE(const char *, FIELDS), definition,
                     "no such constraint", err);
}
