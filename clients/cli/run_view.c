// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "entity.h"

#define MICROSECONDS 1000000

static const json_t *parsed(json_t **document, const char *text)
{
    if (*document == NULL)
        *document = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(*document)) {
        json_decref(*document);
        *document = json_object();
    }
    return *document;
}

const json_t *run_view_params(struct run_view *view)
{
    return parsed(&view->params, view->run->params_json);
}

const json_t *run_view_config(struct run_view *view)
{
    bool has_own = *view->run->config_json != '\0';
    return parsed(&view->config, has_own ? view->run->config_json : view->run->params_json);
}

const json_t *run_view_summary(struct run_view *view)
{
    return parsed(&view->summary, view->run->summary_json);
}

void run_view_release(struct run_view *view)
{
    json_decref(view->params);
    json_decref(view->config);
    json_decref(view->summary);
    json_decref(view->tags);
    view->params = view->config = view->summary = view->tags = NULL;
}

int64_t run_time_ms(const Besom__V1__Run *run, int64_t now_us)
{
    bool lives = run->started_us != 0 && run->ended_us == 0;
    return lives ? (now_us - run->started_us) / 1000 : run->run_time_ms;
}

/* ---- fields ---- */

static struct value text_or_missing(const char *text)
{
    return *text != '\0' ? value_text(text) : (struct value)VALUE_INIT;
}

static struct value seconds_of(int64_t time_us)
{
    struct value value = VALUE_INIT;
    if (time_us == 0)
        return value;
    value = value_real(0);
    value.number = (long double)time_us / MICROSECONDS;
    return value;
}

#define FIELD_GETTER(field, expression)                    \
    static struct value get_##field(struct run_view *view) \
    {                                                      \
        const Besom__V1__Run *run = view->run;             \
        return expression;                                 \
    }

FIELD_GETTER(id, value_text(run->run_id))
FIELD_GETTER(sweep_id, value_text(run->sweep_id))
FIELD_GETTER(name, text_or_missing(run->name))
FIELD_GETTER(state, value_text(entity_run_state(run->state)))
FIELD_GETTER(ordinal, value_integer(run->ordinal))
FIELD_GETTER(attempt, value_integer(run->attempt))
FIELD_GETTER(exit_code, run->ended_us != 0 ? value_integer(run->exit_code) : (struct value)VALUE_INIT)
FIELD_GETTER(signal, run->signal != 0 ? value_integer(run->signal) : (struct value)VALUE_INIT)
FIELD_GETTER(end_reason, text_or_missing(run->end_reason))
FIELD_GETTER(error_text, text_or_missing(run->error_text))
FIELD_GETTER(host, text_or_missing(run->host))
FIELD_GETTER(agent_id, text_or_missing(run->agent_id))
FIELD_GETTER(notes, text_or_missing(run->notes))
FIELD_GETTER(unreachable, value_bool(run->unreachable))
FIELD_GETTER(created, seconds_of(run->created_us))
FIELD_GETTER(started, seconds_of(run->started_us))
FIELD_GETTER(ended, seconds_of(run->ended_us))
FIELD_GETTER(result_number,
             run->result_number != 0 ? value_integer(run->result_number) : (struct value)VALUE_INIT)
FIELD_GETTER(objective, entity_run_has_objective(run) ? value_real(run->objective) : (struct value)VALUE_INIT)
FIELD_GETTER(runtime, run->started_us == 0
                          ? (struct value)VALUE_INIT
                          : value_real((double)run_time_ms(run, clock_wall_us(&clock_system)) / 1000))

static struct value get_tags(struct run_view *view)
{
    if (view->run->n_tags == 0)
        return (struct value)VALUE_INIT;
    if (view->tags == NULL) {
        view->tags = json_array();
        for (size_t i = 0; i < view->run->n_tags; i++)
            json_array_append_new(view->tags, json_string(view->run->tags[i]));
    }
    return value_of_json(view->tags);
}

static struct value get_params(struct run_view *view)
{
    return value_of_json(run_view_params(view));
}

static struct value get_config(struct run_view *view)
{
    return value_of_json(run_view_config(view));
}

static struct value get_summary(struct run_view *view)
{
    return value_of_json(run_view_summary(view));
}

static const char *const state_words[] = {"pending", "assigned", "running", "preempting",
                                          "paused",  "finished", "stopped", "failed",
                                          "killed",  "crashed",  NULL};

static const struct run_field fields[] = {
    {.base = {.name = "id"}, .title = "RUN", .get = get_id},
    {.base = {.name = "sweep_id"}, .title = "SWEEP", .get = get_sweep_id},
    {.base = {.name = "name"}, .title = "NAME", .get = get_name},
    {.base = {.name = "state", .kind = FILTER_KIND_WORD, .words = state_words},
     .title = "STATE",
     .shown = RUN_SHOWN_STATE,
     .get = get_state},
    {.base = {.name = "ordinal"}, .title = "ORDINAL", .right = true, .get = get_ordinal},
    {.base = {.name = "objective"}, .title = "OBJECTIVE", .right = true, .get = get_objective},
    {.base = {.name = "runtime", .kind = FILTER_KIND_DURATION},
     .title = "TIME",
     .shown = RUN_SHOWN_DURATION,
     .right = true,
     .get = get_runtime},
    {.base = {.name = "attempt"}, .title = "TRY", .right = true, .get = get_attempt},
    {.base = {.name = "created", .kind = FILTER_KIND_TIME},
     .title = "CREATED",
     .shown = RUN_SHOWN_AGO,
     .get = get_created},
    {.base = {.name = "started", .kind = FILTER_KIND_TIME},
     .title = "STARTED",
     .shown = RUN_SHOWN_AGO,
     .get = get_started},
    {.base = {.name = "ended", .kind = FILTER_KIND_TIME},
     .title = "ENDED",
     .shown = RUN_SHOWN_AGO,
     .get = get_ended},
    {.base = {.name = "host"}, .title = "HOST", .get = get_host},
    {.base = {.name = "agent_id"}, .title = "AGENT", .get = get_agent_id},
    {.base = {.name = "end_reason"}, .title = "REASON", .get = get_end_reason},
    {.base = {.name = "exit_code"}, .title = "EXIT", .right = true, .get = get_exit_code},
    {.base = {.name = "signal"}, .title = "SIGNAL", .right = true, .get = get_signal},
    {.base = {.name = "error_text"}, .title = "ERROR", .get = get_error_text},
    {.base = {.name = "result_number"}, .title = "RESULT", .right = true, .get = get_result_number},
    {.base = {.name = "unreachable"}, .title = "UNREACHABLE", .get = get_unreachable},
    {.base = {.name = "tags"}, .title = "TAGS", .get = get_tags},
    {.base = {.name = "notes"}, .title = "NOTES", .get = get_notes},
    {.base = {.name = "params"}, .title = "PARAMETERS", .shown = RUN_SHOWN_PARAMS, .get = get_params},
    {.base = {.name = "config"}, .title = "CONFIGURATION", .shown = RUN_SHOWN_PARAMS, .get = get_config},
    {.base = {.name = "summary"}, .title = "SUMMARY", .shown = RUN_SHOWN_PARAMS, .get = get_summary},
};

const struct run_field *run_field_find(const char *name)
{
    static const struct {
        const char *other, *name;
    } others[] = {{"run_id", "id"}, {"tag", "tags"}};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(others[i].other, name) == 0)
            name = others[i].name;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].base.name, name) == 0)
            return &fields[i];
    return NULL;
}

const struct filter_field *run_filter_field(const char *name)
{
    const struct run_field *field = run_field_find(name);
    return field != NULL ? &field->base : NULL;
}

/* ---- names ---- */

static const Besom__V1__Summary *find_metric(const Besom__V1__Run *run, const char *name, size_t length)
{
    for (size_t i = 0; i < run->n_summaries; i++)
        if (strncmp(run->summaries[i]->name, name, length) == 0 && run->summaries[i]->name[length] == '\0')
            return run->summaries[i];
    return NULL;
}

static struct value get_figure(const Besom__V1__Run *run, const char *name)
{
    const char *dot = strrchr(name, '.');
    const Besom__V1__Summary *metric = dot != NULL ? find_metric(run, name, (size_t)(dot - name)) : NULL;
    if (metric == NULL)
        return (struct value)VALUE_INIT;
    if (strcmp(dot + 1, "count") == 0)
        return value_integer(metric->count);
    const struct {
        const char *name;
        double value;
    } figures[] = {{"min", metric->min},
                   {"max", metric->max},
                   {"mean", metric->mean},
                   {"first", metric->first},
                   {"last", metric->last}};
    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        if (strcmp(figures[i].name, dot + 1) == 0)
            return value_real(figures[i].value);
    return (struct value)VALUE_INIT;
}

/* Of a metric that is summed up in other ways the last value still goes by its bare name. */
static struct value get_from_summary(struct run_view *view, const char *name)
{
    struct value value = value_of_summary(value_at(run_view_summary(view), name));
    if (value.type != VALUE_MISSING && value.type != VALUE_JSON)
        return value;
    const Besom__V1__Summary *metric = find_metric(view->run, name, strlen(name));
    if (metric != NULL)
        return value_real(metric->last);
    return value.type == VALUE_JSON ? value : get_figure(view->run, name);
}

void run_view_add_names(json_t *all, const json_t *object, struct buffer *name)
{
    const char *key;
    json_t *value;
    size_t prefix = name->length;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        buffer_printf(name, "%s%s", prefix > 0 ? "." : "", key);
        if (json_is_object(value) && json_object_size(value) > 0)
            run_view_add_names(all, value, name);
        else if (name->length > 0)
            json_object_set_new(all, buffer_text(name), json_null());
        if (name->data != NULL)
            name->data[name->length = prefix] = '\0';
    }
}

struct value run_view_get(void *context, const struct filter_name *name)
{
    struct run_view *view = context;
    bool any = name->scope == FILTER_ANY;
    const struct run_field *field = any || name->scope == FILTER_RUN ? run_field_find(name->text) : NULL;
    if (field != NULL)
        return field->get(view);
    struct value value = VALUE_INIT;
    if (any || name->scope == FILTER_PARAMS)
        value = value_of_json(value_at(run_view_params(view), name->text));
    if (value.type == VALUE_MISSING && (any || name->scope == FILTER_SUMMARY))
        value = get_from_summary(view, name->text);
    if (value.type == VALUE_MISSING && (any || name->scope == FILTER_CONFIG))
        value = value_of_json(value_at(run_view_config(view), name->text));
    return value;
}
