/*
 * The run that the model of a sweep holds best, as `besom best` tells it. It is
 * an extra: asked once, for a few seconds, and left out where it is not to be had.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RECOMMENDATION_H
#define BESOM_CLI_RECOMMENDATION_H

#include <besom/client.h>
#include <jansson.h>

#include "base/buffer.h"
#include "cli.h"

#define RECOMMENDATION_ID_SIZE 32

struct recommendation {
    bool known;
    char run_id[RECOMMENDATION_ID_SIZE], best_run_id[RECOMMENDATION_ID_SIZE];
    double mean, deviation, observed;
    double best_mean, best_deviation, best_observed;
};

/* Not known when the sweep has no model, or there is no answer in time. */
struct recommendation recommendation_read(besom_client *client, const Besom__V1__Sweep *sweep);

/* Whether it says something that the best observed value does not: that this value was luck by more than two
 * of the model's deviations, or that another run is expected to be better by more than one. */
bool recommendation_differs(const struct recommendation *recommendation);
/* "RUN, predicted 0.812 ± 0.004 (observed 0.83)"; of the same run only what is predicted. */
void recommendation_format(const struct recommendation *recommendation, struct buffer *out);
/* New reference; null when it is not known. */
json_t *recommendation_json(const struct recommendation *recommendation);

#endif
