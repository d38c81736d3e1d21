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

/* Steps that count up, times of ten points a second with two milliseconds of jitter. */
static void fill_clock(int64_t *steps, int64_t *times)
{
    int64_t now = 1700000000000000;
    for (size_t i = 0; i < POINTS; i++) {
        steps[i] = (int64_t)i;
        times[i] = now += 100000 + (int64_t)(draw(1, i, 0) % 2000);
    }
}

static double noise(size_t i)
{
    return (double)(draw(1, i, 1) >> 11) / 9007199254740992.0;
}

static double falling_curve(size_t i)
{
    return 1.0 / (double)(i + 1) + 1e-3 * noise(i);
}

static double uniform_noise(size_t i)
{
    return noise(i);
}

static double signed_noise(size_t i)
{
    return 2 * noise(i) - 1;
}

static double noise_of_floats(size_t i)
{
    return (double)(float)noise(i);
}

static double stairs(size_t i)
{
    return (double)(i / 10);
}

static double constant(size_t i)
{
    (void)i;
    return 0.1;
}

static double any_bits(size_t i)
{
    return as_double(draw(1, i, 1));
}

/* Most bytes a point, times included, which take 1.4 to 1.6. */
static const struct {
    double (*value)(size_t i);
    double most;
} CURVES[] = {
    {falling_curve, 8.4}, {uniform_noise, 8.9}, {signed_noise, 9.1}, {noise_of_floats, 5.5},
    {stairs, 2.7},        {constant, 1.7},      {any_bits, 9.8},
};

static void curves_take_few_bytes(void **state)
{
    (void)state;
    static int64_t steps[POINTS], times[POINTS];
    static double values[POINTS];
    fill_clock(steps, times);
    for (size_t curve = 0; curve < sizeof CURVES / sizeof *CURVES; curve++) {
        for (size_t i = 0; i < POINTS; i++)
            values[i] = CURVES[curve].value(i);
        double size = (double)round_trip(&(struct pack_columns){steps, values, times, POINTS}) / POINTS;
        print_message("curve %zu: %.2f bytes a point\n", curve, size);
        assert_true(size <= CURVES[curve].most);
    }
}

/* What was written before PACK_BITS was there. */
static void older_chunks_are_read(void **state)
{
    (void)state;
    static const char head[] =
        "\x0a\x02\x00\x02\x03\x80\x80\xf2\x81\x83\x89\x85\x06\xce\x9a\x0c\x19\x0c\xbf\x9a\x0c";
    static const char by_xor[] = "\x06\xe0\x3f\x80\x16\x08\x06\x10\x40\x06\x08\x80";
    static const char plain[] =
        "\x62\x11\xc1\x37\xdd\x9a\xbf\x3f\xdb\xcf\xc4\xc6\x50\x80\xa0\x81\x6d\xc7\x66\x23\xe5\xb5\x53"
        "\x7e\xce\x12\x96\x3c\xdd\x9a\xef\x3f\x8a\x1f\x63\x6e\xcd\xeb\x09\xc1";
    const int64_t steps[] = {5, 6, 7, 9, 9}, begin = 1700000000000000;
    const int64_t times[] = {begin, begin + 100007, begin + 200001, begin + 300001, begin + 300001};
    const double xored[] = {0.5, 0.5, 0.75, NAN, -INFINITY};
    const double plains[] = {0.1234567891234, -7.7e-301, 3.3e300, 0.9876543219876, -2.123456789e5};
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    for (int16_t encoding = PACK_PLAIN; encoding <= PACK_XOR; encoding++) {
        struct buffer bytes = BUFFER_INIT;
        struct pack_columns back;
        buffer_append(&bytes, head, sizeof head - 1);
        buffer_append(&bytes, encoding == PACK_XOR ? by_xor : plain,
                      (encoding == PACK_XOR ? sizeof by_xor : sizeof plain) - 1);
        assert_int_equal(pack_read(encoding, bytes.data, bytes.length, 5, &arena, &back, &err), STATUS_OK);
        assert_memory_equal(back.steps, steps, sizeof steps);
        assert_memory_equal(back.times_us, times, sizeof times);
        assert_memory_equal(back.values, encoding == PACK_XOR ? xored : plains, sizeof plains);
        buffer_free(&bytes);
    }
    arena_free(&arena);
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
        (void)!pack_read((int16_t)(1 + seed % 4), bytes, length, count, &arena, &columns, &err);
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
        cmocka_unit_test(curves_take_few_bytes),
        cmocka_unit_test(older_chunks_are_read),
        cmocka_unit_test(hostile_columns_come_back_exactly),
        cmocka_unit_test(random_columns_come_back_exactly),
        cmocka_unit_test(bytes_of_any_origin_are_survived),
        cmocka_unit_test(truncated_or_longer_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
