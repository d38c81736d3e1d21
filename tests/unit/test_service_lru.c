// SPDX-License-Identifier: GPL-3.0-or-later
/* Things bounded by bytes: who goes first, and who stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/common/lru.h"

struct thing {
    struct lru_entry lru; /* first */
    int number;
};

static void release(void *context, struct lru_entry *entry)
{
    *(int *)context += ((struct thing *)(void *)entry)->number;
}

static struct lru make(size_t bytes_max, int *released)
{
    *released = 0;
    return (struct lru){
        .bytes_max = bytes_max, .entry_size = sizeof(struct thing), .release = release, .context = released};
}

static void add(struct lru *lru, const char *key, int number, size_t bytes)
{
    struct lru_entry *entry = lru_obtain(lru, key);
    assert_non_null(entry);
    assert_int_equal(((struct thing *)(void *)entry)->number, 0);
    ((struct thing *)(void *)entry)->number = number;
    lru_use(lru, entry, bytes);
}

static void the_oldest_goes_first(void **state)
{
    (void)state;
    int released;
    struct lru lru = make(25, &released);
    add(&lru, "one", 1, 10);
    add(&lru, "two", 2, 10);
    add(&lru, "four", 4, 10);
    assert_int_equal(lru.bytes, 30);
    lru_use(&lru, lru_find(&lru, "one"), 10);
    lru_trim(&lru);
    assert_int_equal(released, 2);
    assert_null(lru_find(&lru, "two"));
    assert_int_equal(lru_count(&lru), 2);
    lru_use(&lru, lru_find(&lru, "one"), 3);
    assert_int_equal(lru.bytes, 13);
    lru_clear(&lru);
    assert_int_equal(released, 7);
    assert_int_equal(lru.bytes, 0);
}

static void what_is_pinned_stays(void **state)
{
    (void)state;
    int released;
    struct lru lru = make(5, &released);
    add(&lru, "one", 1, 10);
    add(&lru, "two", 2, 10);
    lru_find(&lru, "one")->pins++;
    lru_trim(&lru);
    assert_int_equal(released, 2);
    lru_find(&lru, "one")->pins--;
    lru_trim(&lru);
    assert_int_equal(released, 3);
    assert_int_equal(lru_count(&lru), 0);
    lru_clear(&lru);
}

static void a_key_has_one_thing(void **state)
{
    (void)state;
    int released;
    struct lru lru = make(100, &released);
    char key[] = "key";
    add(&lru, key, 1, 10);
    key[0] = 'c'; /* it has a copy */
    assert_null(lru_find(&lru, key));
    assert_ptr_equal(lru_obtain(&lru, "key"), lru_find(&lru, "key"));
    lru_drop(&lru, lru_find(&lru, "key"));
    assert_int_equal(lru_count(&lru), 0);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test(what_is_pinned_stays),
        cmocka_unit_test(a_key_has_one_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
