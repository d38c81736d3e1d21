/*
 * Series of inbox rows, decoded and put in order of name, then of logging.
 * Pure. Used where inbox rows are read: compaction and ReadMetrics.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_SERIES_H
#define BESOM_CONTROLLER_SERIES_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/metrics.h"
#include "services/controller/pack.h"

/* Points of one metric, all rows together; arrays in the arena. */
struct series {
    const char *name;
    struct pack_columns columns;
};

/* Names of metrics, sorted and distinct; none = all. */
struct series_filter {
    const char *const *names;
    size_t count;
};
bool series_is_wanted(const struct series_filter *filter, const char *name);

/* Rows of one attempt in order of sequence; series in order of name, in `arena`. What is needed only
 * meanwhile goes to `scratch`, which may be the same. INVALID for a payload that cannot be read, NO_MEMORY.
 */
enum status series_collect(const struct store_inbox_row *rows, size_t count,
                           const struct series_filter *filter, struct arena *scratch, struct arena *arena,
                           struct series **out, size_t *out_count, struct err *err) MUST_USE;

/* protobuf-c's allocator over an arena; `out` must outlive its messages. */
void series_allocator(struct arena *arena, ProtobufCAllocator *out);

#endif
