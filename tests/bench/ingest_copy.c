// SPDX-License-Identifier: GPL-3.0-or-later
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "tests/bench/bench.h"
#include "tests/bench/database.h"
#include "tests/bench/ingest.h"

#define ROWS_PER_COMMIT 1000
#define BATCHES_PER_COMMIT (ROWS_PER_COMMIT / INGEST_POINTS)
#define ROW_BYTES (2 + 4 + 4 + 4 + 4 + 4 + 8 + 4 + 8 + 4 + 8)
#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 */

static const char copy_statement[] = "COPY bench.points FROM STDIN (FORMAT binary)";

struct copier {
    pthread_t thread;
    PGconn *connection;
    const atomic_bool *running;
    int first_run, run_step, runs; /* its runs: first_run, first_run + run_step, ... */
    int64_t points;
    char *rows; /* owned; of one commit */
    size_t length;
};

double ingest_value(int run, int metric, int64_t step)
{
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)metric, (uint32_t)run, 0}, key[2] = {1, 2};
    uint32_t words[4];
    random_philox(counter, key, words);
    return 100.0 / (double)(step + 100) + (double)words[0] / 4294967296.0;
}

/* ---- the binary format: big-endian, each field after its length ---- */

static void put(struct copier *copier, const void *bytes, size_t length)
{
    memcpy(copier->rows + copier->length, bytes, length);
    copier->length += length;
}

static void put_u16(struct copier *copier, uint16_t value)
{
    value = htobe16(value);
    put(copier, &value, sizeof value);
}

static void put_u32(struct copier *copier, uint32_t value)
{
    value = htobe32(value);
    put(copier, &value, sizeof value);
}

static void put_u64(struct copier *copier, uint64_t value)
{
    value = htobe64(value);
    put(copier, &value, sizeof value);
}

static void put_row(struct copier *copier, int run, int metric, int64_t step, int64_t time_us)
{
    double value = ingest_value(run, metric, step);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u16(copier, 5);
    put_u32(copier, 4);
    put_u32(copier, (uint32_t)run);
    put_u32(copier, 4);
    put_u32(copier, (uint32_t)metric);
    put_u32(copier, 8);
    put_u64(copier, (uint64_t)step);
    put_u32(copier, 8);
    put_u64(copier, bits);
    put_u32(copier, 8);
    put_u64(copier, (uint64_t)(time_us - POSTGRES_EPOCH_US));
}

static void put_batch(struct copier *copier, int run, int64_t first_step)
{
    int64_t now_us = clock_wall_us(&clock_system);
    for (int metric = 0; metric < INGEST_METRICS; metric++)
        for (int64_t i = 0; i < INGEST_STEPS; i++)
            put_row(copier, run, metric, first_step + i, now_us);
}

/* ---- */

static void send_commit(const struct copier *copier)
{
    PGconn *connection = copier->connection;
    PGresult *answer = PQexec(connection, copy_statement);
    bool begun = PQresultStatus(answer) == PGRES_COPY_IN;
    PQclear(answer);
    if (!begun || PQputCopyData(connection, copier->rows, (int)copier->length) != 1 ||
        PQputCopyEnd(connection, NULL) != 1)
        bench_fail("copy", PQerrorMessage(connection));
    answer = PQgetResult(connection);
    if (PQresultStatus(answer) != PGRES_COMMAND_OK)
        bench_fail("copy", PQerrorMessage(connection));
    PQclear(answer);
    PQclear(PQgetResult(connection));
}

static void *copy_rows(void *argument)
{
    static const char header[19] = "PGCOPY\n\377\r\n"; /* the signature's zero, flags and extension */
    struct copier *copier = argument;
    int64_t batch = 0;
    while (atomic_load(copier->running)) {
        copier->length = 0;
        put(copier, header, sizeof header);
        for (int i = 0; i < BATCHES_PER_COMMIT; i++, batch++)
            put_batch(copier, copier->first_run + (int)(batch % copier->runs) * copier->run_step,
                      batch / copier->runs * INGEST_STEPS);
        put_u16(copier, UINT16_MAX); /* the end */
        send_commit(copier);
        copier->points += ROWS_PER_COMMIT;
    }
    return NULL;
}

static void make_table(PGconn *connection)
{
    database_run(connection, "CREATE SCHEMA bench");
    database_run(connection,
                 "CREATE TABLE bench.points (run_id integer NOT NULL, metric_id integer NOT NULL,"
                 " step bigint NOT NULL, value double precision NOT NULL, at timestamptz NOT NULL)");
    database_run(connection, "CREATE INDEX ON bench.points (run_id, metric_id, step)");
    database_run(connection, "CHECKPOINT");
}

static void start_copier(struct copier *copier, int number, int connections, int runs,
                         const atomic_bool *running)
{
    *copier = (struct copier){.connection = database_connect(),
                              .running = running,
                              .first_run = number,
                              .run_step = connections,
                              .runs = runs / connections,
                              .rows = malloc(64 + (size_t)ROWS_PER_COMMIT * ROW_BYTES)};
    if (copier->rows == NULL || pthread_create(&copier->thread, NULL, copy_rows, copier) != 0)
        bench_fail("copy", "a thread was not started");
}

double copy_points(int connections, int runs, int64_t ms)
{
    PGconn *connection = database_connect();
    struct copier *copiers = calloc((size_t)connections, sizeof *copiers);
    atomic_bool running = true;
    int64_t points = 0;
    if (copiers == NULL)
        bench_fail("copy", "out of memory");
    database_run(connection, "DROP SCHEMA IF EXISTS bench CASCADE");
    make_table(connection);
    int64_t begin_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < connections; i++)
        start_copier(&copiers[i], i, connections, runs, &running);
    bench_sleep_ms(ms);
    atomic_store(&running, false);
    for (int i = 0; i < connections; i++) {
        pthread_join(copiers[i].thread, NULL);
        points += copiers[i].points;
        PQfinish(copiers[i].connection);
        free(copiers[i].rows);
    }
    int64_t end_us = clock_monotonic_us(&clock_system);
    if (database_number(connection, "SELECT count(*) FROM bench.points") != points)
        bench_fail("copy", "points are missing");
    database_run(connection, "DROP SCHEMA bench CASCADE");
    PQfinish(connection);
    free(copiers);
    return (double)points * 1e6 / (double)(end_us - begin_us);
}
