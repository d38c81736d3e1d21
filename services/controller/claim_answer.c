// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/claim_answer.h"

#include <besom/v1/run_service.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/controller/metrics.h"
#include "services/controller/sweep_state.h"

#define STOP_GRACE_DEFAULT_MS 10000

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

bool claim_answer_hands_out(const char *state)
{
    return strcmp(state, "pending") == 0 || strcmp(state, "running") == 0;
}

bool claim_answer_is_over(const struct store_claim_sweep *sweep)
{
    enum sweep_state state;
    if (sweep_state_from_name(sweep->state, &state) && sweep_state_is_ended(state))
        return true;
    return sweep->exhausted && sweep->queued == 0 && sweep->live == 0;
}

void claim_answer_reason(const struct store_claim_sweep *sweep, const char *note, char *out, size_t size)
{
    if (!claim_answer_hands_out(sweep->state))
        (void)snprintf(out, size, "sweep is %s", sweep->state);
    else if (sweep->concurrency > 0 && sweep->running >= sweep->concurrency)
        (void)snprintf(out, size, "%" PRId64 " run%s running, the sweep's concurrency", sweep->running,
                       sweep->running == 1 ? " is" : "s are");
    else if (sweep->live > 0 && sweep->running == 0 &&
             (sweep->exhausted || (sweep->expected > 0 && sweep->handed_out >= sweep->expected)))
        (void)snprintf(out, size, "%" PRId64 " run%s paused at a rung and may go on", sweep->live,
                       sweep->live == 1 ? " is" : "s are");
    else if (sweep->exhausted || (sweep->expected > 0 && sweep->handed_out >= sweep->expected))
        (void)snprintf(out, size, "%" PRId64 " run%s running and may be retried", sweep->live,
                       sweep->live == 1 ? " is" : "s are");
    else
        (void)snprintf(out, size, "%s", note[0] != '\0' ? note : CLAIM_ANSWER_STARVING);
}

void claim_answer_exit_reason(const struct store_claim_sweep *sweep, char *out, size_t size)
{
    enum sweep_state state;
    bool ended = sweep_state_from_name(sweep->state, &state) && sweep_state_is_ended(state);
    const char *name = ended ? sweep->state : "finished";
    if (sweep->live == 0 && sweep->queued == 0 && sweep->exhausted)
        (void)snprintf(out, size, "sweep is %s: all %" PRId64 " runs ended", name, sweep->handed_out);
    else if (sweep->state_reason[0] != '\0')
        (void)snprintf(out, size, "sweep is %s: %s", name, sweep->state_reason);
    else
        (void)snprintf(out, size, "sweep is %s", name);
}

/* What the agent shall read from the program's output; false: nothing. */
static bool output_metrics(const struct spec_metrics_from *from, Besom__V1__OutputMetrics *out)
{
    besom__v1__output_metrics__init(out);
    out->stdout = from->source == SPEC_OUTPUT_STDOUT || from->source == SPEC_OUTPUT_BOTH;
    out->stderr = from->source == SPEC_OUTPUT_STDERR || from->source == SPEC_OUTPUT_BOTH;
    out->pattern = text(from->pattern != NULL ? from->pattern : "");
    out->step = text(from->step != NULL ? from->step : "");
    return from->source != SPEC_OUTPUT_NONE;
}

/* A message with what it points to. */
struct assignment {
    Besom__V1__RunAssignment run;
    Besom__V1__OutputMetrics metrics;
};

static void fill_assignment(const struct claim_answer *answer, const struct store_claim *claim,
                            struct assignment *out)
{
    const struct spec *spec = answer->facts->spec;
    Besom__V1__RunAssignment *run = &out->run;
    besom__v1__run_assignment__init(run);
    bool own = spec->command != NULL;
    run->sweep_id = text(answer->facts->sweep_id);
    run->run_id = text(claim->run_id);
    run->attempt = claim->attempt;
    run->ordinal = claim->ordinal;
    run->params_json = text(claim->params_json);
    run->command = (char **)(uintptr_t)(own ? spec->command : spec_default_command);
    run->n_command = own ? spec->command_count : spec_default_command_count;
    run->program = text(spec->program != NULL ? spec->program : "");
    run->run_seed = claim->run_seed;
    run->project = text(answer->facts->project);
    run->stop_grace_ms = spec->stop_grace_ms >= 0 ? spec->stop_grace_ms : STOP_GRACE_DEFAULT_MS;
    run->on_disconnect = spec->on_disconnect == SPEC_ON_DISCONNECT_STOP
                             ? BESOM__V1__ON_DISCONNECT__ON_DISCONNECT_STOP
                             : BESOM__V1__ON_DISCONNECT__ON_DISCONNECT_CONTINUE;
    run->output_metrics = output_metrics(&spec->metrics_from, &out->metrics) ? &out->metrics : NULL;
    run->started = claim->started;
    /* read only when somebody got nothing; ordinals are handed out in order */
    run->runs_handed_out = answer->sweep->handed_out > 0 ? answer->sweep->handed_out : claim->ordinal + 1;
    run->expected_runs = answer->facts->expected_runs;
    run->next_step = claim->next_step;
}

static void send_run(const struct claim_answer *answer, const struct store_claim *claim,
                     struct rpc_call *call)
{
    Besom__V1__AcquireRunResponse response = BESOM__V1__ACQUIRE_RUN_RESPONSE__INIT;
    struct assignment assignment;
    fill_assignment(answer, claim, &assignment);
    response.verdict_case = BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN;
    response.run = &assignment.run;
    rpc_call_reply(call, &response.base);
}

static void send_ended(const struct store_claim *claim, struct rpc_call *call)
{
    Besom__V1__AcquireRunResponse response = BESOM__V1__ACQUIRE_RUN_RESPONSE__INIT;
    Besom__V1__Ended ended = BESOM__V1__ENDED__INIT;
    ended.run_id = text(claim->run_id);
    ended.attempt = claim->attempt;
    response.verdict_case = BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_ENDED;
    response.ended = &ended;
    rpc_call_reply(call, &response.base);
}

static void send_exit(const struct store_claim_sweep *sweep, struct rpc_call *call)
{
    Besom__V1__AcquireRunResponse response = BESOM__V1__ACQUIRE_RUN_RESPONSE__INIT;
    Besom__V1__Exit leave = BESOM__V1__EXIT__INIT;
    char reason[512];
    claim_answer_exit_reason(sweep, reason, sizeof reason);
    leave.reason = reason;
    response.verdict_case = BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_EXIT;
    response.exit = &leave;
    rpc_call_reply(call, &response.base);
}

enum status claim_answer_unknown(const char *agent_id, const char *sweep_id, struct err *err)
{
    return err_set(err, STATUS_NOT_FOUND, "agent %s is not registered with sweep %s (register it first)",
                   agent_id, sweep_id);
}

static void send_unknown(const char *agent_id, const char *sweep_id, struct rpc_call *call)
{
    struct err err = ERR_INIT;
    (void)!claim_answer_unknown(agent_id, sweep_id, &err);
    rpc_call_fail(call, &err);
}

void claim_answer_send_submitted(const struct claim_answer *answer, const struct store_claim *claim,
                                 struct rpc_call *call)
{
    Besom__V1__SubmitRunResponse response = BESOM__V1__SUBMIT_RUN_RESPONSE__INIT;
    Besom__V1__Ended ended = BESOM__V1__ENDED__INIT;
    struct assignment assignment;
    if (claim->verdict == STORE_CLAIM_ENDED) {
        ended.run_id = text(claim->run_id);
        ended.attempt = claim->attempt;
        response.verdict_case = BESOM__V1__SUBMIT_RUN_RESPONSE__VERDICT_ENDED;
        response.ended = &ended;
    } else {
        fill_assignment(answer, claim, &assignment);
        response.verdict_case = BESOM__V1__SUBMIT_RUN_RESPONSE__VERDICT_RUN;
        response.run = &assignment.run;
    }
    rpc_call_reply(call, &response.base);
}

void claim_answer_send(const struct claim_answer *answer, const struct store_claim *claim,
                       const char *agent_id, struct rpc_call *call)
{
    controller_count(CONTROLLER_CLAIMS, claim->verdict);
    switch (claim->verdict) {
    case STORE_CLAIM_RUN: send_run(answer, claim, call); break;
    case STORE_CLAIM_ENDED: send_ended(claim, call); break;
    case STORE_CLAIM_UNKNOWN_AGENT: send_unknown(agent_id, answer->facts->sweep_id, call); break;
    case STORE_CLAIM_NONE: send_exit(answer->sweep, call); break;
    }
}

void claim_answer_wait(struct rpc_call *call, const char *reason)
{
    Besom__V1__AcquireRunResponse response = BESOM__V1__ACQUIRE_RUN_RESPONSE__INIT;
    Besom__V1__Wait wait = BESOM__V1__WAIT__INIT;
    wait.reason = text(reason[0] != '\0' ? reason : "nothing to hand out now");
    response.verdict_case = BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_WAIT;
    response.wait = &wait;
    controller_count(CONTROLLER_CLAIMS, CLAIM_METRIC_WAIT);
    rpc_call_reply(call, &response.base);
}
