// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/messages.h"

#include <jansson.h>
#include <string.h>

#include "services/controller/metric_definitions.h"
#include "services/controller/run_state.h"
#include "services/controller/sweep_state.h"

void *message_new(struct arena *arena, size_t size, message_init *init)
{
    void *message = arena_calloc(arena, 1, size);
    if (message != NULL)
        init(message);
    return message;
}

char *message_text(const char *text)
{
    return (char *)(uintptr_t)(text != NULL ? text : "");
}

/* The contract numbers the states in this order, from 1. */
static Besom__V1__SweepState state_of(const char *name)
{
    enum sweep_state state;
    return sweep_state_from_name(name, &state) ? (Besom__V1__SweepState)((int)state + 1) : 0;
}

int64_t message_expected_runs(const struct store_sweep *sweep)
{
    if (!sweep->has_grid_count)
        return sweep->run_cap;
    return sweep->run_cap > 0 && sweep->run_cap < sweep->grid_count ? sweep->run_cap : sweep->grid_count;
}

static Besom__V1__RunCounts *counts_of(struct arena *arena, const struct store_run_counts *counts)
{
    Besom__V1__RunCounts *message = MESSAGE_NEW(arena, Besom__V1__RunCounts, besom__v1__run_counts__init);
    if (message == NULL)
        return NULL;
    message->queued = counts->queued;
    message->pending = counts->pending;
    message->running = counts->running;
    message->finished = counts->finished;
    message->stopped = counts->stopped;
    message->failed = counts->failed;
    message->killed = counts->killed;
    message->crashed = counts->crashed;
    message->unreachable = counts->unreachable;
    message->paused = counts->paused;
    return message;
}

Besom__V1__Sweep *message_of_sweep(struct arena *arena, const struct store_sweep *sweep,
                                   const struct store_run_counts *counts)
{
    Besom__V1__Sweep *message = MESSAGE_NEW(arena, Besom__V1__Sweep, besom__v1__sweep__init);
    if (message == NULL || (message->counts = counts_of(arena, counts)) == NULL)
        return NULL;
    message->sweep_id = message_text(sweep->sweep_id);
    message->project = message_text(sweep->project);
    message->name = message_text(sweep->name);
    message->state = state_of(sweep->state);
    message->state_reason = message_text(sweep->state_reason);
    message->method = message_text(sweep->method);
    message->metric = message_text(sweep->metric);
    message->program = message_text(sweep->program);
    message->maximize = sweep->maximize;
    message->run_cap = sweep->run_cap;
    message->expected_runs = message_expected_runs(sweep);
    message->exhausted = sweep->exhausted;
    message->seed = sweep->seed;
    message->created_us = sweep->created_us;
    message->started_us = sweep->started_us;
    message->ended_us = sweep->ended_us;
    message->run_time_ms = counts->run_time_ms;
    message->spec_version = sweep->spec_version;
    return message;
}

Besom__V1__Run *message_of_run(struct arena *arena, const struct store_run *run)
{
    Besom__V1__Run *message = MESSAGE_NEW(arena, Besom__V1__Run, besom__v1__run__init);
    if (message == NULL)
        return NULL;
    message->run_id = message_text(run->run_id);
    message->sweep_id = message_text(run->sweep_id);
    message->ordinal = run->ordinal;
    message->state = run_state_to_message(run->state);
    message->end_reason = message_text(run->end_reason);
    message->params_json = message_text(run->params_json);
    message->attempt = run->attempt;
    message->agent_id = message_text(run->agent_id);
    message->host = message_text(run->host);
    message->created_us = run->created_us;
    message->started_us = run->started_us;
    message->ended_us = run->ended_us;
    message->exit_code = run->exit_code;
    message->signal = run->signal;
    message->unreachable = run->unreachable;
    message->error_text = message_text(run->error_text);
    message->result_number = run->result_number;
    message->run_time_ms = run->run_time_ms;
    message->name = message_text(run->name);
    message->notes = message_text(run->notes);
    message->summary_json = message_text("{}");
    message->config_json = message_text(run->params_json);
    if (run->has_objective) {
        message->best_objective_case = BESOM__V1__RUN__BEST_OBJECTIVE_OBJECTIVE;
        message->objective = run->objective;
    }
    return message;
}

static const char *agent_state(const struct store_agent *agent, int64_t now_us, int64_t lease_ms)
{
    if (agent->retired_us != 0)
        return agent->quarantined ? "quarantined" : "gone";
    return now_us - agent->seen_us > lease_ms * 1000 ? "unreachable" : "active";
}

Besom__V1__Agent *message_of_agent(struct arena *arena, const struct store_agent *agent, int64_t now_us,
                                   int64_t lease_ms)
{
    Besom__V1__Agent *message = MESSAGE_NEW(arena, Besom__V1__Agent, besom__v1__agent__init);
    if (message == NULL)
        return NULL;
    message->agent_id = message_text(agent->agent_id);
    message->sweep_id = message_text(agent->sweep_id);
    message->host = message_text(agent->host);
    message->pid = agent->pid;
    message->slots = agent->slots;
    message->registered_us = agent->registered_us;
    message->seen_us = agent->seen_us;
    message->running = agent->running;
    message->ended = agent->ended;
    message->state = message_text(agent_state(agent, now_us, lease_ms));
    message->reason = message_text(agent->retire_reason);
    return message;
}

static Besom__V1__Summary *summary_of(struct arena *arena, const struct store_summary *row)
{
    Besom__V1__Summary *message = MESSAGE_NEW(arena, Besom__V1__Summary, besom__v1__summary__init);
    if (message == NULL)
        return NULL;
    message->name = message_text(row->name);
    message->count = row->points;
    message->last = row->last;
    message->last_step = row->last_step;
    message->min = row->min;
    message->max = row->max;
    message->first = row->first;
    message->mean = metric_mean(row);
    return message;
}

enum status message_add_summaries(struct arena *arena, Besom__V1__Run *run, const struct store_summary *rows,
                                  size_t count, struct err *err)
{
    run->summaries = arena_calloc(arena, count + 1, sizeof(*run->summaries));
    if (run->summaries == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        Besom__V1__Summary *summary = summary_of(arena, &rows[i]);
        if (summary == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        run->summaries[run->n_summaries++] = summary;
    }
    return STATUS_OK;
}

/* rivals_json is [[run, value], ...]; what does not read so is left out. */
static bool add_rivals(struct arena *arena, const char *rivals_json, Besom__V1__StopDecision *message)
{
    json_t *rivals = json_loads(rivals_json, 0, NULL), *rival;
    size_t count = json_array_size(rivals), i;
    message->rival_values = arena_calloc(arena, count + 1, sizeof *message->rival_values);
    message->rival_runs = arena_calloc(arena, count + 1, sizeof(*message->rival_runs));
    bool good = message->rival_values != NULL && message->rival_runs != NULL;
    json_array_foreach(rivals, i, rival)
    {
        const json_t *run = json_array_get(rival, 0), *value = json_array_get(rival, 1);
        if (!good || !json_is_string(run) || !json_is_number(value))
            continue;
        message->rival_runs[message->n_rival_runs] = arena_strdup(arena, json_string_value(run));
        message->rival_values[message->n_rival_values++] = json_number_value(value);
        good = message->rival_runs[message->n_rival_runs++] != NULL;
    }
    json_decref(rivals);
    return good;
}

Besom__V1__StopDecision *message_of_decision(struct arena *arena, const struct store_decision *decision)
{
    Besom__V1__StopDecision *message =
        MESSAGE_NEW(arena, Besom__V1__StopDecision, besom__v1__stop_decision__init);
    if (message == NULL || !add_rivals(arena, decision->rivals_json, message))
        return NULL;
    message->number = decision->number;
    message->attempt = decision->attempt;
    message->band = decision->band;
    message->value = decision->value;
    message->compared = decision->compared;
    message->threshold = decision->threshold;
    message->stop = decision->stop;
    message->pause = decision->pause;
    message->reached = decision->reached;
    message->decided_us = decision->decided_us;
    message->reason = message_text(decision->reason);
    return message;
}

Besom__V1__CohortVerdict *message_of_verdict(struct arena *arena, const struct store_verdict *verdict)
{
    Besom__V1__CohortVerdict *message =
        MESSAGE_NEW(arena, Besom__V1__CohortVerdict, besom__v1__cohort_verdict__init);
    if (message == NULL)
        return NULL;
    message->band = verdict->band;
    message->bracket = verdict->bracket;
    message->cohort = verdict->cohort;
    message->promoted = verdict->promoted;
    message->rank = verdict->rank;
    message->planned = verdict->planned;
    message->value = verdict->value;
    message->threshold = verdict->threshold;
    message->decided_us = verdict->decided_us;
    return message;
}

Besom__V1__Attempt *message_of_attempt(struct arena *arena, const struct store_attempt_row *attempt)
{
    Besom__V1__Attempt *message = MESSAGE_NEW(arena, Besom__V1__Attempt, besom__v1__attempt__init);
    if (message == NULL)
        return NULL;
    message->attempt = attempt->attempt;
    message->agent_id = message_text(attempt->agent_id);
    message->host = message_text(attempt->host);
    message->claimed_us = attempt->claimed_us;
    message->started_us = attempt->started_us;
    message->ended_us = attempt->ended_us;
    message->end_reason = message_text(attempt->end_reason);
    message->last_sequence = attempt->last_sequence;
    return message;
}
