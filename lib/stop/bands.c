/*
 * The rows at which runs are compared. Python computes int(max_iter / eta**i)
 * and int(min_iter * eta**i); a whole eta is exact there, so it is computed in
 * integers here, any other eta in doubles as Python does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>

#include "stop/stop.h"

/* Doubles count rows exactly up to here; no run gets that far. */
#define ROW_MAX ((int64_t)1 << 53)

static bool is_whole(double eta)
{
    return eta == floor(eta) && eta < (double)ROW_MAX;
}

/* max_iter / eta^i, rounded down; 0 below 1. */
static int64_t divided(int64_t max_iter, double eta, int64_t i)
{
    if (!is_whole(eta))
        return (int64_t)((double)max_iter / pow(eta, (double)i));
    int64_t rest = max_iter;
    for (int64_t step = 0; step < i && rest > 0; step++)
        rest /= (int64_t)eta;
    return rest;
}

/* min_iter * eta^i, rounded down; ROW_MAX + 1 beyond ROW_MAX. */
static int64_t multiplied(int64_t min_iter, double eta, int64_t i)
{
    double product = (double)min_iter * pow(eta, (double)i);
    if (!(product <= (double)ROW_MAX))
        return ROW_MAX + 1;
    if (!is_whole(eta))
        return (int64_t)product;
    int64_t exact = min_iter;
    for (int64_t step = 0; step < i; step++)
        exact *= (int64_t)eta;
    return exact;
}

static void bands_below(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count)
{
    int64_t last = config->s < STOP_BANDS_MAX ? config->s : STOP_BANDS_MAX;
    for (int64_t i = last; i >= 1; i--) {
        int64_t band = divided(config->max_iter, config->eta, i);
        if (band >= 1 && (*count == 0 || bands[*count - 1] != band))
            bands[(*count)++] = band;
    }
}

static void bands_above(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count)
{
    for (int64_t i = 0; i < STOP_BANDS_MAX; i++) {
        int64_t band = multiplied(config->min_iter, config->eta, i);
        if (band > ROW_MAX || (config->type == STOP_ASHA && band >= config->max_iter))
            return;
        if (*count == 0 || bands[*count - 1] != band)
            bands[(*count)++] = band;
    }
}

const char *stop_unit(const struct stop_config *config)
{
    return config->unit[0] != '\0' ? config->unit : "row";
}

bool stop_type_pauses(enum stop_type type)
{
    return type == STOP_HYPERBAND_FULL || type == STOP_BOHB;
}

/* max_iter / eta^k for every k that leaves at least min_iter, but for 0. */
static enum status rungs(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count,
                         struct err *err)
{
    if (config->eta < 2)
        return err_set(err, STATUS_INVALID, "eta must be at least 2");
    if (config->min_iter < 1 || config->max_iter > ROW_MAX)
        return err_set(err, STATUS_INVALID, "min_iter and max_iter must be between 1 and 2^53");
    int64_t most = 0;
    while (multiplied(config->min_iter, config->eta, most + 1) <= config->max_iter)
        most++;
    if (most == 0)
        return err_set(err, STATUS_INVALID, "no band: max_iter must be at least eta times min_iter");
    if (config->brackets > most + 1)
        return err_set(err, STATUS_INVALID, "brackets: there are %lld", (long long)most + 1);
    for (int64_t k = most; k >= 1; k--)
        bands[(*count)++] = divided(config->max_iter, config->eta, k);
    return STATUS_OK;
}

enum status stop_bands(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count,
                       struct err *err)
{
    *count = 0;
    if (!(config->eta > 1) || !isfinite(config->eta))
        return err_set(err, STATUS_INVALID, "eta must be a number greater than 1");
    if (stop_type_pauses(config->type))
        return rungs(config, bands, count, err);
    bool from_max = config->type == STOP_HYPERBAND && config->form == STOP_FORM_MAX_ITER;
    int64_t rows = from_max ? config->max_iter : config->min_iter;
    if (rows < 1 || rows > ROW_MAX)
        return err_set(err, STATUS_INVALID, "%s must be between 1 and 2^53",
                       from_max ? "max_iter" : "min_iter");
    if (from_max && config->s < 1)
        return err_set(err, STATUS_INVALID, "s must be at least 1");
    (from_max ? bands_below : bands_above)(config, bands, count);
    if (*count == 0 && config->type == STOP_ASHA)
        return err_set(err, STATUS_INVALID, "no band: max_iter must be greater than min_iter");
    if (*count == 0)
        return err_set(err, STATUS_INVALID, "no band: max_iter %lld divided by eta %g is below 1",
                       (long long)rows, config->eta);
    return STATUS_OK;
}
