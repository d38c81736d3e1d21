/*
 * A real PostgreSQL for tests: one private cluster for each program (unix
 * socket, no fsync; stopped with the program, however it ends), or the server
 * of BESOM_TEST_DATABASE_URL; and one freshly migrated database for each test.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_DB_HARNESS_H
#define BESOM_TESTS_DB_HARNESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/store.h"

/* Group fixtures: start the server and make the template; stop it. */
int harness_start(void **state);
int harness_stop(void **state);

/* False on a server that is not ours to stop. */
bool harness_may_restart(void);
/* Kills the server at once, as a crash would, or lets it come up again. */
void harness_kill_server(void);
void harness_start_server(void);

struct database {
    char name[64], url[512];
    struct store *store;
};
/* Fixtures of one test: *state is a struct database. The second one's database is empty. */
int database_make(void **state);
int database_make_empty(void **state);
int database_drop(void **state);

/* Runs SQL on a connection of its own; fails the test when it fails. */
void database_execute(const char *url, const char *sql);
/* The first column of the first row as text, to be freed; "" without rows. */
char *database_text(const char *url, const char *sql);
int64_t database_number(const char *url, const char *sql);

/*
 * A session with one open transaction that the test begins and ends itself: two of them make a race with a
 * known outcome. Nothing is tried again.
 */
struct session;
struct session *session_open(struct database *database);
struct store_tx *session_tx(struct session *session);
enum status session_commit(struct session *session);
void session_rollback(struct session *session);
void session_close(struct session *session);

/* Runs `work` on another thread and returns when a session of the database waits for a lock. */
struct waiting {
    pthread_t thread;
    void (*work)(void *context);
    void *context;
};
void waiting_start(struct waiting *waiting, struct database *database, void (*work)(void *context),
                   void *context);
void waiting_join(struct waiting *waiting);

extern struct err test_err; /* for assert_ok */
#define assert_ok(expression) assert_status(STATUS_OK, expression)
#define assert_status(expected, expression) \
    check_status(expected, expression, #expression, __FILE__, __LINE__)
void check_status(enum status expected, enum status actual, const char *what, const char *file, int line);

#endif
