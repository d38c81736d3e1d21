/*
 * Stop rules of sweeps with the values that they were fed, kept between
 * decisions. One thread at a time has a sweep's rule; others wait for it.
 * Bounded by bytes, least recently used out first. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_RULE_CACHE_H
#define BESOM_SERVICES_SCHEDULER_RULE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stop/halving.h"
#include "stop/stop.h"

struct rule_cache;

/* For its borrower alone. */
struct sweep_rule {
    struct stop_rule *rule;  /* owned; at most one of these two, NULL both: to be built */
    struct halving *halving; /* owned; for runs that pause */
    int64_t epoch;           /* of the decider row under which it was fed */
    int64_t decided;         /* number of the last value that it was fed */
    size_t bytes;            /* about what the rule takes */
};

/* NO_MEMORY. */
enum status rule_cache_new(size_t bytes_max, struct rule_cache **out, struct err *err) MUST_USE;
/* Nothing may be borrowed any more. NULL is fine. */
void rule_cache_free(struct rule_cache *cache);

/* The sweep's rule, an empty one when it is not known; waits for a thread that has it. NO_MEMORY. */
enum status rule_cache_borrow(struct rule_cache *cache, const char *sweep_id, struct sweep_rule **out,
                              struct err *err) MUST_USE;
void rule_cache_return(struct rule_cache *cache, struct sweep_rule *rule);

bool sweep_rule_is_built(const struct sweep_rule *rule);
/* Frees what the rule holds: it is built anew by the next that needs it. */
void sweep_rule_clear(struct sweep_rule *rule);

/* Calls `visit` for each sweep kept; nothing may be borrowed meanwhile. */
void rule_cache_visit(struct rule_cache *cache, void (*visit)(void *context, const char *sweep_id),
                      void *context);

#endif
