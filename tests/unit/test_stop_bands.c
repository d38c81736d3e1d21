// SPDX-License-Identifier: GPL-3.0-or-later
/* The rows at which runs are compared, against what Python's own arithmetic gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"
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
    static const struct stop_config wrong[] = {FROM_MAX(2, 3, 3), FROM_MIN(0, 3),    FROM_MIN(3, 1),
                                               FROM_MIN(3, 0.5),  FROM_MAX(9, 0, 3), FROM_MAX(-1, 1, 3)};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t bands[STOP_BANDS_MAX];
        size_t count = 1;
        struct err err = ERR_INIT;
        assert_int_equal(stop_bands(&wrong[i], bands, &count, &err), STATUS_INVALID);
        assert_int_equal(count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_without_a_band),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
