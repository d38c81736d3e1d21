// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_signals.h"
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

bool agent_wants_run(const struct agent *agent)
{
    int64_t count = agent->options->count;
    return agent->registered && agent->mode == AGENT_SERVING &&
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

void agent_count_end(struct agent *agent, int exit_code)
{
    agent->ended++;
    agent->failed += exit_code > 0;
    int64_t age_ms = loop_now_ms() - agent->started_ms;
    if (exit_code > 0 && agent->failed >= FLAPPING_FAILURES && age_ms < FLAPPING_MS && flapping_matters())
        agent_leave(
            agent, 1,
            "%lld runs failed in the first 60 seconds (WANDB_AGENT_DISABLE_FLAPPING=true goes on anyway)",
            (long long)agent->failed);
    else if (exit_code > 0 && agent->failed >= most_initial_failures() && agent->failed >= agent->ended)
        agent_leave(agent, 1,
                    "all of the first %lld runs failed (WANDB_AGENT_MAX_INITIAL_FAILURES sets how many)",
                    (long long)agent->failed);
    else if (agent->options->count > 0 && agent->ended >= agent->options->count)
        agent_leave(agent, 0, "%lld runs ended, as --count said", (long long)agent->ended);
    agent_step(agent);
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
    request.sweep_id = (char *)(uintptr_t)agent->options->sweep_id;
    request.reason = agent->reason;
    agent->call = call_new(agent->loop, on_retired, agent);
    call_begin(agent->call,
               besom_agent_retire_async(agent->client, &request, RETIRE_TIMEOUT_MS, call_done, agent->call));
}

static void on_step(void *context)
{
    struct agent *agent = context;
    if (agent->mode == AGENT_SERVING) {
        for (int i = 0; i < agent->options->slots; i++)
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
             LOG_TEXT("sweep", agent->options->sweep_id), LOG_INT("renew_ms", agent->renew_ms));
    for (int i = 0; i < agent->slot_count; i++)
        slot_registered(&agent->slots[i]);
}

/* The sweep does not exist: neither do the runs that were left from it. */
static void forget_runs(struct agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++) {
        struct slot *slot = &agent->slots[i];
        if (slot->phase == SLOT_IDLE)
            continue;
        slot->gone = slot->superseded = true;
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
    if (is_refusal(error->code) && (busy_slots(agent) == 0 || error->code == BESOM_NOT_FOUND))
        agent_leave(agent, besom_status_exit_code(error->code), "%s", error->text);
    else if (agent->mode == AGENT_SERVING || busy_slots(agent) > 0) {
        agent_note_answer(agent, error);
        loop_timer_set(agent->loop, &agent->register_timer, backoff_next_ms(&agent->backoff_ms));
    }
    agent_step(agent);
}

static void register_agent(void *context)
{
    struct agent *agent = context;
    Besom__V1__RegisterAgentRequest request = BESOM__V1__REGISTER_AGENT_REQUEST__INIT;
    request.agent_id = agent->state.agent_id;
    request.sweep_id = (char *)(uintptr_t)agent->options->sweep_id;
    request.host = agent->host;
    request.pid = getpid();
    request.slots = (int32_t)agent->options->slots;
    request.protocol_min = PROTOCOL_MIN;
    request.protocol_max = PROTOCOL_MAX;
    request.version = (char *)(uintptr_t)BESOM_VERSION;
    agent->call = call_new(agent->loop, on_registered, agent);
    call_begin(agent->call, besom_agent_register_async(agent->client, &request, REGISTER_TIMEOUT_MS,
                                                       call_done, agent->call));
}

/* ---- start ---- */

struct found_attempts {
    struct attempt_paths *paths; /* owned */
    struct attempt_spec *specs;  /* owned; moved into slots */
    int count, highest_slot;
};

static void find_attempt(void *context, const char *path)
{
    struct found_attempts *found = context;
    struct attempt_paths paths;
    struct attempt_spec spec;
    struct err err = ERR_INIT;
    if (attempt_paths_make(path, &paths, &err) != STATUS_OK ||
        attempt_spec_read(&paths, &spec, &err) != STATUS_OK) {
        log_error("agent", "unreadable_attempt", LOG_TEXT("path", path), LOG_ERR(&err));
        return;
    }
    struct attempt_paths *grown_paths =
        realloc(found->paths, (size_t)(found->count + 1) * sizeof *grown_paths);
    struct attempt_spec *grown_specs =
        realloc(found->specs, (size_t)(found->count + 1) * sizeof *grown_specs);
    if (grown_paths == NULL || grown_specs == NULL)
        abort(); /* a run that is not taken up would be orphaned */
    found->paths = grown_paths;
    found->specs = grown_specs;
    found->paths[found->count] = paths;
    found->specs[found->count++] = spec;
    if (spec.slot > found->highest_slot)
        found->highest_slot = spec.slot;
}

/* A folder whose counter is behind its slot's was reported already; only its deletion was cut off. */
static void adopt_attempts(struct agent *agent, struct found_attempts *found)
{
    struct err err = ERR_INIT;
    for (int i = 0; i < found->count; i++) {
        int64_t counter = 0;
        struct slot *slot = &agent->slots[found->specs[i].slot];
        bool known = state_dir_counter(&agent->state, slot->number, &counter, &err) == STATUS_OK;
        if ((known && found->specs[i].counter < counter) || slot->phase != SLOT_IDLE) {
            attempt_remove(&found->paths[i]);
            attempt_spec_free(&found->specs[i]);
            continue;
        }
        slot->paths = found->paths[i];
        slot->spec = found->specs[i];
        slot_adopt(slot);
    }
    free(found->paths);
    free(found->specs);
}

static enum status make_slots(struct agent *agent, struct err *err)
{
    struct found_attempts found = {.paths = NULL, .highest_slot = -1};
    state_dir_each_attempt(&agent->state, find_attempt, &found);
    agent->slot_count = (int)agent->options->slots;
    if (found.highest_slot >= agent->slot_count && found.highest_slot < 1024)
        agent->slot_count = found.highest_slot + 1;
    agent->slots = calloc((size_t)agent->slot_count, sizeof *agent->slots);
    if (agent->slots == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (int i = 0; i < agent->slot_count; i++)
        slot_init(&agent->slots[i], agent, i);
    adopt_attempts(agent, &found);
    return STATUS_OK;
}

static enum status open_client(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    besom_client_options client = BESOM_CLIENT_OPTIONS_INIT;
    client.address = options->address;
    client.ca_file = options->ca_file;
    client.certificate_file = options->certificate_file;
    client.key_file = options->key_file;
    client.server_name = options->server_name;
    client.tls = options->tls;
    client.insecure = options->insecure;
    besom_error error;
    if (besom_client_new(&client, &agent->client, &error) == BESOM_OK)
        return STATUS_OK;
    return err_set(err, status_from_grpc((int)error.code), "%s", error.text);
}

static enum status set_up(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    if (gethostname(agent->host, sizeof agent->host) != 0 || agent->host[0] == '\0')
        snprintf(agent->host, sizeof agent->host, "localhost");
    agent->host[sizeof agent->host - 1] = '\0';
    agent->loop = loop_new();
    if (agent->loop == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    agent->step_timer = (struct loop_timer){.fire = on_step, .context = agent};
    agent->register_timer = (struct loop_timer){.fire = register_agent, .context = agent};
    TRY(agent_signals_watch(agent, err));
    TRY(open_client(agent, err));
    TRY(state_dir_open(options->state_dir, agent->host, options->sweep_id, &agent->state, err));
    return make_slots(agent, err);
}

static void nothing(void *context)
{
    (void)context;
}

/* Streams that have closed leave their last event behind; handling it frees them. */
static void free_loop(struct agent *agent)
{
    struct loop_timer *timers[] = {&agent->step_timer, &agent->register_timer, &agent->stop_timer,
                                   &agent->term_timer};
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_timer_forget(agent->loop, timers[i]);
    loop_post(agent->loop, nothing, NULL);
    loop_run_once(agent->loop);
    loop_free(agent->loop);
}

/* After leaving in haste calls may still answer into client and loop: then those are left to the process's
 * end. */
static void tear_down(struct agent *agent)
{
    bool in_haste = agent->left_behind || agent->call != NULL;
    for (int i = 0; agent->slots != NULL && i < agent->slot_count; i++) {
        in_haste = in_haste || agent->slots[i].call != NULL;
        slot_free(&agent->slots[i]);
    }
    free(agent->slots);
    agent->slots = NULL;
    agent->slot_count = 0;
    state_dir_close(&agent->state);
    loop_watch_remove(agent->signal_watch);
    if (agent->signal_fd >= 0)
        close(agent->signal_fd);
    if (in_haste)
        return;
    besom_client_free(agent->client);
    if (agent->loop != NULL)
        free_loop(agent);
    free(agent);
}

static void say_last(const struct agent *agent)
{
    if (agent->left_behind)
        say("Some runs could not be reported: start an agent for this sweep on this machine to deliver them");
    say("agent done: %s", agent->reason);
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
                            .lease_ms = 60000,
                            .renew_ms = 10000,
                            .lost_after_ms = 300000};
    if (set_up(agent, &err) != STATUS_OK) {
        say("cannot start the agent: %s", err.text);
        tear_down(agent);
        return status_info(err.code)->exit_code;
    }
    say("Starting besom agent");
    register_agent(agent);
    while (!agent->finished)
        loop_run_once(agent->loop);
    say_last(agent);
    int exit_code = agent->exit_code;
    tear_down(agent);
    return exit_code;
}
