// SPDX-License-Identifier: GPL-3.0-or-later
/* ListBands: what early stopping did, from its recorded decisions. */
#include <string.h>

#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"
#include "services/controller/single_runs.h"
#include "spec/spec.h"

#define COURSE_MAX 32
#define COHORT_RUNGS_MAX 1000

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status check_list_bands(struct request *request, struct err *err)
{
    return request_check_sweep(request, ((const Besom__V1__ListBandsRequest *)request->message)->sweep_id,
                               err);
}

static Besom__V1__Threshold *message_of_threshold(struct arena *arena, const struct store_threshold *row)
{
    Besom__V1__Threshold *message = MESSAGE_NEW(arena, Besom__V1__Threshold, besom__v1__threshold__init);
    if (message == NULL)
        return NULL;
    message->reached = row->reached;
    message->value = row->threshold;
    message->decided_us = row->decided_us;
    return message;
}

static Besom__V1__Band *message_of_band(struct arena *arena, const struct store_band *row)
{
    Besom__V1__Band *message = MESSAGE_NEW(arena, Besom__V1__Band, besom__v1__band__init);
    if (message == NULL)
        return NULL;
    message->band = row->band;
    message->reached = row->reached;
    message->went_on = row->went_on;
    message->stopped = row->stopped;
    message->outrun = row->outrun;
    message->spared_too_few = row->spared_too_few;
    message->spared_grace = row->spared_grace;
    message->spared_max_stops = row->spared_max_stops;
    message->decisions = row->thresholds;
    message->first_threshold = row->first_threshold;
    message->median_threshold = row->median_threshold;
    message->last_threshold = row->last_threshold;
    message->course = arena_calloc(arena, COURSE_MAX, sizeof(*message->course));
    return message->course != NULL ? message : NULL;
}

/* Both lists are in order of their bands. */
static enum status add_bands(struct store_tx *tx, const char *sweep_id, const struct store_band *bands,
                             size_t count, Besom__V1__ListBandsResponse *response, struct err *err)
{
    struct store_threshold *course;
    size_t course_count, at = 0;
    TRY(store_list_thresholds(tx, sweep_id, COURSE_MAX, &course, &course_count, err));
    for (size_t i = 0; i < count; i++) {
        Besom__V1__Band *band = message_of_band(store_tx_arena(tx), &bands[i]);
        if (band == NULL)
            return no_memory(err);
        response->bands[response->n_bands++] = band;
        for (; at < course_count && course[at].band_index <= bands[i].band_index; at++) {
            if (course[at].band_index < bands[i].band_index || band->n_course == COURSE_MAX)
                continue;
            Besom__V1__Threshold *threshold = message_of_threshold(store_tx_arena(tx), &course[at]);
            if (threshold == NULL)
                return no_memory(err);
            band->course[band->n_course++] = threshold;
        }
    }
    return STATUS_OK;
}

static Besom__V1__CohortRung *message_of_rung(struct arena *arena, const struct store_cohort_rung *row)
{
    Besom__V1__CohortRung *message = MESSAGE_NEW(arena, Besom__V1__CohortRung, besom__v1__cohort_rung__init);
    if (message == NULL)
        return NULL;
    message->cohort = row->cohort;
    message->bracket = row->bracket;
    message->band = row->band;
    message->planned = row->planned;
    message->reached = row->reached;
    message->ended = row->ended;
    message->paused = row->paused;
    message->promoted = row->promoted;
    message->stopped = row->stopped;
    message->threshold = row->threshold;
    message->decided_us = row->decided_us;
    return message;
}

static enum status add_cohorts(struct store_tx *tx, const char *sweep_id,
                               Besom__V1__ListBandsResponse *response, struct err *err)
{
    struct store_cohort_rung *rows;
    size_t count;
    TRY(store_list_cohorts(tx, sweep_id, COHORT_RUNGS_MAX, &rows, &count, err));
    response->cohorts = arena_calloc(store_tx_arena(tx), count + 1, sizeof(*response->cohorts));
    if (response->cohorts == NULL)
        return no_memory(err);
    for (; response->n_cohorts < count; response->n_cohorts++) {
        Besom__V1__CohortRung *rung = message_of_rung(store_tx_arena(tx), &rows[response->n_cohorts]);
        if (rung == NULL)
            return no_memory(err);
        response->cohorts[response->n_cohorts] = rung;
    }
    return STATUS_OK;
}

static enum status read_bands(struct store_tx *tx, const struct store_sweep *sweep,
                              Besom__V1__ListBandsResponse *response, struct err *err)
{
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    struct store_spec stored;
    struct store_band *bands;
    size_t count;
    TRY(store_get_spec(tx, sweep->sweep_id, sweep->spec_version, &stored, err));
    TRY(spec_from_canonical_json(stored.json, strlen(stored.json), &spec, err));
    if (!spec->has_early_terminate)
        return STATUS_OK;
    TRY(store_list_bands(tx, sweep->sweep_id, spec->metric.goal == SPEC_GOAL_MAXIMIZE,
                         spec->early_terminate.min_runs, spec->early_terminate.grace, &bands, &count, err));
    response->bands = arena_calloc(store_tx_arena(tx), count + 1, sizeof(*response->bands));
    if (response->bands == NULL)
        return no_memory(err);
    TRY(add_bands(tx, sweep->sweep_id, bands, count, response, err));
    return stop_type_pauses(spec->early_terminate.type) ? add_cohorts(tx, sweep->sweep_id, response, err)
                                                        : STATUS_OK;
}

static enum status read_savings(struct store_tx *tx, const char *sweep_id,
                                Besom__V1__ListBandsResponse *response, struct err *err)
{
    struct store_savings savings;
    TRY(store_get_savings(tx, sweep_id, &savings, err));
    Besom__V1__Savings *message =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__Savings, besom__v1__savings__init);
    if (message == NULL)
        return no_memory(err);
    message->finished_runs = savings.finished_runs;
    message->finished_rows = savings.finished_rows;
    message->finished_run_time_ms = savings.finished_run_time_ms;
    message->stopped_runs = savings.stopped_runs;
    message->stopped_rows = savings.stopped_rows;
    message->stopped_run_time_ms = savings.stopped_run_time_ms;
    message->rows_saved = savings.rows_saved;
    message->run_time_saved_ms = savings.run_time_saved_ms;
    response->savings = message;
    return STATUS_OK;
}

static enum status run_list_bands(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ListBandsRequest *message = request->message;
    struct store_sweep sweep;
    Besom__V1__ListBandsResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__ListBandsResponse, besom__v1__list_bands_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(picture_get_sweep(tx, message->sweep_id, false, &sweep, err));
    if (!message->savings_only && !single_runs_is_method(sweep.method))
        TRY(read_bands(tx, &sweep, response, err));
    TRY(read_savings(tx, message->sweep_id, response, err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan list_bands_plan = {
    .check = check_list_bands, .run = run_list_bands, .read_only = true};
REQUEST_HANDLER(list_bands)
