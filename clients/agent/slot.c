// SPDX-License-Identifier: Apache-2.0
// One slot's way through a run:
//
//   IDLE -> ACQUIRING -> REPORTING -> STARTING -> RUNNING -> DRAINING -> FINISHING -> IDLE
//     adopted: not started '     shim lives '                  ' shim gone
//
// Crash safety rests on the order of writes; see README.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "backoff.h"
#include "base/file.h"
#include "base/log.h"
#include "say.h"

#define ACQUIRE_WAIT_MS 30000
#define ACQUIRE_TIMEOUT_MS 40000
#define ASK_AGAIN_MS 1000

static void ask(struct slot *slot);

static void on_retry_timer(void *context)
{
    struct slot *slot = context;
    switch (slot->phase) {
    case SLOT_ACQUIRING: ask(slot); break;
    case SLOT_STARTING: slot_connect_shim(slot); break;
    case SLOT_RUNNING: slot_send_order(slot); break;
    case SLOT_FINISHING: slot_finish(slot); break;
    default: break;
    }
}

void slot_init(struct slot *slot, struct agent *agent, int number)
{
    *slot = (struct slot){.agent = agent, .number = number, .control = -1, .line_starts = {true, true}};
    slot->retry_timer = (struct loop_timer){.fire = on_retry_timer, .context = slot};
    slot->view_timer = (struct loop_timer){.fire = slot_show_output, .context = slot};
}

void slot_become_idle(struct slot *slot)
{
    slot->phase = SLOT_IDLE;
    free(slot->gpus);
    slot->gpus = NULL;
    slot->backoff_ms = 0;
    loop_timer_stop(&slot->retry_timer);
}

/* ---- AcquireRun ---- */

/* A code that no repetition can change ends the agent. */
static bool is_final(besom_status code)
{
    static const besom_status finals[] = {BESOM_INVALID, BESOM_DENIED, BESOM_UNIMPLEMENTED};
    for (size_t i = 0; i < ARRAY_LEN(finals); i++)
        if (finals[i] == code)
            return true;
    return false;
}

static void acquire_failed(struct slot *slot, const besom_error *error)
{
    struct agent *agent = slot->agent;
    if (agent->mode != AGENT_SERVING || error->code == BESOM_CANCELLED) {
        slot_become_idle(slot);
        agent_step(agent);
        return;
    }
    bool refused = agent->submit_params != NULL && error->code == BESOM_PRECONDITION;
    if (error->code == BESOM_NOT_FOUND)
        agent_register_again(agent);
    if (is_final(error->code) || refused) {
        slot_become_idle(slot);
        agent_leave(agent, besom_status_exit_code(error->code), "%s", error->text);
        return;
    }
    agent_note_answer(agent, error);
    loop_timer_set(agent->loop, &slot->retry_timer, backoff_next_ms(&slot->backoff_ms));
}

/* Handed out here before the database was set back, and now again: it goes on where it is. */
static bool runs_in_another_slot(const struct slot *slot, const Besom__V1__RunAssignment *run)
{
    const struct agent *agent = slot->agent;
    for (int i = 0; i < agent->slot_count; i++) {
        const struct slot *other = &agent->slots[i];
        if (other != slot && other->phase > SLOT_ACQUIRING && other->spec.attempt == run->attempt &&
            strcmp(other->spec.run_id, run->run_id) == 0)
            return true;
    }
    return false;
}

static void start_run(struct slot *slot, const Besom__V1__RunAssignment *run)
{
    struct agent *agent = slot->agent;
    if (runs_in_another_slot(slot, run)) { /* asked again until that has ended */
        loop_timer_set(agent->loop, &slot->retry_timer, ASK_AGAIN_MS);
        return;
    }
    log_info("agent", "acquired_run", LOG_TEXT("run", run->run_id), LOG_INT("attempt", run->attempt),
             LOG_INT("slot", slot->number), LOG_INT("counter", slot->counter));
    if (agent->mode != AGENT_SERVING) {
        slot_give_back(slot, run);
        return;
    }
    switch (slot_prepare(slot, run)) {
    case SLOT_PREPARED: break;
    case SLOT_REFUSED: slot_finish(slot); return;
    case SLOT_UNABLE: /* it is queued again for another machine */
        agent_leave(agent, 1, "no run can be started here: %s", slot->end.error_text);
        slot_finish(slot);
        return;
    }
    slot->began_ms = loop_now_ms();
    say("Agent Starting Run: %s%s%s with config:", run->run_id, slot->gpus != NULL ? " on GPU " : "",
        slot->gpus != NULL ? slot->gpus : "");
    say_config(run->params_json);
    slot->phase = SLOT_REPORTING;
    slot_start_tracker(slot);
}

static void skip_ended(struct slot *slot, const Besom__V1__Ended *ended)
{
    struct err err = ERR_INIT;
    log_info("agent", "run_had_ended", LOG_TEXT("run", ended->run_id), LOG_INT("attempt", ended->attempt));
    if (state_dir_set_counter(&slot->agent->state, slot->number, slot->counter + 1, &err) == STATUS_OK)
        slot->counter++;
    else
        log_error("agent", "cannot_count", LOG_ERR(&err));
    loop_timer_set(slot->agent->loop, &slot->retry_timer, err.code == STATUS_OK ? 0 : ASK_AGAIN_MS);
}

/* "sweep is finished: ..." names the sweep: "sweep ab12cd34 is finished: ...". */
static void leave_for(struct agent *agent, const char *reason)
{
    const char *rest = strncmp(reason, "sweep is ", 9) == 0 ? reason + 6 : NULL;
    if (rest != NULL)
        agent_leave(agent, 0, "sweep %s %s", agent->sweep_id, rest);
    else
        agent_leave(agent, 0, "sweep %s: %s", agent->sweep_id, reason);
}

static void on_acquired(void *context, const void *response, const besom_error *error)
{
    struct slot *slot = context;
    const Besom__V1__AcquireRunResponse *answer = response;
    slot->call = NULL;
    if (answer == NULL) {
        acquire_failed(slot, error);
        return;
    }
    agent_note_answer(slot->agent, error);
    slot->backoff_ms = 0;
    int64_t took_ms = loop_now_ms() - slot->asked_ms;
    switch (answer->verdict_case) {
    case BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN: start_run(slot, answer->run); break;
    case BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_ENDED: skip_ended(slot, answer->ended); break;
    case BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_EXIT:
        slot_become_idle(slot);
        leave_for(slot->agent, answer->exit->reason);
        break;
    default:
        if (answer->verdict_case == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_WAIT)
            agent_note_wait(slot->agent, answer->wait->reason);
        loop_timer_set(slot->agent->loop, &slot->retry_timer,
                       took_ms < ASK_AGAIN_MS ? ASK_AGAIN_MS - took_ms : 0);
        break;
    }
}

static void on_submitted(void *context, const void *response, const besom_error *error)
{
    struct slot *slot = context;
    const Besom__V1__SubmitRunResponse *answer = response;
    slot->call = NULL;
    if (answer == NULL) {
        acquire_failed(slot, error);
        return;
    }
    agent_note_answer(slot->agent, error);
    slot->agent->submitted = true;
    if (answer->verdict_case == BESOM__V1__SUBMIT_RUN_RESPONSE__VERDICT_RUN) {
        start_run(slot, answer->run);
        return;
    }
    slot_become_idle(slot); /* somebody ended it before it could be started */
    agent_step(slot->agent);
}

static void submit(struct slot *slot)
{
    struct agent *agent = slot->agent;
    Besom__V1__SubmitRunRequest request = BESOM__V1__SUBMIT_RUN_REQUEST__INIT;
    request.sweep_id = agent->sweep_id;
    request.agent_id = agent->state.agent_id;
    request.slot = slot->number;
    request.counter = slot->counter;
    request.params_json = agent->submit_params;
    if (agent->options->name != NULL)
        request.name = (char *)(uintptr_t)agent->options->name;
    slot->call = call_new(agent->loop, on_submitted, slot);
    call_begin(slot->call,
               besom_run_submit_async(agent->client, &request, ACQUIRE_TIMEOUT_MS, call_done, slot->call));
}

static void ask(struct slot *slot)
{
    struct agent *agent = slot->agent;
    if (agent->mode != AGENT_SERVING) {
        slot_become_idle(slot);
        agent_step(agent);
        return;
    }
    if (agent->submit_params != NULL) {
        submit(slot);
        return;
    }
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    request.sweep_id = agent->sweep_id;
    request.agent_id = agent->state.agent_id;
    request.slot = slot->number;
    request.counter = slot->counter;
    request.wait_ms = ACQUIRE_WAIT_MS;
    slot->asked_ms = loop_now_ms();
    slot->call = call_new(agent->loop, on_acquired, slot);
    call_begin(slot->call,
               besom_run_acquire_async(agent->client, &request, ACQUIRE_TIMEOUT_MS, call_done, slot->call));
}

/* The counter is on disk before the first call with it, so that a restarted agent repeats the same key. */
static bool load_counter(struct slot *slot)
{
    struct err err = ERR_INIT;
    const struct state_dir *state = &slot->agent->state;
    if (slot->counter == 0 &&
        (state_dir_counter(state, slot->number, &slot->counter, &err) != STATUS_OK ||
         state_dir_set_counter(state, slot->number, slot->counter, &err) != STATUS_OK)) {
        slot->counter = 0;
        agent_leave(slot->agent, 1, "%s", err.text);
        return false;
    }
    return true;
}

/* GPUs that no other slot holds. A run that was taken up and is not bound may use any. */
static bool take_gpus(struct slot *slot)
{
    const struct agent *agent = slot->agent;
    const char *holders[SLOTS_MAX];
    size_t count = 0;
    if (agent->around.gpus.count == 0)
        return true;
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].phase != SLOT_IDLE)
            holders[count++] = agent->slots[i].gpus;
    slot->gpus = gpu_list_choose(&agent->around.gpus, (size_t)slot->number,
                                 (size_t)agent->options->gpus_per_run, holders, count);
    if (slot->gpus == NULL)
        agent_note_wait(slot->agent, "runs that were taken up again hold the GPUs");
    return slot->gpus != NULL;
}

void slot_step(struct slot *slot)
{
    if (slot->phase != SLOT_IDLE || !agent_wants_run(slot->agent) || !load_counter(slot) || !take_gpus(slot))
        return;
    slot->phase = SLOT_ACQUIRING;
    ask(slot);
}

void slot_cancel_acquire(struct slot *slot)
{
    if (slot->phase != SLOT_ACQUIRING)
        return;
    if (slot->call != NULL)
        call_cancel(slot->call);
    else
        slot_become_idle(slot);
}

/* ---- adoption ---- */

void slot_adopt(struct slot *slot)
{
    struct err err = ERR_INIT;
    log_info("agent", "adopted_run", LOG_TEXT("run", slot->spec.run_id),
             LOG_INT("attempt", slot->spec.attempt));
    say("Taking up run %s again", slot->spec.run_id);
    slot->counter = slot->spec.counter;
    slot->gpus = slot->spec.gpus != NULL ? strdup(slot->spec.gpus) : NULL;
    int lock = attempt_lock(&slot->paths);
    if (lock < 0) {
        slot->phase = SLOT_STARTING;
        slot_connect_shim(slot);
        return;
    }
    file_close(&lock);
    bool ended = attempt_exit_read(&slot->paths, &slot->end, &err) == STATUS_OK;
    if (ended || attempt_was_started(&slot->paths))
        slot_shim_gone(slot);
    else
        slot->phase = SLOT_REPORTING; /* never started: its start is reported anew, then it is started */
}

void slot_registered(struct slot *slot)
{
    if (slot->phase == SLOT_REPORTING || slot->phase == SLOT_STARTING || slot->phase == SLOT_RUNNING)
        slot_start_tracker(slot);
    else if (slot->phase == SLOT_DRAINING) {
        slot_start_tracker(slot);
        slot_drain(slot);
    }
}

bool slot_is_live(const struct slot *slot)
{
    return slot->phase == SLOT_STARTING || slot->phase == SLOT_RUNNING;
}

void slot_order(struct slot *slot, bool at_once, enum end_cause cause, int64_t generation, const char *reason)
{
    slot->order =
        (struct slot_order){.set = true, .at_once = at_once, .cause = cause, .generation = generation};
    snprintf(slot->order.reason, sizeof slot->order.reason, "%s", reason);
    if (slot->phase == SLOT_REPORTING)
        slot_end_unstarted(slot, cause, generation);
    else
        slot_send_order(slot);
}

void slot_free(struct slot *slot)
{
    slot_disconnect_shim(slot);
    tracker_free(slot->tracker);
    spool_reader_free(slot->viewer);
    attempt_spec_free(&slot->spec);
    free(slot->gpus);
    loop_timer_forget(slot->agent->loop, &slot->retry_timer);
    loop_timer_forget(slot->agent->loop, &slot->view_timer);
}
