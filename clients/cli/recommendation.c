// SPDX-License-Identifier: GPL-3.0-or-later
#include "recommendation.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "entity.h"
#include "format.h"
#include "resolve.h"

#define WAIT_MS 4000
#define RUNS_LEAST 8 /* fewer make no model */
#define DEVIATIONS 2 /* beyond them a value was luck */
#define DIGITS 1e-6  /* of the value; smaller differences do not show */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct recommendation found;
};

static void copy(const Besom__V1__Recommendation *from, struct recommendation *to)
{
    *to = (struct recommendation){.known = true,
                                  .mean = from->mean,
                                  .deviation = from->deviation,
                                  .observed = from->observed,
                                  .best_mean = from->best_mean,
                                  .best_deviation = from->best_deviation,
                                  .best_observed = from->best_observed};
    (void)snprintf(to->run_id, sizeof to->run_id, "%s", from->run_id);
    (void)snprintf(to->best_run_id, sizeof to->best_run_id, "%s", from->best_run_id);
}

static void answered(void *context, const void *response, const besom_error *error)
{
    struct waiting *waiting = context;
    const Besom__V1__GetRecommendationResponse *answer = response;
    (void)error;
    pthread_mutex_lock(&waiting->lock);
    if (answer != NULL && answer->recommendation != NULL)
        copy(answer->recommendation, &waiting->found);
    waiting->done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

struct recommendation recommendation_read(besom_client *client, const Besom__V1__Sweep *sweep)
{
    Besom__V1__GetRecommendationRequest request = BESOM__V1__GET_RECOMMENDATION_REQUEST__INIT;
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const Besom__V1__RunCounts *counts = sweep->counts;
    if (*sweep->metric == '\0' || counts == NULL || counts->finished + counts->stopped < RUNS_LEAST)
        return waiting.found;
    request.sweep_id = message_text(sweep->sweep_id);
    besom_call *call = besom_recommendation_get_async(client, &request, WAIT_MS, answered, &waiting);
    pthread_mutex_lock(&waiting.lock);
    while (call != NULL && !waiting.done)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    besom_call_free(call);
    return waiting.found;
}

bool recommendation_differs(const struct recommendation *recommendation)
{
    if (!recommendation->known)
        return false;
    double luck = fabs(recommendation->best_mean - recommendation->best_observed);
    double gain = fabs(recommendation->best_mean - recommendation->mean);
    bool lucky = luck > DEVIATIONS * recommendation->best_deviation &&
                 luck > DIGITS * fabs(recommendation->best_observed);
    return lucky || gain > recommendation->best_deviation;
}

void recommendation_format(const struct recommendation *recommendation, struct buffer *out)
{
    char mean[FORMAT_SIZE], deviation[FORMAT_SIZE], observed[FORMAT_SIZE];
    bool same = strcmp(recommendation->run_id, recommendation->best_run_id) == 0;
    buffer_printf(out, "%s, predicted %s ± %s", same ? "the same run" : recommendation->run_id,
                  format_number(recommendation->mean, mean),
                  format_short(recommendation->deviation, deviation));
    if (!same)
        buffer_printf(out, " (observed %s)", format_number(recommendation->observed, observed));
}

json_t *recommendation_json(const struct recommendation *recommendation)
{
    if (!recommendation->known)
        return json_null();
    return json_pack("{s:s,s:o,s:o,s:o,s:s,s:o,s:o,s:o}", "run_id", recommendation->run_id, "mean",
                     entity_number_json(recommendation->mean), "deviation",
                     entity_number_json(recommendation->deviation), "observed",
                     entity_number_json(recommendation->observed), "best_run_id", recommendation->best_run_id,
                     "best_mean", entity_number_json(recommendation->best_mean), "best_deviation",
                     entity_number_json(recommendation->best_deviation), "best_observed",
                     entity_number_json(recommendation->best_observed));
}
