// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/points_tail.h"

#include <string.h>

#define PAGE_CHUNKS 16

struct step {
    struct points_tail *tail;
    struct points_tail next; /* what it becomes when the transaction is over */
    struct arena *arena;
    struct pack_columns columns;
};

struct points_tail points_tail_begin(struct gate *gate, const struct history *history, const char *name,
                                     const struct history_source *source)
{
    return (struct points_tail){.gate = gate,
                                .history = history,
                                .name = name,
                                .attempt = source->attempt,
                                .left = source->inbox_counted,
                                .chunk = source->has_chunks ? source->last_chunk : 0,
                                .offset = source->has_chunks ? source->last_points : 0};
}

static void give(struct step *step, struct pack_columns columns, size_t skip)
{
    size_t count = columns.count - skip;
    count = (int64_t)count < step->next.left ? count : (size_t)step->next.left;
    step->columns =
        (struct pack_columns){columns.steps + skip, columns.values + skip, columns.times_us + skip, count};
    step->next.left -= (int64_t)count;
    step->next.offset += (int64_t)count;
}

/* The next point is in a chunk, or `offset` is left counted from the end of the last one. */
static enum status look_in_chunks(struct store_tx *tx, struct step *step, int64_t *past_chunks,
                                  struct err *err)
{
    struct points_tail *next = &step->next;
    *past_chunks = next->offset;
    for (size_t count = PAGE_CHUNKS; count == PAGE_CHUNKS;) {
        const struct store_chunk_range range = {
            {next->history->sweep_id, next->history->run_id, next->attempt, false},
            next->name,
            next->chunk,
            INT64_MAX};
        struct store_chunk *chunks;
        TRY(store_read_chunks(tx, &range, PAGE_CHUNKS, &chunks, &count, err));
        for (size_t i = 0; i < count; i++) {
            if (i > 0) {
                next->offset -= chunks[i - 1].points;
                next->chunk = chunks[i].chunk;
            }
            struct pack_columns columns;
            *past_chunks = next->offset - chunks[i].points;
            if (*past_chunks >= 0)
                continue;
            TRY(pack_read(chunks[i].encoding, chunks[i].data, chunks[i].length, (size_t)chunks[i].points,
                          step->arena, &columns, err));
            give(step, columns, (size_t)next->offset);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static enum status copy(const struct pack_columns *from, size_t skip, struct arena *arena,
                        struct pack_columns *out, struct err *err)
{
    size_t count = from->count - skip;
    *out = (struct pack_columns){arena_calloc(arena, count, sizeof *out->steps),
                                 arena_calloc(arena, count, sizeof *out->values),
                                 arena_calloc(arena, count, sizeof *out->times_us), count};
    if (out->steps == NULL || out->values == NULL || out->times_us == NULL)
        return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
    memcpy(out->steps, from->steps + skip, count * sizeof *out->steps);
    memcpy(out->values, from->values + skip, count * sizeof *out->values);
    memcpy(out->times_us, from->times_us + skip, count * sizeof *out->times_us);
    return STATUS_OK;
}

/* The inbox's points from number `skip` on; where it went on last time when nothing was packed meanwhile. */
static enum status look_in_inbox(struct store_tx *tx, struct step *step, int64_t skip, struct err *err)
{
    static const struct store_inbox_limit limit = {HISTORY_INBOX_ROWS, HISTORY_INBOX_POINTS};
    struct points_tail *next = &step->next;
    const struct store_metric_key key = {next->history->sweep_id, next->history->run_id, next->attempt,
                                         next->attempt};
    const struct series_filter filter = {&next->name, 1};
    int64_t at = skip == next->inbox_offset ? skip : 0;
    int64_t sequence = skip == next->inbox_offset ? next->sequence : 0;
    for (size_t row_count = 1; row_count > 0;) {
        struct store_inbox_row *rows;
        struct series *series;
        struct pack_columns columns;
        size_t count;
        arena_reset(store_tx_arena(tx));
        TRY(store_read_inbox(tx, &key, next->attempt, sequence, limit, &rows, &row_count, err));
        TRY(series_collect(rows, row_count, &filter, store_tx_arena(tx), store_tx_arena(tx), &series, &count,
                           err));
        int64_t points = count > 0 ? (int64_t)series[0].columns.count : 0;
        sequence = row_count > 0 ? rows[row_count - 1].sequence : sequence;
        at += points;
        if (at <= skip)
            continue;
        TRY(copy(&series[0].columns, (size_t)(points - (at - skip)), step->arena, &columns, err));
        give(step, columns, 0);
        next->inbox_offset = at;
        next->sequence = sequence;
        return STATUS_OK;
    }
    return err_set(err, STATUS_NOT_FOUND, "the run's metrics were deleted meanwhile");
}

static enum status read_step(struct store_tx *tx, void *context, struct err *err)
{
    struct step *step = context;
    int64_t past_chunks;
    step->next = *step->tail;
    step->columns.count = 0;
    TRY(look_in_chunks(tx, step, &past_chunks, err));
    return step->columns.count > 0 ? STATUS_OK : look_in_inbox(tx, step, past_chunks, err);
}

enum status points_tail_next(struct points_tail *tail, struct arena *arena, struct pack_columns *out,
                             struct err *err)
{
    struct arena scratch CLEANUP(arena_free) = arena_make(0);
    struct step step = {.tail = tail, .arena = arena};
    TRY(gate_read(tail->gate, &scratch, read_step, &step, err));
    *tail = step.next;
    *out = step.columns;
    return STATUS_OK;
}
