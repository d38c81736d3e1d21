// SPDX-License-Identifier: Apache-2.0
#include "tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "spool.h"

/* More on the way gains nothing, and keeps the library's thread from hearing what comes down. */
#define UNACKNOWLEDGED_MAX 64

enum event_kind { EVENT_OPENED, EVENT_ACK, EVENT_DIRECTIVE, EVENT_REFUSED, EVENT_WRITABLE, EVENT_CLOSED };

/* One stream; outlives its tracker until its last event has been handled. */
struct line {
    struct loop *loop;
    struct tracker *tracker; /* NULL once the tracker has let go; the loop's thread alone */
    besom_stream *stream;    /* owned; the loop's thread alone */
};

struct event {
    struct line *line;
    enum event_kind kind;
    int64_t number;
    bool current;
    Besom__V1__DirectiveKind directive;
    besom_error error; /* EVENT_CLOSED; its text also carries reasons */
};

struct tracker {
    struct tracker_options options;
    char *texts[4]; /* owned copies of the options' texts */
    struct spool_reader *reader;
    struct line *line; /* NULL between streams */
    bool opened;       /* the first answer has come */
    bool cut_off;      /* the spool ended before `available` */
    int64_t available; /* last sequence in the spool */
    int64_t sent, acknowledged;
    Besom__V1__TrackBatch *waiting; /* owned; read, and not sent yet */
    int64_t last_send_ms, backoff_ms;
    int64_t told_spooled; /* by the last sign of life */
    struct loop_timer reconnect_timer, alive_timer;
};

/* ---- from the library's thread to the loop ---- */

static void handle_event(void *context);

static struct event *event_new(struct line *line, enum event_kind kind)
{
    struct event *event = calloc(1, sizeof *event);
    if (event == NULL)
        abort(); /* a lost acknowledgement or close would hang the run */
    event->line = line;
    event->kind = kind;
    return event;
}

static void on_message(void *context, const void *message)
{
    const Besom__V1__TrackRunResponse *response = message;
    struct event *event = NULL;
    switch (response->message_case) {
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED:
        event = event_new(context, EVENT_OPENED);
        event->number = response->opened->last_sequence;
        event->current = response->opened->current;
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK:
        event = event_new(context, EVENT_ACK);
        event->number = response->ack->last_sequence;
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_DIRECTIVE:
        event = event_new(context, EVENT_DIRECTIVE);
        event->number = response->directive->generation;
        event->directive = response->directive->kind;
        snprintf(event->error.text, sizeof event->error.text, "%s", response->directive->reason);
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_REFUSED:
        event = event_new(context, EVENT_REFUSED);
        event->number = response->refused->sequence;
        snprintf(event->error.text, sizeof event->error.text, "%s", response->refused->reason);
        break;
    default: return;
    }
    loop_post(event->line->loop, handle_event, event);
}

static void on_writable(void *context)
{
    struct event *event = event_new(context, EVENT_WRITABLE);
    loop_post(event->line->loop, handle_event, event);
}

static void on_close(void *context, const besom_error *error)
{
    struct event *event = event_new(context, EVENT_CLOSED);
    event->error = *error;
    loop_post(event->line->loop, handle_event, event);
}

static const besom_stream_handler stream_handler = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};

/* ---- sending ---- */

static besom_status send_message(struct tracker *tracker, const Besom__V1__TrackRunRequest *message)
{
    tracker->last_send_ms = loop_now_ms();
    return besom_run_track_send(tracker->line->stream, message);
}

static void send_open(struct tracker *tracker)
{
    Besom__V1__TrackOpen open = BESOM__V1__TRACK_OPEN__INIT;
    open.sweep_id = tracker->texts[1];
    open.run_id = tracker->texts[2];
    open.agent_id = tracker->texts[3];
    open.attempt = tracker->options.attempt;
    open.started_us = tracker->options.started_us;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN;
    message.open = &open;
    besom_status status = send_message(tracker, &message);
    (void)status; /* a refusal means that the stream is closing: its close comes */
}

/* A batch behind a gap: what lies between was acknowledged and deleted, and the controller has it no more. */
static bool is_behind_gap(const struct tracker *tracker)
{
    return tracker->waiting->sequence > tracker->sent + 1;
}

static bool read_batch(struct tracker *tracker)
{
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0;
    if (tracker->waiting != NULL)
        return true;
    tracker->cut_off =
        tracker->sent < tracker->available && !spool_read(tracker->reader, &sequence, &payload);
    if (tracker->sent >= tracker->available || tracker->cut_off)
        return false;
    tracker->waiting =
        besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
    if (tracker->waiting != NULL && is_behind_gap(tracker))
        tracker->options.owner.missing(tracker->options.owner.context, tracker->sent + 1,
                                       tracker->waiting->sequence - 1);
    return tracker->waiting != NULL;
}

static bool send_batch(struct tracker *tracker, Besom__V1__TrackBatch *batch)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = batch;
    if (send_message(tracker, &message) != BESOM_OK)
        return false;
    tracker->sent = batch->sequence;
    return true;
}

static void drop_waiting(struct tracker *tracker)
{
    if (tracker->waiting != NULL)
        besom__v1__track_batch__free_unpacked(tracker->waiting, NULL);
    tracker->waiting = NULL;
}

/* Sends until the spool or the queue's room is at its end. */
static void pump(struct tracker *tracker)
{
    while (tracker->opened && tracker->sent - tracker->acknowledged < UNACKNOWLEDGED_MAX) {
        Besom__V1__TrackBatch empty = BESOM__V1__TRACK_BATCH__INIT;
        if (!read_batch(tracker))
            return;
        bool fills = is_behind_gap(tracker);
        empty.sequence = tracker->sent + 1;
        if (!send_batch(tracker, fills ? &empty : tracker->waiting))
            return;
        if (!fills)
            drop_waiting(tracker);
    }
}

static void seek_to(struct tracker *tracker, int64_t sequence)
{
    drop_waiting(tracker);
    tracker->cut_off = false;
    tracker->sent = sequence;
    spool_reader_seek(tracker->reader, sequence);
}

static void on_alive_timer(void *context)
{
    struct tracker *tracker = context;
    int64_t rest_ms = tracker->last_send_ms + tracker->options.renew_ms - loop_now_ms();
    int64_t spooled = tracker->available - tracker->acknowledged;
    /* Batches renew the lease as well, but do not say how many follow. */
    if (tracker->opened && (rest_ms <= 0 || spooled > 0 || tracker->told_spooled > 0)) {
        Besom__V1__TrackAlive alive = BESOM__V1__TRACK_ALIVE__INIT;
        alive.spooled_batches = tracker->told_spooled = spooled > 0 ? spooled : 0;
        Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
        message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_ALIVE;
        message.alive = &alive;
        besom_status status = send_message(tracker, &message);
        (void)status;
        rest_ms = tracker->options.renew_ms;
    }
    loop_timer_set(tracker->options.loop, &tracker->alive_timer,
                   rest_ms > 0 ? rest_ms : tracker->options.renew_ms);
}

/* ---- the stream's life ---- */

static void try_again_later(struct tracker *tracker)
{
    loop_timer_set(tracker->options.loop, &tracker->reconnect_timer, backoff_next_ms(&tracker->backoff_ms));
}

static void connect_stream(void *context)
{
    struct tracker *tracker = context;
    struct line *line = calloc(1, sizeof *line);
    besom_error error = {.code = BESOM_EXHAUSTED, .text = "out of memory"};
    if (line != NULL)
        *line = (struct line){.loop = tracker->options.loop, .tracker = tracker};
    besom_stream *stream = NULL;
    if (line == NULL ||
        besom_run_track(tracker->options.client, &stream_handler, line, &stream, &error) != BESOM_OK) {
        free(line);
        tracker->options.owner.reachable(tracker->options.owner.context, &error);
        try_again_later(tracker);
        return;
    }
    line->stream = stream;
    tracker->line = line;
    tracker->opened = false;
    send_open(tracker);
}

/* The line's last event will free it. */
static void let_go(struct tracker *tracker)
{
    if (tracker->line == NULL)
        return;
    tracker->line->tracker = NULL;
    besom_stream_free(tracker->line->stream);
    tracker->line->stream = NULL;
    tracker->line = NULL;
    tracker->opened = false;
}

static void take_close(struct tracker *tracker, const besom_error *error)
{
    const struct tracker_owner *owner = &tracker->options.owner;
    let_go(tracker);
    if (error->code == BESOM_NOT_FOUND) {
        owner->gone(owner->context);
        return;
    }
    try_again_later(tracker);
    if (error->code != BESOM_OK)
        owner->reachable(owner->context, error);
}

static void take_acknowledgement(struct tracker *tracker, int64_t sequence)
{
    if (sequence > tracker->acknowledged)
        tracker->acknowledged = sequence;
    tracker->options.owner.acknowledged(tracker->options.owner.context, tracker->acknowledged);
}

/* No acknowledgement may be to come any more, by which the owner would hear of a spool that is cut off. */
static void take_writable(struct tracker *tracker)
{
    pump(tracker);
    if (tracker->cut_off)
        take_acknowledgement(tracker, tracker->acknowledged);
}

static void take_opened(struct tracker *tracker, const struct event *event)
{
    const struct tracker_owner *owner = &tracker->options.owner;
    static const besom_error fine = {.code = BESOM_OK, .text = ""};
    tracker->opened = true;
    tracker->backoff_ms = 0;
    seek_to(tracker, event->number);
    tracker->acknowledged = event->number; /* less than it was, when the database was set back */
    owner->reachable(owner->context, &fine);
    owner->opened(owner->context, event->current);
}

/* The owner may free the tracker in its callbacks, so each is the last thing done but for pumping while it
 * lives. */
static void handle_event(void *context)
{
    struct event *event = context;
    struct line *line = event->line;
    struct tracker *tracker = line->tracker;
    if (tracker != NULL) {
        const struct tracker_owner *owner = &tracker->options.owner;
        switch (event->kind) {
        case EVENT_OPENED: take_opened(tracker, event); break;
        case EVENT_REFUSED:
            owner->refused(owner->context, event->number, event->error.text);
            take_acknowledgement(tracker, event->number);
            break;
        case EVENT_ACK: take_acknowledgement(tracker, event->number); break;
        case EVENT_DIRECTIVE:
            owner->directive(owner->context, event->number, event->directive, event->error.text);
            break;
        case EVENT_WRITABLE: take_writable(tracker); break;
        case EVENT_CLOSED: take_close(tracker, &event->error); break;
        }
    }
    if (line->tracker != NULL)
        pump(line->tracker);
    if (event->kind == EVENT_CLOSED)
        free(line);
    free(event);
}

enum status tracker_new(const struct tracker_options *options, struct tracker **out, struct err *err)
{
    struct tracker *tracker = calloc(1, sizeof *tracker);
    if (tracker == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    tracker->options = *options;
    const char *texts[4] = {options->spool_folder, options->sweep_id, options->run_id, options->agent_id};
    bool copied = true;
    for (int i = 0; i < 4; i++)
        copied = (tracker->texts[i] = strdup(texts[i])) != NULL && copied;
    tracker->reconnect_timer = (struct loop_timer){.fire = connect_stream, .context = tracker};
    tracker->alive_timer = (struct loop_timer){.fire = on_alive_timer, .context = tracker};
    if (!copied || spool_reader_new(options->spool_folder, &tracker->reader, err) != STATUS_OK) {
        tracker_free(tracker);
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    loop_timer_set(options->loop, &tracker->alive_timer, options->renew_ms);
    loop_timer_set(options->loop, &tracker->reconnect_timer, 0);
    *out = tracker;
    return STATUS_OK;
}

void tracker_free(struct tracker *tracker)
{
    if (tracker == NULL)
        return;
    let_go(tracker);
    loop_timer_forget(tracker->options.loop, &tracker->reconnect_timer);
    loop_timer_forget(tracker->options.loop, &tracker->alive_timer);
    drop_waiting(tracker);
    spool_reader_free(tracker->reader);
    for (int i = 0; i < 4; i++)
        free(tracker->texts[i]);
    free(tracker);
}

void tracker_available(struct tracker *tracker, int64_t sequence)
{
    if (sequence > tracker->available)
        tracker->available = sequence;
    pump(tracker);
}

void tracker_rewind(struct tracker *tracker, int64_t sequence)
{
    seek_to(tracker, sequence);
    pump(tracker);
}

void tracker_directive_result(struct tracker *tracker, int64_t generation, bool supported)
{
    if (!tracker->opened)
        return; /* the directive comes again on the next stream */
    Besom__V1__DirectiveResult result = BESOM__V1__DIRECTIVE_RESULT__INIT;
    result.generation = generation;
    result.supported = supported;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_DIRECTIVE_RESULT;
    message.directive_result = &result;
    besom_status status = send_message(tracker, &message);
    (void)status;
}

int64_t tracker_acknowledged(const struct tracker *tracker)
{
    return tracker->acknowledged;
}

bool tracker_is_cut_off(const struct tracker *tracker, int64_t *last)
{
    *last = tracker->sent;
    return tracker->cut_off;
}
