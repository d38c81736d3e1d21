// SPDX-License-Identifier: Apache-2.0
#include "batcher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "batch_draft.h"
#include "columns.h"
#include "loop.h"

#define POINTS_PER_BATCH 5000
#define BYTES_PER_BATCH (256 << 10) /* of metrics and facts, at their longest */
#define OUTPUT_PER_BATCH (256 << 10)
#define POINTS_WAITING_MAX 50000
#define FACT_BYTES_WAITING_MAX (4 << 20)
#define METRICS_RESERVE (64 << 20) /* of the spool, beyond the bound that ends output */
#define NAMES_PER_BATCH 10000
#define RETRY_MS 1000

struct batcher {
    struct spool_writer *spool;
    int64_t limit_bytes;
    struct columns columns; /* emptied, not freed, by a flush */
    struct facts facts;
    struct batch_part *parts; /* owned; whole lines in order of arrival */
    size_t part_count, part_capacity;
    struct buffer tails[2]; /* incomplete last lines of output and error output */
    size_t output_bytes;
    int64_t output_offset;
    int64_t dropped_lines, dropped_total;
    bool dropping_line[2]; /* the begin of this stream's line was dropped, its end is still to come */
    bool preempting;
    int64_t first_ms;   /* when the oldest waiting item came; 0 = nothing waits */
    int64_t written_ms; /* last batch */
    int64_t retry_ms;   /* after a failed write; 0 = none */
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

void batcher_free(struct batcher *batcher)
{
    if (batcher == NULL)
        return;
    columns_free(&batcher->columns);
    facts_free(&batcher->facts);
    for (size_t i = 0; i < batcher->part_count; i++)
        buffer_free(&batcher->parts[i].text);
    buffer_free(&batcher->tails[0]);
    buffer_free(&batcher->tails[1]);
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

/* Names are kept from batch to batch, so that too many of them are got rid of before more come. */
static void bound_names(struct batcher *batcher)
{
    struct err err = ERR_INIT;
    if (batcher->columns.names.count < NAMES_PER_BATCH || batcher->retry_ms > loop_now_ms())
        return;
    enum status status = batcher_flush(batcher, false, &err);
    (void)status; /* what could not be written waits and is tried again */
}

void batcher_add_metric(struct batcher *batcher, const char *name, size_t length, int64_t step, double value,
                        int64_t time_us)
{
    bound_names(batcher);
    facts_drop_summary(&batcher->facts, name, length);
    columns_add(&batcher->columns, name, length, step, value, time_us);
    note_arrival(batcher);
}

enum status batcher_add_fact(struct batcher *batcher, enum fact_kind kind, const char *name,
                             const char *value_json, struct err *err)
{
    TRY(facts_put(&batcher->facts, kind, name, value_json, err));
    note_arrival(batcher);
    return STATUS_OK;
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
    struct batch_part *last = batcher->part_count > 0 ? &batcher->parts[batcher->part_count - 1] : NULL;
    if (last == NULL || last->is_error != is_error || last->text.length >= OUTPUT_PER_BATCH) {
        void *parts = batcher->parts;
        if (!grow(&parts, batcher->part_count, &batcher->part_capacity, sizeof(struct batch_part)))
            return;
        assert(parts != NULL);
        batcher->parts = parts;
        last = &batcher->parts[batcher->part_count++];
        *last = (struct batch_part){.is_error = is_error, .text = BUFFER_INIT};
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

static bool only_tails_wait(const struct batcher *batcher)
{
    return batcher->part_count == 0 && batcher->columns.points == 0 && batcher->facts.waiting_count == 0 &&
           !batcher->preempting;
}

static bool is_full_batch(const struct batcher *batcher)
{
    return batcher->columns.points >= POINTS_PER_BATCH || batcher->output_bytes >= OUTPUT_PER_BATCH ||
           batcher->columns.bytes + batcher->facts.bytes >= BYTES_PER_BATCH || batcher->preempting;
}

int64_t batcher_due_ms(const struct batcher *batcher)
{
    if (batcher->first_ms == 0)
        return -1;
    int64_t now_ms = loop_now_ms();
    if (batcher->retry_ms > 0)
        return batcher->retry_ms > now_ms ? batcher->retry_ms - now_ms : 0;
    if (is_full_batch(batcher))
        return 0;
    int64_t patient_ms = batcher->first_ms + BATCHER_DELAY_MS, due_ms = batcher->first_ms + BATCHER_GATHER_MS;
    if (due_ms < batcher->written_ms + BATCHER_DELAY_MS)
        due_ms = batcher->written_ms + BATCHER_DELAY_MS;
    if (due_ms > patient_ms || only_tails_wait(batcher))
        due_ms = patient_ms;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

/* What the draft held is in the spool. */
static void forget_written(struct batcher *batcher, const struct batch_draft *draft)
{
    columns_forget(&batcher->columns, draft->columns_end, draft->points_end);
    facts_forget(&batcher->facts, draft->facts_end);
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
    batcher->written_ms = loop_now_ms();
    batcher->sequence++;
}

static bool something_waits(const struct batcher *batcher)
{
    return batcher->dropped_lines > 0 || !only_tails_wait(batcher);
}

/* Everything is in the spool but incomplete lines. Columns keep their memory unless there are absurdly many.
 */
static void start_afresh(struct batcher *batcher)
{
    if (batcher->columns.names.count >= NAMES_PER_BATCH)
        columns_free(&batcher->columns);
    batcher->output_bytes = batcher->tails[0].length + batcher->tails[1].length;
    batcher->first_ms = batcher->output_bytes > 0 ? loop_now_ms() : 0;
    batcher->retry_ms = 0;
}

/* An incomplete line waits for its end once, unless nothing else is there to be sent. */
static void release_tails(struct batcher *batcher, bool final)
{
    bool only_tails = only_tails_wait(batcher);
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

static enum status write_draft(struct batcher *batcher, const struct batch_draft *draft, struct err *err)
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
    struct batch_draft draft CLEANUP(batch_draft_free);
    const struct batch_source source = {.columns = &batcher->columns,
                                        .facts = &batcher->facts,
                                        .parts = batcher->parts,
                                        .part_count = batcher->part_count,
                                        .output_offset = batcher->output_offset};
    if (!batch_draft_make(&source, &draft))
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    draft.batch.sequence = batcher->sequence + 1;
    draft.batch.dropped_lines = batcher->dropped_lines;
    draft.batch.preempting = batcher->preempting;
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
    return batcher->columns.points >= POINTS_WAITING_MAX || batcher->facts.bytes >= FACT_BYTES_WAITING_MAX ||
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
