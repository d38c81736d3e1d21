// SPDX-License-Identifier: GPL-3.0-or-later
/* The rows at which runs are compared, against what Python's own arithmetic gives. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"
#include "stop/resource.h"
#include "stop/stop.h"

struct example {
    struct stop_config config;
    int64_t bands[8]; /* the first ones, 0 ends */
    size_t count;     /* of all */
};

#define FROM_MIN(m, e)                                          \
    {                                                           \
        .form = STOP_FORM_MIN_ITER, .min_iter = (m), .eta = (e) \
    }
#define FROM_MAX(m, n, e)                                                 \
    {                                                                     \
        .form = STOP_FORM_MAX_ITER, .max_iter = (m), .s = (n), .eta = (e) \
    }

#define FROM_PAUSING(m, n, e)                                                     \
    {                                                                             \
        .type = STOP_HYPERBAND_FULL, .min_iter = (m), .max_iter = (n), .eta = (e) \
    }

static const struct example examples[] = {
    {FROM_MIN(3, 3), {3, 9, 27, 81, 243}, 33},
    {FROM_MAX(27, 2, 3), {3, 9}, 2},
    {FROM_MAX(18, 2, 3), {2, 6}, 2},
    {FROM_MAX(5, 2, 2), {1, 2}, 2},
    {FROM_MAX(27, 9, 3), {1, 3, 9}, 3},
    {FROM_MAX(100, 1000000, 10), {1, 10}, 2},
    {FROM_MAX(1000, 3, 10), {1, 10, 100}, 3},
    {FROM_MAX(243, 5, 3), {1, 3, 9, 27, 81}, 5},
    {FROM_MAX(10, 3, 1.5), {2, 4, 6}, 3},
    {FROM_MIN(1, 2), {1, 2, 4, 8, 16, 32}, 54},
    {FROM_MIN(2, 1.5), {2, 3, 4, 6, 10, 15, 22}, 89},
    {FROM_MIN(1, 1.1), {1, 2, 3, 4, 5, 6, 7}, 84},
    {FROM_MIN(1, 1e300), {1}, 1},
    /* eta to the power of the step would round to 99 and 48 */
    {FROM_MAX(169, 2, 1.3), {100, 130}, 2},
    {FROM_MIN(25, 1.4), {25, 35, 49, 68, 96, 134, 188}, 100},
    {FROM_MAX(243, 100, 1.0000000001), {242}, 1},
    {FROM_PAUSING(1, 27, 3), {1, 3, 9}, 3},
    {FROM_PAUSING(1, 4, 2.2), {1}, 1}, /* 4 / 2.2^2 is less than a row */
    {FROM_PAUSING(2, 20, 3), {2, 6}, 2},
};

static void test_bands(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        int64_t bands[STOP_BANDS_MAX];
        size_t count = 0;
        struct err err = ERR_INIT;
        assert_int_equal(stop_bands(&examples[i].config, bands, &count, &err), STATUS_OK);
        for (size_t k = 0; k < 8 && examples[i].bands[k] != 0; k++)
            assert_int_equal(bands[k], examples[i].bands[k]);
        assert_int_equal(count, examples[i].count);
        for (size_t k = 1; k < count; k++)
            assert_true(bands[k] > bands[k - 1]);
    }
}

static void test_without_a_band(void **state)
{
    (void)state;
    static const struct stop_config wrong[] = {
        FROM_MAX(2, 3, 3), FROM_MIN(0, 3), FROM_MIN(3, 1), FROM_MIN(3, 0.5), FROM_MAX(9, 0, 3),
        FROM_MAX(-1, 1, 3),
        /* more than there is room for */
        FROM_MAX(1000, 700, 1.01), FROM_MAX(1000, INT64_MAX, 1.0000000001), FROM_PAUSING(2, 3, 2)};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t bands[STOP_BANDS_MAX];
        size_t count = 1;
        struct err err = ERR_INIT;
        assert_int_equal(stop_bands(&wrong[i], bands, &count, &err), STATUS_INVALID);
        assert_int_equal(count, 0);
    }
}

static void a_resource_stands_beside_rows_logged_with_it_or_after_it(void **state)
{
    (void)state;
    const int64_t steps[] = {3, 7, 9}, times[] = {30, 75, 90};
    const double values[] = {1, 2, NAN};
    struct stop_resource resource = {
        .steps = steps, .times_us = times, .values = values, .count = 3, .newest = STOP_RESOURCE_NONE};
    assert_true(stop_resource_at(&resource, 2, 20) == STOP_RESOURCE_NONE);
    assert_true(stop_resource_at(&resource, 3, 29) == 1); /* of its own row, whatever the times say */
    assert_true(stop_resource_at(&resource, 6, 60) == 1);
    assert_true(stop_resource_at(&resource, 7, 70) == 2);
    assert_true(stop_resource_at(&resource, 2, 89) == 2);                  /* steps may go back */
    assert_true(stop_resource_at(&resource, 9, 90) == STOP_RESOURCE_NONE); /* no number reaches nothing */
    assert_true(stop_resource_end(&resource) == STOP_RESOURCE_NONE);
}

static void a_jump_reaches_each_band_on_its_way(void **state)
{
    (void)state;
    const int64_t bands[] = {1, 3, 9};
    assert_int_equal(stop_bands_reached(bands, 3, 0, STOP_RESOURCE_NONE), 0);
    assert_int_equal(stop_bands_reached(bands, 3, 0, 0.99), 0);
    assert_int_equal(stop_bands_reached(bands, 3, 0, 1), 1);
    assert_int_equal(stop_bands_reached(bands, 3, 0, 5), 2);
    assert_int_equal(stop_bands_reached(bands, 3, 2, 1), 2);
    assert_int_equal(stop_bands_reached(bands, 3, 1, 1e300), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_without_a_band),
        cmocka_unit_test(a_resource_stands_beside_rows_logged_with_it_or_after_it),
        cmocka_unit_test(a_jump_reaches_each_band_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
