/*
 * What a sweep is, as far as it never changes for one version of its spec:
 * project, method, metric, seed, parsed spec, bands. A cache over the store;
 * facts are shared and counted.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_FACTS_H
#define BESOM_CONTROLLER_FACTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "services/controller/gate.h"
#include "spec/spec.h"

/* Read-only for everybody but the cache. */
struct facts {
    const char *sweep_id, *project, *method, *metric;
    int32_t version;
    bool maximize;
    uint64_t seed;
    int64_t expected_runs; /* 0 = unbounded */
    struct spec *spec;     /* owned */
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    atomic_int references;
    struct arena arena; /* owns the texts */
};

struct facts_cache;

/* The gate must outlive it. NO_MEMORY. */
enum status facts_cache_new(struct gate *gate, struct facts_cache **out, struct err *err) MUST_USE;
void facts_cache_free(struct facts_cache *cache);

/* `version` 0 = whichever is known, else the newest. May read the database: not inside a transaction.
 * NOT_FOUND. Release what was given. */
enum status facts_get(struct facts_cache *cache, const char *sweep_id, int32_t version,
                      const struct facts **out, struct err *err) MUST_USE;
void facts_release(const struct facts *facts);
/* Usable as CLEANUP(facts_release_at). */
void facts_release_at(const struct facts **facts);

/* Hash for lanes and tables. */
uint64_t facts_hash(const char *sweep_id, const char *run_id);

/* Its runs pause at rungs. */
bool facts_pause(const struct facts *facts);

#endif
