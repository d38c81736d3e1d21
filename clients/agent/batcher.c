// SPDX-License-Identifier: Apache-2.0
#include "batcher.h"

#include <assert.h>
#include <besom/v1/run_service.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "loop.h"

#define POINTS_PER_BATCH 100
#define OUTPUT_PER_BATCH (256 << 10)
#define POINTS_WAITING_MAX 50000
#define SERIES_BYTES_PER_BATCH (1 << 20) /* and one series more; the controller takes 4 MiB in all */
#define SERIES_HEAD_BYTES 32
#define POINT_BYTES 28                     /* step, value and time at their longest */
#define OUTPUT_BYTES_PER_BATCH (768 << 10) /* the controller takes 1 MiB */
#define METRICS_RESERVE (64 << 20)         /* of the spool, beyond the bound that ends output */
#define NAMES_PER_BATCH 10000
#define RETRY_MS 1000

struct column {
    char *name; /* owned */
    int64_t *steps, *times_us;
    double *values;
    size_t count, capacity;
};

struct part {
    bool is_error;
    struct buffer text;
};

struct batcher {
    struct spool_writer *spool;
    int64_t limit_bytes;
    struct column *columns; /* owned; emptied, not freed, by a flush */
    size_t column_count, column_capacity, column_hint;
    size_t points;
    struct part *parts; /* owned; whole lines in order of arrival */
    size_t part_count, part_capacity;
    struct buffer tails[2]; /* incomplete last lines of output and error output */
    size_t output_bytes;
    int64_t output_offset;
    int64_t dropped_lines, dropped_total;
    bool dropping_line[2]; /* the begin of this stream's line was dropped, its end is still to come */
    bool preempting;
    int64_t first_ms; /* when the oldest waiting item came; 0 = nothing waits */
    int64_t retry_ms; /* after a failed write; 0 = none */
    int64_t sequence;
};

enum status batcher_new(struct spool_writer *spool, int64_t limit_bytes, struct batcher **out,
                        struct err *err)
{
    struct batcher *batcher = calloc(1, sizeof *batcher);
    if (batcher == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    batcher->spool = spool;
    batcher->limit_bytes = limit_bytes;
    *out = batcher;
    return STATUS_OK;
}

static void column_free(struct column *column)
{
    free(column->name);
    free(column->steps);
    free(column->times_us);
    free(column->values);
}

void batcher_free(struct batcher *batcher)
{
    if (batcher == NULL)
        return;
    for (size_t i = 0; i < batcher->column_count; i++)
        column_free(&batcher->columns[i]);
    for (size_t i = 0; i < batcher->part_count; i++)
        buffer_free(&batcher->parts[i].text);
    buffer_free(&batcher->tails[0]);
    buffer_free(&batcher->tails[1]);
    free(batcher->columns);
    free(batcher->parts);
    free(batcher);
}

static void note_arrival(struct batcher *batcher)
{
    if (batcher->first_ms == 0)
        batcher->first_ms = loop_now_ms();
}

/* Room for one more element of `size` bytes; false without memory. */
static bool grow(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

/* Metrics come in the same order again and again, so the search starts behind the last one found. */
static struct column *find_column(struct batcher *batcher, const char *name)
{
    for (size_t i = 0; i < batcher->column_count; i++) {
        size_t at = (batcher->column_hint + i) % batcher->column_count;
        if (strcmp(batcher->columns[at].name, name) != 0)
            continue;
        batcher->column_hint = at + 1;
        return &batcher->columns[at];
    }
    void *columns = batcher->columns;
    if (!grow(&columns, batcher->column_count, &batcher->column_capacity, sizeof(struct column)))
        return NULL;
    batcher->columns = columns;
    struct column *column = &batcher->columns[batcher->column_count];
    *column = (struct column){.name = strdup(name)};
    if (column->name == NULL)
        return NULL;
    batcher->column_hint = ++batcher->column_count;
    return column;
}

static bool grow_column(struct column *column)
{
    if (column->count < column->capacity)
        return true;
    size_t capacity = column->capacity == 0 ? 128 : column->capacity * 2;
    int64_t *steps = realloc(column->steps, capacity * sizeof *steps);
    if (steps != NULL)
        column->steps = steps;
    int64_t *times_us = realloc(column->times_us, capacity * sizeof *times_us);
    if (times_us != NULL)
        column->times_us = times_us;
    double *values = realloc(column->values, capacity * sizeof *values);
    if (values != NULL)
        column->values = values;
    if (steps == NULL || times_us == NULL || values == NULL)
        return false;
    column->capacity = capacity;
    return true;
}

/* Columns are searched one by one, so that too many of them are got rid of before more come. */
static void bound_columns(struct batcher *batcher)
{
    struct err err = ERR_INIT;
    if (batcher->column_count < NAMES_PER_BATCH || batcher->retry_ms > loop_now_ms())
        return;
    enum status status = batcher_flush(batcher, false, &err);
    (void)status; /* what could not be written waits and is tried again */
}

void batcher_add_metric(struct batcher *batcher, const char *name, int64_t step, double value,
                        int64_t time_us)
{
    bound_columns(batcher);
    struct column *column = find_column(batcher, name);
    if (column == NULL || !grow_column(column))
        abort(); /* metrics are never silently dropped */
    column->steps[column->count] = step;
    column->values[column->count] = value;
    column->times_us[column->count++] = time_us;
    batcher->points++;
    note_arrival(batcher);
}

static int64_t count_lines(const char *bytes, size_t length)
{
    int64_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

/* Appends to the last part when it is of the same stream and has room. */
static void add_part(struct batcher *batcher, bool is_error, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    struct part *last = batcher->part_count > 0 ? &batcher->parts[batcher->part_count - 1] : NULL;
    if (last == NULL || last->is_error != is_error || last->text.length >= OUTPUT_PER_BATCH) {
        void *parts = batcher->parts;
        if (!grow(&parts, batcher->part_count, &batcher->part_capacity, sizeof(struct part)))
            return;
        assert(parts != NULL);
        batcher->parts = parts;
        last = &batcher->parts[batcher->part_count++];
        *last = (struct part){.is_error = is_error, .text = BUFFER_INIT};
    }
    buffer_append(&last->text, bytes, length);
}

static void count_dropped(struct batcher *batcher, int64_t lines)
{
    batcher->dropped_lines += lines;
    batcher->dropped_total += lines;
}

void batcher_add_output(struct batcher *batcher, bool is_error, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    note_arrival(batcher);
    bool no_room = batcher->output_bytes > 4 * OUTPUT_PER_BATCH ||
                   spool_bytes(batcher->spool) + (int64_t)batcher->output_bytes > batcher->limit_bytes;
    if (no_room) {
        count_dropped(batcher, count_lines(bytes, length));
        batcher->dropping_line[is_error] = bytes[length - 1] != '\n';
        return;
    }
    if (batcher->dropping_line[is_error])
        count_dropped(batcher, 1);
    batcher->dropping_line[is_error] = false;
    struct buffer *tail = &batcher->tails[is_error];
    const char *newline = memrchr(bytes, '\n', length);
    size_t whole = newline != NULL ? (size_t)(newline - bytes) + 1 : 0;
    if (whole > 0) {
        add_part(batcher, is_error, buffer_text(tail), tail->length);
        buffer_clear(tail);
        add_part(batcher, is_error, bytes, whole);
    }
    buffer_append(tail, bytes + whole, length - whole);
    batcher->output_bytes += length;
}

void batcher_mark_preempting(struct batcher *batcher)
{
    batcher->preempting = true;
    note_arrival(batcher);
}

int64_t batcher_due_ms(const struct batcher *batcher)
{
    if (batcher->first_ms == 0)
        return -1;
    int64_t now_ms = loop_now_ms();
    if (batcher->retry_ms > 0)
        return batcher->retry_ms > now_ms ? batcher->retry_ms - now_ms : 0;
    if (batcher->points >= POINTS_PER_BATCH || batcher->output_bytes >= OUTPUT_PER_BATCH ||
        batcher->preempting)
        return 0;
    int64_t left_ms = batcher->first_ms + BATCHER_DELAY_MS - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* The batch as protobuf's structs; they point into the batcher but for the arrays of pointers. It holds the
 * first columns and parts of what waits, as many as one message may carry. */
struct draft {
    Besom__V1__TrackBatch batch;
    Besom__V1__Series *series;
    Besom__V1__Series **series_list;
    Besom__V1__LogPart *logs;
    Besom__V1__LogPart **logs_list;
    size_t columns_end;
};

static void draft_free(struct draft *draft)
{
    free(draft->series);
    free(draft->series_list);
    free(draft->logs);
    free(draft->logs_list);
}

static void draft_series(const struct batcher *batcher, struct draft *draft)
{
    size_t bytes = 0;
    for (; draft->columns_end < batcher->column_count; draft->columns_end++) {
        const struct column *column = &batcher->columns[draft->columns_end];
        if (column->count == 0)
            continue;
        bytes += SERIES_HEAD_BYTES + strlen(column->name) + column->count * POINT_BYTES;
        if (draft->batch.n_series > 0 && bytes > SERIES_BYTES_PER_BATCH)
            return;
        Besom__V1__Series *series = &draft->series[draft->batch.n_series];
        besom__v1__series__init(series);
        series->name = column->name;
        series->n_steps = series->n_values = series->n_times_us = column->count;
        series->steps = column->steps;
        series->values = column->values;
        series->times_us = column->times_us;
        draft->series_list[draft->batch.n_series++] = series;
    }
}

static void draft_logs(const struct batcher *batcher, struct draft *draft)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batcher->part_count; i++) {
        const struct part *part = &batcher->parts[i];
        if (i > 0 && bytes + part->text.length > OUTPUT_BYTES_PER_BATCH)
            return;
        Besom__V1__LogPart *log = &draft->logs[i];
        besom__v1__log_part__init(log);
        log->stderr = part->is_error;
        log->offset = batcher->output_offset + (int64_t)bytes;
        log->text = (ProtobufCBinaryData){.len = part->text.length, .data = (uint8_t *)part->text.data};
        bytes += part->text.length;
        draft->logs_list[draft->batch.n_logs++] = log;
    }
}

static bool draft_make(const struct batcher *batcher, struct draft *draft)
{
    *draft = (struct draft){.series = calloc(batcher->column_count + 1, sizeof *draft->series),
                            .series_list = calloc(batcher->column_count + 1, sizeof(Besom__V1__Series *)),
                            .logs = calloc(batcher->part_count + 1, sizeof *draft->logs),
                            .logs_list = calloc(batcher->part_count + 1, sizeof(Besom__V1__LogPart *))};
    if (draft->series == NULL || draft->series_list == NULL || draft->logs == NULL ||
        draft->logs_list == NULL)
        return false;
    besom__v1__track_batch__init(&draft->batch);
    draft->batch.sequence = batcher->sequence + 1;
    draft->batch.series = draft->series_list;
    draft->batch.logs = draft->logs_list;
    draft->batch.dropped_lines = batcher->dropped_lines;
    draft->batch.preempting = batcher->preempting;
    draft_series(batcher, draft);
    draft_logs(batcher, draft);
    return true;
}

/* What the draft held is in the spool. */
static void forget_written(struct batcher *batcher, const struct draft *draft)
{
    for (size_t i = 0; i < draft->columns_end; i++) {
        batcher->points -= batcher->columns[i].count;
        batcher->columns[i].count = 0;
    }
    size_t parts = draft->batch.n_logs;
    for (size_t i = 0; i < parts; i++) {
        batcher->output_offset += (int64_t)batcher->parts[i].text.length;
        buffer_free(&batcher->parts[i].text);
    }
    batcher->part_count -= parts;
    if (parts > 0)
        memmove(batcher->parts, batcher->parts + parts, batcher->part_count * sizeof *batcher->parts);
    batcher->dropped_lines = 0;
    batcher->preempting = false;
    batcher->sequence++;
}

static bool something_waits(const struct batcher *batcher)
{
    return batcher->points > 0 || batcher->part_count > 0 || batcher->dropped_lines > 0 ||
           batcher->preempting;
}

/* Everything is in the spool but incomplete lines. Columns keep their memory unless there are absurdly many.
 */
static void start_afresh(struct batcher *batcher)
{
    if (batcher->column_count >= NAMES_PER_BATCH) {
        for (size_t i = 0; i < batcher->column_count; i++)
            column_free(&batcher->columns[i]);
        batcher->column_count = 0;
    }
    batcher->column_hint = 0;
    batcher->output_bytes = batcher->tails[0].length + batcher->tails[1].length;
    batcher->first_ms = batcher->output_bytes > 0 ? loop_now_ms() : 0;
    batcher->retry_ms = 0;
}

/* An incomplete line waits for its end once, unless nothing else is there to be sent. */
static void release_tails(struct batcher *batcher, bool final)
{
    bool only_tails = batcher->part_count == 0 && batcher->points == 0 && !batcher->preempting;
    for (int stream = 0; stream < 2; stream++) {
        struct buffer *tail = &batcher->tails[stream];
        if (tail->length == 0 || (!final && !only_tails && tail->length < OUTPUT_PER_BATCH))
            continue;
        add_part(batcher, stream == 1, buffer_text(tail), tail->length);
        buffer_clear(tail);
    }
    for (int stream = 0; final && stream < 2; stream++) {
        count_dropped(batcher, batcher->dropping_line[stream]);
        batcher->dropping_line[stream] = false;
    }
}

static enum status write_draft(struct batcher *batcher, const struct draft *draft, struct err *err)
{
    size_t length = besom__v1__track_batch__get_packed_size(&draft->batch);
    uint8_t *packed = malloc(length + 1);
    if (packed == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    besom__v1__track_batch__pack(&draft->batch, packed);
    enum status status = spool_append(batcher->spool, draft->batch.sequence, packed, length, err);
    free(packed);
    if (status == STATUS_OK)
        forget_written(batcher, draft);
    return status;
}

static enum status write_batch(struct batcher *batcher, struct err *err)
{
    struct draft draft CLEANUP(draft_free);
    if (!draft_make(batcher, &draft))
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return write_draft(batcher, &draft, err);
}

enum status batcher_flush(struct batcher *batcher, bool final, struct err *err)
{
    release_tails(batcher, final);
    while (something_waits(batcher)) {
        enum status status = write_batch(batcher, err);
        if (status == STATUS_OK)
            continue;
        batcher->retry_ms = loop_now_ms() + RETRY_MS;
        return status;
    }
    start_afresh(batcher);
    return STATUS_OK;
}

bool batcher_is_full(const struct batcher *batcher)
{
    return batcher->points >= POINTS_WAITING_MAX ||
           spool_bytes(batcher->spool) > batcher->limit_bytes + METRICS_RESERVE;
}

int64_t batcher_sequence(const struct batcher *batcher)
{
    return batcher->sequence;
}

int64_t batcher_dropped_lines(const struct batcher *batcher)
{
    return batcher->dropped_total;
}
