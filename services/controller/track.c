// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/track.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "db/store/runs.h"
#include "services/controller/gate.h"
#include "services/controller/ingest.h"
#include "services/controller/request.h"
#include "services/controller/tracks.h"
#include "services/controller/wake.h"

#define READ_CREDIT 8

struct open_work {
    struct track *track;
    int64_t started_us, lease_ms;
    struct store_open_attempt attempt;
    struct store_directive *directives;
    size_t directive_count;
};

struct answer_work {
    struct track *track;
    int64_t generation;
    bool supported;
};

struct track *track_ref(struct track *track)
{
    atomic_fetch_add(&track->references, 1);
    return track;
}

void track_unref(struct track *track)
{
    if (atomic_fetch_sub(&track->references, 1) != 1)
        return;
    facts_release(track->facts);
    rpc_stream_unref(track->stream);
    pthread_mutex_destroy(&track->lock);
    free(track);
}

/* ---- down ---- */

static enum status send_ack(struct track *track, int64_t last_sequence)
{
    Besom__V1__TrackRunResponse response = BESOM__V1__TRACK_RUN_RESPONSE__INIT;
    Besom__V1__TrackAck ack = BESOM__V1__TRACK_ACK__INIT;
    ack.last_sequence = last_sequence;
    response.message_case = BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK;
    response.ack = &ack;
    return rpc_stream_send(track->stream, &response.base);
}

void track_ack(struct track *track, int64_t last_sequence)
{
    pthread_mutex_lock(&track->lock);
    enum status status = send_ack(track, last_sequence);
    track->unsent_ack = status == STATUS_EXHAUSTED ? last_sequence : 0;
    track->acked = last_sequence;
    pthread_mutex_unlock(&track->lock);
}

void track_ack_alive(struct track *track)
{
    pthread_mutex_lock(&track->lock);
    (void)!send_ack(track, track->acked); /* a full outbox tells as much */
    pthread_mutex_unlock(&track->lock);
}

void track_refuse(struct track *track, int64_t sequence, const char *reason)
{
    Besom__V1__TrackRunResponse response = BESOM__V1__TRACK_RUN_RESPONSE__INIT;
    Besom__V1__TrackRefused refused = BESOM__V1__TRACK_REFUSED__INIT;
    refused.sequence = sequence;
    refused.reason = (char *)(uintptr_t)reason;
    response.message_case = BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_REFUSED;
    response.refused = &refused;
    if (rpc_stream_send(track->stream, &response.base) != STATUS_OK)
        log_debug(CONTROLLER_LOG, "refusal_not_sent", LOG_TEXT("run", track->run_id),
                  LOG_INT("sequence", sequence));
}

void track_answered(struct track *track)
{
    pthread_mutex_lock(&track->lock);
    bool over = --track->under_way == 0 && track->half_closed;
    pthread_mutex_unlock(&track->lock);
    rpc_stream_add_credit(track->stream, 1);
    if (over)
        rpc_stream_finish(track->stream, NULL);
}

void track_fail(struct track *track, const struct err *err)
{
    rpc_stream_finish(track->stream, err);
}

static enum status send_opened(struct track *track, const struct store_open_attempt *attempt)
{
    Besom__V1__TrackRunResponse response = BESOM__V1__TRACK_RUN_RESPONSE__INIT;
    Besom__V1__TrackOpened opened = BESOM__V1__TRACK_OPENED__INIT;
    opened.last_sequence = attempt->last_sequence;
    opened.current = attempt->current;
    response.message_case = BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED;
    response.opened = &opened;
    return rpc_stream_send(track->stream, &response.base);
}

/* ---- up ---- */

static enum status open_run(struct store_tx *tx, void *context, struct err *err)
{
    struct open_work *work = context;
    const struct track *track = work->track;
    const struct store_lease_key key = {track->sweep_id, track->run_id, track->attempt};
    TRY(store_open_run(tx, track->sweep_id, track->run_id, track->attempt, track->agent_id, work->started_us,
                       work->lease_ms, &work->attempt, err));
    return store_list_directives(tx, &key, 1, &work->directives, &work->directive_count, err);
}

static enum status check_open(struct track *track, const Besom__V1__TrackOpen *open, struct err *err)
{
    TRY(request_check_id("sweep", open->sweep_id, err));
    TRY(request_check_id("run", open->run_id, err));
    TRY(agent_id_check(open->agent_id, err));
    TRY(request_allow(track->controller, rpc_stream_identity(track->stream), open->sweep_id, err));
    memcpy(track->sweep_id, open->sweep_id, sizeof track->sweep_id);
    memcpy(track->run_id, open->run_id, sizeof track->run_id);
    memcpy(track->agent_id, open->agent_id, sizeof track->agent_id);
    track->attempt = open->attempt;
    return facts_get(track->controller->facts, open->sweep_id, 0, &track->facts, err);
}

static enum status handle_open(struct track *track, const Besom__V1__TrackOpen *open, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct open_work work = {
        .track = track, .started_us = open->started_us, .lease_ms = track->controller->options->lease_ms};
    if (track->opened)
        return err_set(err, STATUS_INVALID, "a stream is opened once");
    TRY(check_open(track, open, err));
    TRY(gate_transaction(track->controller->gate, &arena, open_run, &work, err));
    track->opened = true;
    track->current = work.attempt.current;
    track->acked = work.attempt.last_sequence;
    TRY(send_opened(track, &work.attempt));
    tracks_add(track->controller->tracks, track);
    for (size_t i = 0; i < work.directive_count; i++)
        track_send_directive(track, &work.directives[i]);
    rpc_stream_add_credit(track->stream, 1);
    return STATUS_OK;
}

static enum status handle_batch(struct track *track, const Besom__V1__TrackBatch *batch, struct err *err)
{
    if (batch->sequence < 1)
        return err_set(err, STATUS_INVALID, "sequence numbers start at 1");
    pthread_mutex_lock(&track->lock);
    track->under_way++;
    pthread_mutex_unlock(&track->lock);
    return ingest_submit(track->controller->ingest, track, batch, err);
}

static enum status answer_directive(struct store_tx *tx, void *context, struct err *err)
{
    const struct answer_work *work = context;
    return store_answer_directive(tx, work->track->sweep_id, work->track->agent_id, work->generation,
                                  work->supported, err);
}

static enum status handle_result(struct track *track, const Besom__V1__DirectiveResult *result,
                                 struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct answer_work work = {track, result->generation, result->supported};
    if (!result->supported)
        log_warn(CONTROLLER_LOG, "directive_unsupported", LOG_TEXT("sweep", track->sweep_id),
                 LOG_TEXT("run", track->run_id), LOG_TEXT("agent", track->agent_id),
                 LOG_INT("generation", result->generation));
    TRY(gate_transaction(track->controller->gate, &arena, answer_directive, &work, err));
    rpc_stream_add_credit(track->stream, 1);
    return STATUS_OK;
}

static enum status handle_message(struct track *track, const Besom__V1__TrackRunRequest *message,
                                  struct err *err)
{
    if (message->message_case == BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN)
        return handle_open(track, message->open, err);
    if (!track->opened)
        return err_set(err, STATUS_INVALID, "the first message of a stream must be `open`");
    switch (message->message_case) {
    case BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH: return handle_batch(track, message->batch, err);
    case BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_DIRECTIVE_RESULT:
        return handle_result(track, message->directive_result, err);
    case BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_ALIVE:
        pthread_mutex_lock(&track->lock);
        track->spooled = message->alive->spooled_batches > 0 ? message->alive->spooled_batches : 0;
        pthread_mutex_unlock(&track->lock);
        ingest_renew(track->controller->ingest, track);
        rpc_stream_add_credit(track->stream, 1);
        return STATUS_OK;
    default: return err_set(err, STATUS_INVALID, "a message without content");
    }
}

static void on_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *request)
{
    (void)request;
    struct track *track = calloc(1, sizeof *track);
    rpc_stream_hold_credit(stream, READ_CREDIT);
    if (track == NULL) {
        struct err err = ERR_INIT;
        err_set(&err, STATUS_NO_MEMORY, "out of memory");
        rpc_stream_finish(stream, &err);
        return;
    }
    track->controller = service;
    track->stream = rpc_stream_ref(stream);
    atomic_init(&track->references, 1);
    pthread_mutex_init(&track->lock, NULL);
    rpc_stream_set_context(stream, track);
}

static void on_message(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    (void)service;
    struct track *track = rpc_stream_context(stream);
    struct err err = ERR_INIT;
    if (track == NULL)
        return;
    if (handle_message(track, (const Besom__V1__TrackRunRequest *)(const void *)message, &err) != STATUS_OK)
        rpc_stream_finish(stream, &err);
}

/* Batches that are still being stored are answered before the stream ends. */
static void on_half_close(void *service, struct rpc_stream *stream)
{
    (void)service;
    struct track *track = rpc_stream_context(stream);
    bool over = true;
    if (track != NULL) {
        pthread_mutex_lock(&track->lock);
        track->half_closed = true;
        over = track->under_way == 0;
        pthread_mutex_unlock(&track->lock);
    }
    if (over)
        rpc_stream_finish(stream, NULL);
}

static void on_writable(void *service, struct rpc_stream *stream)
{
    (void)service;
    struct track *track = rpc_stream_context(stream);
    if (track == NULL)
        return;
    pthread_mutex_lock(&track->lock);
    if (track->unsent_ack != 0 && send_ack(track, track->unsent_ack) != STATUS_EXHAUSTED)
        track->unsent_ack = 0;
    pthread_mutex_unlock(&track->lock);
}

static void on_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    struct controller *controller = service;
    struct track *track = rpc_stream_context(stream);
    (void)cancelled;
    if (track == NULL)
        return;
    tracks_remove(controller->tracks, track);
    track_unref(track);
}

const struct rpc_stream_handler track_handler = {
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
};
