// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes_why.h"

#include <math.h>
#include <stdio.h>

static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* null for what JSON has no number for */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Seeds of 64 bits are told as text: a JSON number would lose digits in many readers. */
static json_t *seed_json(uint64_t seed)
{
    char text[24];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return json_string(text);
}

static json_t *length_scales(const struct bayes_why *why)
{
    json_t *scales = json_object();
    for (size_t i = 0; i < bayes_space_dims(why->space)->count && scales != NULL; i++)
        if (!put(scales, bayes_space_path(why->space, i), number(exp(why->report->model.length_scales[i])))) {
            json_decref(scales);
            return NULL;
        }
    return scales;
}

static bool put_model(const struct bayes_why *why, json_t *out)
{
    const struct optim_report *report = &why->report->model;
    double sign = why->maximize ? 1 : -1;
    json_t *predicted = json_object();
    return put(out, "predicted", predicted) && put(predicted, "mean", number(sign * report->mean)) &&
           put(predicted, "deviation", number(report->deviation)) &&
           (!report->has_bound || put(out, "bound", number(sign * report->bound))) &&
           put(out, "log_improvement", number(report->log_improvement)) &&
           put(out, "success", number(report->success)) && put(out, "length_scales", length_scales(why)) &&
           put(out, "noise", number(report->noise)) &&
           put(out, "model_points", json_integer((json_int_t)report->model_count));
}

/* What other optimisers drew it from. */
static bool put_facts(const struct search_report *report, json_t *out)
{
    json_t *facts = json_object();
    bool done = facts != NULL;
    for (size_t i = 0; i < report->fact_count && done; i++) {
        double value = report->facts[i].value;
        bool whole = fabs(value) < 0x1p53 && value == floor(value);
        done = put(facts, report->facts[i].name, whole ? json_integer((json_int_t)value) : number(value));
    }
    return put(out, "drawn_from", facts) && done;
}

/* Results that do not count as they were, and runs that do not count at all. */
static bool put_exceptions(const struct bayes_why *why, json_t *out)
{
    return (why->imputed == 0 || put(out, "imputed", json_integer((json_int_t)why->imputed))) &&
           (why->imputed_running == 0 ||
            put(out, "imputed_running", json_integer((json_int_t)why->imputed_running))) &&
           (why->passed_over == 0 || (put(out, "passed_over", json_integer((json_int_t)why->passed_over)) &&
                                      put(out, "passed_over_first", json_string(why->passed_text))));
}

/* Where it looked elsewhere for another level of a category than the best result has. */
static bool put_focus(const struct bayes_why *why, json_t *out)
{
    const struct optim_report *report = &why->report->model;
    return !report->has_focus ||
           put(out, "another", json_string(bayes_space_path(why->space, report->focus_dim)));
}

json_t *bayes_why_json(const struct bayes_why *why)
{
    json_t *out = json_object();
    double sign = why->maximize ? 1 : -1;
    bool done =
        put(out, "method", json_string("bayes")) && put(out, "optimizer", json_string(why->optimizer)) &&
        put(out, "phase", json_string(why->report->phase)) && put(out, "seed", seed_json(why->seed)) &&
        put(out, "ordinal", json_integer((json_int_t)why->ordinal)) &&
        put(out, "results", json_integer((json_int_t)why->results)) &&
        put(out, "pending", json_integer((json_int_t)why->pending)) &&
        put(out, "best", number(sign * why->best)) && put_exceptions(why, out) && put_focus(why, out) &&
        (why->report->fact_count == 0 || put_facts(why->report, out)) &&
        (!why->report->has_model || put_model(why, out));
    if (done)
        return out;
    json_decref(out);
    return NULL;
}
