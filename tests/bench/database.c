// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/database.h"

#include <stdlib.h>

#include "tests/bench/bench.h"

const char *database_url(void)
{
    const char *url = getenv("BESOM_DATABASE_URL");
    if (url == NULL || url[0] == '\0')
        bench_fail("database", "BESOM_DATABASE_URL is not set");
    return url;
}

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

PGconn *database_connect(void)
{
    PGconn *connection = PQconnectdb(database_url());
    if (PQstatus(connection) != CONNECTION_OK)
        bench_fail("database", PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    return connection;
}

void database_run(PGconn *connection, const char *statement)
{
    PGresult *answer = PQexec(connection, statement);
    ExecStatusType status = PQresultStatus(answer);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        bench_fail(statement, PQerrorMessage(connection));
    PQclear(answer);
}

int64_t database_number(PGconn *connection, const char *query)
{
    PGresult *answer = PQexec(connection, query);
    if (PQresultStatus(answer) != PGRES_TUPLES_OK || PQntuples(answer) != 1)
        bench_fail(query, PQerrorMessage(connection));
    int64_t number = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
    PQclear(answer);
    return number;
}

void database_check_durable(PGconn *connection)
{
    static const char off[] = "SELECT count(*) FROM pg_settings WHERE setting <> 'on'"
                              " AND name IN ('fsync', 'synchronous_commit', 'full_page_writes')";
    if (database_number(connection, off) != 0)
        bench_fail("database",
                   "commits are not durable (fsync, synchronous_commit or full_page_writes is off)");
}

int64_t database_pool_in_use(PGconn *connection)
{
    static const char pool[] =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'besom-controller'";
    return database_number(connection, pool);
}
