/*
 * Specs and seeds of sweeps, read from the store once: neither ever changes
 * for a (sweep, version). Bounded by bytes, least recently used out first; what
 * is held stays. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_SPEC_CACHE_H
#define BESOM_SERVICES_SUGGESTION_SPEC_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "db/store/store.h"
#include "spec/spec.h"

struct spec_cache;

struct cached_spec {
    const struct spec *spec;
    uint64_t seed;
    int64_t begin_ordinal; /* of this version: its index 0 */
};

/* NO_MEMORY. */
enum status spec_cache_new(struct store *store, size_t bytes_max, struct spec_cache **out,
                           struct err *err) MUST_USE;
/* Nothing may be held any more. NULL is fine. */
void spec_cache_free(struct spec_cache *cache);

/* The spec, held until spec_cache_release. NOT_FOUND, or as store_read. */
enum status spec_cache_get(struct spec_cache *cache, const char *sweep_id, int32_t version,
                           const struct cached_spec **out, struct err *err) MUST_USE;
void spec_cache_release(struct spec_cache *cache, const struct cached_spec *held);

size_t spec_cache_count(struct spec_cache *cache);

#endif
