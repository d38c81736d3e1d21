/*
 * The database side of the benchmarks, straight through libpq: the limit that
 * the services are measured against. BESOM_DATABASE_URL names the database.
 * A failure ends the process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_DATABASE_H
#define BESOM_TESTS_BENCH_DATABASE_H

#include <libpq-fe.h>
#include <stdint.h>

/* BESOM_DATABASE_URL. */
const char *database_url(void);
PGconn *database_connect(void);
void database_run(PGconn *connection, const char *statement);
/* The single number that a query gives. */
int64_t database_number(PGconn *connection, const char *query);
/* Fails unless commits of this database are durable: fsync, synchronous_commit and full_page_writes are on.
 */
void database_check_durable(PGconn *connection);
/* Connections that the controllers' pools hold (their listeners apart). */
int64_t database_pool_in_use(PGconn *connection);

#endif
