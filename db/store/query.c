// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/query.h"

#define READ_ONLY_TRANSACTION "25006"

static enum status fail(struct store_tx *tx, enum query query, const PGresult *pg, struct err *err)
{
    const char *sqlstate = pg == NULL ? NULL : PQresultErrorField(pg, PG_DIAG_SQLSTATE);
    const char *text = pg == NULL ? NULL : PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = pg == NULL ? NULL : PQresultErrorField(pg, PG_DIAG_CONSTRAINT_NAME);
    struct failure failure = sqlstate_classify(sqlstate);
    bool broken = PQstatus(tx->connection->pg) != CONNECTION_OK;
    if (tx->read_only && sqlstate != NULL && strcmp(sqlstate, READ_ONLY_TRANSACTION) == 0)
        failure = (struct failure){FAILURE_REFUSED, STATUS_INTERNAL}; /* our own, not a standby's */
    if (broken)
        failure = (struct failure){FAILURE_AWAY, STATUS_UNAVAILABLE};
    tx->failed = true;
    tx->again = failure.kind != FAILURE_REFUSED;
    tx->lost = broken || failure.kind == FAILURE_AWAY || failure.kind == FAILURE_STALE;
    if (text == NULL)
        text = PQerrorMessage(tx->connection->pg);
    return err_set(err, failure.status, "%s: %.*s%s%s%s", QUERIES[query].name, (int)strcspn(text, "\n"), text,
                   constraint == NULL ? "" : " (", constraint == NULL ? "" : constraint,
                   constraint == NULL ? "" : ")");
}

static const char *begin_statement(const struct store_tx *tx)
{
    /* Readers see one snapshot in all their queries. */
    return tx->read_only ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                         : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
}

/* What one round trip consists of, in order. */
enum part { PART_BEGIN, PART_PREPARE, PART_EXECUTE, PART_COUNT };

static bool send_parts(struct store_tx *tx, enum query query, const struct params *p, bool parts[PART_COUNT])
{
    PGconn *pg = tx->connection->pg;
    bool prepared = !tx->store->unprepared;
    parts[PART_BEGIN] = !tx->begun;
    parts[PART_PREPARE] = prepared && !tx->connection->prepared[query];
    parts[PART_EXECUTE] = true;
    if (PQenterPipelineMode(pg) != 1)
        return false;
    if (parts[PART_BEGIN] && PQsendQueryParams(pg, begin_statement(tx), 0, NULL, NULL, NULL, NULL, 1) != 1)
        return false;
    if (parts[PART_PREPARE] &&
        PQsendPrepare(pg, QUERIES[query].name, QUERIES[query].text, p->count, p->types) != 1)
        return false;
    int sent = prepared ? PQsendQueryPrepared(pg, QUERIES[query].name, p->count, p->values, p->lengths,
                                              p->formats, 1)
                        : PQsendQueryParams(pg, QUERIES[query].text, p->count, p->types, p->values,
                                            p->lengths, p->formats, 1);
    return sent == 1 && PQpipelineSync(pg) == 1;
}

static bool is_success(const PGresult *pg)
{
    ExecStatusType status = PQresultStatus(pg);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* The answer to one part, or NULL on a broken connection; reads the NULL that ends it, too. */
static PGresult *read_part(PGconn *pg)
{
    PGresult *answer = PQgetResult(pg);
    if (answer != NULL && PQresultStatus(answer) != PGRES_PIPELINE_SYNC)
        while (true) {
            PGresult *rest = PQgetResult(pg);
            if (rest == NULL)
                break;
            PQclear(rest);
        }
    return answer;
}

/* Of several failures the first tells why; parts after it were aborted. */
static enum status read_parts(struct store_tx *tx, enum query query, const bool parts[PART_COUNT],
                              struct result *result, struct err *err)
{
    enum status status = STATUS_OK;
    for (int part = 0; part < PART_COUNT; part++) {
        if (!parts[part])
            continue;
        PGresult *answer = read_part(tx->connection->pg);
        if (answer == NULL || !is_success(answer)) {
            if (status == STATUS_OK)
                status = fail(tx, query, answer, err);
        } else if (part == PART_BEGIN) {
            tx->begun = true;
        } else if (part == PART_PREPARE) {
            tx->connection->prepared[query] = true;
        } else {
            result->pg = answer;
            continue;
        }
        PQclear(answer);
        if (tx->lost)
            return status;
    }
    PQclear(read_part(tx->connection->pg)); /* the sync */
    if (PQexitPipelineMode(tx->connection->pg) != 1 && status == STATUS_OK)
        status = fail(tx, query, NULL, err);
    return status;
}

enum status query_run(struct store_tx *tx, enum query query, const struct params *params,
                      struct result *result, struct err *err)
{
    result->pg = NULL;
    if (params->failed)
        return err_set(err, STATUS_NO_MEMORY, "%s: parameters too large", QUERIES[query].name);
    if (tx->failed)
        return err_set(err, STATUS_INTERNAL, "%s: the transaction has failed already", QUERIES[query].name);
    bool parts[PART_COUNT];
    if (!send_parts(tx, query, params, parts)) {
        enum status status = fail(tx, query, NULL, err);
        tx->lost = true;
        return status;
    }
    enum status status = read_parts(tx, query, parts, result, err);
    if (status != STATUS_OK)
        result_clear(result);
    return status;
}

enum status query_change(struct store_tx *tx, enum query query, const struct params *params,
                         int64_t *affected, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    TRY(query_run(tx, query, params, &result, err));
    if (affected != NULL)
        *affected = result_affected(&result);
    return STATUS_OK;
}

enum status query_rows(struct store_tx *tx, enum query query, const struct params *params, struct shape shape,
                       void *out, size_t *count, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    TRY(query_run(tx, query, params, &result, err));
    int rows = result_count(&result);
    char *structs = arena_calloc(tx->arena, rows == 0 ? 1 : (size_t)rows, shape.size);
    if (structs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "%s: no memory for %d rows", QUERIES[query].name, rows);
    for (int row = 0; row < rows; row++)
        TRY(result_row(&result, row, 0, shape, structs + (size_t)row * shape.size, tx->arena, err));
    memcpy(out, &structs, sizeof structs);
    *count = (size_t)rows;
    return STATUS_OK;
}

enum status query_row(struct store_tx *tx, enum query query, const struct params *params, struct shape shape,
                      void *out, const char *what, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    TRY(query_run(tx, query, params, &result, err));
    if (result_count(&result) == 0)
        return err_set(err, STATUS_NOT_FOUND, "%s", what);
    memset(out, 0, shape.size);
    return result_row(&result, 0, 0, shape, out, tx->arena, err);
}

enum status query_texts(struct store_tx *tx, enum query query, const struct params *params, const char ***out,
                        size_t *count, struct err *err)
{
    static const struct field TEXT[] = {{FIELD_TEXT, 0, 0}};
    return query_rows(tx, query, params, SHAPE(const char *, TEXT), out, count, err);
}
