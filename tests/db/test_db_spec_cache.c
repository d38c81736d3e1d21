// SPDX-License-Identifier: GPL-3.0-or-later
/* Specs read from a real database once, held while they are used, let go when there are too many. */
#include "services/suggestion/spec_cache.h"

#include <stdio.h>
#include <string.h>

#include "fixture.h"

static const char spec_text[] =
    "{\"method\":\"random\",\"parameters\":{\"x\":{\"distribution\":\"uniform\",\"max\":1.0,"
    "\"min\":0.0}}}";

static void make_sweep(struct database *database, const char *sweep_id)
{
    char sql[512];
    fixture_sweep(database, (struct sweep_options){.sweep_id = sweep_id});
    (void)snprintf(sql, sizeof sql, "UPDATE besom.sweep_specs SET spec = '%s'", spec_text);
    database_execute(database->url, sql);
}

static struct spec_cache *new_cache(struct database *database, size_t bytes)
{
    struct spec_cache *cache = NULL;
    assert_ok(spec_cache_new(database->store, bytes, &cache, &test_err));
    return cache;
}

static void a_spec_is_read_once(void **state)
{
    struct database *database = *state;
    struct spec_cache *cache = new_cache(database, 1u << 20);
    const struct cached_spec *first = NULL;
    const struct cached_spec *second = NULL;
    make_sweep(database, "sweepaaa");
    assert_ok(spec_cache_get(cache, "sweepaaa", 1, &first, &test_err));
    assert_int_equal(first->spec->method, SPEC_METHOD_RANDOM);
    assert_true(first->seed == UINT64_MAX);
    database_execute(database->url, "UPDATE besom.sweep_specs SET spec = 'unreadable'");
    assert_ok(spec_cache_get(cache, "sweepaaa", 1, &second, &test_err));
    assert_ptr_equal(first, second);
    spec_cache_release(cache, first);
    spec_cache_release(cache, second);
    spec_cache_free(cache);
}

static void what_is_not_there_is_told(void **state)
{
    struct database *database = *state;
    struct spec_cache *cache = new_cache(database, 1u << 20);
    const struct cached_spec *held = NULL;
    char long_id[300];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    make_sweep(database, "sweepaaa");
    assert_status(STATUS_NOT_FOUND, spec_cache_get(cache, "sweepbbb", 1, &held, &test_err));
    assert_status(STATUS_NOT_FOUND, spec_cache_get(cache, "sweepaaa", 2, &held, &test_err));
    assert_status(STATUS_NOT_FOUND, spec_cache_get(cache, long_id, 1, &held, &test_err));
    database_execute(database->url, "UPDATE besom.sweep_specs SET spec = 'unreadable'");
    assert_status(STATUS_INTERNAL, spec_cache_get(cache, "sweepaaa", 1, &held, &test_err));
    assert_int_equal(spec_cache_count(cache), 0);
    spec_cache_free(cache);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    struct database *database = *state;
    struct spec_cache *cache = new_cache(database, 1);
    const struct cached_spec *first = NULL;
    const struct cached_spec *second = NULL;
    const struct cached_spec *again = NULL;
    make_sweep(database, "sweepaaa");
    make_sweep(database, "sweepbbb");
    assert_ok(spec_cache_get(cache, "sweepaaa", 1, &first, &test_err));
    assert_ok(spec_cache_get(cache, "sweepbbb", 1, &second, &test_err));
    assert_int_equal(spec_cache_count(cache), 2); /* what is held stays, and is found */
    assert_int_equal(first->spec->method, SPEC_METHOD_RANDOM);
    uint64_t before = store_stats(database->store).transactions;
    assert_ok(spec_cache_get(cache, "sweepaaa", 1, &again, &test_err));
    assert_ptr_equal(again, first);
    assert_int_equal(store_stats(database->store).transactions, before);
    spec_cache_release(cache, again);
    spec_cache_release(cache, first);
    assert_int_equal(spec_cache_count(cache), 1);
    spec_cache_release(cache, second);
    assert_int_equal(spec_cache_count(cache), 0);
    spec_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_spec_is_read_once, database_make, database_drop),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told, database_make, database_drop),
        cmocka_unit_test_setup_teardown(the_oldest_goes_when_there_are_too_many, database_make,
                                        database_drop),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
