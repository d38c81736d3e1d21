// SPDX-License-Identifier: GPL-3.0-or-later
#include "harness.h"

#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/store/internal.h"

#define TRIES 3000
#define PAUSE_NS 5000000L

struct err test_err;

static char cluster[64];     /* "" = a server that is not ours */
static char binaries[256];   /* of PostgreSQL */
static char server_url[512]; /* without a database */
static pid_t server;
static int databases;

static void pause_briefly(void)
{
    struct timespec pause = {.tv_sec = 0, .tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
}

void check_status(enum status expected, enum status actual, const char *what, const char *file, int line)
{
    if (expected == actual)
        return;
    print_error("%s:%d: %s is %s (%s), not %s\n", file, line, what, status_info(actual)->name, test_err.text,
                status_info(expected)->name);
    fail();
}

static void find_binaries(void)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0 && found.gl_pathc > 0)
        snprintf(binaries, sizeof binaries, "%s/", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

/* In a child: PostgreSQL refuses root. The server goes when the test does. */
static void become_plain_user(void)
{
    const struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && (user == NULL || initgroups(user->pw_name, user->pw_gid) != 0 ||
                           setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t start(const char *program, char *const arguments[])
{
    char path[512], log[128];
    snprintf(path, sizeof path, "%s%s", binaries, program);
    snprintf(log, sizeof log, "%s/log", cluster);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    become_plain_user();
    if (freopen(log, "a", stdout) == NULL || freopen(log, "a", stderr) == NULL)
        _exit(126);
    execvp(path, arguments);
    _exit(127);
}

static void make_cluster(void)
{
    snprintf(cluster, sizeof cluster, "/tmp/besom-test-db-XXXXXX");
    assert_non_null(mkdtemp(cluster));
    const struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && user != NULL)
        assert_int_equal(chown(cluster, user->pw_uid, user->pw_gid), 0);
    char data[128];
    snprintf(data, sizeof data, "%s/data", cluster);
    char *arguments[] = {"initdb", "-D", data, "-U",   "postgres",   "-A",
                         "trust",  "-N", "-E", "UTF8", "--locale=C", NULL};
    int status;
    assert_int_equal(waitpid(start("initdb", arguments), &status, 0) > 0, 1);
    assert_int_equal(status, 0);
}

void harness_start_server(void)
{
    char data[128], sockets[160], url[600];
    snprintf(data, sizeof data, "%s/data", cluster);
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", cluster);
    char *arguments[] = {"postgres",
                         "-D",
                         data,
                         "-c",
                         sockets,
                         "-c",
                         "listen_addresses=",
                         "-c",
                         "fsync=off",
                         "-c",
                         "max_connections=60",
                         "-c",
                         "shared_buffers=32MB",
                         "-c",
                         "deadlock_timeout=100ms",
                         NULL};
    server = start("postgres", arguments);
    snprintf(url, sizeof url, "%s dbname=postgres", server_url);
    for (int i = 0; i < TRIES; i++) {
        if (PQping(url) == PQPING_OK)
            return;
        pause_briefly();
        /* It refuses to start while a session of its predecessor is still there. */
        if (waitpid(server, NULL, WNOHANG) != 0)
            server = start("postgres", arguments);
    }
    fail_msg("the server does not come up");
}

static void signal_server(int number)
{
    if (server <= 0)
        return;
    kill(server, number);
    waitpid(server, NULL, 0);
    server = 0;
}

void harness_kill_server(void)
{
    signal_server(SIGQUIT);
}

bool harness_may_restart(void)
{
    return cluster[0] != '\0';
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static void remove_cluster(void)
{
    signal_server(SIGQUIT);
    if (cluster[0] != '\0')
        nftw(cluster, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    cluster[0] = '\0';
}

static void make_url(char *out, size_t size, const char *database)
{
    if (cluster[0] != '\0')
        snprintf(out, size, "%s dbname=%s", server_url, database);
    else
        snprintf(out, size, "%s%cdbname=%s", server_url, strchr(server_url, '?') == NULL ? '?' : '&',
                 database);
}

int harness_start(void **state)
{
    (void)state;
    const char *given = getenv("BESOM_TEST_DATABASE_URL");
    int applied;
    char url[600];
    if (given != NULL && given[0] != '\0') {
        snprintf(server_url, sizeof server_url, "%s", given);
    } else {
        find_binaries();
        atexit(remove_cluster);
        make_cluster();
        snprintf(server_url, sizeof server_url, "host=%s user=postgres", cluster);
        harness_start_server();
    }
    make_url(url, sizeof url, "postgres");
    if (database_number(url, "SELECT count(*) FROM pg_database WHERE datname = 'besom_test_template'") == 0)
        database_execute(url, "CREATE DATABASE besom_test_template");
    make_url(url, sizeof url, "besom_test_template");
    return store_migrate(url, &applied, &test_err) == STATUS_OK ? 0 : -1;
}

int harness_stop(void **state)
{
    (void)state;
    remove_cluster();
    return 0;
}

static struct database *make(const char *template)
{
    struct database *database = calloc(1, sizeof *database);
    char admin[600], sql[256];
    assert_non_null(database);
    snprintf(database->name, sizeof database->name, "besom_test_%d_%d", (int)getpid(), ++databases);
    make_url(admin, sizeof admin, "postgres");
    make_url(database->url, sizeof database->url, database->name);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE %s", database->name, template);
    database_execute(admin, sql);
    struct store_options options = {
        .url = database->url, .application_name = "test", .pool_size = 8, .retry_ms = 10000};
    assert_ok(store_open(&options, &database->store, &test_err));
    return database;
}

int database_make(void **state)
{
    *state = make("besom_test_template");
    return 0;
}

int database_make_empty(void **state)
{
    *state = make("template0");
    return 0;
}

int database_drop(void **state)
{
    struct database *database = *state;
    char admin[600], sql[256];
    store_close(database->store);
    make_url(admin, sizeof admin, "postgres");
    snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", database->name);
    database_execute(admin, sql);
    free(database);
    return 0;
}

char *database_text(const char *url, const char *sql)
{
    PGconn *pg = PQconnectdb(url);
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        print_error("%s: %s\n", sql, PQerrorMessage(pg));
    assert_true(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    char *text = strdup(PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(pg);
    return text;
}

void database_execute(const char *url, const char *sql)
{
    free(database_text(url, sql));
}

int64_t database_number(const char *url, const char *sql)
{
    char *text = database_text(url, sql);
    int64_t number = strtoll(text, NULL, 10);
    free(text);
    return number;
}

struct session {
    struct connection connection;
    struct arena arena;
    struct store_tx tx;
};

struct session *session_open(struct database *database)
{
    struct session *session = calloc(1, sizeof *session);
    enum status status;
    assert_non_null(session);
    session->connection.pg = connection_open(database->url, "session", &status, &test_err);
    assert_non_null(session->connection.pg);
    session->tx = (struct store_tx){
        .store = database->store, .connection = &session->connection, .arena = &session->arena};
    return session;
}

struct store_tx *session_tx(struct session *session)
{
    return &session->tx;
}

static enum status end(struct session *session, const char *statement)
{
    PGresult *result = PQexec(session->connection.pg, statement);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), statement) == 0;
    PQclear(result);
    session->tx.begun = session->tx.failed = session->tx.again = session->tx.lost = false;
    return done ? STATUS_OK : STATUS_CONFLICT;
}

enum status session_commit(struct session *session)
{
    return end(session, "COMMIT");
}

void session_rollback(struct session *session)
{
    (void)end(session, "ROLLBACK");
}

void session_close(struct session *session)
{
    connection_close(&session->connection);
    arena_free(&session->arena);
    free(session);
}

static void *run_waiting(void *context)
{
    struct waiting *waiting = context;
    waiting->work(waiting->context);
    return NULL;
}

void waiting_start(struct waiting *waiting, struct database *database, void (*work)(void *context),
                   void *context)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND wait_event_type = 'Lock'",
             database->name);
    waiting->work = work;
    waiting->context = context;
    assert_int_equal(pthread_create(&waiting->thread, NULL, run_waiting, waiting), 0);
    for (int i = 0; i < TRIES; i++) {
        if (database_number(database->url, sql) > 0)
            return;
        pause_briefly();
    }
    fail_msg("nothing waits for a lock");
}

void waiting_join(struct waiting *waiting)
{
    pthread_join(waiting->thread, NULL);
}
