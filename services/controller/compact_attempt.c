// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/compact_attempt.h"

#include <math.h>
#include <string.h>

#include "services/controller/series.h"

struct work {
    const struct store_compaction *key;
    struct store_chunk *last; /* last chunk of each metric that has one */
    size_t last_count, last_at;
    struct store_chunk *chunks; /* to write */
    size_t chunk_count;
    bool more;
};

/* Chunks come in the order of the series. */
static const struct store_chunk *next_last(struct work *work, const char *name)
{
    bool found = work->last_at < work->last_count && strcmp(work->last[work->last_at].name, name) == 0;
    return found ? &work->last[work->last_at++] : NULL;
}

/* Puts the points of a small last chunk in front. */
static enum status prepend(struct pack_columns *columns, const struct store_chunk *last, struct arena *arena,
                           struct err *err)
{
    struct pack_columns old;
    TRY(pack_read(last->encoding, last->data, last->length, (size_t)last->points, arena, &old, err));
    size_t count = old.count + columns->count;
    struct pack_columns both = {arena_calloc(arena, count + 1, sizeof *both.steps),
                                arena_calloc(arena, count + 1, sizeof *both.values),
                                arena_calloc(arena, count + 1, sizeof *both.times_us), count};
    if (both.steps == NULL || both.values == NULL || both.times_us == NULL)
        return err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
    memcpy(both.steps, old.steps, old.count * sizeof *both.steps);
    memcpy(both.values, old.values, old.count * sizeof *both.values);
    memcpy(both.times_us, old.times_us, old.count * sizeof *both.times_us);
    memcpy(both.steps + old.count, columns->steps, columns->count * sizeof *both.steps);
    memcpy(both.values + old.count, columns->values, columns->count * sizeof *both.values);
    memcpy(both.times_us + old.count, columns->times_us, columns->count * sizeof *both.times_us);
    *columns = both;
    return STATUS_OK;
}

static void sum_up(struct store_chunk *chunk, const struct pack_columns *columns)
{
    const double *values = columns->values;
    chunk->min = chunk->max = NAN;
    chunk->last = values[columns->count - 1];
    chunk->first_step = chunk->last_step = columns->steps[0];
    for (size_t i = 0; i < columns->count; i++) {
        chunk->first_step = columns->steps[i] < chunk->first_step ? columns->steps[i] : chunk->first_step;
        chunk->last_step = columns->steps[i] > chunk->last_step ? columns->steps[i] : chunk->last_step;
        if (!isfinite(values[i]))
            continue;
        chunk->min = isnan(chunk->min) || values[i] < chunk->min ? values[i] : chunk->min;
        chunk->max = isnan(chunk->max) || values[i] > chunk->max ? values[i] : chunk->max;
    }
}

static enum status make_chunk(const struct pack_columns *columns, const char *name, int64_t number,
                              struct arena *arena, struct store_chunk *out, struct err *err)
{
    struct buffer packed CLEANUP(buffer_free) = BUFFER_INIT;
    *out = (struct store_chunk){.name = name, .chunk = number, .points = (int32_t)columns->count};
    TRY(pack_points(columns, &packed, &out->encoding, err));
    void *bytes = arena_alloc(arena, packed.length);
    if (bytes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
    memcpy(bytes, packed.data, packed.length);
    out->data = bytes;
    out->length = packed.length;
    sum_up(out, columns);
    return STATUS_OK;
}

/* Parts that differ by a point at most: no small one is left over. */
static enum status cut_series(struct work *work, const struct series *series, struct arena *arena,
                              struct err *err)
{
    const struct store_chunk *last = next_last(work, series->name);
    struct pack_columns columns = series->columns;
    int64_t number = last != NULL ? last->chunk + 1 : 0;
    if (last != NULL && last->points < COMPACT_CHUNK_MIN) {
        TRY(prepend(&columns, last, arena, err));
        number = last->chunk;
    }
    size_t parts = (columns.count + COMPACT_CHUNK_MAX - 1) / COMPACT_CHUNK_MAX;
    for (size_t i = 0; i < parts; i++) {
        size_t from = columns.count * i / parts, to = columns.count * (i + 1) / parts;
        const struct pack_columns part = {columns.steps + from, columns.values + from,
                                          columns.times_us + from, to - from};
        TRY(make_chunk(&part, series->name, number++, arena, &work->chunks[work->chunk_count++], err));
    }
    return STATUS_OK;
}

static enum status alloc_chunks(struct work *work, const struct series *series, size_t count,
                                struct arena *arena, struct err *err)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += (series[i].columns.count + COMPACT_CHUNK_MIN) / COMPACT_CHUNK_MAX + 1;
    work->chunks = arena_calloc(arena, most, sizeof *work->chunks);
    work->chunk_count = 0;
    return work->chunks != NULL ? STATUS_OK
                                : err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
}

static enum status list_last(struct store_tx *tx, struct work *work, const struct series *series,
                             size_t count, struct err *err)
{
    const char **names = arena_calloc(store_tx_arena(tx), count + 1, sizeof *names);
    if (names == NULL)
        return err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
    for (size_t i = 0; i < count; i++)
        names[i] = series[i].name;
    work->last_at = 0;
    return store_list_last_chunks(tx, work->key, names, count, COMPACT_CHUNK_MIN, &work->last,
                                  &work->last_count, err);
}

static enum status pack_rows(struct store_tx *tx, void *context, struct err *err)
{
    static const struct store_inbox_limit limit = {COMPACT_ROWS_MAX, COMPACT_POINTS_MAX};
    static const struct series_filter all = {NULL, 0};
    struct work *work = context;
    struct arena *arena = store_tx_arena(tx);
    struct store_inbox_row *rows;
    struct series *series;
    size_t row_count, count;
    int64_t points = 0;
    TRY(store_take_inbox(tx, work->key, limit, &rows, &row_count, err));
    for (size_t i = 0; i < row_count; i++)
        points += rows[i].points;
    work->more = row_count == COMPACT_ROWS_MAX || points >= COMPACT_POINTS_MAX;
    if (row_count == 0)
        return STATUS_OK;
    TRY(series_collect(rows, row_count, &all, arena, arena, &series, &count, err));
    TRY(list_last(tx, work, series, count, err));
    TRY(alloc_chunks(work, series, count, arena, err));
    for (size_t i = 0; i < count; i++)
        TRY(cut_series(work, &series[i], arena, err));
    return work->chunk_count > 0 ? store_put_chunks(tx, work->key, work->chunks, work->chunk_count, err)
                                 : STATUS_OK;
}

enum status compact_attempt(struct store *store, const struct store_compaction *key, bool *more,
                            struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct work work = {.key = key};
    enum status status = store_transaction(store, &arena, pack_rows, &work, err);
    *more = status == STATUS_OK && work.more;
    return status;
}
