// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/log_follow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "db/store/metrics.h"
#include "db/store/runs.h"
#include "services/common/ticker.h"
#include "services/controller/gate.h"
#include "services/controller/messages.h"
#include "services/controller/request.h"

#define INTERVAL_MS 300
#define PAGE_PARTS 64

struct log_reader {
    struct controller *controller;
    struct rpc_stream *stream; /* a reference */
    atomic_int references;
    struct log_reader *next, **link; /* follow's lock; link NULL = not in the list */
    char sweep_id[ID_SIZE], run_id[ID_SIZE];
    bool follow;
    pthread_mutex_t lock; /* one pump at a time; guards what follows */
    int32_t attempt;      /* 0 = not known yet */
    int64_t offset;       /* next byte to send */
    bool done;
};

struct log_follow {
    struct ticker *ticker; /* owned */
    pthread_mutex_t lock;
    struct log_reader *readers; /* lock; those that follow, a reference each */
    bool draining;              /* lock */
};

struct page {
    struct log_reader *reader;
    struct store_log_row *parts;
    size_t count;
    bool ended;
};

static void unref(struct log_reader *reader)
{
    if (atomic_fetch_sub(&reader->references, 1) != 1)
        return;
    rpc_stream_unref(reader->stream);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

/* ---- pages ---- */

/* No newer attempt will write to it, and its own end is recorded. */
static enum status see_end(struct store_tx *tx, struct page *page, struct err *err)
{
    struct log_reader *reader = page->reader;
    struct store_attempt_row *attempts;
    size_t count;
    TRY(store_list_attempts(tx, reader->sweep_id, reader->run_id, &attempts, &count, err));
    page->ended = true;
    for (size_t i = 0; i < count; i++)
        if (attempts[i].attempt == reader->attempt)
            page->ended = attempts[i].ended_us != 0;
    return STATUS_OK;
}

static enum status read_page(struct store_tx *tx, void *context, struct err *err)
{
    struct page *page = context;
    struct log_reader *reader = page->reader;
    struct store_run run;
    if (reader->attempt == 0) {
        TRY(store_get_run(tx, reader->sweep_id, reader->run_id, &run, err));
        reader->attempt = run.attempt;
        /* a run that waits for its first agent: follow what comes */
        page->ended = !reader->follow || run.ended_us != 0;
        if (reader->attempt == 0)
            return STATUS_OK;
    }
    TRY(see_end(tx, page, err));
    return store_read_logs(tx, reader->sweep_id, reader->run_id, reader->attempt, reader->offset, PAGE_PARTS,
                           &page->parts, &page->count, err);
}

static enum status send_part(struct log_reader *reader, const struct store_log_row *row)
{
    Besom__V1__ReadLogsResponse response = BESOM__V1__READ_LOGS_RESPONSE__INIT;
    Besom__V1__LogPart part = BESOM__V1__LOG_PART__INIT;
    int64_t skip = reader->offset > row->first_byte ? reader->offset - row->first_byte : 0;
    if (skip >= (int64_t)row->length)
        return STATUS_OK;
    part.stderr = row->is_stderr;
    part.offset = row->first_byte + skip;
    part.text.data = (uint8_t *)(uintptr_t)row->text + skip;
    part.text.len = row->length - (size_t)skip;
    response.part = &part;
    enum status status = rpc_stream_send(reader->stream, &response.base);
    if (status == STATUS_OK)
        reader->offset = row->first_byte + (int64_t)row->length;
    return status;
}

/* One page; *more when the next may follow at once. */
static enum status send_page(struct log_reader *reader, bool *more, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct page page = {.reader = reader};
    TRY(gate_read(reader->controller->gate, &arena, read_page, &page, err));
    for (size_t i = 0; i < page.count; i++) {
        enum status status = send_part(reader, &page.parts[i]);
        if (status != STATUS_OK)
            return err_set(err, status, "not sent");
    }
    *more = page.count == PAGE_PARTS;
    reader->done = !*more && (page.ended || !reader->follow);
    return STATUS_OK;
}

/* Sends what there is; EXHAUSTED is made up for by on_writable, an outage by the next tick. */
static void pump(struct log_reader *reader)
{
    struct err err = ERR_INIT;
    enum status status = STATUS_OK;
    bool more = true;
    pthread_mutex_lock(&reader->lock);
    while (status == STATUS_OK && more && !reader->done)
        status = send_page(reader, &more, &err);
    bool patient = status == STATUS_EXHAUSTED || (reader->follow && status_info(status)->retry);
    bool over = reader->done || (status != STATUS_OK && !patient);
    reader->done = over;
    pthread_mutex_unlock(&reader->lock);
    if (over)
        rpc_stream_finish(reader->stream, status == STATUS_OK ? NULL : &err);
}

/* ---- those that follow ---- */

static void send_away(struct log_reader *reader)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_UNAVAILABLE, "the controller is restarting");
    rpc_stream_finish(reader->stream, &err);
}

static void add(struct log_follow *follow, struct log_reader *reader)
{
    atomic_fetch_add(&reader->references, 1);
    pthread_mutex_lock(&follow->lock);
    reader->next = follow->readers;
    reader->link = &follow->readers;
    if (reader->next != NULL)
        reader->next->link = &reader->next;
    follow->readers = reader;
    bool draining = follow->draining;
    pthread_mutex_unlock(&follow->lock);
    if (draining)
        send_away(reader);
}

static void remove_reader(struct log_follow *follow, struct log_reader *reader)
{
    pthread_mutex_lock(&follow->lock);
    bool listed = reader->link != NULL;
    if (listed) {
        *reader->link = reader->next;
        if (reader->next != NULL)
            reader->next->link = reader->link;
        reader->link = NULL;
    }
    pthread_mutex_unlock(&follow->lock);
    if (listed)
        unref(reader);
}

/* References to all, as an array ending with NULL. */
static struct log_reader **collect(struct log_follow *follow)
{
    size_t count = 0;
    pthread_mutex_lock(&follow->lock);
    for (struct log_reader *reader = follow->readers; reader != NULL; reader = reader->next)
        count++;
    struct log_reader **all = calloc(count + 1, sizeof(*all));
    count = 0;
    for (struct log_reader *reader = follow->readers; reader != NULL && all != NULL; reader = reader->next) {
        atomic_fetch_add(&reader->references, 1);
        all[count++] = reader;
    }
    pthread_mutex_unlock(&follow->lock);
    return all;
}

static void pump_all(void *context)
{
    struct log_reader **all = collect(context);
    for (size_t i = 0; all != NULL && all[i] != NULL; i++) {
        pump(all[i]);
        unref(all[i]);
    }
    free(all);
}

enum status log_follow_start(struct controller *controller, struct log_follow **out, struct err *err)
{
    (void)controller;
    struct log_follow *follow = calloc(1, sizeof *follow);
    *out = NULL;
    if (follow == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    pthread_mutex_init(&follow->lock, NULL);
    enum status status = ticker_start("log-follow", INTERVAL_MS, pump_all, follow, &follow->ticker, err);
    if (status != STATUS_OK) {
        log_follow_stop(follow);
        return status;
    }
    *out = follow;
    return STATUS_OK;
}

void log_follow_drain(struct log_follow *follow)
{
    pthread_mutex_lock(&follow->lock);
    follow->draining = true;
    pthread_mutex_unlock(&follow->lock);
    struct log_reader **all = collect(follow);
    for (size_t i = 0; all != NULL && all[i] != NULL; i++) {
        send_away(all[i]);
        unref(all[i]);
    }
    free(all);
}

void log_follow_stop(struct log_follow *follow)
{
    if (follow == NULL)
        return;
    ticker_stop(follow->ticker);
    pthread_mutex_destroy(&follow->lock);
    free(follow);
}

/* ---- the stream ---- */

static enum status open_reader(struct log_reader *reader, const Besom__V1__ReadLogsRequest *request,
                               struct err *err)
{
    TRY(request_check_id("sweep", request->sweep_id, err));
    TRY(request_check_id("run", request->run_id, err));
    if (request->offset < 0 || request->attempt < 0)
        return err_set(err, STATUS_INVALID, "offset and attempt must not be negative");
    TRY(request_allow(reader->controller, rpc_stream_identity(reader->stream), request->sweep_id, err));
    memcpy(reader->sweep_id, request->sweep_id, ID_SIZE);
    memcpy(reader->run_id, request->run_id, ID_SIZE);
    reader->attempt = request->attempt;
    reader->offset = request->offset;
    reader->follow = request->follow;
    return STATUS_OK;
}

static void on_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *request)
{
    struct controller *controller = service;
    struct log_reader *reader = calloc(1, sizeof *reader);
    struct err err = ERR_INIT;
    if (reader == NULL) {
        err_set(&err, STATUS_NO_MEMORY, "out of memory");
        rpc_stream_finish(stream, &err);
        return;
    }
    reader->controller = controller;
    reader->stream = rpc_stream_ref(stream);
    atomic_init(&reader->references, 1);
    pthread_mutex_init(&reader->lock, NULL);
    rpc_stream_set_context(stream, reader);
    if (open_reader(reader, (const Besom__V1__ReadLogsRequest *)(const void *)request, &err) != STATUS_OK) {
        rpc_stream_finish(stream, &err);
        return;
    }
    pump(reader);
    if (reader->follow)
        add(controller->log_follow, reader);
}

static void on_writable(void *service, struct rpc_stream *stream)
{
    (void)service;
    struct log_reader *reader = rpc_stream_context(stream);
    if (reader != NULL)
        pump(reader);
}

static void on_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    struct controller *controller = service;
    struct log_reader *reader = rpc_stream_context(stream);
    (void)cancelled;
    if (reader == NULL)
        return;
    remove_reader(controller->log_follow, reader);
    unref(reader);
}

const struct rpc_stream_handler read_logs_handler = {
    .on_open = on_open, .on_writable = on_writable, .on_close = on_close};
