// SPDX-License-Identifier: GPL-3.0-or-later
#include "entity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "space/space.h"

struct state_word {
    const char *name;
    enum style style;
};

static const struct state_word sweep_states[] = {
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_UNSPECIFIED] = {"unspecified", STYLE_DIM},
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_PENDING] = {"pending", STYLE_DIM},
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_RUNNING] = {"running", STYLE_BUSY},
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_PAUSED] = {"paused", STYLE_WARN},
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_FINISHED] = {"finished", STYLE_GOOD},
    [BESOM__V1__SWEEP_STATE__SWEEP_STATE_CANCELED] = {"canceled", STYLE_BAD},
};

static const struct state_word run_states[] = {
    [BESOM__V1__RUN_STATE__RUN_STATE_UNSPECIFIED] = {"unspecified", STYLE_DIM},
    [BESOM__V1__RUN_STATE__RUN_STATE_PENDING] = {"pending", STYLE_DIM},
    [BESOM__V1__RUN_STATE__RUN_STATE_ASSIGNED] = {"assigned", STYLE_BUSY},
    [BESOM__V1__RUN_STATE__RUN_STATE_RUNNING] = {"running", STYLE_BUSY},
    [BESOM__V1__RUN_STATE__RUN_STATE_PREEMPTING] = {"preempting", STYLE_WARN},
    [BESOM__V1__RUN_STATE__RUN_STATE_PAUSED] = {"paused", STYLE_WARN},
    [BESOM__V1__RUN_STATE__RUN_STATE_FINISHED] = {"finished", STYLE_GOOD},
    [BESOM__V1__RUN_STATE__RUN_STATE_STOPPED] = {"stopped", STYLE_WARN},
    [BESOM__V1__RUN_STATE__RUN_STATE_FAILED] = {"failed", STYLE_BAD},
    [BESOM__V1__RUN_STATE__RUN_STATE_KILLED] = {"killed", STYLE_BAD},
    [BESOM__V1__RUN_STATE__RUN_STATE_CRASHED] = {"crashed", STYLE_BAD},
};

static const struct state_word *sweep_word(Besom__V1__SweepState state)
{
    return &sweep_states[(size_t)state < ARRAY_LEN(sweep_states) ? (size_t)state : 0];
}

static const struct state_word *run_word(Besom__V1__RunState state)
{
    return &run_states[(size_t)state < ARRAY_LEN(run_states) ? (size_t)state : 0];
}

const char *entity_sweep_state(Besom__V1__SweepState state)
{
    return sweep_word(state)->name;
}

const char *entity_run_state(Besom__V1__RunState state)
{
    return run_word(state)->name;
}

enum style entity_sweep_style(Besom__V1__SweepState state)
{
    return sweep_word(state)->style;
}

enum style entity_run_style(Besom__V1__RunState state)
{
    return run_word(state)->style;
}

bool entity_sweep_has_ended(const Besom__V1__Sweep *sweep)
{
    return sweep->state == BESOM__V1__SWEEP_STATE__SWEEP_STATE_FINISHED ||
           sweep->state == BESOM__V1__SWEEP_STATE__SWEEP_STATE_CANCELED;
}

bool entity_run_has_objective(const Besom__V1__Run *run)
{
    return run != NULL && run->best_objective_case == BESOM__V1__RUN__BEST_OBJECTIVE_OBJECTIVE;
}

const char *entity_sweep_method(const Besom__V1__Sweep *sweep)
{
    return strcmp(sweep->method, "none") == 0 ? "single runs" : sweep->method;
}

int64_t entity_ended_runs(const Besom__V1__RunCounts *counts)
{
    return counts == NULL
               ? 0
               : counts->finished + counts->stopped + counts->failed + counts->killed + counts->crashed;
}

json_t *entity_number_json(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

json_t *entity_parsed_json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    return value != NULL ? value : json_null();
}

static json_t *counts_json(const Besom__V1__RunCounts *counts)
{
    if (counts == NULL)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "queued", (json_int_t)counts->queued,
                     "pending", (json_int_t)counts->pending, "running", (json_int_t)counts->running,
                     "finished", (json_int_t)counts->finished, "stopped", (json_int_t)counts->stopped,
                     "failed", (json_int_t)counts->failed, "killed", (json_int_t)counts->killed, "crashed",
                     (json_int_t)counts->crashed, "unreachable", (json_int_t)counts->unreachable, "paused",
                     (json_int_t)counts->paused);
}

static json_t *bands_json(const Besom__V1__Sweep *sweep)
{
    json_t *bands = json_array();
    for (size_t i = 0; i < sweep->n_bands; i++)
        json_array_append_new(bands, json_integer(sweep->bands[i]));
    return bands;
}

/* JSON numbers stop at 2^63 in many readers, a seed does not. */
static json_t *seed_json(uint64_t seed)
{
    char text[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return json_string(text);
}

json_t *entity_sweep_json(const Besom__V1__Sweep *sweep)
{
    if (sweep == NULL)
        return json_null();
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:o,s:o,s:I,s:I,s:I,s:s,s:o,s:I,s:i,s:o}",
                     "sweep_id", sweep->sweep_id, "project", sweep->project, "name", sweep->name, "state",
                     entity_sweep_state(sweep->state), "state_reason", sweep->state_reason, "method",
                     sweep->method, "metric", sweep->metric, "goal",
                     sweep->maximize ? "maximize" : "minimize", "run_cap", (json_int_t)sweep->run_cap,
                     "expected_runs", (json_int_t)sweep->expected_runs, "exhausted", sweep->exhausted,
                     "counts", counts_json(sweep->counts), "seed", seed_json(sweep->seed), "created_us",
                     (json_int_t)sweep->created_us, "started_us", (json_int_t)sweep->started_us, "ended_us",
                     (json_int_t)sweep->ended_us, "program", sweep->program, "bands", bands_json(sweep),
                     "run_time_ms", (json_int_t)sweep->run_time_ms, "spec_version", (int)sweep->spec_version,
                     "spec", entity_parsed_json(sweep->spec_json));
}

static json_t *summaries_json(const Besom__V1__Run *run)
{
    json_t *all = json_object();
    for (size_t i = 0; i < run->n_summaries; i++) {
        const Besom__V1__Summary *summary = run->summaries[i];
        json_object_set_new(
            all, summary->name,
            json_pack("{s:I,s:o,s:o,s:I,s:o,s:o,s:o}", "count", (json_int_t)summary->count, "first",
                      entity_number_json(summary->first), "last", entity_number_json(summary->last),
                      "last_step", (json_int_t)summary->last_step, "min", entity_number_json(summary->min),
                      "max", entity_number_json(summary->max), "mean", entity_number_json(summary->mean)));
    }
    return all;
}

static json_t *tags_json(const Besom__V1__Run *run)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < run->n_tags; i++)
        json_array_append_new(tags, json_string(run->tags[i]));
    return tags;
}

json_t *entity_run_json(const Besom__V1__Run *run)
{
    if (run == NULL)
        return json_null();
    json_t *objective = entity_run_has_objective(run) ? entity_number_json(run->objective) : json_null();
    json_t *object = json_pack(
        "{s:s,s:s,s:I,s:s,s:s,s:o,s:i,s:s,s:s,s:o,s:o,s:I,s:I,s:I,s:i,s:i,s:b,s:s,s:I,s:I}", "run_id",
        run->run_id, "sweep_id", run->sweep_id, "ordinal", (json_int_t)run->ordinal, "state",
        entity_run_state(run->state), "end_reason", run->end_reason, "params",
        entity_parsed_json(run->params_json), "attempt", (int)run->attempt, "agent_id", run->agent_id, "host",
        run->host, "objective", objective, "metrics", summaries_json(run), "created_us",
        (json_int_t)run->created_us, "started_us", (json_int_t)run->started_us, "ended_us",
        (json_int_t)run->ended_us, "exit_code", (int)run->exit_code, "signal", (int)run->signal,
        "unreachable", run->unreachable, "error", run->error_text, "result_number",
        (json_int_t)run->result_number, "run_time_ms", (json_int_t)run->run_time_ms);
    if (object == NULL)
        return NULL;
    json_object_set_new(object, "name", json_string(run->name));
    json_object_set_new(object, "notes", json_string(run->notes));
    json_object_set_new(object, "tags", tags_json(run));
    json_object_set_new(object, "summary", entity_parsed_json(run->summary_json));
    json_object_set_new(object, "config", entity_parsed_json(run->config_json));
    return object;
}

json_t *entity_agent_json(const Besom__V1__Agent *agent)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:I,s:I,s:I,s:I}", "agent_id", agent->agent_id, "sweep_id",
                     agent->sweep_id, "state", agent->state, "reason", agent->reason, "host", agent->host,
                     "pid", (json_int_t)agent->pid, "slots", (int)agent->slots, "registered_us",
                     (json_int_t)agent->registered_us, "seen_us", (json_int_t)agent->seen_us, "running",
                     (json_int_t)agent->running, "ended", (json_int_t)agent->ended);
}

int entity_print_json(json_t *value)
{
    char *text = value != NULL ? space_config_text(value) : NULL;
    json_decref(value);
    if (text == NULL)
        return cli_fail(CLI_FAILED, "cannot print JSON: a text from the server is not UTF-8");
    puts(text);
    fflush(stdout);
    free(text);
    return CLI_OK;
}

static void append_value(struct buffer *out, const json_t *value)
{
    char number[FORMAT_SIZE];
    if (json_is_string(value)) {
        buffer_puts(out, json_string_value(value));
        return;
    }
    if (json_is_real(value)) {
        buffer_puts(out, format_number(json_real_value(value), number));
        return;
    }
    char *text = space_config_text(value);
    buffer_puts(out, text != NULL ? text : "?");
    free(text);
}

/* `prefix` is a length of `name`, the dotted name of the object so far. */
static void append_object(struct buffer *out, struct buffer *name, json_t *object)
{
    const char *key;
    json_t *value;
    size_t prefix = name->length;
    json_object_foreach(object, key, value)
    {
        buffer_puts(name, key);
        if (json_is_object(value)) {
            buffer_putc(name, '.');
            append_object(out, name, value);
        } else {
            buffer_printf(out, "%s%s=", out->length > 0 ? " " : "", buffer_text(name));
            append_value(out, value);
        }
        name->length = prefix;
        name->data[prefix] = '\0';
    }
}

const char *entity_params_text(struct arena *arena, const char *params_json)
{
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT, name CLEANUP(buffer_free) = BUFFER_INIT;
    json_t *params = json_loads(params_json, 0, NULL);
    if (params != NULL)
        append_object(&out, &name, params);
    json_decref(params);
    const char *text = arena_strdup(arena, buffer_text(&out));
    return text != NULL ? text : "";
}
