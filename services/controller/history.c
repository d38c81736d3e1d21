// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/history.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/metrics.h"
#include "db/store/runs.h"

static atomic_size_t held;

/* One metric of one attempt. */
struct entry {
    const char *name;
    struct history_source source;
};

struct snapshot {
    struct history *history;
    struct arena *arena;
    struct store_metric_key key;
    int32_t attempt;
    struct entry *entries; /* owned */
    size_t count, capacity;
    size_t sorted; /* the first so many are sorted and distinct */
};

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "reading metrics: out of memory");
}

static enum status too_many(struct err *err)
{
    return err_set(err, STATUS_INVALID, "the run has more than %d metrics: name those wanted",
                   HISTORY_METRICS_MAX);
}

static int compare_keys(const char *name, int32_t attempt, const struct entry *entry)
{
    int order = strcmp(name, entry->name);
    return order != 0 ? order : (attempt > entry->source.attempt) - (attempt < entry->source.attempt);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a;
    return compare_keys(left->name, left->source.attempt, b);
}

static struct entry *find_entry(struct snapshot *snapshot, const char *name, int32_t attempt)
{
    size_t low = 0, high = snapshot->sorted;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_keys(name, attempt, &snapshot->entries[middle]);
        if (order == 0)
            return &snapshot->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A new one is found only after sort_entries. */
static struct entry *add_entry(struct snapshot *snapshot, const char *name, int32_t attempt)
{
    if (snapshot->count == snapshot->capacity) {
        size_t capacity = snapshot->capacity == 0 ? 64 : 2 * snapshot->capacity;
        struct entry *entries = realloc(snapshot->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return NULL;
        snapshot->entries = entries;
        snapshot->capacity = capacity;
    }
    struct entry *entry = &snapshot->entries[snapshot->count];
    *entry = (struct entry){.name = arena_strdup(snapshot->arena, name), .source = {.attempt = attempt}};
    snapshot->count += entry->name != NULL;
    return entry->name != NULL ? entry : NULL;
}

static void sort_entries(struct snapshot *snapshot)
{
    if (snapshot->count > 1)
        qsort(snapshot->entries, snapshot->count, sizeof *snapshot->entries, compare_entries);
    snapshot->sorted = snapshot->count;
}

static enum status list_chunked(struct store_tx *tx, struct snapshot *snapshot, struct err *err)
{
    const struct series_filter *filter = &snapshot->history->filter;
    struct store_metric *metrics;
    size_t count;
    TRY(store_list_metrics(tx, &snapshot->key, filter->names, filter->count, HISTORY_METRICS_MAX + 1,
                           &metrics, &count, err));
    if (count > HISTORY_METRICS_MAX)
        return too_many(err);
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = add_entry(snapshot, metrics[i].name, metrics[i].attempt);
        if (entry == NULL)
            return no_memory(err);
        entry->source.has_chunks = true;
        entry->source.last_chunk = metrics[i].chunk;
        entry->source.last_points = metrics[i].points;
    }
    sort_entries(snapshot);
    return STATUS_OK;
}

/* ---- the inbox ---- */

static void count_points(struct history_source *source, const struct pack_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++, source->inbox_counted++)
        if (source->inbox_counted == 0 || columns->steps[i] < source->inbox_least_step)
            source->inbox_least_step = columns->steps[i];
}

static enum status add_series(struct snapshot *snapshot, int32_t attempt, const struct series *series,
                              size_t count, bool hold, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = find_entry(snapshot, series[i].name, attempt);
        if (entry == NULL)
            entry = add_entry(snapshot, series[i].name, attempt);
        if (entry == NULL)
            return no_memory(err);
        if (hold)
            entry->source.inbox = series[i].columns;
        else
            count_points(&entry->source, &series[i].columns);
    }
    sort_entries(snapshot);
    return STATUS_OK;
}

/* Attempt by attempt. */
static enum status add_rows(struct snapshot *snapshot, const struct store_inbox_row *rows, size_t count,
                            bool hold, struct err *err)
{
    for (size_t from = 0, to; from < count; from = to) {
        struct arena scratch CLEANUP(arena_free) = arena_make(0);
        struct series *series;
        size_t series_count;
        for (to = from + 1; to < count && rows[to].attempt == rows[from].attempt; to++)
            ;
        TRY(series_collect(rows + from, to - from, &snapshot->history->filter, &scratch,
                           hold ? snapshot->arena : &scratch, &series, &series_count, err));
        TRY(add_series(snapshot, rows[from].attempt, series, series_count, hold, err));
    }
    return STATUS_OK;
}

static bool is_all(const struct store_inbox_row *rows, size_t count)
{
    int64_t points = 0;
    for (size_t i = 0; i < count; i++)
        points += rows[i].points;
    return count < HISTORY_INBOX_ROWS && points < HISTORY_INBOX_POINTS;
}

static enum status read_inbox(struct store_tx *tx, struct snapshot *snapshot, struct err *err)
{
    static const struct store_inbox_limit limit = {HISTORY_INBOX_ROWS, HISTORY_INBOX_POINTS};
    int32_t attempt = 0;
    int64_t sequence = 0;
    bool first = true, all = false;
    while (!all) {
        struct store_inbox_row *rows;
        size_t count;
        arena_reset(store_tx_arena(tx));
        TRY(store_read_inbox(tx, &snapshot->key, attempt, sequence, limit, &rows, &count, err));
        all = is_all(rows, count);
        TRY(add_rows(snapshot, rows, count, first && all, err));
        if (snapshot->count > HISTORY_METRICS_MAX)
            return too_many(err);
        first = false;
        if (!all) {
            attempt = rows[count - 1].attempt;
            sequence = rows[count - 1].sequence;
        }
    }
    return STATUS_OK;
}

static enum status take_snapshot(struct store_tx *tx, void *context, struct err *err)
{
    struct snapshot *snapshot = context;
    const struct history *history = snapshot->history;
    struct store_run run;
    TRY(store_get_run(tx, history->sweep_id, history->run_id, &run, err));
    snapshot->key = (struct store_metric_key){history->sweep_id, history->run_id, 1, run.attempt};
    if (snapshot->attempt != 0)
        snapshot->key.first_attempt = snapshot->key.last_attempt = snapshot->attempt;
    snapshot->count = snapshot->sorted = 0;
    TRY(list_chunked(tx, snapshot, err));
    return read_inbox(tx, snapshot, err);
}

/* ---- */

static enum status group_metrics(struct snapshot *snapshot, struct err *err)
{
    struct history *history = snapshot->history;
    struct history_source *sources = arena_calloc(snapshot->arena, snapshot->count + 1, sizeof *sources);
    history->metrics = arena_calloc(snapshot->arena, snapshot->count + 1, sizeof *history->metrics);
    history->metric_count = 0;
    if (sources == NULL || history->metrics == NULL)
        return no_memory(err);
    for (size_t i = 0; i < snapshot->count; i++) {
        const char *name = snapshot->entries[i].name;
        sources[i] = snapshot->entries[i].source;
        if (i == 0 || strcmp(snapshot->entries[i - 1].name, name) != 0)
            history->metrics[history->metric_count++] =
                (struct history_metric){.name = name, .sources = &sources[i]};
        history->metrics[history->metric_count - 1].source_count++;
    }
    return STATUS_OK;
}

static enum status hold(struct history *history, size_t bytes, struct err *err)
{
    if (atomic_fetch_add(&held, bytes) + bytes > HISTORY_HELD_MAX) {
        atomic_fetch_sub(&held, bytes);
        return err_set(err, STATUS_EXHAUSTED,
                       "too many metrics are being read at once: ask again later, or for fewer");
    }
    history->held = bytes;
    return STATUS_OK;
}

void history_drop(struct history *history)
{
    atomic_fetch_sub(&held, history->held);
    history->held = 0;
}

enum status history_read(struct gate *gate, struct arena *arena, int32_t attempt, struct history *history,
                         struct err *err)
{
    struct arena scratch CLEANUP(arena_free) = arena_make(0);
    struct snapshot snapshot = {.history = history, .arena = arena, .attempt = attempt};
    enum status status = gate_read(gate, &scratch, take_snapshot, &snapshot, err);
    if (status == STATUS_OK)
        status = group_metrics(&snapshot, err);
    free(snapshot.entries);
    return status == STATUS_OK ? hold(history, arena->used, err) : status;
}
