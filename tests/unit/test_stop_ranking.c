// SPDX-License-Identifier: GPL-3.0-or-later
/* The ranking against a sorted array, through insertions and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "stop/ranking.h"

#define MOST 600
#define STEPS 6000

struct pair {
    double loss;
    size_t run;
};

struct sorted {
    struct pair pairs[MOST];
    size_t count;
};

static size_t place_of(const struct sorted *sorted, double loss, size_t run)
{
    size_t place = 0;
    while (place < sorted->count && (sorted->pairs[place].loss < loss ||
                                     (sorted->pairs[place].loss == loss && sorted->pairs[place].run < run)))
        place++;
    return place;
}

static void insert(struct sorted *sorted, double loss, size_t run)
{
    size_t place = place_of(sorted, loss, run);
    memmove(&sorted->pairs[place + 1], &sorted->pairs[place],
            (sorted->count - place) * sizeof sorted->pairs[0]);
    sorted->pairs[place] = (struct pair){loss, run};
    sorted->count++;
}

static void take_out(struct sorted *sorted, size_t place)
{
    sorted->count--;
    memmove(&sorted->pairs[place], &sorted->pairs[place + 1],
            (sorted->count - place) * sizeof sorted->pairs[0]);
}

static void assert_same(const struct ranking *ranking, const struct sorted *sorted)
{
    assert_int_equal(ranking_count(ranking), sorted->count);
    for (size_t i = 0; i < sorted->count; i++) {
        double loss;
        size_t run;
        ranking_at(ranking, i, &loss, &run);
        assert_true(loss == sorted->pairs[i].loss && run == sorted->pairs[i].run);
        assert_int_equal(ranking_rank(ranking, loss, run), i);
    }
}

static void test_like_a_sorted_array(void **state)
{
    (void)state;
    static struct sorted sorted;
    struct ranking ranking = {.nodes = NULL};
    for (uint64_t step = 0; step < STEPS; step++) {
        double draw = random_draw_unit(1, step, "what", 0);
        if (sorted.count > 0 && (draw < 0.45 || sorted.count == MOST - 1)) {
            size_t place = (size_t)(random_draw_unit(1, step, "place", 0) * (double)sorted.count);
            ranking_remove(&ranking, sorted.pairs[place].loss, sorted.pairs[place].run);
            take_out(&sorted, place);
        } else {
            double loss = (double)(int)(random_draw_unit(1, step, "loss", 0) * 20); /* with ties */
            assert_true(ranking_insert(&ranking, loss, (size_t)step));
            insert(&sorted, loss, (size_t)step);
        }
        if (step % 100 == 0)
            assert_same(&ranking, &sorted);
    }
    assert_same(&ranking, &sorted);
    assert_int_equal(ranking_rank(&ranking, -1, 0), 0);
    assert_int_equal(ranking_rank(&ranking, 1e300, 0), sorted.count);
    ranking_free(&ranking);
}

static void test_in_order_of_arrival(void **state)
{
    (void)state;
    struct ranking ranking = {.nodes = NULL};
    assert_int_equal(ranking_count(&ranking), 0);
    for (size_t run = 0; run < 100000; run++)
        assert_true(ranking_insert(&ranking, (double)run, run));
    double loss;
    size_t run;
    ranking_at(&ranking, 77777, &loss, &run);
    assert_int_equal(run, 77777);
    assert_int_equal(ranking_rank(&ranking, 33333.5, 0), 33334);
    ranking_free(&ranking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_sorted_array),
        cmocka_unit_test(test_in_order_of_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
