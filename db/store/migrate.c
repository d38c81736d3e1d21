// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "db/store/internal.h"
#include "migrations.h"

/* Of besom's migrations, in the database's space of advisory locks. */
#define MIGRATION_LOCK "SELECT pg_advisory_lock(7251947712342019)"

/* A statement that waits for a table makes everybody wait who comes after it: a migration lets go, and tries
 * again. */
#define LOCK_WAIT "SET lock_timeout = '1s'"
#define LOCK_PAUSE_S 2

static void close_pg(PGconn **pg)
{
    PQfinish(*pg);
}

static enum status execute(PGconn *pg, const char *sql, const char *what, struct err *err)
{
    PGresult *answer = PQexec(pg, sql);
    ExecStatusType result = PQresultStatus(answer);
    enum status status = STATUS_OK;
    if (result != PGRES_COMMAND_OK && result != PGRES_TUPLES_OK)
        status = err_set(err, sqlstate_classify(PQresultErrorField(answer, PG_DIAG_SQLSTATE)).status,
                         "%s: %s", what, PQerrorMessage(pg));
    PQclear(answer);
    return status;
}

/* The number in the first row's column, or `otherwise` when there is no row or it is NULL. */
static enum status read_number(PGconn *pg, const char *sql, long otherwise, long *out, struct err *err)
{
    PGresult *answer = PQexec(pg, sql);
    enum status status = STATUS_OK;
    *out = otherwise;
    if (PQresultStatus(answer) != PGRES_TUPLES_OK)
        status = err_set(err, sqlstate_classify(PQresultErrorField(answer, PG_DIAG_SQLSTATE)).status,
                         "reading the schema's version: %s", PQerrorMessage(pg));
    else if (PQntuples(answer) > 0 && PQgetisnull(answer, 0, 0) == 0)
        *out = strtol(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return status;
}

static enum status read_version(PGconn *pg, long *version, struct err *err)
{
    long there, oldest;
    *version = 0;
    TRY(read_number(pg, "SELECT 1 WHERE to_regclass('besom.schema_info') IS NOT NULL", 0, &there, err));
    if (there == 0)
        return STATUS_OK;
    TRY(read_number(pg, "SELECT version FROM besom.schema_info", 0, version, err));
    TRY(read_number(pg, "SELECT oldest_compatible_binary FROM besom.schema_info", 0, &oldest, err));
    if (oldest > MIGRATION_COUNT)
        return err_set(
            err, STATUS_PRECONDITION,
            "the database's schema is for programs of version %ld or newer, this one is of version %d "
            "(install a newer release)",
            oldest, MIGRATION_COUNT);
    return STATUS_OK;
}

static enum status note(PGconn *pg, const struct migration *migration, struct err *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", migration->number);
    const char *values[] = {number, migration->name};
    static const char *const STATEMENTS[] = {
        "INSERT INTO besom.migrations (number, name) VALUES ($1::integer, $2::text)",
        "UPDATE besom.schema_info SET version = $1::integer WHERE $2::text IS NOT NULL",
    };
    for (size_t i = 0; i < ARRAY_LEN(STATEMENTS); i++) {
        PGresult *answer = PQexecParams(pg, STATEMENTS[i], 2, NULL, values, NULL, NULL, 0);
        bool done = PQresultStatus(answer) == PGRES_COMMAND_OK;
        PQclear(answer);
        if (!done)
            return err_set(err, STATUS_INTERNAL, "migration %d: %s", migration->number, PQerrorMessage(pg));
    }
    return STATUS_OK;
}

/* CONFLICT: a lock was not to be had; any other conflict is a defect of the migration. */
static enum status execute_migration(PGconn *pg, const struct migration *migration, struct err *err)
{
    PGresult *answer = PQexec(pg, migration->text);
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    ExecStatusType result = PQresultStatus(answer);
    enum status status = STATUS_OK;
    if (result != PGRES_COMMAND_OK && result != PGRES_TUPLES_OK) {
        bool is_lock = state != NULL && (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0);
        status = is_lock ? STATUS_CONFLICT : sqlstate_classify(state).status;
        status = status == STATUS_CONFLICT && !is_lock ? STATUS_INTERNAL : status;
        status = err_set(err, status, "%s: %s", migration->name, PQerrorMessage(pg));
    }
    PQclear(answer);
    return status;
}

static enum status try_to_apply(PGconn *pg, const struct migration *migration, struct err *err)
{
    TRY(execute(pg, "BEGIN", "migrate", err));
    TRY(execute_migration(pg, migration, err));
    TRY(note(pg, migration, err));
    return execute(pg, "COMMIT", migration->name, err);
}

static enum status apply(PGconn *pg, const struct migration *migration, struct err *err)
{
    const struct timespec pause = {.tv_sec = LOCK_PAUSE_S};
    enum status status = try_to_apply(pg, migration, err);
    while (status == STATUS_CONFLICT) {
        log_warn("store", "migration_waits", LOG_TEXT("name", migration->name), LOG_ERR(err));
        TRY(execute(pg, "ROLLBACK", "migrate", err));
        (void)nanosleep(&pause, NULL);
        status = try_to_apply(pg, migration, err);
    }
    TRY(status);
    log_info("store", "migration_applied", LOG_INT("number", migration->number),
             LOG_TEXT("name", migration->name));
    return STATUS_OK;
}

enum status store_migrate(const char *url, int *applied, struct err *err)
{
    *applied = 0;
    TRY(connection_check_url(url, err));
    enum status status;
    CLEANUP(close_pg) PGconn *pg = connection_open(url, "besom migrate", &status, err);
    if (pg == NULL)
        return status;
    /* Another migration may take its time, and so may this one. */
    TRY(execute(pg, "SET lock_timeout = 0; SET statement_timeout = 0; SET enable_seqscan = on", "migrate",
                err));
    /* The lock goes with the session. */
    TRY(execute(pg, MIGRATION_LOCK, "waiting for another migration", err));
    TRY(execute(pg, LOCK_WAIT, "migrate", err));
    long version;
    TRY(read_version(pg, &version, err));
    for (int i = 0; i < MIGRATION_COUNT; i++) {
        if (MIGRATIONS[i].number <= version)
            continue;
        TRY(apply(pg, &MIGRATIONS[i], err));
        (*applied)++;
    }
    return STATUS_OK;
}
