// SPDX-License-Identifier: GPL-3.0-or-later
/* What a run amounts to: figures over all attempts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/controller/run_picture.h"

static void figures_are_over_all_attempts(void **state)
{
    (void)state;
    struct store_summary rows[] = {
        {"s", "r", "acc", 2, 1, 7, 0.5, 0.5, 0.5, 0.5, 0.5, 7, 1},
        {"s", "r", "loss", 1, 3, 9, 2.0, 1.0, 3.0, 3.0, 6.0, 5, 3},
        {"s", "r", "loss", 2, 1, 8, NAN, NAN, NAN, NAN, 0.0, 8, 0},
        {"s", "r", "loss", 3, 2, 4, 4.0, 0.5, 4.0, 0.5, 4.5, 3, 2},
    };
    assert_int_equal(run_picture_merge(rows, 4), 2);
    assert_string_equal(rows[0].name, "acc");
    assert_int_equal(rows[1].attempt, 3);
    assert_int_equal(rows[1].points, 6);
    assert_true(rows[1].first == 3.0 && rows[1].last == 4.0 && rows[1].min == 0.5 && rows[1].max == 4.0);
    assert_true(rows[1].total == 10.5 && rows[1].finite == 5);
    assert_int_equal(rows[1].last_step, 4);
    assert_int_equal(rows[1].least_step, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_over_all_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
