// SPDX-License-Identifier: GPL-3.0-or-later
/* A database that is away for longer than anybody waits, and then back. */
#include "controller_fixture.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "services/common/service.h"

#define CALLS 60
#define LOST_AFTER_MS 3000
#define AWAY_MS 4000

static struct served served;

/* ---- many calls ---- */

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, unavailable; /* lock */
};

static struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count_answer(void *context, const void *response, const besom_error *error)
{
    (void)context;
    (void)response;
    pthread_mutex_lock(&tally.lock);
    tally.done++;
    tally.unavailable += error->code == BESOM_UNAVAILABLE;
    pthread_cond_broadcast(&tally.changed);
    pthread_mutex_unlock(&tally.lock);
}

static void ask_for_sweep(void)
{
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    request.sweep_id = SWEEP;
    besom_call_free(besom_sweep_get_async(served.client, &request, 60000, count_answer, NULL));
}

static void await_answers(int count)
{
    pthread_mutex_lock(&tally.lock);
    while (tally.done < count)
        pthread_cond_wait(&tally.changed, &tally.lock);
    pthread_mutex_unlock(&tally.lock);
}

static bool sweep_is_readable(void)
{
    pthread_mutex_lock(&tally.lock);
    tally.done = tally.unavailable = 0;
    pthread_mutex_unlock(&tally.lock);
    ask_for_sweep();
    await_answers(1);
    return tally.unavailable == 0;
}

static int64_t check_health_ms(void)
{
    const char *addresses[] = {served.address};
    const struct service_options options = {.listen = {.items = addresses, .count = 1}};
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    assert_ok(service_check_health(&options, &test_err));
    return clock_monotonic_ms(&clock_system) - begin_ms;
}

/* Two thirds of the calls are never kept waiting, and whoever asks whether the process lives is answered. */
static void an_outage_leaves_workers_free(void **state)
{
    struct database *database = *state;
    served_start(&served, database, 0, (struct controller_options){.lease_ms = 0});
    assert_true(sweep_is_readable());
    database_cut(database);
    assert_false(sweep_is_readable());
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    tally.done = tally.unavailable = 0;
    for (int i = 0; i < CALLS; i++)
        ask_for_sweep();
    assert_true(check_health_ms() < 3000);
    await_answers(CALLS);
    assert_int_equal(tally.unavailable, CALLS);
    assert_true(clock_monotonic_ms(&clock_system) - begin_ms < CALLS / WORKERS * 1000 / 3);
    database_mend(database);
    while (!sweep_is_readable())
        continue;
    served_stop(&served);
}

/* ---- leases ---- */

static void wait_ms(int64_t ms)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + ms;
    while (clock_monotonic_ms(&clock_system) < end_ms) {
        const struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
    }
}

static int64_t now_ms(struct database *database)
{
    return database_number(database->url, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
}

/* Nobody could renew anything while the database was away: silence counts from its return. */
static void an_outage_loses_no_run(void **state)
{
    struct database *database = *state;
    char run_id[9];
    served_start(
        &served, database, 1,
        (struct controller_options){.lease_ms = 200, .renew_ms = 100, .lost_after_ms = LOST_AFTER_MS});
    served_acquire(&served, 0, run_id);
    struct line line;
    line_open(&line, &served, run_id);
    wait_ms(LOST_AFTER_MS); /* so that it has been up for long */
    line_send_alive(&line);
    line_await(&line, &line.acks, 1);
    database_cut(database);
    wait_ms(AWAY_MS);
    database_mend(database);
    int64_t back_ms = now_ms(database);
    await_number(database, "SELECT count(*) FROM besom.run_attempts WHERE end_reason = 'lost'", 1);
    int64_t lost_ms = database_number(
        database->url, "SELECT (extract(epoch FROM ended_at) * 1000)::bigint FROM besom.run_attempts");
    assert_true(lost_ms - back_ms >= LOST_AFTER_MS - 100);
    line_free(&line);
    served_stop(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_outage_leaves_workers_free, database_make, database_drop),
        cmocka_unit_test_setup_teardown(an_outage_loses_no_run, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
