// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backoff.h"
#include "base/log.h"
#include "say.h"

#define PROTOCOL_MIN 1
#define PROTOCOL_MAX 1
#define REGISTER_TIMEOUT_MS 10000
#define RETIRE_TIMEOUT_MS 5000
#define AWAY_AFTER_MS 2000
#define FLAPPING_FAILURES 3
#define FLAPPING_MS 60000
#define INITIAL_FAILURES 5

/* ---- what slots tell ---- */

void agent_leave(struct agent *agent, int exit_code, const char *format, ...)
{
    if (agent->mode == AGENT_SERVING) {
        va_list args;
        va_start(args, format);
        vsnprintf(agent->reason, sizeof agent->reason, format, args);
        va_end(args);
        agent->mode = AGENT_WAITING;
        agent->exit_code = exit_code;
    }
    agent_step(agent);
}

void agent_step(struct agent *agent)
{
    loop_timer_set(agent->loop, &agent->step_timer, 0);
}

static int busy_slots(const struct agent *agent)
{
    int busy = 0;
    for (int i = 0; i < agent->slot_count; i++)
        busy += agent->slots[i].phase != SLOT_IDLE;
    return busy;
}

static bool holds_runs(const struct agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (agent->slots[i].phase > SLOT_ACQUIRING)
            return true;
    return false;
}

bool agent_wants_run(const struct agent *agent)
{
    int64_t count = agent->options->count;
    return agent->registered && agent->mode == AGENT_SERVING && !agent->submitted &&
           (count == 0 || agent->ended + busy_slots(agent) < count);
}

/* A setting of W&B's agent, taken over with its name. */
static int64_t most_initial_failures(void)
{
    const char *text = getenv("WANDB_AGENT_MAX_INITIAL_FAILURES");
    int64_t value = text != NULL ? strtoll(text, NULL, 10) : 0;
    return value > 0 ? value : INITIAL_FAILURES;
}

static bool flapping_matters(void)
{
    const char *text = getenv("WANDB_AGENT_DISABLE_FLAPPING");
    return text == NULL || strcmp(text, "true") != 0;
}

/* It is likely to be this machine's fault: runs of the sweep are better off elsewhere. */
static bool leave_as_broken(struct agent *agent)
{
    long long failed = (long long)agent->failed;
    bool serving = agent->mode == AGENT_SERVING;
    int64_t age_ms = loop_now_ms() - agent->started_ms;
    if (failed >= FLAPPING_FAILURES && age_ms < FLAPPING_MS && flapping_matters())
        agent_leave(
            agent, 1,
            "%lld runs failed in the first 60 seconds (WANDB_AGENT_DISABLE_FLAPPING=true goes on anyway)",
            failed);
    else if (failed >= most_initial_failures() && failed >= agent->ended)
        agent_leave(agent, 1,
                    "all of the first %lld runs failed (WANDB_AGENT_MAX_INITIAL_FAILURES sets how many)",
                    failed);
    else
        return false;
    agent->quarantine = agent->quarantine || serving;
    return true;
}

void agent_count_end(struct agent *agent, int exit_code)
{
    agent->ended++;
    agent->failed += exit_code > 0;
    if (exit_code > 0 && leave_as_broken(agent))
        return;
    if (agent->options->count > 0 && agent->ended >= agent->options->count)
        agent_leave(agent, 0, "%lld runs ended, as --count said", (long long)agent->ended);
    agent_step(agent);
}

/* As a shell tells it. */
void agent_note_single_end(struct agent *agent, const struct attempt_exit *end)
{
    static const int others[] = {[ATTEMPT_START_FAILED] = 127, [ATTEMPT_LOST] = 1, [ATTEMPT_NOT_STARTED] = 1};
    if (end->end == ATTEMPT_EXITED)
        agent->run_exit_code = end->exit_code;
    else if (end->end == ATTEMPT_SIGNALED)
        agent->run_exit_code = 128 + end->signal;
    else
        agent->run_exit_code = others[end->end];
}

static bool is_refusal(besom_status code)
{
    static const besom_status refusals[] = {BESOM_INVALID,         BESOM_NOT_FOUND,    BESOM_DENIED,
                                            BESOM_UNAUTHENTICATED, BESOM_PRECONDITION, BESOM_UNIMPLEMENTED};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i] == code)
            return true;
    return false;
}

void agent_note_answer(struct agent *agent, const besom_error *error)
{
    int64_t now_ms = loop_now_ms();
    if (error->code == BESOM_OK) {
        if (agent->away_said)
            say("The controller answers again");
        agent->away_said = false;
        agent->away_since_ms = 0;
        return;
    }
    log_warn("agent", "controller_failed", LOG_TEXT("status", besom_status_name(error->code)),
             LOG_TEXT("error", error->text));
    if (agent->away_since_ms == 0)
        agent->away_since_ms = now_ms;
    if (agent->away_said || now_ms - agent->away_since_ms < AWAY_AFTER_MS)
        return;
    agent->away_said = true;
    say("The controller at %s %s: %s: %s (trying on; runs go on and keep their metrics)",
        besom_client_address(agent->client),
        is_refusal(error->code) ? "refuses this agent" : "does not answer", besom_status_name(error->code),
        error->text);
}

void agent_note_wait(struct agent *agent, const char *reason)
{
    if (strcmp(agent->wait_reason, reason) == 0)
        return;
    snprintf(agent->wait_reason, sizeof agent->wait_reason, "%s", reason);
    if (*reason != '\0')
        say("Waiting: %s", reason);
}

/* ---- leaving ---- */

static void on_retired(void *context, const void *response, const besom_error *error)
{
    struct agent *agent = context;
    (void)response;
    (void)error; /* not being able to say goodbye changes nothing: the lease runs out */
    agent->call = NULL;
    agent->finished = true;
}

static void retire(struct agent *agent)
{
    agent->mode = AGENT_RETIRING;
    loop_timer_stop(&agent->register_timer);
    if (!agent->registered) {
        agent->finished = true;
        return;
    }
    Besom__V1__RetireAgentRequest request = BESOM__V1__RETIRE_AGENT_REQUEST__INIT;
    request.agent_id = agent->state.agent_id;
    request.sweep_id = agent->sweep_id;
    request.reason = agent->reason;
    request.quarantine = agent->quarantine;
    agent->call = call_new(agent->loop, on_retired, agent);
    call_begin(agent->call,
               besom_agent_retire_async(agent->client, &request, RETIRE_TIMEOUT_MS, call_done, agent->call));
}

void agent_on_step(void *context)
{
    struct agent *agent = context;
    if (agent->submitted && agent->mode == AGENT_SERVING && busy_slots(agent) == 0)
        agent_leave(agent, agent->run_exit_code, "the run has ended");
    if (agent->mode == AGENT_SERVING) {
        for (int i = 0; i < agent->around.slots; i++)
            slot_step(&agent->slots[i]);
        return;
    }
    for (int i = 0; i < agent->slot_count; i++)
        slot_cancel_acquire(&agent->slots[i]);
    if (busy_slots(agent) == 0 && agent->mode != AGENT_RETIRING && agent->call == NULL)
        retire(agent);
    else if (agent->call != NULL && agent->mode != AGENT_RETIRING)
        call_cancel(agent->call); /* a registration under way */
}

/* ---- registering ---- */

static void take_registration(struct agent *agent, const Besom__V1__RegisterAgentResponse *answer)
{
    agent->registered = true;
    agent->backoff_ms = 0;
    if (answer->lease_ms > 0)
        agent->lease_ms = answer->lease_ms;
    if (answer->renew_ms > 0)
        agent->renew_ms = answer->renew_ms;
    if (answer->lost_after_ms > 0)
        agent->lost_after_ms = answer->lost_after_ms;
    log_info("agent", "registered", LOG_TEXT("agent", agent->state.agent_id),
             LOG_TEXT("sweep", agent->sweep_id), LOG_INT("renew_ms", agent->renew_ms));
    for (int i = 0; i < agent->slot_count; i++)
        slot_registered(&agent->slots[i]);
    bool holds_single_runs = answer->sweep != NULL && strcmp(answer->sweep->method, "none") == 0;
    if (holds_single_runs && agent->submit_params == NULL)
        agent_leave(agent, 0, "sweep %s holds the single runs of its project: there are none to take",
                    agent->sweep_id);
}

/* The sweep does not exist: neither do the runs that were left from it. */
static void forget_runs(struct agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++) {
        struct slot *slot = &agent->slots[i];
        if (slot->phase <= SLOT_ACQUIRING)
            continue;
        slot->gone = slot->superseded = true;
        if (slot->call != NULL)
            continue; /* FinishRun is under way: its answer lets the run go */
        if (slot_is_live(slot))
            slot_order(slot, true, END_CAUSE_SUPERSEDED, 0, "the sweep was deleted");
        else
            slot_release(slot);
    }
}

static void on_registered(void *context, const void *response, const besom_error *error)
{
    struct agent *agent = context;
    agent->call = NULL;
    if (response != NULL) {
        agent_note_answer(agent, error);
        take_registration(agent, response);
        agent_step(agent);
        return;
    }
    if (error->code == BESOM_NOT_FOUND)
        forget_runs(agent);
    if (is_refusal(error->code) && (!holds_runs(agent) || error->code == BESOM_NOT_FOUND))
        agent_leave(agent, besom_status_exit_code(error->code), "%s", error->text);
    else if (agent->mode == AGENT_SERVING || holds_runs(agent)) {
        agent_note_answer(agent, error);
        loop_timer_set(agent->loop, &agent->register_timer, backoff_next_ms(&agent->backoff_ms));
    }
    agent_step(agent);
}

void agent_register(void *context)
{
    struct agent *agent = context;
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    request.agent_id = agent->state.agent_id;
    request.sweep_id = agent->sweep_id;
    request.host = agent->host;
    request.pid = getpid();
    request.slots = agent->around.slots;
    request.protocol_min = PROTOCOL_MIN;
    request.protocol_max = PROTOCOL_MAX;
    request.version = (char *)(uintptr_t)BESOM_VERSION;
    request.ignore_quarantine = agent->options->ignore_quarantine;
    agent->call = call_new(agent->loop, on_registered, agent);
    call_begin(agent->call, besom_agent_register_async(agent->client, &request, REGISTER_TIMEOUT_MS,
                                                       call_done, agent->call));
}

void agent_register_again(struct agent *agent)
{
    if (!agent->registered || agent->call != NULL)
        return; /* it is under way */
    agent->registered = false;
    agent_register(agent);
}

/* ---- life ---- */

/* Attempts whose end the controller does not know. */
static int count_unreported(const struct agent *agent)
{
    int count = 0;
    for (int i = 0; i < agent->slot_count; i++)
        count += agent->slots[i].phase > SLOT_ACQUIRING;
    return count;
}

static void say_unreported(const struct agent *agent, int count)
{
    const char *state_dir = agent->options->state_dir, *host = agent->options->host;
    say("%d run%s not reported: what %s logged waits in %s until an agent for the sweep is started here "
        "again: "
        "besom agent%s%s%s%s %s",
        count, count == 1 ? " is" : "s are", count == 1 ? "it" : "they", agent->state.path,
        host != NULL ? " --host " : "", host != NULL ? host : "", state_dir != NULL ? " --state-dir " : "",
        state_dir != NULL ? state_dir : "", agent->sweep_id);
}

static int conclude(const struct agent *agent)
{
    int unreported = count_unreported(agent);
    if (unreported > 0)
        say_unreported(agent, unreported);
    say("agent done: %s", agent->reason);
    int exit_code = agent->submitted ? agent->run_exit_code : agent->exit_code;
    return exit_code == 0 && unreported > 0 ? 1 : exit_code;
}

int agent_run(const struct agent_options *options)
{
    struct agent *agent = calloc(1, sizeof *agent);
    struct err err = ERR_INIT;
    if (agent == NULL)
        return 1;
    *agent = (struct agent){.options = options,
                            .signal_fd = -1,
                            .state = {.lock_fd = -1},
                            .started_ms = loop_now_ms(),
                            .run_exit_code = 1,
                            .lease_ms = 60000,
                            .renew_ms = 10000,
                            .lost_after_ms = 300000};
    if (agent_set_up(agent, &err) != STATUS_OK) {
        say("cannot start the agent: %s", err.text);
        agent_tear_down(agent);
        return status_info(err.code)->exit_code;
    }
    say("Starting besom agent");
    agent_register(agent);
    while (!agent->finished)
        loop_run_once(agent->loop);
    int exit_code = conclude(agent);
    agent_tear_down(agent);
    return exit_code;
}
