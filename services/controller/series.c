// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/series.h"

#include <besom/v1/run_service.pb-c.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    const Besom__V1__Series *series;
    size_t order;
};

static void *allocate(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void forget(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

void series_allocator(struct arena *arena, ProtobufCAllocator *out)
{
    *out = (ProtobufCAllocator){.alloc = allocate, .free = forget, .allocator_data = arena};
}

static int compare_names(const void *name, const void *element)
{
    return strcmp(name, *(const char *const *)element);
}

bool series_is_wanted(const struct series_filter *filter, const char *name)
{
    return filter->count == 0 ||
           bsearch(name, filter->names, filter->count, sizeof(*filter->names), compare_names) != NULL;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *left = a, *right = b;
    int order = strcmp(left->series->name, right->series->name);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static enum status unpack_rows(const struct store_inbox_row *rows, size_t count, struct arena *arena,
                               Besom__V1__TrackBatch **batches, size_t *pieces, struct err *err)
{
    ProtobufCAllocator allocator;
    series_allocator(arena, &allocator);
    *pieces = 0;
    for (size_t i = 0; i < count; i++) {
        batches[i] = besom__v1__track_batch__unpack(&allocator, rows[i].payload_length, rows[i].payload);
        if (batches[i] == NULL)
            return err_set(err, STATUS_INVALID, "batch %lld of run %s cannot be read",
                           (long long)rows[i].sequence, rows[i].run_id);
        *pieces += batches[i]->n_series;
    }
    return STATUS_OK;
}

static size_t list_pieces(Besom__V1__TrackBatch *const *batches, size_t count,
                          const struct series_filter *filter, struct piece *pieces)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < batches[i]->n_series; k++)
            if (series_is_wanted(filter, batches[i]->series[k]->name)) {
                pieces[used] = (struct piece){batches[i]->series[k], used};
                used++;
            }
    qsort(pieces, used, sizeof *pieces, compare_pieces);
    return used;
}

static enum status join(const struct piece *pieces, size_t count, struct arena *arena, struct series *out,
                        struct err *err)
{
    size_t points = 0;
    for (size_t i = 0; i < count; i++)
        points += pieces[i].series->n_values;
    struct pack_columns *columns = &out->columns;
    *out = (struct series){.name = arena_strdup(arena, pieces[0].series->name)};
    columns->steps = arena_calloc(arena, points + 1, sizeof *columns->steps);
    columns->values = arena_calloc(arena, points + 1, sizeof *columns->values);
    columns->times_us = arena_calloc(arena, points + 1, sizeof *columns->times_us);
    if (out->name == NULL || columns->steps == NULL || columns->values == NULL || columns->times_us == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    for (size_t i = 0; i < count; i++) {
        const Besom__V1__Series *series = pieces[i].series;
        if (series->n_values == 0 || series->n_steps != series->n_values ||
            series->n_times_us != series->n_values)
            continue;
        memcpy(columns->steps + columns->count, series->steps, series->n_values * sizeof *columns->steps);
        memcpy(columns->values + columns->count, series->values, series->n_values * sizeof *columns->values);
        memcpy(columns->times_us + columns->count, series->times_us,
               series->n_values * sizeof *columns->times_us);
        columns->count += series->n_values;
    }
    return STATUS_OK;
}

enum status series_collect(const struct store_inbox_row *rows, size_t count,
                           const struct series_filter *filter, struct arena *scratch, struct arena *arena,
                           struct series **out, size_t *out_count, struct err *err)
{
    size_t piece_count = 0;
    *out_count = 0;
    Besom__V1__TrackBatch **batches = arena_calloc(scratch, count + 1, sizeof(*batches));
    if (batches == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    TRY(unpack_rows(rows, count, scratch, batches, &piece_count, err));
    struct piece *pieces = arena_calloc(scratch, piece_count + 1, sizeof *pieces);
    if (pieces == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    size_t used = list_pieces(batches, count, filter, pieces);
    size_t names = 0;
    for (size_t i = 0; i < used; i++)
        names += i == 0 || strcmp(pieces[i - 1].series->name, pieces[i].series->name) != 0;
    *out = arena_calloc(arena, names + 1, sizeof(**out));
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    for (size_t i = 0, end; i < used; i = end) {
        for (end = i + 1; end < used && strcmp(pieces[end].series->name, pieces[i].series->name) == 0; end++)
            ;
        TRY(join(&pieces[i], end - i, arena, &(*out)[*out_count], err));
        *out_count += (*out)[*out_count].columns.count > 0;
    }
    return STATUS_OK;
}
