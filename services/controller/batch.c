// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/batch.h"

#include <math.h>
#include <string.h>

#include "services/controller/metric_definitions.h"
#include "stop/resource.h"

/* As besom.run_facts has them. */
static const char *const fact_kinds[] = {
    [BESOM__V1__FACT_KIND__FACT_KIND_SUMMARY] = "summary",
    [BESOM__V1__FACT_KIND__FACT_KIND_DEFINITION] = "definition",
    [BESOM__V1__FACT_KIND__FACT_KIND_CONFIG] = "config",
    [BESOM__V1__FACT_KIND__FACT_KIND_ABOUT] = "about",
};

static const char *series_refusal(const Besom__V1__Series *series)
{
    size_t length = strlen(series->name);
    if (length == 0 || length > BATCH_NAME_MAX)
        return "a metric's name must have 1 to 256 bytes";
    if (series->n_steps != series->n_values || series->n_times_us != series->n_values)
        return "a series must have as many steps and times as values";
    return NULL;
}

static const char *logs_refusal(const Besom__V1__TrackBatch *message)
{
    size_t total = 0;
    for (size_t i = 0; i < message->n_logs; i++) {
        if (message->logs[i]->offset < 0)
            return "an offset of output must not be negative";
        total += message->logs[i]->text.len;
        if (total > BATCH_LOG_MAX)
            return "a batch may hold 1 MiB of output";
    }
    return message->dropped_lines < 0 ? "dropped_lines must not be negative" : NULL;
}

static bool is_json(const char *text)
{
    json_t *value = fact_json(text);
    json_decref(value);
    return value != NULL;
}

static const char *facts_refusal(const Besom__V1__TrackBatch *message)
{
    if (message->n_facts > BATCH_FACTS_MAX)
        return "a batch may hold 1000 facts";
    for (size_t i = 0; i < message->n_facts; i++) {
        const Besom__V1__Fact *fact = message->facts[i];
        size_t name_length = strlen(fact->name);
        if (fact->kind <= BESOM__V1__FACT_KIND__FACT_KIND_UNSPECIFIED ||
            (size_t)fact->kind >= ARRAY_LEN(fact_kinds))
            return "a kind of fact is not known";
        if (name_length == 0 || name_length > BATCH_NAME_MAX)
            return "a fact's name must have 1 to 256 bytes";
        if (strlen(fact->value_json) > BATCH_FACT_MAX || !is_json(fact->value_json))
            return "a fact's value must be JSON of at most 64 KiB";
    }
    return NULL;
}

const char *batch_refusal(const Besom__V1__TrackBatch *message)
{
    size_t points = 0;
    if (message->n_series > BATCH_POINTS_MAX)
        return "a batch may hold 100000 series";
    for (size_t i = 0; i < message->n_series; i++) {
        const char *refusal = series_refusal(message->series[i]);
        if (refusal != NULL)
            return refusal;
        points += message->series[i]->n_values;
        if (points > BATCH_POINTS_MAX)
            return "a batch may hold 100000 points";
    }
    const char *refusal = logs_refusal(message);
    return refusal != NULL ? refusal : facts_refusal(message);
}

static void add_extremes(struct store_summary *figure, double value)
{
    if (!isfinite(value))
        return;
    figure->min = isnan(figure->min) || value < figure->min ? value : figure->min;
    figure->max = isnan(figure->max) || value > figure->max ? value : figure->max;
}

static void add_value(struct store_summary *figure, double value)
{
    add_extremes(figure, value);
    if (!isfinite(value))
        return;
    figure->total += value;
    figure->finite++;
}

static enum status make_figure(const Besom__V1__Series *series, struct arena *arena,
                               struct store_summary *out, struct err *err)
{
    size_t last = series->n_values - 1;
    *out = (struct store_summary){.name = arena_strdup(arena, series->name),
                                  .points = (int64_t)series->n_values,
                                  .last = series->values[last],
                                  .last_step = series->steps[last],
                                  .min = NAN,
                                  .max = NAN,
                                  .first = series->values[0],
                                  .least_step = series->steps[0]};
    for (size_t i = 0; i < series->n_values; i++) {
        add_value(out, series->values[i]);
        out->least_step = series->steps[i] < out->least_step ? series->steps[i] : out->least_step;
    }
    return out->name != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
}

static int64_t step_above(int64_t step)
{
    return step == INT64_MAX ? step : step + 1;
}

static void note_steps(const Besom__V1__Series *series, struct batch *out)
{
    for (size_t i = 0; i < series->n_steps; i++)
        if (series->steps[i] >= out->next_step)
            out->next_step = step_above(series->steps[i]);
}

/* The batch's values of the resource; what was before them is not known here. */
static struct stop_resource resource_of(const Besom__V1__TrackBatch *message, const char *step_metric)
{
    struct stop_resource resource = {.newest = NAN};
    for (size_t i = 0; i < message->n_series && step_metric != NULL; i++) {
        const Besom__V1__Series *series = message->series[i];
        if (series->n_values > 0 && strcmp(series->name, step_metric) == 0)
            resource = (struct stop_resource){.steps = series->steps,
                                              .times_us = series->times_us,
                                              .values = series->values,
                                              .count = series->n_values,
                                              .newest = NAN};
    }
    return resource;
}

static void take_values(const Besom__V1__Series *series, struct stop_resource *resource, struct batch *out)
{
    for (size_t i = 0; i < series->n_values; i++) {
        if (!isfinite(series->values[i]))
            continue;
        if (out->units != NULL)
            out->units[out->value_count] = stop_resource_at(resource, series->steps[i], series->times_us[i]);
        out->values[out->value_count++] = series->values[i];
    }
}

static enum status make_series(const Besom__V1__TrackBatch *message, const struct batch_metrics *metrics,
                               struct arena *arena, struct batch *out, struct err *err)
{
    struct stop_resource resource = resource_of(message, metrics->step_metric);
    size_t points = 0, filled = 0;
    for (size_t i = 0; i < message->n_series; i++) {
        points += message->series[i]->n_values;
        filled += message->series[i]->n_values > 0;
    }
    out->figures = arena_calloc(arena, filled + 1, sizeof *out->figures);
    out->values = arena_alloc(arena, (points + 1) * sizeof *out->values);
    if (metrics->step_metric != NULL)
        out->units = arena_alloc(arena, (points + 1) * sizeof *out->units);
    if (out->figures == NULL || out->values == NULL || (metrics->step_metric != NULL && out->units == NULL))
        return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
    for (size_t i = 0; i < message->n_series; i++) {
        const Besom__V1__Series *series = message->series[i];
        if (series->n_values == 0)
            continue;
        TRY(make_figure(series, arena, &out->figures[out->figure_count++], err));
        note_steps(series, out);
        if (metrics->metric[0] != '\0' && strcmp(series->name, metrics->metric) == 0)
            take_values(series, &resource, out);
    }
    out->newest_units = stop_resource_end(&resource);
    out->points = (int32_t)points;
    return STATUS_OK;
}

/* Series with points, and of them what this version knows: whoever reads many payloads counts on their size
 * being that of their points. */
static enum status keep_series(const Besom__V1__TrackBatch *message, size_t count, struct arena *arena,
                               Besom__V1__TrackBatch *out, struct err *err)
{
    Besom__V1__Series *kept = arena_alloc(arena, count * sizeof *kept);
    out->series = arena_alloc(arena, count * sizeof(*out->series));
    if (kept == NULL || out->series == NULL)
        return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
    for (size_t i = 0; i < message->n_series; i++) {
        if (message->series[i]->n_values == 0)
            continue;
        kept[out->n_series] = *message->series[i];
        kept[out->n_series].base.n_unknown_fields = 0;
        out->series[out->n_series] = &kept[out->n_series];
        out->n_series++;
    }
    return STATUS_OK;
}

static enum status make_payload(const Besom__V1__TrackBatch *message, struct arena *arena, struct batch *out,
                                struct err *err)
{
    if (out->points == 0)
        return STATUS_OK;
    Besom__V1__TrackBatch series_only = BESOM__V1__TRACK_BATCH__INIT;
    series_only.sequence = message->sequence;
    TRY(keep_series(message, out->figure_count, arena, &series_only, err));
    out->payload_length = protobuf_c_message_get_packed_size(&series_only.base);
    unsigned char *bytes = arena_alloc(arena, out->payload_length);
    if (bytes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
    (void)protobuf_c_message_pack(&series_only.base, bytes);
    out->payload = bytes;
    return STATUS_OK;
}

static enum status make_logs(const Besom__V1__TrackBatch *message, struct arena *arena, struct batch *out,
                             struct err *err)
{
    out->logs = arena_calloc(arena, message->n_logs + 1, sizeof *out->logs);
    if (out->logs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
    for (size_t i = 0; i < message->n_logs; i++) {
        const Besom__V1__LogPart *part = message->logs[i];
        if (part->text.len == 0)
            continue;
        void *text = arena_alloc(arena, part->text.len);
        if (text == NULL)
            return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
        memcpy(text, part->text.data, part->text.len);
        out->logs[out->log_count++] = (struct batch_log){part->offset, part->stderr, text, part->text.len};
        out->log_bytes += (int64_t)part->text.len;
    }
    return STATUS_OK;
}

static enum status make_facts(const Besom__V1__TrackBatch *message, struct arena *arena, struct batch *out,
                              struct err *err)
{
    if (message->n_facts == 0)
        return STATUS_OK;
    out->facts = arena_calloc(arena, message->n_facts, sizeof *out->facts);
    if (out->facts == NULL)
        return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
    for (; out->fact_count < message->n_facts; out->fact_count++) {
        const Besom__V1__Fact *from = message->facts[out->fact_count];
        struct batch_fact *fact = &out->facts[out->fact_count];
        *fact = (struct batch_fact){fact_kinds[from->kind], arena_strdup(arena, from->name),
                                    arena_strdup(arena, from->value_json)};
        if (fact->name == NULL || fact->value == NULL)
            return err_set(err, STATUS_NO_MEMORY, "a batch: out of memory");
        out->fact_bytes += sizeof *fact + strlen(fact->name) + strlen(fact->value);
    }
    return STATUS_OK;
}

enum status batch_make(const Besom__V1__TrackBatch *message, const struct batch_metrics *metrics,
                       struct arena *arena, struct batch *out, struct err *err)
{
    *out = batch_empty(message->sequence);
    out->dropped_lines = message->dropped_lines;
    out->preempting = message->preempting;
    TRY(make_series(message, metrics, arena, out, err));
    TRY(make_payload(message, arena, out, err));
    TRY(make_facts(message, arena, out, err));
    return make_logs(message, arena, out, err);
}

struct batch batch_empty(int64_t sequence)
{
    return (struct batch){.sequence = sequence, .newest_units = NAN};
}

/* A sum beyond the greatest double has no mean; the best stands in for it. */
static double finite_mean(const struct batch_progress *progress)
{
    double mean = progress->total / (double)progress->rows;
    return isfinite(mean) ? mean : progress->best;
}

static void add_to_progress(struct batch_progress *progress, double value, bool maximize)
{
    progress->rows++;
    progress->total += value;
    if (!progress->has_best || (maximize ? value > progress->best : value < progress->best))
        progress->best = value;
    progress->has_best = true;
}

/* How far a run is at the batch's value `i`: in rows, or in the resource. */
static double units_at(struct batch_progress *progress, const struct batch *batch, size_t i)
{
    if (batch->units == NULL)
        return (double)progress->rows;
    if (!isnan(batch->units[i]))
        progress->units = batch->units[i];
    return progress->units;
}

void batch_advance(struct batch_progress *progress, const struct batch *batch, bool maximize,
                   const int64_t *bands, size_t band_count,
                   void (*reached)(void *context, const struct batch_rung *rung), void *context)
{
    for (size_t i = 0; i < batch->value_count; i++) {
        add_to_progress(progress, batch->values[i], maximize);
        size_t got_to = stop_bands_reached(bands, band_count, (size_t)progress->bands_reached,
                                           units_at(progress, batch, i));
        while ((size_t)progress->bands_reached < got_to) {
            const struct batch_rung rung = {.band_index = progress->bands_reached++,
                                            .value = batch->values[i],
                                            .best = progress->best,
                                            .mean = finite_mean(progress)};
            reached(context, &rung);
        }
    }
    if (!isnan(batch->newest_units))
        progress->units = batch->newest_units;
}

int batch_compare_figures(const struct store_summary *a, const struct store_summary *b)
{
    int order = strcmp(a->sweep_id, b->sweep_id);
    if (order == 0)
        order = strcmp(a->run_id, b->run_id);
    if (order == 0)
        order = (a->attempt > b->attempt) - (a->attempt < b->attempt);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static void merge_into(struct store_summary *to, const struct store_summary *from)
{
    to->points += from->points;
    to->last = from->last;
    to->last_step = from->last_step;
    to->least_step = from->least_step < to->least_step ? from->least_step : to->least_step;
    to->total += from->total;
    to->finite += from->finite;
    add_extremes(to, from->min);
    add_extremes(to, from->max);
}

size_t batch_merge_figures(struct store_summary *figures, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (left > 0 && batch_compare_figures(&figures[left - 1], &figures[i]) == 0)
            merge_into(&figures[left - 1], &figures[i]);
        else
            figures[left++] = figures[i];
    }
    return left;
}
