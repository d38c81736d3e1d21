// SPDX-License-Identifier: GPL-3.0-or-later
/* Chunks: bit-exact round trips of ordinary and hostile columns, size, and bytes of any origin. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "services/controller/pack.h"

#define POINTS 1000

static uint64_t draw(uint64_t seed, uint64_t i, uint32_t index)
{
    return random_draw_u64(seed, i, "test_controller_pack", index);
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t round_trip(const struct pack_columns *columns)
{
    struct arena arena = arena_make(0);
    struct buffer packed = BUFFER_INIT;
    struct pack_columns back;
    struct err err = ERR_INIT;
    int16_t encoding = 0;
    assert_int_equal(pack_points(columns, &packed, &encoding, &err), STATUS_OK);
    assert_int_equal(pack_read(encoding, packed.data, packed.length, columns->count, &arena, &back, &err),
                     STATUS_OK);
    assert_memory_equal(back.steps, columns->steps, columns->count * sizeof *columns->steps);
    assert_memory_equal(back.times_us, columns->times_us, columns->count * sizeof *columns->times_us);
    assert_memory_equal(back.values, columns->values, columns->count * sizeof *columns->values);
    size_t size = packed.length;
    buffer_free(&packed);
    arena_free(&arena);
    return size;
}

static void an_ordinary_curve_takes_few_bytes(void **state)
{
    (void)state;
    static int64_t steps[POINTS], times[POINTS];
    static double values[POINTS];
    int64_t now = 1700000000000000;
    for (size_t i = 0; i < POINTS; i++) {
        steps[i] = (int64_t)i;
        times[i] = now += 100000 + (int64_t)(draw(1, i, 0) % 2000);
        values[i] = 1.0 / (double)(i + 1) + (double)(draw(1, i, 1) >> 40) * 1e-9;
    }
    size_t size = round_trip(&(struct pack_columns){steps, values, times, POINTS});
    assert_true(size <= 14 * POINTS);
    for (size_t i = 0; i < POINTS; i++)
        values[i] = (double)(i / 10);
    size = round_trip(&(struct pack_columns){steps, values, times, POINTS});
    assert_true(size <= 7 * POINTS);
}

static void hostile_columns_come_back_exactly(void **state)
{
    (void)state;
    int64_t steps[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MIN, 7, 7, 7};
    int64_t times[] = {INT64_MAX, INT64_MIN, INT64_MAX, 0, 0, 0, -5, 5};
    double values[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, as_double(1), as_double(UINT64_MAX), 1e308};
    for (size_t count = 0; count <= 8; count++)
        round_trip(&(struct pack_columns){steps, values, times, count});
}

static void random_columns_come_back_exactly(void **state)
{
    (void)state;
    static int64_t steps[POINTS], times[POINTS];
    static double values[POINTS];
    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t count = 1 + draw(seed, 0, 0) % POINTS;
        unsigned shift = (unsigned)(draw(seed, 0, 1) % 64);
        for (size_t i = 0; i < count; i++) {
            steps[i] = (int64_t)(draw(seed, i, 2) >> shift);
            times[i] = (int64_t)(draw(seed, i, 3) >> shift);
            values[i] = as_double(draw(seed, i, 4) >> shift << (shift / 2));
        }
        round_trip(&(struct pack_columns){steps, values, times, count});
    }
}

/* Any answer but a crash. */
static void bytes_of_any_origin_are_survived(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct arena arena = arena_make(0);
        struct pack_columns columns;
        struct err err = ERR_INIT;
        unsigned char bytes[256];
        size_t length = draw(seed, 0, 0) % sizeof bytes, count = draw(seed, 0, 1) % 64;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (unsigned char)(draw(seed, i, 2) & (seed % 2 ? 0x7f : 0xff));
        (void)!pack_read((int16_t)(1 + seed % 3), bytes, length, count, &arena, &columns, &err);
        arena_free(&arena);
    }
}

static void truncated_or_longer_chunks_are_refused(void **state)
{
    (void)state;
    int64_t steps[] = {1, 2, 3}, times[] = {1, 2, 3};
    double values[] = {1, 2, 4};
    struct buffer packed = BUFFER_INIT;
    struct err err = ERR_INIT;
    int16_t encoding;
    assert_int_equal(pack_points(&(struct pack_columns){steps, values, times, 3}, &packed, &encoding, &err),
                     STATUS_OK);
    buffer_putc(&packed, 0);
    for (size_t length = 0; length <= packed.length; length++) {
        struct arena arena = arena_make(0);
        struct pack_columns back;
        enum status status = pack_read(encoding, packed.data, length, 3, &arena, &back, &err);
        assert_int_equal(status, length == packed.length - 1 ? STATUS_OK : STATUS_INVALID);
        arena_free(&arena);
    }
    buffer_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_curve_takes_few_bytes),
        cmocka_unit_test(hostile_columns_come_back_exactly),
        cmocka_unit_test(random_columns_come_back_exactly),
        cmocka_unit_test(bytes_of_any_origin_are_survived),
        cmocka_unit_test(truncated_or_longer_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
