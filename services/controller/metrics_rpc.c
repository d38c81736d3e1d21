// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ReadMetrics: one snapshot says which chunks exist and what the inbox holds;
 * the chunks are then read page by page, up to what the snapshot saw, while
 * the reader keeps up. No transaction stays open while it does not.
 */
#include <stdlib.h>
#include <string.h>

#include "db/store/metrics.h"
#include "db/store/runs.h"
#include "services/controller/gate.h"
#include "services/controller/messages.h"
#include "services/controller/metrics_rpc.h"
#include "services/controller/request.h"
#include "services/controller/series.h"

#define PAGE_CHUNKS 16
#define INBOX_ROWS_MAX 1000000
#define PART_POINTS 4000

/* One metric: chunks up to `chunk`, of the last only `points`, then what was in the inbox. */
struct metric {
    const char *name;
    bool has_chunks;
    int64_t chunk;
    int32_t points;
    struct pack_columns inbox;
};

struct reader {
    struct controller *controller;
    struct rpc_stream *stream;
    struct store_compaction key;
    struct arena arena;     /* of the snapshot */
    struct metric *metrics; /* in order of name */
    size_t metric_count;
    /* where it is */
    size_t at; /* metric */
    int64_t next_chunk;
    struct store_chunk *page; /* in page_arena */
    size_t page_count, page_at;
    struct arena page_arena;
    size_t inbox_at;
};

struct snapshot {
    struct reader *reader;
    const Besom__V1__ReadMetricsRequest *request;
    struct arena *arena;
    struct store_chunk *last;
    size_t last_count;
    struct series *series;
    size_t series_count;
    int32_t attempt;
};

/* ---- the snapshot ---- */

static enum status read_snapshot(struct store_tx *tx, void *context, struct err *err)
{
    struct snapshot *snapshot = context;
    struct store_inbox_row *rows;
    struct store_run run;
    size_t count;
    TRY(store_get_run(tx, snapshot->request->sweep_id, snapshot->request->run_id, &run, err));
    snapshot->attempt = snapshot->request->attempt != 0 ? snapshot->request->attempt : run.attempt;
    const struct store_compaction key = {run.sweep_id, run.run_id, snapshot->attempt};
    TRY(store_list_last_chunks(tx, &key, &snapshot->last, &snapshot->last_count, err));
    TRY(store_read_inbox(tx, &key, 0, INBOX_ROWS_MAX, &rows, &count, err));
    return series_collect(rows, count, store_tx_arena(tx), &snapshot->series, &snapshot->series_count, err);
}

static bool is_wanted(const Besom__V1__ReadMetricsRequest *request, const char *name)
{
    for (size_t i = 0; i < request->n_names; i++)
        if (strcmp(request->names[i], name) == 0)
            return true;
    return request->n_names == 0;
}

static int compare_metrics(const void *a, const void *b)
{
    return strcmp(((const struct metric *)a)->name, ((const struct metric *)b)->name);
}

static struct metric *find_metric(struct reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->metric_count; i++)
        if (strcmp(reader->metrics[i].name, name) == 0)
            return &reader->metrics[i];
    return NULL;
}

static enum status list_metrics(struct reader *reader, const struct snapshot *snapshot, struct err *err)
{
    reader->metrics = arena_calloc(&reader->arena, snapshot->last_count + snapshot->series_count + 1,
                                   sizeof *reader->metrics);
    if (reader->metrics == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < snapshot->last_count; i++)
        if (is_wanted(snapshot->request, snapshot->last[i].name))
            reader->metrics[reader->metric_count++] = (struct metric){.name = snapshot->last[i].name,
                                                                      .has_chunks = true,
                                                                      .chunk = snapshot->last[i].chunk,
                                                                      .points = snapshot->last[i].points};
    for (size_t i = 0; i < snapshot->series_count; i++) {
        if (!is_wanted(snapshot->request, snapshot->series[i].name))
            continue;
        struct metric *metric = find_metric(reader, snapshot->series[i].name);
        if (metric == NULL) {
            metric = &reader->metrics[reader->metric_count++];
            metric->name = snapshot->series[i].name;
        }
        metric->inbox = snapshot->series[i].columns;
    }
    qsort(reader->metrics, reader->metric_count, sizeof *reader->metrics, compare_metrics);
    return STATUS_OK;
}

static enum status open_reader(struct reader *reader, const Besom__V1__ReadMetricsRequest *request,
                               struct err *err)
{
    struct snapshot snapshot = {.reader = reader, .request = request};
    TRY(request_check_id("sweep", request->sweep_id, err));
    TRY(request_check_id("run", request->run_id, err));
    TRY(request_allow(reader->controller, rpc_stream_identity(reader->stream), request->sweep_id, err));
    TRY(gate_read(reader->controller->gate, &reader->arena, read_snapshot, &snapshot, err));
    reader->key = (struct store_compaction){arena_strdup(&reader->arena, request->sweep_id),
                                            arena_strdup(&reader->arena, request->run_id), snapshot.attempt};
    if (reader->key.sweep_id == NULL || reader->key.run_id == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return list_metrics(reader, &snapshot, err);
}

/* ---- sending ---- */

static enum status send_columns(struct reader *reader, const char *name, const struct pack_columns *columns)
{
    Besom__V1__ReadMetricsResponse response = BESOM__V1__READ_METRICS_RESPONSE__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT;
    series.name = message_text(name);
    series.steps = columns->steps;
    series.values = columns->values;
    series.times_us = columns->times_us;
    series.n_steps = series.n_values = series.n_times_us = columns->count;
    response.series = &series;
    return rpc_stream_send(reader->stream, &response.base);
}

static enum status read_page(struct store_tx *tx, void *context, struct err *err)
{
    struct reader *reader = context;
    const char *name = reader->metrics[reader->at].name;
    return store_read_chunks(tx, &reader->key, &name, 1, name, reader->next_chunk - 1, PAGE_CHUNKS,
                             &reader->page, &reader->page_count, err);
}

static enum status load_page(struct reader *reader, struct err *err)
{
    reader->page_at = reader->page_count = 0;
    TRY(gate_read(reader->controller->gate, &reader->page_arena, read_page, reader, err));
    return reader->page_count > 0
               ? STATUS_OK
               : err_set(err, STATUS_NOT_FOUND, "the run's metrics were deleted meanwhile");
}

static enum status send_chunk(struct reader *reader, struct err *err)
{
    const struct metric *metric = &reader->metrics[reader->at];
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct pack_columns columns;
    if (reader->page_at == reader->page_count)
        TRY(load_page(reader, err));
    const struct store_chunk *chunk = &reader->page[reader->page_at];
    TRY(pack_read(chunk->encoding, chunk->data, chunk->length, (size_t)chunk->points, &arena, &columns, err));
    if (chunk->chunk == metric->chunk && columns.count > (size_t)metric->points)
        columns.count = (size_t)metric->points;
    enum status status = send_columns(reader, metric->name, &columns);
    if (status != STATUS_OK)
        return err_set(err, status, "not sent");
    reader->page_at++;
    reader->next_chunk = chunk->chunk + 1;
    return STATUS_OK;
}

static enum status send_inbox(struct reader *reader, struct err *err)
{
    const struct metric *metric = &reader->metrics[reader->at];
    size_t left = metric->inbox.count - reader->inbox_at, count = left < PART_POINTS ? left : PART_POINTS;
    const struct pack_columns part = {metric->inbox.steps + reader->inbox_at,
                                      metric->inbox.values + reader->inbox_at,
                                      metric->inbox.times_us + reader->inbox_at, count};
    enum status status = send_columns(reader, metric->name, &part);
    if (status != STATUS_OK)
        return err_set(err, status, "not sent");
    reader->inbox_at += count;
    return STATUS_OK;
}

static enum status send_next(struct reader *reader, struct err *err)
{
    const struct metric *metric = &reader->metrics[reader->at];
    if (metric->has_chunks && reader->next_chunk <= metric->chunk)
        return send_chunk(reader, err);
    if (reader->inbox_at < metric->inbox.count)
        return send_inbox(reader, err);
    reader->at++;
    reader->next_chunk = 0;
    reader->inbox_at = reader->page_at = reader->page_count = 0;
    return STATUS_OK;
}

/* Until all is sent, or the outbox is full: on_writable goes on. */
static void pump(struct reader *reader)
{
    struct err err = ERR_INIT;
    enum status status = STATUS_OK;
    while (reader->at < reader->metric_count && status == STATUS_OK)
        status = send_next(reader, &err);
    if (status == STATUS_EXHAUSTED)
        return;
    rpc_stream_finish(reader->stream, status == STATUS_OK ? NULL : &err);
}

static void on_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *request)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct err err = ERR_INIT;
    if (reader == NULL) {
        err_set(&err, STATUS_NO_MEMORY, "out of memory");
        rpc_stream_finish(stream, &err);
        return;
    }
    reader->controller = service;
    reader->stream = stream;
    reader->arena = arena_make(0);
    reader->page_arena = arena_make(0);
    rpc_stream_set_context(stream, reader);
    if (open_reader(reader, (const Besom__V1__ReadMetricsRequest *)(const void *)request, &err) == STATUS_OK)
        pump(reader);
    else
        rpc_stream_finish(stream, &err);
}

static void on_writable(void *service, struct rpc_stream *stream)
{
    (void)service;
    struct reader *reader = rpc_stream_context(stream);
    if (reader != NULL)
        pump(reader);
}

static void on_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    struct reader *reader = rpc_stream_context(stream);
    (void)service;
    (void)cancelled;
    if (reader == NULL)
        return;
    arena_free(&reader->arena);
    arena_free(&reader->page_arena);
    free(reader);
}

const struct rpc_stream_handler read_metrics_handler = {
    .on_open = on_open, .on_writable = on_writable, .on_close = on_close};
