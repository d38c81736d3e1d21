// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/points.h"

#include <stdlib.h>
#include <string.h>

#include "services/controller/points_tail.h"

#define LIST_CHUNKS 4096
#define PAGE_CHUNKS 16

/* A chunk, as far as the snapshot saw it. */
struct piece {
    int64_t chunk;
    int32_t points;
    bool bounded; /* `sum` has the least and the greatest step */
    bool exact;   /* `sum` is of just these points */
    struct points_sum sum;
};

struct source {
    const struct history_source *seen;
    int64_t first_step, last_step; /* wanted ones; none when first_step > last_step */
    size_t first_piece, piece_end;
};

struct points {
    struct gate *gate;
    const struct history *history;
    const struct history_metric *metric;
    struct source *sources; /* owned */
    struct piece *pieces;   /* owned */
    size_t piece_count, piece_capacity;
    bool sums;
    /* where it is */
    size_t source, piece;
    bool inbox_given, tail_begun;
    struct points_tail tail;
    struct arena page_arena; /* of `page` */
    struct store_chunk *page;
    size_t page_count, page_at;
    struct arena part_arena; /* of the last part */
};

static enum status gone(struct err *err)
{
    return err_set(err, STATUS_NOT_FOUND, "the run's metrics were deleted meanwhile");
}

/* ---- which chunks there are ---- */

struct listing {
    struct points *points;
    struct store_chunk_range range;
    struct store_chunk *chunks;
    size_t count;
};

static enum status list_chunks(struct store_tx *tx, void *context, struct err *err)
{
    struct listing *listing = context;
    return store_list_chunks(tx, &listing->range, LIST_CHUNKS, &listing->chunks, &listing->count, err);
}

static struct store_chunk_range make_range(const struct points *points, const struct history_source *seen,
                                           int64_t first_chunk, int64_t last_chunk)
{
    return (struct store_chunk_range){
        {points->history->sweep_id, points->history->run_id, seen->attempt, false},
        points->metric->name,
        first_chunk,
        last_chunk};
}

static enum status add_piece(struct points *points, const struct history_source *seen,
                             const struct store_chunk *chunk, struct err *err)
{
    if (points->piece_count == points->piece_capacity) {
        size_t capacity = points->piece_capacity == 0 ? 1024 : 2 * points->piece_capacity;
        struct piece *pieces = realloc(points->pieces, capacity * sizeof *pieces);
        if (pieces == NULL)
            return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
        points->pieces = pieces;
        points->piece_capacity = capacity;
    }
    bool grown = chunk->chunk == seen->last_chunk && chunk->points > seen->last_points;
    bool ascending = chunk->first_step <= chunk->last_step;
    points->pieces[points->piece_count++] =
        (struct piece){.chunk = chunk->chunk,
                       .points = grown ? seen->last_points : chunk->points,
                       .bounded = chunk->encoding >= PACK_BITS,
                       .exact = !grown,
                       .sum = {.count = chunk->points,
                               .first_step = ascending ? chunk->first_step : chunk->last_step,
                               .last_step = ascending ? chunk->last_step : chunk->first_step,
                               .min = chunk->min,
                               .max = chunk->max,
                               .last = chunk->last}};
    return STATUS_OK;
}

static enum status list_pieces(struct points *points, struct source *source, struct err *err)
{
    struct listing listing = {.points = points, .count = LIST_CHUNKS};
    int64_t next = 0, last = source->seen->last_chunk;
    source->first_piece = points->piece_count;
    while (source->seen->has_chunks && next <= last) {
        struct arena arena CLEANUP(arena_free) = arena_make(0);
        listing.range = make_range(points, source->seen, next, last);
        TRY(gate_read(points->gate, &arena, list_chunks, &listing, err));
        if (listing.count == 0)
            return gone(err);
        for (size_t i = 0; i < listing.count; i++)
            TRY(add_piece(points, source->seen, &listing.chunks[i], err));
        next = listing.chunks[listing.count - 1].chunk + 1;
    }
    source->piece_end = points->piece_count;
    return STATUS_OK;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t least_step(const struct points *points, const struct source *source)
{
    int64_t least = source->seen->inbox_counted > 0 ? source->seen->inbox_least_step : INT64_MAX;
    for (size_t i = 0; i < source->seen->inbox.count; i++)
        least = lesser(least, source->seen->inbox.steps[i]);
    for (size_t i = source->first_piece; i < source->piece_end; i++)
        least = lesser(least, points->pieces[i].sum.first_step);
    return least;
}

/* From the last attempt to the first: each ends below the least step of those after it. */
static void bound_sources(struct points *points, int64_t first_step, int64_t last_step)
{
    bool none = false;
    for (size_t i = points->metric->source_count; i-- > 0;) {
        struct source *source = &points->sources[i];
        source->first_step = none ? INT64_MAX : first_step;
        source->last_step = none ? INT64_MIN : last_step;
        int64_t least = least_step(points, source);
        none = none || least == INT64_MIN;
        if (!none)
            last_step = lesser(last_step, least - 1);
    }
}

enum status points_new(struct gate *gate, const struct history *history, const struct history_metric *metric,
                       int64_t first_step, int64_t last_step, struct points **out, struct err *err)
{
    struct points *points = calloc(1, sizeof *points);
    *out = points;
    if (points != NULL)
        points->sources = calloc(metric->source_count, sizeof *points->sources);
    if (points == NULL || points->sources == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    points->gate = gate;
    points->history = history;
    points->metric = metric;
    points->page_arena = arena_make(0);
    points->part_arena = arena_make(0);
    for (size_t i = 0; i < metric->source_count; i++) {
        points->sources[i].seen = &metric->sources[i];
        TRY(list_pieces(points, &points->sources[i], err));
    }
    bound_sources(points, first_step, last_step);
    points_rewind(points, false);
    return STATUS_OK;
}

void points_free(struct points *points)
{
    if (points == NULL)
        return;
    arena_free(&points->page_arena);
    arena_free(&points->part_arena);
    free(points->sources);
    free(points->pieces);
    free(points);
}

/* ---- reading ---- */

static void enter_source(struct points *points, size_t source)
{
    points->source = source;
    points->inbox_given = points->tail_begun = false;
    points->page_count = points->page_at = 0;
    if (source < points->metric->source_count)
        points->piece = points->sources[source].first_piece;
}

void points_rewind(struct points *points, bool sums)
{
    points->sums = sums;
    enter_source(points, 0);
}

/* Keeps what is in the source's range. */
static enum status keep_wanted(struct points *points, const struct source *source,
                               const struct pack_columns *all, struct pack_columns *out, struct err *err)
{
    size_t first = 0, kept = 0;
    while (first < all->count && all->steps[first] >= source->first_step &&
           all->steps[first] <= source->last_step)
        first++;
    *out = *all;
    if (first == all->count)
        return STATUS_OK;
    struct arena *arena = &points->part_arena;
    *out = (struct pack_columns){arena_calloc(arena, all->count, sizeof *out->steps),
                                 arena_calloc(arena, all->count, sizeof *out->values),
                                 arena_calloc(arena, all->count, sizeof *out->times_us), 0};
    if (out->steps == NULL || out->values == NULL || out->times_us == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    for (size_t i = 0; i < all->count; i++) {
        out->steps[kept] = all->steps[i];
        out->values[kept] = all->values[i];
        out->times_us[kept] = all->times_us[i];
        kept += all->steps[i] >= source->first_step && all->steps[i] <= source->last_step;
    }
    out->count = kept;
    return STATUS_OK;
}

static enum status read_page(struct store_tx *tx, void *context, struct err *err)
{
    struct points *points = context;
    const struct source *source = &points->sources[points->source];
    const struct store_chunk_range range =
        make_range(points, source->seen, points->pieces[points->piece].chunk, source->seen->last_chunk);
    return store_read_chunks(tx, &range, PAGE_CHUNKS, &points->page, &points->page_count, err);
}

static const struct store_chunk *find_in_page(struct points *points, int64_t chunk)
{
    while (points->page_at < points->page_count && points->page[points->page_at].chunk < chunk)
        points->page_at++;
    bool found = points->page_at < points->page_count && points->page[points->page_at].chunk == chunk;
    return found ? &points->page[points->page_at] : NULL;
}

static enum status read_piece(struct points *points, struct points_part *part, struct err *err)
{
    const struct piece *piece = &points->pieces[points->piece];
    const struct store_chunk *chunk = find_in_page(points, piece->chunk);
    struct pack_columns columns;
    if (chunk == NULL) {
        points->page_at = points->page_count = 0;
        TRY(gate_read(points->gate, &points->page_arena, read_page, points, err));
        chunk = find_in_page(points, piece->chunk);
    }
    if (chunk == NULL || chunk->points < piece->points)
        return gone(err);
    arena_reset(&points->part_arena);
    TRY(pack_read(chunk->encoding, chunk->data, chunk->length, (size_t)chunk->points, &points->part_arena,
                  &columns, err));
    columns.count = (size_t)piece->points;
    points->piece++;
    return keep_wanted(points, &points->sources[points->source], &columns, &part->columns, err);
}

/* Leaves part->columns empty where nothing is wanted. */
static enum status next_piece(struct points *points, const struct source *source, struct points_part *part,
                              struct err *err)
{
    const struct piece *piece = &points->pieces[points->piece];
    const struct points_sum *sum = &piece->sum;
    bool all_steps = source->first_step == INT64_MIN && source->last_step == INT64_MAX;
    bool whole = all_steps || (piece->bounded && sum->first_step >= source->first_step &&
                               sum->last_step <= source->last_step);
    bool none =
        source->first_step > source->last_step ||
        (piece->bounded && (sum->first_step > source->last_step || sum->last_step < source->first_step));
    part->summed = points->sums && whole && piece->exact;
    part->sum = *sum;
    if (!none && !part->summed)
        return read_piece(points, part, err);
    points->piece++;
    return STATUS_OK;
}

static enum status next_tail(struct points *points, const struct source *source, struct points_part *part,
                             struct err *err)
{
    struct pack_columns columns;
    if (!points->tail_begun)
        points->tail = points_tail_begin(points->gate, points->history, points->metric->name, source->seen);
    points->tail_begun = true;
    if (points->tail.left == 0 || source->first_step > source->last_step) {
        enter_source(points, points->source + 1);
        return STATUS_OK;
    }
    arena_reset(&points->part_arena);
    TRY(points_tail_next(&points->tail, &points->part_arena, &columns, err));
    return keep_wanted(points, source, &columns, &part->columns, err);
}

enum status points_next(struct points *points, struct points_part *part, bool *any, struct err *err)
{
    *part = (struct points_part){.summed = false};
    *any = false;
    while (points->source < points->metric->source_count && !*any) {
        const struct source *source = &points->sources[points->source];
        part->attempt = source->seen->attempt;
        if (points->piece < source->piece_end) {
            TRY(next_piece(points, source, part, err));
        } else if (!points->inbox_given) {
            points->inbox_given = true;
            arena_reset(&points->part_arena);
            TRY(keep_wanted(points, source, &source->seen->inbox, &part->columns, err));
        } else {
            TRY(next_tail(points, source, part, err));
        }
        *any = part->summed || part->columns.count > 0;
    }
    return STATUS_OK;
}
