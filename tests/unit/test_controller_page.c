// SPDX-License-Identifier: GPL-3.0-or-later
/* Page tokens: what was written is read again, anything else refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "services/controller/page.h"

static void a_size_has_bounds(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int size = 0;
    assert_int_equal(page_size(0, &size, &err), STATUS_OK);
    assert_int_equal(size, 100);
    assert_int_equal(page_size(1000, &size, &err), STATUS_OK);
    assert_int_equal(size, 1000);
    assert_int_equal(page_size(1001, &size, &err), STATUS_INVALID);
    assert_int_equal(page_size(-1, &size, &err), STATUS_INVALID);
}

static void a_mark_is_read_as_written(void **state)
{
    (void)state;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    struct page_mark mark;
    char *token = page_write_mark(&arena, 1795309343254739, "ab12cd34");
    assert_int_equal(page_read_mark(token, "ListSweeps", &mark, &err), STATUS_OK);
    assert_true(mark.us == 1795309343254739 && strcmp(mark.id, "ab12cd34") == 0);
    assert_int_equal(page_read_mark("", "ListSweeps", &mark, &err), STATUS_OK);
    assert_null(mark.id);
    static const char *const wrong[] = {"12",           ":",          "12:",     "12:ab12cd3",
                                        "12:ab12cd34 ", "x:AB12CD34", "ab12cd34"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(page_read_mark(wrong[i], "ListSweeps", &mark, &err), STATUS_INVALID);
        assert_string_equal(err.text, "page_token is not one of ListSweeps");
    }
}

static void a_number_has_a_least(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int64_t number = 7;
    assert_int_equal(page_read_number("", "ListRuns", 1, &number, &err), STATUS_OK);
    assert_int_equal(number, 0);
    assert_int_equal(page_read_number("30", "ListRuns", 1, &number, &err), STATUS_OK);
    assert_int_equal(number, 30);
    static const char *const wrong[] = {"0", "-3", "3x", "x", "3:ab12cd34"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(page_read_number(wrong[i], "ListRuns", 1, &number, &err), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_has_bounds),
        cmocka_unit_test(a_mark_is_read_as_written),
        cmocka_unit_test(a_number_has_a_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
