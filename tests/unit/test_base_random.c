// SPDX-License-Identifier: GPL-3.0-or-later
/* The counter-based generator against Random123's known answers, and the draws built on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/random.h"

/* Random123 1.14, tests/kat_vectors, philox4x32 with 10 rounds. */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
         {UINT32_MAX, UINT32_MAX},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t out[4];
        random_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].answer, sizeof out);
    }
}

/* A draw is a name for a number: a change here changes every stored sweep's meaning. */
static void draws_never_change(void **state)
{
    (void)state;
    assert_int_equal(random_draw_u64(1, 0, "learning_rate", 0), UINT64_C(0xd532eab26ba11d87));
    assert_int_equal(random_draw_u64(1, 1, "learning_rate", 0), UINT64_C(0xb31f3663f1e0b7cd));
    assert_int_equal(random_draw_u64(UINT64_MAX, UINT64_MAX, "", 3), UINT64_C(0x93eb4fec6dad124e));
}

static void draws_depend_on_each_part_of_their_name(void **state)
{
    (void)state;
    uint64_t base = random_draw_u64(1, 2, "a", 0);
    assert_int_equal(random_draw_u64(1, 2, "a", 0), base);
    assert_int_not_equal(random_draw_u64(2, 2, "a", 0), base);
    assert_int_not_equal(random_draw_u64(1, 3, "a", 0), base);
    assert_int_not_equal(random_draw_u64(1, 2, "b", 0), base);
    assert_int_not_equal(random_draw_u64(1, 2, "a", 1), base);
    assert_int_not_equal(random_draw_u64(1 + (UINT64_C(1) << 32), 2, "a", 0), base);
    assert_int_not_equal(random_draw_u64(1, 2 + (UINT64_C(1) << 32), "a", 0), base);
}

/* Chi-square over 64 cells, 63 degrees of freedom: 99.99 % of uniform samples are below 113. */
static void unit_draws_are_uniform(void **state)
{
    (void)state;
    enum { CELLS = 64, DRAWS = 64000 };
    int counts[CELLS] = {0};
    for (uint64_t ordinal = 0; ordinal < DRAWS; ordinal++) {
        double u = random_draw_unit(7, ordinal, "x", 0);
        assert_true(u >= 0 && u < 1);
        counts[(int)(u * CELLS)]++;
    }
    double chi2 = 0;
    double expected = (double)DRAWS / CELLS;
    for (int i = 0; i < CELLS; i++)
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    assert_true(chi2 > 25 && chi2 < 113);
}

struct script {
    const uint64_t *values;
    size_t next;
};

static void play(void *context, void *bytes, size_t length)
{
    struct script *script = context;
    memcpy(bytes, &script->values[script->next++], length);
}

static void below_rejects_the_biased_rest(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 5, UINT64_MAX}; /* 2^64 mod 10 = 6: 0..5 would be favoured */
    struct script script = {.values = values, .next = 0};
    struct random_source source = {.fill = play, .context = &script};
    assert_int_equal(random_below(&source, 10), UINT64_MAX % 10);
    assert_int_equal(script.next, 3);
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(&random_system, 3) < 3);
    assert_int_equal(random_below(&random_system, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),          cmocka_unit_test(draws_never_change),
        cmocka_unit_test(draws_depend_on_each_part_of_their_name), cmocka_unit_test(unit_draws_are_uniform),
        cmocka_unit_test(below_rejects_the_biased_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
