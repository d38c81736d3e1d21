// SPDX-License-Identifier: GPL-3.0-or-later
/* Group commit: order, splitting, answers. The "database" is a function that refuses what it is told to. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/controller/group.h"

#define ITEMS 2000
#define LANES 3
#define PROBES 5000

struct item {
    struct group_item base;
    size_t lane, number;
    bool bad;
    enum status answer;
};

struct bench {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t answered;             /* lock */
    size_t committed[LANES + 1]; /* lock; number of the next item of each lane */
    bool in_order;               /* lock */
    size_t largest, refused;     /* lock */
    size_t runs;                 /* lock */
    enum status failure;         /* what a bad item gives */
    atomic_bool closed;          /* commits wait while it is set */
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){.in_order = true, .failure = STATUS_INVALID};
    pthread_mutex_init(&bench->lock, NULL);
    clock_cond_init(&bench->changed);
}

static void bench_destroy(struct bench *bench)
{
    pthread_cond_destroy(&bench->changed);
    pthread_mutex_destroy(&bench->lock);
}

static enum status run_items(void *context, struct group_item *const *items, size_t count, struct err *err)
{
    struct bench *bench = context;
    pthread_mutex_lock(&bench->lock);
    while (atomic_load(&bench->closed))
        pthread_cond_wait(&bench->changed, &bench->lock);
    bench->largest = count > bench->largest ? count : bench->largest;
    bench->runs++;
    pthread_mutex_unlock(&bench->lock);
    for (size_t i = 0; i < count; i++)
        if (((const struct item *)(const void *)items[i])->bad)
            return err_set(err, bench->failure, "bad item");
    return STATUS_OK;
}

static void answer_item(void *context, struct group_item *base, const struct err *err)
{
    struct bench *bench = context;
    struct item *item = (struct item *)(void *)base;
    pthread_mutex_lock(&bench->lock);
    item->answer = err->code;
    bench->in_order = bench->in_order && item->number == bench->committed[item->lane];
    bench->committed[item->lane]++;
    bench->answered++;
    bench->refused += err->code != STATUS_OK;
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->lock);
}

static struct group *make_group(struct bench *bench, size_t max_items)
{
    struct err err = ERR_INIT;
    struct group *group = NULL;
    const struct group_options options = {.name = "test",
                                          .lanes = LANES,
                                          .max_items = max_items,
                                          .linger_ms = 1,
                                          .run = run_items,
                                          .answer = answer_item,
                                          .context = bench};
    assert_int_equal(group_new(&options, &group, &err), STATUS_OK);
    return group;
}

static void submit_all(struct group *group, struct item *items, size_t count)
{
    size_t numbers[LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        items[i].lane = i % LANES;
        items[i].number = numbers[i % LANES]++;
        group_submit(group, i % LANES, &items[i].base);
    }
}

static void open_bench(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    atomic_store(&bench->closed, false);
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->lock);
}

static void answers_each_in_order_of_its_lane(void **state)
{
    (void)state;
    struct bench bench;
    struct item *items = calloc(ITEMS, sizeof *items);
    bench_init(&bench);
    struct group *group = make_group(&bench, 64);
    submit_all(group, items, ITEMS);
    group_free(group);
    assert_int_equal(bench.answered, ITEMS);
    assert_true(bench.in_order);
    assert_int_equal(bench.refused, 0);
    free(items);
    bench_destroy(&bench);
}

static void refuses_only_the_culprits(void **state)
{
    (void)state;
    struct bench bench;
    struct item *items = calloc(ITEMS, sizeof *items);
    bench_init(&bench);
    for (size_t i = 0; i < ITEMS; i += 97)
        items[i].bad = true;
    atomic_store(&bench.closed, true);
    struct group *group = make_group(&bench, 256);
    submit_all(group, items, ITEMS);
    open_bench(&bench);
    group_free(group);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(items[i].answer, items[i].bad ? STATUS_INVALID : STATUS_OK);
    assert_true(bench.in_order);
    assert_true(bench.largest > 1);
    free(items);
    bench_destroy(&bench);
}

static void an_outage_is_everybodys(void **state)
{
    (void)state;
    struct bench bench;
    struct item items[3 * LANES] = {{.bad = true}};
    bench_init(&bench);
    bench.failure = STATUS_UNAVAILABLE;
    atomic_store(&bench.closed, true);
    struct group *group = make_group(&bench, 64);
    submit_all(group, items, 3 * LANES);
    open_bench(&bench);
    group_free(group);
    assert_int_equal(items[0].answer, STATUS_UNAVAILABLE);
    assert_int_equal(items[1].answer, STATUS_OK);
    bench_destroy(&bench);
}

static void *stop_group(void *group)
{
    group_stop(group);
    return NULL;
}

/* The last lane is told last: then it refuses what comes. */
static void await_stopping(struct group *group, struct item *probes)
{
    for (size_t i = 0; i < PROBES; i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        probes[i].lane = LANES;
        group_submit(group, LANES - 1, &probes[i].base);
        if (probes[i].answer != STATUS_OK)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the group does not stop");
}

/* Each try takes as long as the store is patient. */
static void the_end_does_not_wait_for_an_outage(void **state)
{
    (void)state;
    struct bench bench;
    static struct item probes[PROBES];
    struct item *items = calloc(ITEMS, sizeof *items);
    pthread_t stopping;
    bench_init(&bench);
    bench.failure = STATUS_UNAVAILABLE;
    for (size_t i = 0; i < ITEMS; i++)
        items[i].bad = true;
    atomic_store(&bench.closed, true);
    struct group *group = make_group(&bench, 4);
    submit_all(group, items, ITEMS);
    assert_int_equal(pthread_create(&stopping, NULL, stop_group, group), 0);
    await_stopping(group, probes);
    open_bench(&bench);
    pthread_join(stopping, NULL);
    group_free(group);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(items[i].answer, STATUS_UNAVAILABLE);
    assert_in_range(bench.runs, LANES, 2 * LANES);
    free(items);
    bench_destroy(&bench);
}

static void after_the_stop_nothing_is_taken(void **state)
{
    (void)state;
    struct bench bench;
    struct item item = {.lane = 0};
    bench_init(&bench);
    struct group *group = make_group(&bench, 64);
    group_stop(group);
    group_submit(group, 0, &item.base);
    assert_int_equal(item.answer, STATUS_UNAVAILABLE);
    group_free(group);
    bench_destroy(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_each_in_order_of_its_lane),
        cmocka_unit_test(refuses_only_the_culprits),
        cmocka_unit_test(an_outage_is_everybodys),
        cmocka_unit_test(the_end_does_not_wait_for_an_outage),
        cmocka_unit_test(after_the_stop_nothing_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
