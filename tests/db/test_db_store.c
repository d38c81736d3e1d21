// SPDX-License-Identifier: GPL-3.0-or-later
#include <libpq-fe.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/store/internal.h"
#include "fixture.h"

static struct store *open_store(struct database *database, struct store_options options)
{
    struct store *store;
    if (options.url == NULL)
        options.url = database->url;
    assert_ok(store_open(&options, &store, &test_err));
    return store;
}

/* What a transaction of these tests does, and what it saw. */
struct step {
    struct database *database;
    const char *sql; /* run on another connection before the first query of the first try */
    sem_t *started, *go;
    int tries, pid_changes;
    int64_t uptime_ms, now_us;
    enum status status;
};

static enum status look(struct store_tx *tx, void *context, struct err *err)
{
    struct step *step = context;
    step->tries++;
    TRY(store_get_uptime(tx, &step->uptime_ms, &step->now_us, err));
    if (step->started != NULL) {
        sem_post(step->started);
        sem_wait(step->go);
    }
    return STATUS_OK;
}

static void *hold(void *context)
{
    struct step *step = context;
    struct arena arena = arena_make(0);
    step->status = store_transaction(step->database->store, &arena, look, step, NULL);
    arena_free(&arena);
    return NULL;
}

static void malformed_urls_are_refused(void **state)
{
    (void)state;
    struct store *store;
    struct store_options options = {.url = "host='unfinished"};
    assert_status(STATUS_INVALID, store_open(&options, &store, &test_err));
    assert_non_null(strstr(test_err.text, "malformed"));
}

static void an_absent_database_is_unavailable(void **state)
{
    (void)state;
    struct store *store;
    struct store_options options = {.url = "host=/nonexistent dbname=x", .retry_ms = 100};
    struct step step = {0};
    struct arena arena = arena_make(0);
    assert_ok(store_open(&options, &store, &test_err));
    assert_status(STATUS_UNAVAILABLE, store_transaction(store, &arena, look, &step, &test_err));
    assert_int_equal(step.tries, 0);
    assert_true(store_stats(store).retries > 1);
    assert_int_equal(store_stats(store).busy, 0);
    arena_free(&arena);
    store_close(store);
}

struct observed {
    int waits, reads, writes, failures;
};

static void note_wait(void *context, int64_t wait_us)
{
    assert_true(wait_us >= 0);
    ((struct observed *)context)->waits++;
}

static void note_done(void *context, bool read_only, enum status status, int64_t duration_us)
{
    struct observed *observed = context;
    assert_true(duration_us > 0);
    *(read_only ? &observed->reads : &observed->writes) += 1;
    observed->failures += status != STATUS_OK;
}

static void an_observer_is_told_of_each_transaction(void **state)
{
    struct observed observed = {0};
    struct step step = {0};
    struct arena arena = arena_make(0);
    struct store *store = open_store(
        *state, (struct store_options){.pool_size = 3, .observer = {note_wait, note_done, &observed}});
    assert_ok(store_transaction(store, &arena, look, &step, &test_err));
    assert_ok(store_read(store, &arena, look, &step, &test_err));
    assert_ok(store_read(store, &arena, look, &step, &test_err));
    assert_int_equal(observed.waits, 3);
    assert_int_equal(observed.reads, 2);
    assert_int_equal(observed.writes, 1);
    assert_int_equal(observed.failures, 0);
    assert_int_equal(store_stats(store).connected, 1);
    assert_int_equal(store_stats(store).size, 3);
    store_close(store);
    arena_free(&arena);
}

static void a_full_pool_refuses_after_the_wait(void **state)
{
    struct database *database = *state;
    struct database other = *database;
    sem_t started, go;
    struct step holder = {.database = &other, .started = &started, .go = &go}, waiter = {0};
    struct arena arena = arena_make(0);
    pthread_t thread;
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    other.store = open_store(database, (struct store_options){.pool_size = 1, .wait_ms = 50});
    pthread_create(&thread, NULL, hold, &holder);
    sem_wait(&started);
    assert_status(STATUS_EXHAUSTED, store_transaction(other.store, &arena, look, &waiter, &test_err));
    assert_int_equal(store_stats(other.store).open, 1);
    sem_post(&go);
    pthread_join(thread, NULL);
    assert_ok(holder.status);
    assert_ok(store_transaction(other.store, &arena, look, &waiter, &test_err));
    arena_free(&arena);
    store_close(other.store);
}

#define CROWD 12

static void waiters_are_served_within_the_pool(void **state)
{
    struct database *database = *state;
    struct database other = *database;
    pthread_t threads[CROWD];
    struct step steps[CROWD];
    other.store = open_store(database, (struct store_options){.pool_size = 2, .application_name = "crowd"});
    for (int i = 0; i < CROWD; i++) {
        steps[i] = (struct step){.database = &other};
        pthread_create(&threads[i], NULL, hold, &steps[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(steps[i].status);
    }
    assert_true(database_number(database->url,
                                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd'") <=
                2);
    assert_int_equal(store_stats(other.store).transactions, CROWD);
    store_close(other.store);
}

static void a_refused_session_leaves_the_others(void **state)
{
    struct database *database = *state;
    struct database few = *database;
    sem_t started, go;
    struct step holder = {.database = &few, .started = &started, .go = &go}, next = {0};
    struct arena arena = arena_make(0);
    pthread_t thread;
    char url[sizeof database->url + 16];
    static const char session[] = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE usename = 'few'";
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    database_execute(database->url, "CREATE ROLE few LOGIN CONNECTION LIMIT 1");
    snprintf(url, sizeof url, "%s user=few", database->url);
    few.store = open_store(database, (struct store_options){.url = url, .pool_size = 2, .retry_ms = 50});
    pthread_create(&thread, NULL, hold, &holder);
    sem_wait(&started);
    int64_t pid = database_number(database->url, session);
    assert_status(STATUS_UNAVAILABLE, store_transaction(few.store, &arena, look, &next, &test_err));
    sem_post(&go);
    pthread_join(thread, NULL);
    assert_ok(store_transaction(few.store, &arena, look, &next, &test_err));
    assert_int_equal(database_number(database->url, session), pid);
    arena_free(&arena);
    store_close(few.store);
    database_execute(database->url, "DROP ROLE few");
}

static void a_killed_session_is_replaced_at_once(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    struct step step = {0};
    assert_ok(store_transaction(database->store, &arena, look, &step, &test_err));
    database_execute(database->url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE application_name = 'test' AND datname = current_database()");
    step.tries = 0;
    assert_ok(store_transaction(database->store, &arena, look, &step, &test_err));
    assert_true(step.tries <= 2);
    arena_free(&arena);
}

static enum status kill_and_look(struct store_tx *tx, void *context, struct err *err)
{
    struct step *step = context;
    step->tries++;
    TRY(store_get_uptime(tx, &step->uptime_ms, &step->now_us, err));
    if (step->tries == 1)
        database_execute(step->database->url,
                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE application_name = 'test' AND datname = current_database()");
    return store_get_uptime(tx, &step->uptime_ms, &step->now_us, err);
}

static void a_transaction_is_run_again_when_its_session_dies(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    struct step step = {.database = database};
    assert_ok(store_transaction(database->store, &arena, kill_and_look, &step, &test_err));
    assert_int_equal(step.tries, 2);
    assert_int_equal(store_stats(database->store).retries, 1);
    arena_free(&arena);
}

static void a_restart_is_survived(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    struct step step = {.database = database};
    pthread_t threads[4];
    struct step steps[4];
    if (!harness_may_restart())
        skip();
    for (int i = 0; i < 4; i++) {
        steps[i] = (struct step){.database = database};
        pthread_create(&threads[i], NULL, hold, &steps[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    harness_kill_server();
    pthread_create(&threads[0], NULL, hold, &step);
    harness_start_server();
    pthread_join(threads[0], NULL);
    assert_ok(step.status);
    /* Sessions from before the restart are known to be gone. */
    uint64_t retries = store_stats(database->store).retries;
    for (int i = 0; i < 4; i++)
        assert_ok(store_transaction(database->store, &arena, look, &step, &test_err));
    assert_true(store_stats(database->store).retries - retries <= 1);
    arena_free(&arena);
}

/* Two transactions that lock two sweeps the other way round. */
struct crossing {
    struct database *database;
    pthread_t thread;
    pthread_barrier_t *barrier;
    const char *first, *second;
    int tries;
    enum status status;
};

static enum status cross(struct store_tx *tx, void *context, struct err *err)
{
    struct crossing *crossing = context;
    struct store_sweep sweep;
    crossing->tries++;
    TRY(store_get_sweep(tx, crossing->first, true, &sweep, err));
    if (crossing->tries == 1)
        pthread_barrier_wait(crossing->barrier);
    return store_get_sweep(tx, crossing->second, true, &sweep, err);
}

static void *run_crossing(void *context)
{
    struct crossing *crossing = context;
    struct arena arena = arena_make(0);
    crossing->status = store_transaction(crossing->database->store, &arena, cross, crossing, NULL);
    arena_free(&arena);
    return NULL;
}

static void a_deadlock_is_tried_again(void **state)
{
    struct database *database = *state;
    pthread_barrier_t barrier;
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep00a"});
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep00b"});
    pthread_barrier_init(&barrier, NULL, 2);
    struct crossing a = {
        .database = database, .barrier = &barrier, .first = "sweep00a", .second = "sweep00b"};
    struct crossing b = {
        .database = database, .barrier = &barrier, .first = "sweep00b", .second = "sweep00a"};
    pthread_create(&a.thread, NULL, run_crossing, &a);
    pthread_create(&b.thread, NULL, run_crossing, &b);
    pthread_join(a.thread, NULL);
    pthread_join(b.thread, NULL);
    assert_ok(a.status);
    assert_ok(b.status);
    assert_true(a.tries + b.tries >= 3); /* the victim may cross the other once more */
    pthread_barrier_destroy(&barrier);
}

static enum status refuse(struct store_tx *tx, void *context, struct err *err)
{
    int *tries = context;
    ++*tries;
    TRY(store_add_event(tx, "nosweep0", "test", "me", "", "", err));
    return err_set(err, STATUS_CONFLICT, "a domain's conflict is the caller's");
}

static enum status ignore_a_failure(struct store_tx *tx, void *context, struct err *err)
{
    (void)context;
    struct store_agent agent = {.sweep_id = "nosweep0", .agent_id = "a", .host = "h"};
    (void)!store_register_agent(tx, &agent, err);
    return STATUS_OK;
}

static void refused_work_leaves_nothing(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    int tries = 0;
    assert_status(STATUS_CONFLICT, store_transaction(database->store, &arena, refuse, &tries, &test_err));
    assert_int_equal(tries, 1);
    assert_status(STATUS_INTERNAL,
                  store_transaction(database->store, &arena, ignore_a_failure, NULL, &test_err));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.events"), 0);
    arena_free(&arena);
}

static void readers_cannot_write(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    int tries = 0;
    assert_status(STATUS_INTERNAL, store_read(database->store, &arena, refuse, &tries, &test_err));
    assert_int_equal(tries, 1);
    arena_free(&arena);
}

static enum status claim_all(struct store_tx *tx, void *context, struct err *err)
{
    int *claimed = context;
    for (int i = 0; i < 5; i++) {
        struct store_claim_key key = {.agent_id = "agent0", .slot = i, .counter = 1};
        struct store_claim claim;
        struct store_claim_sweep sweep;
        TRY(store_claim_runs(tx, SWEEP, &key, 1, LEASE_MS, &claim, &sweep, err));
        *claimed += claim.verdict == STORE_CLAIM_RUN;
    }
    return STATUS_OK;
}

static void unprepared_works_alike(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    struct store *store = open_store(database, (struct store_options){.unprepared = true, .pool_size = 1});
    int claimed = 0;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 1});
    assert_ok(store_transaction(store, &arena, claim_all, &claimed, &test_err));
    assert_int_equal(claimed, 5);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.leases"), 5);
    store_close(store);
    arena_free(&arena);
}

struct heard {
    int count;
    char last[64];
};

static void note(void *context, const char *payload)
{
    struct heard *heard = context;
    heard->count++;
    snprintf(heard->last, sizeof heard->last, "%s", payload);
}

static void *interrupt(void *context)
{
    store_listener_interrupt(context);
    return NULL;
}

static void wake_ups_are_heard(void **state)
{
    struct database *database = *state;
    struct store_listener *listener;
    struct heard heard = {0};
    bool reconnected;
    assert_ok(store_listener_new(database->url, &listener, &test_err));
    assert_ok(store_listener_wait(listener, 1000, note, &heard, &reconnected, &test_err));
    assert_true(reconnected);
    assert_ok(store_wake(database->store, "sweep001", &test_err));
    assert_ok(store_listener_wait(listener, 20000, note, &heard, &reconnected, &test_err));
    assert_false(reconnected);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.last, "sweep001");
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt, listener);
    int64_t start_ms = clock_monotonic_ms(&clock_system);
    assert_ok(store_listener_wait(listener, 60000, note, &heard, &reconnected, &test_err));
    assert_true(clock_monotonic_ms(&clock_system) - start_ms < 30000);
    pthread_join(thread, NULL);
    assert_ok(store_listener_wait(listener, 0, note, &heard, &reconnected, &test_err));
    assert_int_equal(heard.count, 1);
    store_listener_free(listener);
}

static void a_lost_listener_says_so_and_comes_back(void **state)
{
    struct database *database = *state;
    struct store_listener *listener;
    struct heard heard = {0};
    bool reconnected;
    assert_ok(store_listener_new(database->url, &listener, &test_err));
    assert_ok(store_listener_wait(listener, 1000, note, &heard, &reconnected, &test_err));
    database_execute(database->url,
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'besom listener' AND datname = current_database()");
    assert_status(STATUS_UNAVAILABLE,
                  store_listener_wait(listener, 60000, note, &heard, &reconnected, &test_err));
    assert_ok(store_listener_wait(listener, 1000, note, &heard, &reconnected, &test_err));
    assert_true(reconnected);
    char *long_payload = calloc(1, 8001);
    memset(long_payload, 'x', 8000);
    assert_status(STATUS_INVALID, store_wake(database->store, long_payload, &test_err));
    free(long_payload);
    store_listener_free(listener);
}

static void codes_mean_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        enum status status;
        enum failure_kind kind;
    } CODES[] = {
        {"40001", STATUS_CONFLICT, FAILURE_CONFLICT},    {"40P01", STATUS_CONFLICT, FAILURE_CONFLICT},
        {"23505", STATUS_CONFLICT, FAILURE_CONFLICT},    {"08006", STATUS_UNAVAILABLE, FAILURE_AWAY},
        {"57P01", STATUS_UNAVAILABLE, FAILURE_AWAY},     {"57P03", STATUS_UNAVAILABLE, FAILURE_AWAY},
        {"53300", STATUS_UNAVAILABLE, FAILURE_AWAY},     {"22P02", STATUS_INVALID, FAILURE_REFUSED},
        {"23514", STATUS_INVALID, FAILURE_REFUSED},      {"23503", STATUS_NOT_FOUND, FAILURE_REFUSED},
        {"26000", STATUS_UNAVAILABLE, FAILURE_STALE},    {"42601", STATUS_INTERNAL, FAILURE_REFUSED},
        {"42P01", STATUS_PRECONDITION, FAILURE_REFUSED}, {NULL, STATUS_UNAVAILABLE, FAILURE_AWAY},
    };
    for (size_t i = 0; i < ARRAY_LEN(CODES); i++) {
        struct failure failure = sqlstate_classify(CODES[i].code);
        assert_int_equal(failure.status, CODES[i].status);
        assert_int_equal(failure.kind, CODES[i].kind);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_urls_are_refused),
        cmocka_unit_test(an_absent_database_is_unavailable),
        cmocka_unit_test(codes_mean_what_they_say),
        CASE(an_observer_is_told_of_each_transaction),
        CASE(a_full_pool_refuses_after_the_wait),
        CASE(waiters_are_served_within_the_pool),
        CASE(a_refused_session_leaves_the_others),
        CASE(a_killed_session_is_replaced_at_once),
        CASE(a_transaction_is_run_again_when_its_session_dies),
        CASE(a_restart_is_survived),
        CASE(a_deadlock_is_tried_again),
        CASE(refused_work_leaves_nothing),
        CASE(readers_cannot_write),
        CASE(unprepared_works_alike),
        CASE(wake_ups_are_heard),
        CASE(a_lost_listener_says_so_and_comes_back),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
