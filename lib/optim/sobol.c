// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/sobol.h"

#define DEGREE_MAX 8

struct row {
    uint32_t polynomial; /* primitive modulo 2; bit i is the coefficient of x^i */
    uint32_t initial[DEGREE_MAX];
};

static const struct row rows[SOBOL_DIMENSIONS] = {
    {1, {1}},
    {3, {1}},
    {7, {1, 3}},
    {11, {1, 3, 1}},
    {13, {1, 1, 1}},
    {19, {1, 1, 3, 3}},
    {25, {1, 3, 5, 13}},
    {37, {1, 1, 5, 5, 17}},
    {41, {1, 1, 5, 5, 5}},
    {47, {1, 1, 7, 11, 19}},
    {55, {1, 1, 5, 1, 1}},
    {59, {1, 1, 1, 3, 11}},
    {61, {1, 3, 5, 5, 31}},
    {67, {1, 3, 3, 9, 7, 49}},
    {91, {1, 1, 1, 15, 21, 21}},
    {97, {1, 3, 1, 13, 27, 49}},
    {103, {1, 1, 1, 15, 7, 5}},
    {109, {1, 3, 1, 15, 13, 25}},
    {115, {1, 1, 5, 5, 19, 61}},
    {131, {1, 3, 7, 11, 23, 15, 103}},
    {137, {1, 3, 7, 13, 13, 15, 69}},
    {143, {1, 1, 3, 13, 7, 35, 63}},
    {145, {1, 3, 5, 9, 1, 25, 53}},
    {157, {1, 3, 1, 13, 9, 35, 107}},
    {167, {1, 3, 1, 5, 27, 61, 31}},
    {171, {1, 1, 5, 11, 19, 41, 61}},
    {185, {1, 3, 5, 3, 3, 13, 69}},
    {191, {1, 1, 7, 13, 1, 19, 1}},
    {193, {1, 3, 7, 5, 13, 19, 59}},
    {203, {1, 1, 3, 9, 25, 29, 41}},
    {211, {1, 3, 5, 13, 23, 1, 55}},
    {213, {1, 3, 7, 3, 13, 59, 17}},
    {229, {1, 3, 1, 3, 5, 53, 69}},
    {239, {1, 1, 5, 5, 23, 33, 13}},
    {241, {1, 1, 7, 7, 1, 61, 123}},
    {247, {1, 1, 7, 9, 13, 61, 49}},
    {253, {1, 3, 3, 5, 3, 55, 33}},
    {285, {1, 3, 1, 15, 31, 13, 49, 245}},
    {299, {1, 3, 5, 15, 31, 59, 63, 97}},
    {301, {1, 3, 1, 11, 11, 11, 77, 249}},
};

static unsigned degree_of(uint32_t polynomial)
{
    unsigned degree = 0;
    while (polynomial >> (degree + 1) != 0)
        degree++;
    return degree;
}

/* m_k = 2 a_1 m_(k-1) ^ 4 a_2 m_(k-2) ^ ... ^ 2^s m_(k-s) ^ m_(k-s), stored as m_k * 2^(32-k). */
static void fill_directions(const struct row *row, uint32_t out[SOBOL_BITS])
{
    unsigned degree = degree_of(row->polynomial);
    for (unsigned k = 0; k < SOBOL_BITS; k++) {
        if (degree == 0 || k < degree) {
            out[k] = (degree == 0 ? 1 : row->initial[k]) << (SOBOL_BITS - 1 - k);
            continue;
        }
        uint32_t value = out[k - degree] ^ (out[k - degree] >> degree);
        for (unsigned i = 1; i < degree; i++)
            if ((row->polynomial >> (degree - i) & 1) != 0)
                value ^= out[k - i];
        out[k] = value;
    }
}

void sobol_init(struct sobol *sobol, uint64_t seed)
{
    sobol->seed = seed;
    for (size_t i = 0; i < SOBOL_DIMENSIONS; i++)
        fill_directions(&rows[i], sobol->directions[i]);
}

static uint32_t reverse_bits(uint32_t x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
    return __builtin_bswap32(x);
}

/* Owen's nested uniform scrambling in base 2, by a hash in which a bit depends on higher ones only. */
static uint32_t scramble(uint32_t x, uint32_t seed)
{
    x = reverse_bits(x);
    x += seed;
    x ^= x * 0x6c50b47cu;
    x ^= x * 0xb82f1e52u;
    x ^= x * 0xc7afe638u;
    x ^= x * 0x8d22f6e6u;
    return reverse_bits(x);
}

/* The finaliser of MurmurHash3. */
static uint32_t seed_of(uint64_t seed, uint64_t stream)
{
    uint64_t x = seed ^ (stream + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(x ^ x >> 33);
}

double sobol_at(const struct sobol *sobol, uint32_t index, size_t dimension)
{
    size_t group = dimension / SOBOL_DIMENSIONS;
    const uint32_t *directions = sobol->directions[dimension % SOBOL_DIMENSIONS];
    uint32_t bits = 0;
    if (group > 0)
        index = scramble(index, seed_of(sobol->seed, UINT64_C(1) << 32 | group));
    for (unsigned i = 0; index != 0; i++, index >>= 1)
        if ((index & 1) != 0)
            bits ^= directions[i];
    return ((double)scramble(bits, seed_of(sobol->seed, dimension)) + 0.5) * 0x1p-32;
}

void sobol_point(const struct sobol *sobol, uint32_t index, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = sobol_at(sobol, index, i);
}
