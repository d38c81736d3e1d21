/*
 * Random numbers. Secrets, ids and jitter come from a replaceable source (the
 * kernel's by default). Everything that must replay comes from a counter-based
 * generator: a pure function of a key and a counter, so that draw (seed,
 * ordinal, path) never depends on another draw.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_RANDOM_H
#define BESOM_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_source {
    void (*fill)(void *context, void *bytes, size_t length);
    void *context;
};

/* getrandom(2); aborts when the kernel has no entropy source at all. */
extern const struct random_source random_system;

uint64_t random_u64(const struct random_source *source);

/* Uniform in [0, bound), bound > 0, without bias. */
uint64_t random_below(const struct random_source *source, uint64_t bound);

/*
 * Philox4x32-10 of Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
 * easy as 1, 2, 3" (SC 2011). Writes four 32-bit words.
 */
void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/*
 * Draw `index` of stream (seed, ordinal, path): 64 uniform bits. `path` names
 * the parameter; it is hashed, so equal paths give equal draws.
 */
uint64_t random_draw_u64(uint64_t seed, uint64_t ordinal, const char *path, uint32_t index);

/* The same draw as a double in [0, 1) with 53 bits. */
double random_draw_unit(uint64_t seed, uint64_t ordinal, const char *path, uint32_t index);

#endif
