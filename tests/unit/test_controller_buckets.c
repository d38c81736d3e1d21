// SPDX-License-Identifier: GPL-3.0-or-later
/* Buckets: how many, of which points, whatever comes as figures and what as points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "services/controller/buckets.h"

static uint64_t draw(uint64_t seed, uint64_t i)
{
    return random_draw_u64(seed, i, "test_controller_buckets", 0);
}

/* Steps first... with values that are their negatives. */
static struct pack_columns make_points(int64_t first, size_t count)
{
    struct pack_columns columns = {malloc(count * sizeof(int64_t)), malloc(count * sizeof(double)), NULL,
                                   count};
    for (size_t i = 0; i < count; i++) {
        columns.steps[i] = first + (int64_t)i;
        columns.values[i] = (double)-columns.steps[i];
    }
    return columns;
}

static void add_points(struct buckets *buckets, int64_t first, size_t count)
{
    struct pack_columns columns = make_points(first, count);
    buckets_add_points(buckets, &columns);
    free(columns.steps);
    free(columns.values);
}

static void add_sum(struct buckets *buckets, int64_t first, int64_t count)
{
    double last = (double)-(first + count - 1);
    buckets_add_sum(buckets,
                    &(struct points_sum){count, first, first + count - 1, last, (double)-first, last});
}

/* One after the other, each what its points say. */
static void check(const struct buckets *buckets, int64_t total)
{
    int64_t next = 0;
    for (size_t i = 0; i < buckets->count; i++) {
        const struct points_sum *item = &buckets->items[i];
        assert_true(item->count >= 1);
        assert_int_equal(item->first_step, next);
        assert_int_equal(item->last_step, next + item->count - 1);
        assert_true(item->max == (double)-item->first_step && item->min == (double)-item->last_step);
        assert_true(item->last == item->min);
        next += item->count;
    }
    assert_int_equal(next, total);
    assert_true(buckets->count <= buckets->most);
}

static void points_are_spread_evenly(void **state)
{
    (void)state;
    static const size_t mosts[] = {1, 2, 3, 7, 999, 1000, 100000};
    struct err err = ERR_INIT;
    for (size_t i = 0; i < sizeof mosts / sizeof *mosts; i++) {
        struct buckets buckets;
        assert_int_equal(buckets_init(&buckets, mosts[i], 1000, &err), STATUS_OK);
        add_points(&buckets, 0, 1000);
        check(&buckets, 1000);
        assert_int_equal(buckets.count, mosts[i] < 1000 ? mosts[i] : 1000);
        for (size_t k = 0; k < buckets.count; k++)
            assert_true(llabs(buckets.items[k].count - 1000 / (int64_t)buckets.count) <= 1);
        buckets_free(&buckets);
    }
}

static void stretches_go_where_their_middle_lies(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct buckets buckets;
        int64_t total = 1 + (int64_t)(draw(seed, 0) % 20000), most = 1 + (int64_t)(draw(seed, 1) % 40);
        assert_int_equal(buckets_init(&buckets, (size_t)most, total, &err), STATUS_OK);
        int64_t longest = 1;
        for (int64_t at = 0, i = 2, size; at < total; at += size, i++) {
            size = 1 + (int64_t)(draw(seed, (uint64_t)i) % 1000);
            size = size < total - at ? size : total - at;
            longest = size > longest ? size : longest;
            if (draw(seed, (uint64_t)i) >> 60 == 0)
                add_points(&buckets, at, (size_t)size);
            else
                add_sum(&buckets, at, size);
        }
        check(&buckets, total);
        for (size_t k = 0; k < buckets.count; k++)
            assert_true(buckets.items[k].count <= total / most + 1 + 2 * longest);
        buckets_free(&buckets);
    }
}

static void what_is_not_finite_is_no_extreme(void **state)
{
    (void)state;
    int64_t steps[] = {5, 3, 4, 9};
    double values[] = {NAN, INFINITY, 2, -INFINITY};
    struct err err = ERR_INIT;
    struct buckets buckets;
    assert_int_equal(buckets_init(&buckets, 2, 4, &err), STATUS_OK);
    buckets_add_points(&buckets, &(struct pack_columns){steps, values, NULL, 4});
    assert_int_equal(buckets.count, 2);
    assert_true(isnan(buckets.items[0].min) && isnan(buckets.items[0].max));
    assert_true(buckets.items[0].last == (double)INFINITY);
    assert_int_equal(buckets.items[0].first_step, 3);
    assert_int_equal(buckets.items[0].last_step, 5);
    assert_true(buckets.items[1].min == 2 && buckets.items[1].max == 2);
    assert_true(buckets.items[1].last == -(double)INFINITY);
    buckets_free(&buckets);
}

static void readers_that_do_not_read_are_bounded(void **state)
{
    enum { MOST = 100000, FIT = (int)(BUCKETS_HELD_MAX / MOST) };
    static struct buckets readers[FIT];
    struct buckets late;
    struct err err = ERR_INIT;
    (void)state;
    for (int i = 0; i < FIT; i++)
        assert_int_equal(buckets_init(&readers[i], MOST, MOST, &err), STATUS_OK);
    assert_int_equal(buckets_init(&late, 1, 10, &err), STATUS_EXHAUSTED);
    assert_non_null(strstr(err.text, "ask again later"));
    buckets_free(&readers[0]);
    assert_int_equal(buckets_init(&late, MOST, 10, &err), STATUS_OK); /* of ten points: ten */
    buckets_free(&late);
    buckets_free(&late);
    assert_int_equal(buckets_init(&readers[0], MOST, MOST, &err), STATUS_OK);
    for (int i = 0; i < FIT; i++)
        buckets_free(&readers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_spread_evenly),
        cmocka_unit_test(stretches_go_where_their_middle_lies),
        cmocka_unit_test(what_is_not_finite_is_no_extreme),
        cmocka_unit_test(readers_that_do_not_read_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
