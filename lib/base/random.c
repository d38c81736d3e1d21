// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void system_fill(void *context, void *bytes, size_t length)
{
    (void)context;
    unsigned char *next = bytes;
    while (length > 0) {
        ssize_t got = getrandom(next, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        next += got;
        length -= (size_t)got;
    }
}

const struct random_source random_system = {.fill = system_fill, .context = NULL};

uint64_t random_u64(const struct random_source *source)
{
    uint64_t value;
    source->fill(source->context, &value, sizeof value);
    return value;
}

uint64_t random_below(const struct random_source *source, uint64_t bound)
{
    uint64_t rest = (UINT64_MAX - bound + 1) % bound; /* 2^64 mod bound */
    uint64_t value;
    do
        value = random_u64(source);
    while (value < rest);
    return value % bound;
}

static void philox_round(uint32_t c[4], const uint32_t k[2])
{
    uint64_t a = (uint64_t)0xD2511F53u * c[0];
    uint64_t b = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                        (uint32_t)a};
    for (int i = 0; i < 4; i++)
        c[i] = next[i];
}

void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k[2] = {key[0], key[1]};
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int round = 0; round < 10; round++) {
        philox_round(out, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

/* FNV-1a, then a SplitMix64 finaliser so that short names differ in every bit. */
static uint64_t hash_path(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const unsigned char *byte = (const unsigned char *)path; *byte != 0; byte++)
        hash = (hash ^ *byte) * 0x100000001b3u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

/*
 * The counter holds the path's hash and the ordinal, so distinct ordinals can never collide; the index
 * of a draw within its path goes into the hash, where a collision is a chance of 2^-64.
 */
uint64_t random_draw_u64(uint64_t seed, uint64_t ordinal, const char *path, uint32_t index)
{
    uint64_t stream = hash_path(path) + (uint64_t)index * 0x9e3779b97f4a7c15u;
    uint32_t counter[4] = {(uint32_t)ordinal, (uint32_t)(ordinal >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    random_philox(counter, key, out);
    return ((uint64_t)out[1] << 32) | out[0];
}

double random_draw_unit(uint64_t seed, uint64_t ordinal, const char *path, uint32_t index)
{
    return (double)(random_draw_u64(seed, ordinal, path, index) >> 11) * 0x1p-53;
}
