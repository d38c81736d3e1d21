/*
 * The rows at which runs are compared. Python divides max_iter by eta, or multiplies min_iter by it, again
 * and again, and cuts a copy of each to an integer. A whole eta is exact there, so it is computed in integers
 * here; any other in doubles, step by step as Python does: powers of eta would round to other rows.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>

#include "stop/stop.h"

/* Doubles count rows exactly up to here; no run gets that far. */
#define ROW_MAX ((int64_t)1 << 53)
/* More than any eta needs that is not next to 1. */
#define STEPS_MAX 100000

struct row {
    double eta;
    int64_t number;
    double exact; /* what number was cut from; unused where eta is whole */
};

static struct row row_at(int64_t number, double eta)
{
    return (struct row){eta, number, (double)number};
}

static bool is_whole(double eta)
{
    return eta == floor(eta) && eta < (double)ROW_MAX;
}

static void divide(struct row *row)
{
    row->exact /= row->eta;
    row->number = is_whole(row->eta) ? row->number / (int64_t)row->eta : (int64_t)row->exact;
}

/* ROW_MAX + 1 beyond ROW_MAX. */
static void multiply(struct row *row)
{
    row->exact *= row->eta;
    if (!(row->exact <= (double)ROW_MAX))
        row->number = ROW_MAX + 1;
    else
        row->number = is_whole(row->eta) ? row->number * (int64_t)row->eta : (int64_t)row->exact;
}

static void reverse(int64_t *bands, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        int64_t band = bands[i];
        bands[i] = bands[count - 1 - i];
        bands[count - 1 - i] = band;
    }
}

/* max_iter divided by eta up to `steps` times, as long as `least` is left. */
static enum status bands_below(const struct stop_config *config, int64_t steps, int64_t least,
                               int64_t bands[STOP_BANDS_MAX], size_t *count, struct err *err)
{
    struct row row = row_at(config->max_iter, config->eta);
    for (int64_t i = 0; i < steps; i++) {
        divide(&row);
        if (row.number < least)
            break;
        bool known = *count > 0 && bands[*count - 1] == row.number;
        if (i == STEPS_MAX || (!known && *count == STOP_BANDS_MAX))
            return err_set(err, STATUS_INVALID, "more than %d bands: make eta greater or s less",
                           STOP_BANDS_MAX);
        if (!known)
            bands[(*count)++] = row.number;
    }
    reverse(bands, *count);
    return STATUS_OK;
}

static void bands_above(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count)
{
    struct row row = row_at(config->min_iter, config->eta);
    for (int i = 0; i < STOP_BANDS_MAX; i++, multiply(&row)) {
        if (row.number > ROW_MAX || (config->type == STOP_ASHA && row.number >= config->max_iter))
            return;
        if (*count == 0 || bands[*count - 1] != row.number)
            bands[(*count)++] = row.number;
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
    TRY(bands_below(config, STEPS_MAX, config->min_iter, bands, count, err));
    if (*count == 0)
        return err_set(err, STATUS_INVALID, "no band: max_iter must be at least eta times min_iter");
    if (config->brackets > (int64_t)*count + 1)
        return err_set(err, STATUS_INVALID, "brackets: there are %zu", *count + 1);
    return STATUS_OK;
}

static enum status stopping_bands(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX],
                                  size_t *count, struct err *err)
{
    bool from_max = config->type == STOP_HYPERBAND && config->form == STOP_FORM_MAX_ITER;
    int64_t rows = from_max ? config->max_iter : config->min_iter;
    if (rows < 1 || rows > ROW_MAX)
        return err_set(err, STATUS_INVALID, "%s must be between 1 and 2^53",
                       from_max ? "max_iter" : "min_iter");
    if (from_max && config->s < 1)
        return err_set(err, STATUS_INVALID, "s must be at least 1");
    if (from_max)
        TRY(bands_below(config, config->s, 1, bands, count, err));
    else
        bands_above(config, bands, count);
    if (*count == 0 && config->type == STOP_ASHA)
        return err_set(err, STATUS_INVALID, "no band: max_iter must be greater than min_iter");
    if (*count == 0)
        return err_set(err, STATUS_INVALID, "no band: max_iter %lld divided by eta %g is below 1",
                       (long long)rows, config->eta);
    return STATUS_OK;
}

enum status stop_bands(const struct stop_config *config, int64_t bands[STOP_BANDS_MAX], size_t *count,
                       struct err *err)
{
    *count = 0;
    if (!(config->eta > 1) || !isfinite(config->eta))
        return err_set(err, STATUS_INVALID, "eta must be a number greater than 1");
    enum status status = stop_type_pauses(config->type) ? rungs(config, bands, count, err)
                                                        : stopping_bands(config, bands, count, err);
    if (status != STATUS_OK)
        *count = 0;
    return status;
}
