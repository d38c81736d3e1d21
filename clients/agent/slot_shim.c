// SPDX-License-Identifier: Apache-2.0
// The slot's side of the line to its shim, and what follows from the shim's end.
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/file.h"
#include "base/log.h"
#include "control.h"
#include "say.h"
#include "shim.h"
#include "tree.h"

#define CONNECT_AGAIN_MS 10
#define ORDER_AGAIN_MS 500
#define SHOW_MS 20        /* of output at a time: orders and leases do not wait for a terminal */
#define SHOW_REST_MS 1000 /* at the end */
#define KILL_ROUNDS 1000  /* what sleeps in the kernel dies when it wakes */

/* ---- showing output ---- */

static void show_batch(struct slot *slot, const struct buffer *payload)
{
    Besom__V1__TrackBatch *batch =
        besom__v1__track_batch__unpack(NULL, payload->length, (const uint8_t *)buffer_text(payload));
    const char *prefix = slot->agent->slot_count > 1 ? slot->prefix : NULL;
    for (size_t i = 0; batch != NULL && i < batch->n_logs; i++) {
        const Besom__V1__LogPart *part = batch->logs[i];
        say_output(part->stderr, prefix, (const char *)part->text.data, part->text.len,
                   &slot->line_starts[part->stderr ? 1 : 0]);
    }
    if (batch != NULL)
        besom__v1__track_batch__free_unpacked(batch, NULL);
}

/* Shows what there is, for a bounded time. True when there is no more. */
static bool show_for(struct slot *slot, int64_t time_ms)
{
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t end_ms = loop_now_ms() + time_ms;
    while (spool_read(slot->viewer, &slot->viewed, &payload)) {
        show_batch(slot, &payload);
        if (loop_now_ms() >= end_ms)
            return false;
    }
    return true;
}

/* Behind what was acknowledged and deleted meanwhile it goes on with what is left. */
static void show_output(struct slot *slot, int64_t time_ms)
{
    if (slot->viewer == NULL)
        return;
    bool all = show_for(slot, time_ms);
    if (all && slot->viewed < slot->to_view) {
        spool_reader_seek(slot->viewer, slot->viewed);
        all = show_for(slot, time_ms);
    }
    if (!all)
        loop_timer_set(slot->agent->loop, &slot->view_timer, 1);
}

void slot_show_output(void *context)
{
    show_output(context, SHOW_MS);
}

static void open_viewer(struct slot *slot, int64_t from)
{
    struct err err = ERR_INIT;
    if (slot->agent->options->quiet || slot->viewer != NULL)
        return;
    snprintf(slot->prefix, sizeof slot->prefix, "%.20s | ", slot->spec.run_id);
    slot->line_starts[0] = slot->line_starts[1] = true;
    slot->viewed = slot->to_view = from;
    if (spool_reader_new(slot->paths.spool, &slot->viewer, &err) == STATUS_OK)
        spool_reader_seek(slot->viewer, from);
}

/* ---- the line ---- */

static void batches_available(struct slot *slot, int64_t sequence)
{
    if (slot->tracker != NULL)
        tracker_available(slot->tracker, sequence);
    if (sequence > slot->to_view)
        slot->to_view = sequence;
    if (slot->viewer != NULL && !loop_timer_is_set(&slot->view_timer))
        loop_timer_set(slot->agent->loop, &slot->view_timer, 0);
}

static void take_trouble(const struct slot *slot, const char *text)
{
    if (*text != '\0')
        say("Run %s: %s", slot->spec.run_id, text);
    else
        say("Run %s: what it logs is kept again", slot->spec.run_id);
}

static void on_control(void *context, short events)
{
    struct slot *slot = context;
    (void)events;
    for (;;) {
        struct control_message message;
        int got = control_receive(slot->control, &message);
        if (got < 0) {
            slot_disconnect_shim(slot);
            slot_shim_gone(slot);
        }
        if (got <= 0)
            return;
        if (message.kind == CONTROL_SEQUENCE)
            batches_available(slot, message.a);
        else if (message.kind == CONTROL_TAKEN && message.a != 0 && slot->tracker != NULL)
            tracker_directive_result(slot->tracker, message.a, true);
        else if (message.kind == CONTROL_TROUBLE)
            take_trouble(slot, message.text);
        /* CONTROL_EXITED needs nothing: the end of the line follows. */
    }
}

void slot_disconnect_shim(struct slot *slot)
{
    loop_watch_remove(slot->control_watch);
    slot->control_watch = NULL;
    file_close(&slot->control);
}

void slot_send_order(struct slot *slot)
{
    const struct slot_order *order = &slot->order;
    if (!order->set || slot->control < 0)
        return;
    if (!control_send(slot->control, order->at_once ? CONTROL_KILL : CONTROL_STOP, order->generation,
                      order->cause, order->reason)) /* its queue is full: it hangs at the moment */
        loop_timer_set(slot->agent->loop, &slot->retry_timer, ORDER_AGAIN_MS);
}

void slot_forward_signal(struct slot *slot, int number)
{
    if (slot->control >= 0)
        (void)control_send(slot->control, CONTROL_SIGNAL, number, 0, NULL);
}

void slot_connect_shim(struct slot *slot)
{
    struct err err = ERR_INIT;
    if (control_connect(slot->paths.control_socket, &slot->control, &err) == STATUS_OK) {
        slot->control_watch = loop_watch_add(slot->agent->loop, slot->control, POLLIN, on_control, slot);
        slot->phase = SLOT_RUNNING;
        open_viewer(slot, slot->shim == 0 ? spool_last_sequence(slot->paths.spool) : 0);
        slot_send_order(slot);
        return;
    }
    int lock = attempt_lock(&slot->paths);
    if (lock < 0 && !attempt_is_gone(&slot->paths)) { /* it lives and does not listen yet */
        loop_timer_set(slot->agent->loop, &slot->retry_timer, CONNECT_AGAIN_MS);
        return;
    }
    file_close(&lock);
    slot_shim_gone(slot);
}

/* The lock passes from here to the shim with the descriptor: at no moment does a shim live without it. */
void slot_spawn_shim(struct slot *slot)
{
    struct err err = ERR_INIT;
    slot->phase = SLOT_STARTING;
    int lock CLEANUP(file_close) = attempt_lock(&slot->paths);
    if (lock < 0 || shim_spawn(&slot->paths, lock, &slot->shim, &err) != STATUS_OK) {
        log_error("agent", "cannot_spawn_shim", LOG_ERR(&err));
        slot->shim = getpid(); /* it would have been our child */
        file_close(&lock);
        slot_shim_gone(slot);
        return;
    }
    log_info("agent", "started_run", LOG_TEXT("run", slot->spec.run_id),
             LOG_INT("attempt", slot->spec.attempt), LOG_INT("shim", slot->shim));
    loop_timer_set(slot->agent->loop, &slot->retry_timer, CONNECT_AGAIN_MS / 2);
}

/* ---- the shim's end ---- */

/* Without exit.json: a command that was started is lost, its remains are killed; one that was not cannot be.
 */
static void conclude_without_exit(struct slot *slot)
{
    bool deleted = attempt_is_gone(&slot->paths);
    slot->end = (struct attempt_exit){.end = ATTEMPT_NOT_STARTED};
    snprintf(slot->end.error_text, sizeof slot->end.error_text, "the run's shim could not start");
    if (!deleted && !attempt_was_started(&slot->paths))
        return;
    slot->end.end = ATTEMPT_LOST;
    snprintf(slot->end.error_text, sizeof slot->end.error_text, "%s",
             deleted ? "the folder of the run was deleted"
                     : "the run's shim was killed, or the machine restarted");
    char entry[PATH_MAX + 32];
    snprintf(entry, sizeof entry, "BESOM_RUN_SOCKET=%s", slot->paths.run_socket);
    for (int round = 0; round < KILL_ROUNDS && tree_kill_marked(entry) > 0; round++)
        sched_yield();
}

void slot_shim_gone(struct slot *slot)
{
    struct err err = ERR_INIT;
    int lock = attempt_lock(&slot->paths);
    if (lock < 0 && !attempt_is_gone(&slot->paths)) { /* still ending, or another agent took it: look again */
        slot->phase = SLOT_STARTING;
        loop_timer_set(slot->agent->loop, &slot->retry_timer, CONNECT_AGAIN_MS);
        return;
    }
    file_close(&lock);
    loop_timer_stop(&slot->retry_timer);
    if (attempt_exit_read(&slot->paths, &slot->end, &err) != STATUS_OK)
        conclude_without_exit(slot);
    if (slot->end.end == ATTEMPT_NOT_STARTED && slot->shim != 0)
        agent_leave(slot->agent, 1, "no run can be started here: %s", slot->end.error_text);
    slot->final_sequence = spool_last_sequence(slot->paths.spool);
    if (slot->final_sequence < slot->end.final_sequence)
        slot->final_sequence = slot->end.final_sequence;
    if (slot->shim != 0)
        open_viewer(slot, 0); /* it was faster than we */
    slot->to_view = slot->final_sequence;
    show_output(slot, SHOW_REST_MS);
    loop_timer_stop(&slot->view_timer);
    slot->phase = SLOT_DRAINING;
    slot_drain(slot);
}
