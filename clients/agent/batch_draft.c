// SPDX-License-Identifier: Apache-2.0
#include "batch_draft.h"

#include <stdlib.h>
#include <string.h>

/* What one message may hold at most; the controller takes 4 MiB in all. */
#define SERIES_BYTES_MAX (1 << 20)
#define OUTPUT_BYTES_MAX (768 << 10)
#define FACT_BYTES_MAX (1 << 20)
#define FACTS_PER_BATCH 1000

_Static_assert(FACT_SUMMARY == (int)BESOM__V1__FACT_KIND__FACT_KIND_SUMMARY &&
                   FACT_DEFINITION == (int)BESOM__V1__FACT_KIND__FACT_KIND_DEFINITION &&
                   FACT_CONFIG == (int)BESOM__V1__FACT_KIND__FACT_KIND_CONFIG &&
                   FACT_ABOUT == (int)BESOM__V1__FACT_KIND__FACT_KIND_ABOUT,
               "kinds of facts are numbered as in the contract");

void batch_draft_free(struct batch_draft *draft)
{
    free(draft->series);
    free(draft->series_list);
    free(draft->logs);
    free(draft->logs_list);
    free(draft->facts);
    free(draft->facts_list);
}

/* The first `points` of a column. */
static void draft_column(const struct batch_source *source, struct batch_draft *draft, size_t index,
                         size_t points)
{
    const struct column *column = &source->columns->columns[index];
    Besom__V1__Series *series = &draft->series[draft->batch.n_series];
    besom__v1__series__init(series);
    series->name = source->columns->names.names[index].text;
    series->n_steps = series->n_values = series->n_times_us = points;
    series->steps = column->steps + column->first;
    series->values = column->values + column->first;
    series->times_us = column->times_us + column->first;
    draft->series_list[draft->batch.n_series++] = series;
}

static void draft_series(const struct batch_source *source, struct batch_draft *draft)
{
    const struct columns *columns = source->columns;
    size_t left = SERIES_BYTES_MAX, point_bytes = columns_bytes(0, 1) - columns_bytes(0, 0);
    for (; draft->columns_end < columns->waiting_count; draft->columns_end++) {
        size_t index = columns->waiting[draft->columns_end];
        size_t length = columns->names.names[index].length, count = columns->columns[index].count;
        if (columns_bytes(length, 1) > left)
            return;
        size_t room = (left - columns_bytes(length, 0)) / point_bytes;
        draft_column(source, draft, index, room < count ? room : count);
        if (room < count) {
            draft->points_end = room;
            return;
        }
        left -= columns_bytes(length, count);
    }
}

/* Facts stand after the series that came before them, so they go with the last of those. */
static void draft_facts(const struct batch_source *source, struct batch_draft *draft)
{
    const struct facts *facts = source->facts;
    size_t bytes = 0;
    if (draft->columns_end < source->columns->waiting_count)
        return;
    for (; draft->facts_end < facts->waiting_count && draft->batch.n_facts < FACTS_PER_BATCH;
         draft->facts_end++) {
        size_t index = facts->waiting[draft->facts_end];
        const struct fact *fact = &facts->facts[index];
        if (fact->value_json == NULL)
            continue;
        bytes += fact->length + FACT_NAME_MAX;
        if (bytes > FACT_BYTES_MAX)
            return;
        Besom__V1__Fact *copy = &draft->facts[draft->batch.n_facts];
        besom__v1__fact__init(copy);
        copy->kind = (Besom__V1__FactKind)fact->kind;
        copy->name = (char *)(uintptr_t)facts_name(facts, index);
        copy->value_json = fact->value_json;
        draft->facts_list[draft->batch.n_facts++] = copy;
    }
}

static void draft_logs(const struct batch_source *source, struct batch_draft *draft)
{
    size_t bytes = 0;
    for (size_t i = 0; i < source->part_count; i++) {
        const struct batch_part *part = &source->parts[i];
        if (i > 0 && bytes + part->text.length > OUTPUT_BYTES_MAX)
            return;
        Besom__V1__LogPart *log = &draft->logs[i];
        besom__v1__log_part__init(log);
        log->stderr = part->is_error;
        log->offset = source->output_offset + (int64_t)bytes;
        log->text = (ProtobufCBinaryData){.len = part->text.length, .data = (uint8_t *)part->text.data};
        bytes += part->text.length;
        draft->logs_list[draft->batch.n_logs++] = log;
    }
}

bool batch_draft_make(const struct batch_source *source, struct batch_draft *draft)
{
    size_t columns = source->columns->waiting_count + 1, parts = source->part_count + 1;
    size_t facts =
        source->facts->waiting_count < FACTS_PER_BATCH ? source->facts->waiting_count + 1 : FACTS_PER_BATCH;
    *draft = (struct batch_draft){.series = calloc(columns, sizeof *draft->series),
                                  .series_list = calloc(columns, sizeof(Besom__V1__Series *)),
                                  .logs = calloc(parts, sizeof *draft->logs),
                                  .logs_list = calloc(parts, sizeof(Besom__V1__LogPart *)),
                                  .facts = calloc(facts, sizeof *draft->facts),
                                  .facts_list = calloc(facts, sizeof(Besom__V1__Fact *))};
    if (draft->series == NULL || draft->series_list == NULL || draft->logs == NULL ||
        draft->logs_list == NULL || draft->facts == NULL || draft->facts_list == NULL)
        return false;
    besom__v1__track_batch__init(&draft->batch);
    draft->batch.series = draft->series_list;
    draft->batch.logs = draft->logs_list;
    draft->batch.facts = draft->facts_list;
    draft_series(source, draft);
    draft_facts(source, draft);
    draft_logs(source, draft);
    return true;
}
