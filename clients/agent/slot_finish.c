// SPDX-License-Identifier: Apache-2.0
// The slot's stream, its last batches, FinishRun, and the end of the attempt's folder.
#include <string.h>

#include "agent.h"
#include "agent_time.h"
#include "backoff.h"
#include "base/log.h"
#include "control.h"
#include "say.h"

#define FINISH_TIMEOUT_MS 20000
#define BROKEN_STREAMS_SAID 3

/* ---- the stream's owner ---- */

static void on_opened(void *context, bool current)
{
    struct slot *slot = context;
    if (!current && !slot->superseded) {
        slot->superseded = true;
        log_warn("agent", "superseded", LOG_TEXT("run", slot->spec.run_id),
                 LOG_INT("attempt", slot->spec.attempt));
    }
    if (slot->phase == SLOT_REPORTING) {
        if (slot->superseded)
            slot_release(slot);
        else
            slot_spawn_shim(slot);
        return;
    }
    if (slot->superseded && slot_is_live(slot))
        slot_order(slot, true, END_CAUSE_SUPERSEDED, 0, "another attempt has taken over");
    if (slot->control >= 0)
        (void)control_send(slot->control, CONTROL_LEASE, slot->agent->lease_ms, 0, NULL);
    slot_drain(slot);
}

static void on_acknowledged(void *context, int64_t sequence)
{
    struct slot *slot = context;
    log_debug("agent", "acknowledged", LOG_TEXT("run", slot->spec.run_id),
              LOG_INT("attempt", slot->spec.attempt), LOG_INT("sequence", sequence));
    if (sequence > slot->taken) {
        if (slot->broken_streams >= BROKEN_STREAMS_SAID)
            say("The controller takes what run %s logs again", slot->spec.run_id);
        slot->taken = sequence;
        slot->broken_streams = 0;
    }
    if (slot->control >= 0) {
        (void)control_send(slot->control, CONTROL_ACKNOWLEDGED, sequence, 0, NULL);
        (void)control_send(slot->control, CONTROL_LEASE, slot->agent->lease_ms, 0, NULL);
    }
    slot_drain(slot);
}

/* What each directive means for the command. */
static const struct {
    Besom__V1__DirectiveKind kind;
    bool at_once;
    enum end_cause cause;
} directives[] = {
    {BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_STOP_EARLY, false, END_CAUSE_DIRECTED},
    {BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_PAUSE, false, END_CAUSE_DIRECTED},
    {BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_STOP_USER, false, END_CAUSE_DIRECTED},
    {BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_KILL, true, END_CAUSE_DIRECTED},
    {BESOM__V1__DIRECTIVE_KIND__DIRECTIVE_KIND_SUPERSEDED, true, END_CAUSE_SUPERSEDED},
};

/* Before the start there is nothing to stop: the run ends without one. */
void slot_end_unstarted(struct slot *slot, enum end_cause cause, int64_t generation)
{
    slot->end = (struct attempt_exit){.end = ATTEMPT_EXITED, .cause = cause, .generation = generation};
    slot->final_sequence = 0;
    slot_finish(slot);
}

static void on_directive(void *context, int64_t generation, Besom__V1__DirectiveKind kind, const char *reason)
{
    struct slot *slot = context;
    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        if (directives[i].kind != kind)
            continue;
        log_info("agent", "directive", LOG_TEXT("run", slot->spec.run_id), LOG_INT("generation", generation),
                 LOG_INT("kind", kind), LOG_TEXT("reason", reason));
        slot->superseded = slot->superseded || directives[i].cause == END_CAUSE_SUPERSEDED;
        if (slot_is_live(slot)) { /* its result is sent when the shim has taken it */
            say("Stopping run %s: %s", slot->spec.run_id, reason);
            slot_order(slot, directives[i].at_once, directives[i].cause, generation, reason);
            return;
        }
        tracker_directive_result(slot->tracker, generation, true);
        if (slot->phase == SLOT_REPORTING)
            slot_end_unstarted(slot, directives[i].cause, generation);
        return;
    }
    tracker_directive_result(slot->tracker, generation, false);
}

static void say_unknown(const struct slot *slot)
{
    say("The controller does not know this agent's run %s: it was deleted, or handed out after the backup "
        "that was restored",
        slot->spec.run_id);
}

static void on_missing(void *context, int64_t first, int64_t last)
{
    const struct slot *slot = context;
    log_error("agent", "batches_missing", LOG_TEXT("run", slot->spec.run_id), LOG_INT("first", first),
              LOG_INT("last", last));
    say("Run %s: what it logged in its batches %lld to %lld is lost: the controller's database was set back, "
        "and they are not kept here any more",
        slot->spec.run_id, (long long)first, (long long)last);
}

static void on_gone(void *context)
{
    struct slot *slot = context;
    slot->gone = slot->superseded = true;
    if (slot->call != NULL)
        return; /* FinishRun is under way: its answer lets the run go */
    say_unknown(slot);
    if (slot_is_live(slot))
        slot_order(slot, true, END_CAUSE_SUPERSEDED, 0, "the run was deleted");
    else
        slot_release(slot);
}

static void on_refused(void *context, int64_t sequence, const char *reason)
{
    const struct slot *slot = context;
    log_error("agent", "batch_refused", LOG_TEXT("run", slot->spec.run_id), LOG_INT("sequence", sequence),
              LOG_TEXT("reason", reason));
    say("Run %s: the controller refused a part of what it logged: %s", slot->spec.run_id, reason);
}

/* A controller that opens each stream and breaks it again looks reachable, and takes nothing. */
static void on_reachable(void *context, const besom_error *error)
{
    struct slot *slot = context;
    bool broken = error->code != BESOM_OK && error->code != BESOM_UNAVAILABLE;
    slot->broken_streams += broken;
    if (broken && slot->broken_streams == BROKEN_STREAMS_SAID)
        say("The controller does not take what run %s logs: %s: %s (trying on; it is kept here)",
            slot->spec.run_id, besom_status_name(error->code), error->text);
    agent_note_answer(slot->agent, error);
}

void slot_start_tracker(struct slot *slot)
{
    struct agent *agent = slot->agent;
    if (!agent->registered || slot->tracker != NULL)
        return;
    const struct tracker_options options = {
        .loop = agent->loop,
        .client = agent->client,
        .spool_folder = slot->paths.spool,
        .sweep_id = slot->spec.sweep_id,
        .run_id = slot->spec.run_id,
        .agent_id = agent->state.agent_id,
        .attempt = slot->spec.attempt,
        .started_us = slot->spec.started_us,
        .renew_ms = agent->renew_ms,
        .owner = {slot, on_opened, on_acknowledged, on_directive, on_refused, on_missing, on_gone,
                  on_reachable},
    };
    struct err err = ERR_INIT;
    if (tracker_new(&options, &slot->tracker, &err) != STATUS_OK) {
        agent_leave(agent, 1, "%s", err.text);
        return;
    }
    tracker_available(slot->tracker, spool_last_sequence(slot->paths.spool));
}

/* What the disk has lost nobody can deliver. */
static void give_up_lost_batches(struct slot *slot)
{
    int64_t last = 0;
    if (!tracker_is_cut_off(slot->tracker, &last) || last >= slot->final_sequence)
        return;
    log_error("agent", "spool_lost_batches", LOG_TEXT("run", slot->spec.run_id), LOG_INT("last", last),
              LOG_INT("written", slot->final_sequence));
    say("Run %s: what it logged in its batches %lld to %lld is lost: the disk does not have it any more",
        slot->spec.run_id, (long long)last + 1, (long long)slot->final_sequence);
    slot->final_sequence = last;
}

void slot_drain(struct slot *slot)
{
    if (slot->phase != SLOT_DRAINING)
        return;
    if (slot->gone) {
        slot_release(slot);
        return;
    }
    if (!slot->agent->registered)
        return;
    bool needs_stream = slot->final_sequence > 0 || slot->end.end == ATTEMPT_LOST;
    if (!needs_stream) {
        slot_finish(slot);
        return;
    }
    slot_start_tracker(slot);
    if (slot->tracker == NULL)
        return;
    tracker_available(slot->tracker, slot->final_sequence);
    give_up_lost_batches(slot);
    if (tracker_acknowledged(slot->tracker) >= slot->final_sequence)
        slot_finish(slot);
}

/* ---- FinishRun ---- */

static Besom__V1__EndClass end_class(const struct attempt_exit *end)
{
    static const Besom__V1__EndClass of_cause[] = {
        [END_CAUSE_DIRECTED] = BESOM__V1__END_CLASS__END_CLASS_DIRECTED,
        [END_CAUSE_USER] = BESOM__V1__END_CLASS__END_CLASS_USER,
        [END_CAUSE_PREEMPTED] = BESOM__V1__END_CLASS__END_CLASS_PREEMPTED,
        [END_CAUSE_ORPHANED] = BESOM__V1__END_CLASS__END_CLASS_LOST,
        [END_CAUSE_LEASE] = BESOM__V1__END_CLASS__END_CLASS_LOST,
        [END_CAUSE_SUPERSEDED] = BESOM__V1__END_CLASS__END_CLASS_DIRECTED,
    };
    static const Besom__V1__EndClass of_end[] = {
        [ATTEMPT_EXITED] = BESOM__V1__END_CLASS__END_CLASS_EXITED,
        [ATTEMPT_SIGNALED] = BESOM__V1__END_CLASS__END_CLASS_SIGNALED,
        [ATTEMPT_START_FAILED] = BESOM__V1__END_CLASS__END_CLASS_START_FAILED,
        [ATTEMPT_LOST] = BESOM__V1__END_CLASS__END_CLASS_LOST,
        [ATTEMPT_NOT_STARTED] = BESOM__V1__END_CLASS__END_CLASS_LOST,
    };
    if (end->cause != END_CAUSE_NONE && (size_t)end->cause < ARRAY_LEN(of_cause))
        return of_cause[end->cause];
    bool failed = end->end == ATTEMPT_SIGNALED || (end->end == ATTEMPT_EXITED && end->exit_code != 0);
    if (end->preempting && failed)
        return BESOM__V1__END_CLASS__END_CLASS_PREEMPTED;
    return (size_t)end->end < ARRAY_LEN(of_end) && end->end > 0 ? of_end[end->end]
                                                                : BESOM__V1__END_CLASS__END_CLASS_LOST;
}

static const char *state_word(Besom__V1__RunState state)
{
    static const char *const words[] = {"unknown",  "queued",  "assigned", "running", "preempting", "paused",
                                        "finished", "stopped", "failed",   "killed",  "crashed"};
    return (size_t)state < ARRAY_LEN(words) ? words[state] : words[0];
}

static void say_end(const struct slot *slot, const Besom__V1__FinishDone *done)
{
    const char *reason = done->end_reason != NULL ? done->end_reason : "";
    log_info("agent", "finished_run", LOG_TEXT("run", slot->spec.run_id),
             LOG_INT("attempt", slot->spec.attempt), LOG_TEXT("state", state_word(done->state)),
             LOG_TEXT("reason", reason), LOG_INT("sequence", slot->final_sequence));
    if (done->requeued)
        say("Run %s is queued again: %s", slot->spec.run_id, reason);
    else if (slot->end.end == ATTEMPT_START_FAILED)
        say("Run %s failed: %s", slot->spec.run_id, slot->end.error_text);
    else
        say("Run %s %s%s%s", slot->spec.run_id, state_word(done->state), *reason != '\0' ? ": " : "", reason);
}

static void take_done(struct slot *slot, const Besom__V1__FinishDone *done)
{
    say_end(slot, done);
    bool by_itself = slot->end.cause == END_CAUSE_NONE && !done->superseded && !slot->end.preempting;
    /* A program that says it failed, and ends well, did not fail for this machine. */
    int exit_code = slot->end.told ? 0 : slot->end.end == ATTEMPT_START_FAILED ? 1 : slot->end.exit_code;
    struct agent *agent = slot->agent;
    if (agent->submitted)
        agent_note_single_end(agent, &slot->end);
    if (slot->began_ms > 0)
        agent_time_note(agent, loop_now_ms() - slot->began_ms);
    slot->began_ms = 0;
    slot_release(slot);
    if (!agent->submitted)
        agent_count_end(agent, by_itself ? exit_code : 0);
}

static void on_finished(void *context, const void *response, const besom_error *error)
{
    struct slot *slot = context;
    struct agent *agent = slot->agent;
    const Besom__V1__FinishRunResponse *answer = response;
    slot->call = NULL;
    if (slot->gone || (answer == NULL && error->code == BESOM_NOT_FOUND)) {
        say_unknown(slot);
        slot_release(slot);
    } else if (answer == NULL) {
        agent_note_answer(agent, error);
        loop_timer_set(agent->loop, &slot->retry_timer, backoff_next_ms(&slot->backoff_ms));
    } else if (answer->verdict_case == BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_AGAIN) {
        slot_start_tracker(slot);
        if (slot->tracker != NULL)
            tracker_rewind(slot->tracker, answer->again->last_sequence);
        loop_timer_set(agent->loop, &slot->retry_timer, backoff_next_ms(&slot->backoff_ms));
    } else if (answer->verdict_case == BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE) {
        agent_note_answer(agent, error);
        take_done(slot, answer->done);
    }
}

void slot_finish(struct slot *slot)
{
    struct agent *agent = slot->agent;
    slot->phase = SLOT_FINISHING;
    if (slot->superseded) {
        slot_release(slot);
        return;
    }
    Besom__V1__FinishRunRequest request = BESOM__V1__FINISH_RUN_REQUEST__INIT;
    request.sweep_id = slot->spec.sweep_id;
    request.run_id = slot->spec.run_id;
    request.attempt = slot->spec.attempt;
    request.agent_id = agent->state.agent_id;
    request.final_sequence = slot->final_sequence;
    request.end_class = end_class(&slot->end);
    request.exit_code = slot->end.exit_code;
    request.signal = slot->end.signal;
    request.error_text = slot->end.error_text;
    request.run_time_ms = slot->end.run_time_ms;
    request.directive_generation = slot->end.generation;
    slot->call = call_new(agent->loop, on_finished, slot);
    call_begin(slot->call,
               besom_run_finish_async(agent->client, &request, FINISH_TIMEOUT_MS, call_done, slot->call));
}

/* The counter goes up first: a folder found with an older counter is known to be done with. */
void slot_release(struct slot *slot)
{
    struct err err = ERR_INIT;
    if (state_dir_set_counter(&slot->agent->state, slot->number, slot->counter + 1, &err) != STATUS_OK)
        agent_leave(slot->agent, 1, "%s", err.text);
    slot->counter++;
    slot_disconnect_shim(slot);
    tracker_free(slot->tracker);
    slot->tracker = NULL;
    spool_reader_free(slot->viewer);
    slot->viewer = NULL;
    attempt_remove(&slot->paths);
    attempt_spec_free(&slot->spec);
    slot->shim = 0;
    slot->order.set = false;
    slot_become_idle(slot);
    agent_step(slot->agent);
}
