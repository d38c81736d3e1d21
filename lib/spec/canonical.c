/*
 * A spec as JSON under the file's own key names; what is a default is left out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/schema.h"

/* Takes the reference; a NULL value marks the failure in *ok. */
static void set(json_t *object, const char *key, json_t *value, bool *ok)
{
    *ok &= json_object_set_new(object, key, value) == 0;
}

static void set_text(json_t *object, const char *key, const char *text, bool *ok)
{
    if (text != NULL)
        set(object, key, json_string(text), ok);
}

static void set_positive(json_t *object, const char *key, int64_t number, bool *ok)
{
    if (number > 0)
        set(object, key, json_integer((json_int_t)number), ok);
}

/* Milliseconds as a duration text, which has no rounding. */
static void set_duration(json_t *object, const char *key, int64_t duration_ms, bool *ok)
{
    if (duration_ms >= 0)
        set(object, key, json_sprintf("%lldms", (long long)duration_ms), ok);
}

/* JSON integers end at 2^63 - 1 here; what lies beyond is text. */
static json_t *seed_value(uint64_t seed)
{
    return seed <= INT64_MAX ? json_integer((json_int_t)seed)
                             : json_sprintf("%llu", (unsigned long long)seed);
}

static json_t *list_of(const char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, json_string(texts[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static void set_metric(json_t *object, const struct spec_metric *metric, bool *ok)
{
    if (metric->name == NULL)
        return;
    json_t *value = json_object();
    set_text(value, "name", metric->name, ok);
    set_text(value, "goal", schema_goal_names[metric->goal], ok);
    if (metric->has_target)
        set(value, "target", json_real(metric->target), ok);
    if (metric->has_impute)
        set_text(value, "impute", schema_impute_names[metric->impute], ok);
    if (metric->impute_while_running != SPEC_IMPUTE_NONE)
        set_text(value, "impute_while_running", schema_impute_names[metric->impute_while_running], ok);
    set(object, "metric", value, ok);
}

static void set_early_terminate(json_t *object, const struct spec *spec, bool *ok)
{
    if (!spec->has_early_terminate)
        return;
    const struct stop_config *config = &spec->early_terminate;
    json_t *value = json_object();
    set_text(value, "type", schema_stop_names[config->type], ok);
    set_positive(value, "min_iter", config->min_iter, ok);
    set_positive(value, "max_iter", config->max_iter, ok);
    set_positive(value, "s", config->s, ok);
    set_positive(value, "min_runs", config->min_runs, ok);
    set_positive(value, "grace", config->grace, ok);
    if (config->max_stops > 0)
        set(value, "max_stops", json_real(config->max_stops), ok);
    set_positive(value, "brackets", config->brackets, ok);
    if (config->type != STOP_MEDIAN)
        set(value, "eta", json_real(config->eta), ok);
    if (config->type == STOP_HYPERBAND || config->type == STOP_ASHA)
        set(value, "strict", json_boolean(config->strict), ok);
    set_text(value, "step_metric", spec->step_metric, ok);
    set(object, "early_terminate", value, ok);
}

static void set_retry(json_t *object, const struct spec_retry *retry, bool *ok)
{
    json_t *reasons = json_array();
    for (size_t i = 0; i < schema_retry_count; i++)
        if ((retry->on & (1u << i)) != 0)
            *ok &= json_array_append_new(reasons, json_string(schema_retry_names[i])) == 0;
    json_t *value = json_object();
    set(value, "max", json_integer((json_int_t)retry->max), ok);
    set(value, "on", reasons, ok);
    set(object, "retry", value, ok);
}

static void set_metrics_from(json_t *object, const struct spec_metrics_from *metrics_from, bool *ok)
{
    if (metrics_from->source == SPEC_OUTPUT_NONE)
        return;
    json_t *value = json_object();
    set_text(value, "source", schema_output_names[metrics_from->source], ok);
    set_text(value, "pattern", metrics_from->pattern, ok);
    set_text(value, "step", metrics_from->step, ok);
    set(object, "metrics_from", value, ok);
}

static void set_texts(json_t *object, const struct spec *spec, bool *ok)
{
    set_text(object, "program", spec->program, ok);
    set_text(object, "name", spec->name, ok);
    set_text(object, "description", spec->description, ok);
    set_text(object, "project", spec->project, ok);
    set_text(object, "entity", spec->entity, ok);
    set_text(object, "job", spec->job, ok);
    set_text(object, "image_uri", spec->image_uri, ok);
    set_text(object, "notes", spec->notes, ok);
    if (spec->command != NULL)
        set(object, "command", list_of(spec->command, spec->command_count), ok);
    if (spec->tags != NULL)
        set(object, "tags", list_of(spec->tags, spec->tag_count), ok);
}

json_t *spec_to_json(const struct spec *spec)
{
    json_t *object = json_object();
    bool ok = object != NULL;
    set_text(object, "method", schema_method_names[spec->method], &ok);
    set(object, "parameters", space_to_json(spec->space), &ok);
    if (spec->optimizer != SPEC_OPTIMIZER_GP)
        set_text(object, "optimizer", schema_optimizer_names[spec->optimizer], &ok);
    if (spec->enqueue != NULL)
        set(object, "enqueue", json_incref(spec->enqueue), &ok);
    set_metric(object, &spec->metric, &ok);
    set_early_terminate(object, spec, &ok);
    set_texts(object, spec, &ok);
    set_positive(object, "run_cap", spec->run_cap, &ok);
    set_positive(object, "concurrency", spec->concurrency, &ok);
    if (spec->has_seed)
        set(object, "seed", seed_value(spec->seed), &ok);
    set_retry(object, &spec->retry, &ok);
    set_metrics_from(object, &spec->metrics_from, &ok);
    if (spec->on_disconnect != SPEC_ON_DISCONNECT_CONTINUE)
        set_text(object, "on_disconnect", schema_disconnect_names[spec->on_disconnect], &ok);
    if (spec->resume)
        set(object, "resume", json_true(), &ok);
    set_duration(object, "stop_grace", spec->stop_grace_ms, &ok);
    set_duration(object, "lost_after", spec->lost_after_ms, &ok);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

char *spec_to_canonical_json(const struct spec *spec)
{
    json_t *object = spec_to_json(spec);
    char *text = object != NULL ? space_config_text(object) : NULL;
    json_decref(object);
    return text;
}
