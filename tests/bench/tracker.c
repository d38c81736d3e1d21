// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/tracker.h"

#include <stdio.h>

#include "base/clock.h"
#include "tests/bench/bench.h"

#define CLOSE_MS 60000

static besom_status send_batch(struct tracker *tracker, int64_t sequence)
{
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    tracker->fill(tracker, sequence, &batch);
    batch.sequence = sequence;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    return besom_run_track_send(tracker->stream, &message);
}

static void pump(struct tracker *tracker)
{
    while (!tracker->full) {
        int64_t sequence = atomic_load(&tracker->sent) + 1;
        if (sequence > atomic_load(&tracker->last) ||
            sequence - atomic_load(&tracker->acknowledged) > TRACKER_UNACKNOWLEDGED_MAX)
            return;
        besom_status status = send_batch(tracker, sequence);
        if (status == BESOM_EXHAUSTED)
            tracker->full = true;
        else if (status != BESOM_OK)
            bench_fail("TrackRun", besom_status_name(status));
        else
            atomic_store(&tracker->sent, sequence);
    }
}

static void on_message(void *context, const void *message)
{
    const Besom__V1__TrackRunResponse *response = message;
    struct tracker *tracker = context;
    switch (response->message_case) {
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED:
        if (!response->opened->current)
            bench_fail("TrackRun", "the attempt was lost");
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK:
        atomic_store(&tracker->acknowledged, response->ack->last_sequence);
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_REFUSED: bench_fail("TrackRun", response->refused->reason);
    default: break;
    }
    pump(tracker);
}

static void on_writable(void *context)
{
    struct tracker *tracker = context;
    tracker->full = false;
    pump(tracker);
}

static void on_close(void *context, const besom_error *error)
{
    (void)context;
    if (error->code != BESOM_OK)
        bench_fail("TrackRun", error->text);
}

static const besom_stream_handler stream_handler = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};

void tracker_acquire(struct tracker *tracker)
{
    calls_register_agent(tracker->client, tracker->sweep_id, tracker->number, tracker->agent_id);
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    Besom__V1__AcquireRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)tracker->sweep_id;
    request.agent_id = tracker->agent_id;
    request.wait_ms = 20000;
    if (besom_run_acquire(tracker->client, &request, &response, &error) != BESOM_OK)
        bench_fail("AcquireRun", error.text);
    if (response->verdict_case != BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN)
        bench_fail("AcquireRun", "no run came");
    (void)snprintf(tracker->run_id, sizeof tracker->run_id, "%s", response->run->run_id);
    tracker->attempt = response->run->attempt;
    besom_message_free(response);
}

void tracker_open(struct tracker *tracker, int64_t last)
{
    atomic_store(&tracker->last, last);
    Besom__V1__TrackOpen open = BESOM__V1__TRACK_OPEN__INIT;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    besom_error error;
    if (besom_run_track(tracker->client, &stream_handler, tracker, &tracker->stream, &error) != BESOM_OK)
        bench_fail("TrackRun", error.text);
    open.sweep_id = (char *)(uintptr_t)tracker->sweep_id;
    open.run_id = tracker->run_id;
    open.agent_id = tracker->agent_id;
    open.attempt = tracker->attempt;
    open.started_us = clock_wall_us(&clock_system);
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN;
    message.open = &open;
    if (besom_run_track_send(tracker->stream, &message) != BESOM_OK)
        bench_fail("TrackRun", "not opened");
}

void tracker_close(struct tracker *tracker)
{
    besom_stream_half_close(tracker->stream);
    if (besom_stream_wait(tracker->stream, CLOSE_MS) != BESOM_OK)
        bench_fail("TrackRun", "the stream did not end");
    besom_stream_free(tracker->stream);
}

void tracker_finish(struct tracker *tracker)
{
    Besom__V1__FinishRunRequest request = BESOM__V1__FINISH_RUN_REQUEST__INIT;
    Besom__V1__FinishRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)tracker->sweep_id;
    request.run_id = tracker->run_id;
    request.agent_id = tracker->agent_id;
    request.attempt = tracker->attempt;
    request.final_sequence = atomic_load(&tracker->sent);
    request.end_class = BESOM__V1__END_CLASS__END_CLASS_EXITED;
    if (besom_run_finish(tracker->client, &request, &response, &error) != BESOM_OK)
        bench_fail("FinishRun", error.text);
    if (response->verdict_case != BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE || response->done->superseded)
        bench_fail("FinishRun", "the run did not end");
    besom_message_free(response);
}

/* A sign of life: what it wakes sends on, as all sending is done in callbacks. */
void tracker_go_on(struct tracker *tracker, int64_t last)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackAlive alive = BESOM__V1__TRACK_ALIVE__INIT;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_ALIVE;
    message.alive = &alive;
    atomic_store(&tracker->last, last);
    if (besom_run_track_send(tracker->stream, &message) != BESOM_OK)
        bench_fail("TrackRun", "no sign of life was sent");
}

void tracker_stop(struct tracker *tracker)
{
    atomic_store(&tracker->last, 0);
}

void tracker_await(struct tracker *tracker, int64_t patience_ms)
{
    int64_t seen = -1, end_ms = 0;
    while (true) {
        int64_t acknowledged = atomic_load(&tracker->acknowledged);
        int64_t now_ms = clock_monotonic_ms(&clock_system);
        if (acknowledged == atomic_load(&tracker->sent) && acknowledged >= atomic_load(&tracker->last))
            return;
        if (acknowledged != seen)
            end_ms = now_ms + patience_ms;
        seen = acknowledged;
        if (now_ms > end_ms)
            bench_fail("TrackRun", "acknowledgements do not come");
        bench_sleep_ms(2);
    }
}
