// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * One metric after the other: points are read part by part while the reader
 * keeps up; buckets are made of a whole metric, then sent.
 */
#include "services/controller/metrics_rpc.h"

#include <stdlib.h>
#include <string.h>

#include "services/controller/batch.h"
#include "services/controller/buckets.h"
#include "services/controller/messages.h"
#include "services/controller/request.h"

#define PART_POINTS 4000
#define BUCKETS_MAX 100000
#define NAMES_MAX 10000
#define WHOLE_CHUNKS_POINTS 500 /* a bucket of so many points is made of whole chunks */

struct reader {
    struct controller *controller;
    struct rpc_stream *stream;
    struct arena arena; /* of the request and the snapshot */
    struct history history;
    int64_t first_step, last_step;
    size_t bucket_count; /* 0 = points */
    /* where it is */
    size_t at;             /* metric */
    struct points *points; /* owned; of that metric, NULL before and after it */
    struct points_part part;
    struct buckets buckets;
    size_t sent; /* points of the part, or buckets */
    bool full;   /* the outbox took no more */
};

static enum status send_response(struct reader *reader, const Besom__V1__ReadMetricsResponse *response,
                                 size_t count, struct err *err)
{
    enum status status = rpc_stream_send(reader->stream, &response->base);
    reader->full = status == STATUS_EXHAUSTED;
    if (status != STATUS_OK)
        return err_set(err, status, "not sent");
    reader->sent += count;
    return STATUS_OK;
}

/* ---- the request ---- */

static enum status check_request(const Besom__V1__ReadMetricsRequest *request, struct err *err)
{
    TRY(request_check_id("sweep", request->sweep_id, err));
    TRY(request_check_id("run", request->run_id, err));
    if (request->attempt < 0)
        return err_set(err, STATUS_INVALID, "attempt must not be negative");
    if (request->buckets < 0 || request->buckets > BUCKETS_MAX)
        return err_set(err, STATUS_INVALID, "buckets must be 0 to %d", BUCKETS_MAX);
    if (request->n_names > NAMES_MAX)
        return err_set(err, STATUS_INVALID, "at most %d names at once", NAMES_MAX);
    for (size_t i = 0; i < request->n_names; i++)
        if (request->names[i][0] == '\0' || strlen(request->names[i]) > BATCH_NAME_MAX)
            return err_set(err, STATUS_INVALID, "a metric's name has 1 to %d bytes", BATCH_NAME_MAX);
    return STATUS_OK;
}

static enum status take_range(struct reader *reader, const Besom__V1__ReadMetricsRequest *request,
                              struct err *err)
{
    bool has_first = request->first_choice_case == BESOM__V1__READ_METRICS_REQUEST__FIRST_CHOICE_FIRST_STEP;
    bool has_last = request->last_choice_case == BESOM__V1__READ_METRICS_REQUEST__LAST_CHOICE_LAST_STEP;
    reader->first_step = has_first ? request->first_step : INT64_MIN;
    reader->last_step = has_last ? request->last_step : INT64_MAX;
    reader->bucket_count = (size_t)request->buckets;
    return reader->first_step <= reader->last_step
               ? STATUS_OK
               : err_set(err, STATUS_INVALID, "first_step must not be above last_step");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status take_names(struct reader *reader, const Besom__V1__ReadMetricsRequest *request,
                              struct err *err)
{
    const char **names = arena_calloc(&reader->arena, request->n_names + 1, sizeof *names);
    struct history *history = &reader->history;
    size_t count = 0;
    history->sweep_id = arena_strdup(&reader->arena, request->sweep_id);
    history->run_id = arena_strdup(&reader->arena, request->run_id);
    if (names == NULL || history->sweep_id == NULL || history->run_id == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < request->n_names; i++) {
        names[i] = arena_strdup(&reader->arena, request->names[i]);
        if (names[i] == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    if (request->n_names > 1)
        qsort(names, request->n_names, sizeof *names, compare_names);
    for (size_t i = 0; i < request->n_names; i++)
        if (count == 0 || strcmp(names[count - 1], names[i]) != 0)
            names[count++] = names[i];
    history->filter = (struct series_filter){names, count};
    return STATUS_OK;
}

static enum status open_reader(struct reader *reader, const Besom__V1__ReadMetricsRequest *request,
                               struct err *err)
{
    TRY(check_request(request, err));
    TRY(take_range(reader, request, err));
    TRY(request_allow(reader->controller, rpc_stream_identity(reader->stream), request->sweep_id, err));
    TRY(take_names(reader, request, err));
    return history_read(reader->controller->gate, &reader->arena, request->attempt, &reader->history, err);
}

/* ---- points ---- */

static enum status send_points(struct reader *reader, struct err *err)
{
    const struct pack_columns *columns = &reader->part.columns;
    Besom__V1__ReadMetricsResponse response = BESOM__V1__READ_METRICS_RESPONSE__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT;
    size_t left = columns->count - reader->sent, count = left < PART_POINTS ? left : PART_POINTS;
    series.name = message_text(reader->history.metrics[reader->at].name);
    series.steps = columns->steps + reader->sent;
    series.values = columns->values + reader->sent;
    series.times_us = columns->times_us + reader->sent;
    series.n_steps = series.n_values = series.n_times_us = count;
    response.series = &series;
    response.attempt = reader->part.attempt;
    return send_response(reader, &response, count, err);
}

static enum status next_points(struct reader *reader, bool *any, struct err *err)
{
    *any = reader->sent < reader->part.columns.count;
    if (!*any) {
        reader->sent = 0;
        TRY(points_next(reader->points, &reader->part, any, err));
    }
    return *any ? send_points(reader, err) : STATUS_OK;
}

/* ---- buckets ---- */

static enum status count_points(struct points *points, int64_t *total, struct err *err)
{
    struct points_part part;
    bool any = true;
    *total = 0;
    for (points_rewind(points, true); any;) {
        TRY(points_next(points, &part, &any, err));
        *total += part.summed ? part.sum.count : (int64_t)part.columns.count;
    }
    return STATUS_OK;
}

static enum status fill_buckets(struct reader *reader, struct err *err)
{
    int64_t total;
    struct points_part part;
    TRY(count_points(reader->points, &total, err));
    if (total == 0)
        return STATUS_OK;
    TRY(buckets_init(&reader->buckets, reader->bucket_count, total, err));
    points_rewind(reader->points, total / (int64_t)reader->bucket_count >= WHOLE_CHUNKS_POINTS);
    for (bool any = true; any;) {
        TRY(points_next(reader->points, &part, &any, err));
        if (part.summed)
            buckets_add_sum(&reader->buckets, &part.sum);
        else
            buckets_add_points(&reader->buckets, &part.columns);
    }
    return STATUS_OK;
}

struct bucket_columns {
    int64_t first_steps[PART_POINTS], last_steps[PART_POINTS], counts[PART_POINTS];
    double mins[PART_POINTS], maxs[PART_POINTS], lasts[PART_POINTS];
};

static void spread(const struct points_sum *sums, size_t count, struct bucket_columns *out)
{
    for (size_t i = 0; i < count; i++) {
        out->first_steps[i] = sums[i].first_step;
        out->last_steps[i] = sums[i].last_step;
        out->counts[i] = sums[i].count;
        out->mins[i] = sums[i].min;
        out->maxs[i] = sums[i].max;
        out->lasts[i] = sums[i].last;
    }
}

static enum status send_buckets(struct reader *reader, size_t count, struct bucket_columns *columns,
                                struct err *err)
{
    Besom__V1__ReadMetricsResponse response = BESOM__V1__READ_METRICS_RESPONSE__INIT;
    Besom__V1__Buckets buckets = BESOM__V1__BUCKETS__INIT;
    spread(reader->buckets.items + reader->sent, count, columns);
    buckets.name = message_text(reader->history.metrics[reader->at].name);
    buckets.first_steps = columns->first_steps;
    buckets.last_steps = columns->last_steps;
    buckets.counts = columns->counts;
    buckets.mins = columns->mins;
    buckets.maxs = columns->maxs;
    buckets.lasts = columns->lasts;
    buckets.n_first_steps = buckets.n_last_steps = buckets.n_counts = count;
    buckets.n_mins = buckets.n_maxs = buckets.n_lasts = count;
    response.buckets = &buckets;
    return send_response(reader, &response, count, err);
}

static enum status next_buckets(struct reader *reader, bool *any, struct err *err)
{
    if (reader->buckets.items == NULL)
        TRY(fill_buckets(reader, err));
    *any = reader->buckets.items != NULL && reader->sent < reader->buckets.count;
    if (!*any)
        return STATUS_OK;
    size_t left = reader->buckets.count - reader->sent, count = left < PART_POINTS ? left : PART_POINTS;
    struct bucket_columns *columns = malloc(sizeof *columns);
    if (columns == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    enum status status = send_buckets(reader, count, columns, err);
    free(columns);
    return status;
}

/* ---- the stream ---- */

static void leave_metric(struct reader *reader)
{
    points_free(reader->points);
    buckets_free(&reader->buckets);
    reader->points = NULL;
    reader->buckets = (struct buckets){.items = NULL};
    reader->part.columns.count = reader->sent = 0;
}

static enum status send_next(struct reader *reader, struct err *err)
{
    bool any = false;
    if (reader->points == NULL)
        TRY(points_new(reader->controller->gate, &reader->history, &reader->history.metrics[reader->at],
                       reader->first_step, reader->last_step, &reader->points, err));
    TRY((reader->bucket_count == 0 ? next_points : next_buckets)(reader, &any, err));
    if (!any) {
        leave_metric(reader);
        reader->at++;
    }
    return STATUS_OK;
}

/* Until all is sent, or the outbox is full: on_writable goes on. */
static void pump(struct reader *reader)
{
    struct err err = ERR_INIT;
    enum status status = STATUS_OK;
    reader->full = false;
    while (reader->at < reader->history.metric_count && status == STATUS_OK)
        status = send_next(reader, &err);
    if (reader->full)
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
    leave_metric(reader);
    history_drop(&reader->history);
    arena_free(&reader->arena);
    free(reader);
}

const struct rpc_stream_handler read_metrics_handler = {
    .on_open = on_open, .on_writable = on_writable, .on_close = on_close};
