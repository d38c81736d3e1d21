// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes_impute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void impute_init(struct impute *impute, const struct spec *spec, size_t dims)
{
    bool learns_pending = spec->optimizer == SPEC_OPTIMIZER_GP || spec->optimizer == SPEC_OPTIMIZER_TPE;
    *impute = (struct impute){.given = spec->metric.has_impute,
                              .how = spec->metric.impute,
                              .dims = dims,
                              .pending_as_worst =
                                  learns_pending && spec->metric.impute_while_running == SPEC_IMPUTE_WORST,
                              .worst = NAN};
    impute->keeps = impute->pending_as_worst || (impute->given && impute->how == SPEC_IMPUTE_WORST);
}

void impute_release(struct impute *impute)
{
    free(impute->points);
    free(impute->worths);
    free(impute->as_worst);
    *impute = (struct impute){.count = 0};
}

size_t impute_bytes(const struct impute *impute)
{
    return impute->capacity * ((impute->dims + 1) * sizeof(double) + sizeof(bool));
}

double impute_worst(const struct impute *impute)
{
    return isnan(impute->worst) ? 0 : impute->worst;
}

static enum status make_room(struct impute *impute, struct err *err)
{
    if (impute->count < impute->capacity)
        return STATUS_OK;
    size_t capacity = impute->capacity == 0 ? 32 : impute->capacity * 2;
    double *points = realloc(impute->points, capacity * impute->dims * sizeof *points);
    if (points != NULL)
        impute->points = points;
    double *worths = realloc(impute->worths, capacity * sizeof *worths);
    if (worths != NULL)
        impute->worths = worths;
    bool *as_worst = realloc(impute->as_worst, capacity * sizeof *as_worst);
    if (as_worst != NULL)
        impute->as_worst = as_worst;
    if (points == NULL || worths == NULL || as_worst == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    impute->capacity = capacity;
    return STATUS_OK;
}

static enum status keep(struct impute *impute, const double *point, double worth, bool as_worst,
                        struct err *err)
{
    if (!impute->keeps)
        return STATUS_OK;
    TRY(make_room(impute, err));
    memcpy(impute->points + impute->count * impute->dims, point, impute->dims * sizeof *point);
    impute->worths[impute->count] = worth;
    impute->as_worst[impute->count++] = as_worst;
    return STATUS_OK;
}

/* Of a run that is imputed by its own values. */
static double own_worth(const struct impute *impute, const struct impute_run *run, bool *is_real)
{
    double own = impute->how == SPEC_IMPUTE_BEST ? run->best : run->latest;
    *is_real = !isnan(own);
    return *is_real ? own : 0;
}

enum status impute_add(struct impute *impute, const struct impute_run *run, struct impute_answer *out,
                       struct err *err)
{
    bool counts = !run->failed && !isnan(run->best);
    bool as_worst = !counts && impute->given && impute->how == SPEC_IMPUTE_WORST;
    bool worse = !isnan(run->best) && !(run->best >= impute->worst);
    size_t before = impute->imputed;
    if (worse)
        impute->worst = run->best;
    *out = (struct impute_answer){.worth = counts ? run->best : NAN, .is_real = counts};
    if (!counts && impute->given)
        impute->imputed++;
    if (as_worst)
        out->worth = impute_worst(impute);
    else if (!counts && impute->given)
        out->worth = own_worth(impute, run, &out->is_real);
    out->others_changed = worse && before > 0 && impute->given && impute->how == SPEC_IMPUTE_WORST;
    return keep(impute, run->point, out->worth, as_worst, err);
}

enum status impute_tell_all(const struct impute *impute, struct search *search, struct err *err)
{
    for (size_t i = 0; i < impute->count; i++) {
        double worth = impute->as_worst[i] ? impute_worst(impute) : impute->worths[i];
        TRY(search->method->tell(search->state, impute->points + i * impute->dims, worth, err));
    }
    return STATUS_OK;
}
