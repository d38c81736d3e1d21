/*
 * One message of what waits: a TrackBatch that holds what came first, as much
 * as the controller takes. No state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_BATCH_DRAFT_H
#define BESOM_AGENT_BATCH_DRAFT_H

#include <besom/v1/run_service.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "columns.h"
#include "facts.h"

/* Output of one stream, whole lines where possible. */
struct batch_part {
    bool is_error;
    struct buffer text;
};

struct batch_source {
    const struct columns *columns;
    const struct facts *facts;
    const struct batch_part *parts; /* in order of arrival */
    size_t part_count;
    int64_t output_offset; /* of the first part */
};

/* The structs point into the source but for the arrays of pointers. */
struct batch_draft {
    Besom__V1__TrackBatch batch;
    Besom__V1__Series *series;
    Besom__V1__Series **series_list;
    Besom__V1__LogPart *logs;
    Besom__V1__LogPart **logs_list;
    Besom__V1__Fact *facts;
    Besom__V1__Fact **facts_list;
    size_t columns_end, points_end; /* columns taken whole, and points of the one that follows */
    size_t facts_end;
};

/* Fills series, facts and logs of `batch`; the rest of it is the caller's. False without memory; to be freed
 * anyhow. */
bool batch_draft_make(const struct batch_source *source, struct batch_draft *draft);
/* Usable as CLEANUP(batch_draft_free). */
void batch_draft_free(struct batch_draft *draft);

#endif
