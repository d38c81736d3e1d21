// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/compact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/store/metrics.h"
#include "services/common/ticker.h"
#include "services/controller/series.h"

#define INTERVAL_MS 1000
#define ATTEMPTS_MAX 32
#define ROWS_MAX 256
#define ROUNDS_MAX 16
#define CHUNK_MIN 500
#define CHUNK_MAX 1000

struct compact {
    struct controller *controller;
    struct ticker *ticker; /* owned */
};

struct listing {
    struct store_compaction *keys;
    size_t count;
};

/* One attempt. */
struct work {
    const struct store_compaction *key;
    struct store_chunk *last; /* last chunk of each metric */
    size_t last_count;
    struct store_chunk *chunks; /* to write */
    size_t chunk_count;
    size_t rows; /* taken from the inbox */
};

static const struct store_chunk *find_last(const struct work *work, const char *name)
{
    for (size_t i = 0; i < work->last_count; i++)
        if (strcmp(work->last[i].name, name) == 0)
            return &work->last[i];
    return NULL;
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

static void add_extremes(struct store_chunk *chunk, const double *values, size_t count)
{
    chunk->min = chunk->max = NAN;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        chunk->min = isnan(chunk->min) || values[i] < chunk->min ? values[i] : chunk->min;
        chunk->max = isnan(chunk->max) || values[i] > chunk->max ? values[i] : chunk->max;
    }
    chunk->last = values[count - 1];
}

static enum status make_chunk(const struct pack_columns *columns, const char *name, int64_t number,
                              struct arena *arena, struct store_chunk *out, struct err *err)
{
    struct buffer packed CLEANUP(buffer_free) = BUFFER_INIT;
    *out = (struct store_chunk){.name = name,
                                .chunk = number,
                                .first_step = columns->steps[0],
                                .last_step = columns->steps[columns->count - 1],
                                .points = (int32_t)columns->count};
    TRY(pack_points(columns, &packed, &out->encoding, err));
    void *bytes = arena_alloc(arena, packed.length);
    if (bytes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
    memcpy(bytes, packed.data, packed.length);
    out->data = bytes;
    out->length = packed.length;
    add_extremes(out, columns->values, columns->count);
    return STATUS_OK;
}

static enum status cut_series(struct work *work, const struct series *series, struct arena *arena,
                              struct err *err)
{
    const struct store_chunk *last = find_last(work, series->name);
    struct pack_columns columns = series->columns;
    int64_t number = last != NULL ? last->chunk + 1 : 0;
    if (last != NULL && last->points < CHUNK_MIN) {
        TRY(prepend(&columns, last, arena, err));
        number = last->chunk;
    }
    for (size_t at = 0, size; at < columns.count; at += size, number++) {
        size = columns.count - at < CHUNK_MAX ? columns.count - at : CHUNK_MAX;
        const struct pack_columns part = {columns.steps + at, columns.values + at, columns.times_us + at,
                                          size};
        TRY(make_chunk(&part, series->name, number, arena, &work->chunks[work->chunk_count++], err));
    }
    return STATUS_OK;
}

static enum status alloc_chunks(struct work *work, const struct series *series, size_t count,
                                struct arena *arena, struct err *err)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += (series[i].columns.count + CHUNK_MIN) / CHUNK_MAX + 2;
    work->chunks = arena_calloc(arena, most, sizeof *work->chunks);
    work->chunk_count = 0;
    return work->chunks != NULL ? STATUS_OK
                                : err_set(err, STATUS_NO_MEMORY, "packing metrics: out of memory");
}

static enum status pack_attempt(struct store_tx *tx, void *context, struct err *err)
{
    struct work *work = context;
    struct arena *arena = store_tx_arena(tx);
    struct store_inbox_row *rows;
    struct series *series;
    size_t count;
    TRY(store_take_inbox(tx, work->key, ROWS_MAX, &rows, &work->rows, err));
    if (work->rows == 0)
        return STATUS_OK;
    TRY(series_collect(rows, work->rows, arena, &series, &count, err));
    TRY(store_list_last_chunks(tx, work->key, &work->last, &work->last_count, err));
    TRY(alloc_chunks(work, series, count, arena, err));
    for (size_t i = 0; i < count; i++)
        TRY(cut_series(work, &series[i], arena, err));
    return work->chunk_count > 0 ? store_put_chunks(tx, work->key, work->chunks, work->chunk_count, err)
                                 : STATUS_OK;
}

static enum status list_attempts(struct store_tx *tx, void *context, struct err *err)
{
    struct listing *listing = context;
    return store_list_compactions(tx, CHUNK_MIN, ATTEMPTS_MAX, &listing->keys, &listing->count, err);
}

static bool pack_one(struct compact *compact, const struct store_compaction *key)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct work work = {.key = key};
    struct err err = ERR_INIT;
    if (store_transaction(compact->controller->store, &arena, pack_attempt, &work, &err) != STATUS_OK) {
        log_warn(CONTROLLER_LOG, "metrics_not_packed", LOG_TEXT("sweep", key->sweep_id),
                 LOG_TEXT("run", key->run_id), LOG_INT("attempt", key->attempt), LOG_ERR(&err));
        return false;
    }
    return work.rows > 0;
}

/* Returns whether there may be more. */
static bool pack_round(struct compact *compact)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct listing listing = {.count = 0};
    struct err err = ERR_INIT;
    bool any = false;
    if (store_read(compact->controller->store, &arena, list_attempts, &listing, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "compactions_not_read", LOG_ERR(&err));
        return false;
    }
    for (size_t i = 0; i < listing.count; i++)
        any = pack_one(compact, &listing.keys[i]) || any;
    return any && listing.count == ATTEMPTS_MAX;
}

static void pack_all(void *context)
{
    struct compact *compact = context;
    for (int round = 0; round < ROUNDS_MAX && pack_round(compact); round++)
        ;
}

enum status compact_start(struct controller *controller, struct compact **out, struct err *err)
{
    struct compact *compact = calloc(1, sizeof *compact);
    *out = compact;
    if (compact == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    compact->controller = controller;
    enum status status = ticker_start("compact", INTERVAL_MS, pack_all, compact, &compact->ticker, err);
    if (status != STATUS_OK) {
        free(compact);
        *out = NULL;
    }
    return status;
}

void compact_stop(struct compact *compact)
{
    if (compact == NULL)
        return;
    ticker_stop(compact->ticker);
    free(compact);
}
