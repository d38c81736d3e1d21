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
        if (!put(scales, bayes_space_path(why->space, i), number(exp(why->report->length_scales[i])))) {
            json_decref(scales);
            return NULL;
        }
    return scales;
}

static bool put_model(const struct bayes_why *why, json_t *out)
{
    const struct optim_report *report = why->report;
    double sign = why->maximize ? 1 : -1;
    json_t *predicted = json_object();
    return put(out, "predicted", predicted) && put(predicted, "mean", number(sign * report->mean)) &&
           put(predicted, "deviation", number(report->deviation)) &&
           put(out, "log_improvement", number(report->log_improvement)) &&
           put(out, "success", number(report->success)) && put(out, "length_scales", length_scales(why)) &&
           put(out, "noise", number(report->noise)) &&
           put(out, "model_points", json_integer((json_int_t)report->model_count));
}

json_t *bayes_why_json(const struct bayes_why *why)
{
    json_t *out = json_object();
    double sign = why->maximize ? 1 : -1;
    bool done = put(out, "method", json_string("bayes")) &&
                put(out, "phase", json_string(optim_phase_name(why->report->phase))) &&
                put(out, "seed", seed_json(why->seed)) &&
                put(out, "ordinal", json_integer((json_int_t)why->ordinal)) &&
                put(out, "results", json_integer((json_int_t)why->results)) &&
                put(out, "pending", json_integer((json_int_t)why->pending)) &&
                put(out, "best", number(sign * why->best)) &&
                (why->report->phase != OPTIM_MODEL || put_model(why, out));
    if (done)
        return out;
    json_decref(out);
    return NULL;
}
