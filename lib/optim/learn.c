// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/learn.h"

#include <stdlib.h>
#include <string.h>

#include "optim/fit.h"
#include "optim/posterior.h"
#include "optim/subset.h"
#include "optim/transform.h"

#define FIRST_FIT 2
#define EACH_UNTIL 48         /* a fit for each success until then */
#define STEPS_A_SIZE 32       /* then one each count / 32 */
#define AFRESH_RATIO 1.5      /* from scratch when the count has grown by it */
#define AFRESH_FROM 256       /* always from scratch from then on: a chain of fits would be long to repeat */
#define SECOND_START_UNTIL 30 /* also from a fixed start until then, and each fifth time */
#define SECOND_START_EACH 5
#define FEW 64 /* points of which fits from scratch begin */
#define EVALUATIONS_FRESH 60
#define EVALUATIONS_STRENGTH 25
#define FAR_SCALE 4 /* of the second start when fitting from scratch */
#define EVALUATIONS_WARM 30
#define EVALUATIONS_LARGE 20 /* of more than FEW points */
#define STRENGTH_FROM 8
#define STRENGTH_GAIN 1.0 /* nats that a stronger transform must be better by */
#define OUTLIER_ROUNDS 2
#define OUTLIER_BELOW (-2.5)
#define OUTLIER_SHARE 0.15
#define OUTLIER_FROM 15

static const double strengths[] = {TRANSFORM_STRENGTH, 16, 512};

enum status learnt_init(struct learnt *learnt, const struct optim_space *space, struct err *err)
{
    *learnt = (struct learnt){.strength = TRANSFORM_STRENGTH,
                              .theta = calloc(THETA_COUNT(space->count), sizeof(double)),
                              .category = calloc(space->count + 1, sizeof(bool)),
                              .draws = calloc(POSTERIOR_DRAWS * THETA_COUNT(space->count), sizeof(double))};
    if (learnt->theta == NULL || learnt->category == NULL || learnt->draws == NULL)
        return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
    for (size_t i = 0; i < space->count; i++)
        learnt->category[i] = space->dims[i].kind == OPTIM_CATEGORY;
    return STATUS_OK;
}

void learnt_release(struct learnt *learnt)
{
    free(learnt->theta);
    free(learnt->factors);
    free(learnt->category);
    free(learnt->draws);
}

static size_t next_fit(size_t count)
{
    return count < EACH_UNTIL ? count + 1 : count + (count / STEPS_A_SIZE > 1 ? count / STEPS_A_SIZE : 1);
}

/* The last fit due with `count` successes, and the last from scratch up to it. */
static void find_due(size_t count, size_t *due, size_t *fresh)
{
    *due = *fresh = FIRST_FIT;
    for (size_t next = next_fit(FIRST_FIT); next <= count; next = next_fit(next)) {
        *due = next;
        if ((double)next >= AFRESH_RATIO * (double)*fresh || next >= AFRESH_FROM)
            *fresh = next;
    }
}

/* One fit, with what it needs. */
struct attempt {
    const struct history *history;
    struct subset subset;
    struct transform transform;
    struct fit_data data;
    double *factors; /* of the subset */
    struct fit fit;
};

/* Of the first `count` successes, at most `most`. */
static enum status gather(struct attempt *attempt, const struct learnt *learnt, double strength, size_t count,
                          size_t most, uint64_t seed, struct arena *arena, struct err *err)
{
    const struct told *told = &attempt->history->successes;
    size_t dims = attempt->history->space->count;
    TRY(subset_for_fit(attempt->history, count, most, seed, &attempt->subset, arena, err));
    size_t n = attempt->subset.count;
    double *all = arena_alloc(arena, count * sizeof *all);
    double *z = arena_alloc(arena, n * sizeof *z);
    attempt->factors = arena_alloc(arena, n * sizeof(double));
    double *at = arena_alloc(arena, n * dims * sizeof *at);
    if (all == NULL || z == NULL || attempt->factors == NULL || at == NULL)
        return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
    TRY(transform_apply(&attempt->transform, strength, told->values, count, all, arena, err));
    for (size_t j = 0; j < n; j++) {
        size_t index = attempt->subset.indexes[j];
        z[j] = all[index];
        attempt->factors[j] = 1;
        for (size_t i = 0; i < dims; i++)
            at[i * n + j] = told->coordinates[index * dims + i];
    }
    attempt->data = (struct fit_data){.dims = dims,
                                      .category = learnt->category,
                                      .points = {.at = at, .stride = n, .count = n},
                                      .values = z,
                                      .factors = attempt->factors};
    return fit_prepare(&attempt->fit, &attempt->data, arena, err);
}

/* Improves theta; also from a fixed start of this scale when it is positive, keeping the better. */
static enum status improve(const struct attempt *attempt, int evaluations, double other_scale, double *theta,
                           struct arena *arena, struct err *err)
{
    size_t dims = attempt->data.dims;
    double loss = 0;
    double other_loss = 0;
    double *other = arena_alloc(arena, THETA_COUNT(dims) * sizeof *other);
    if (other == NULL)
        return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
    TRY(fit_improve(&attempt->fit, evaluations, theta, &loss, err));
    if (!(other_scale > 0))
        return STATUS_OK;
    fit_start(dims, other_scale, other);
    TRY(fit_improve(&attempt->fit, EVALUATIONS_FRESH, other, &other_loss, err));
    if (other_loss < loss)
        memcpy(theta, other, THETA_COUNT(dims) * sizeof *theta);
    return STATUS_OK;
}

enum status learnt_mark_outliers(const struct gp *gp, double *factors, size_t *found, struct arena *arena,
                                 struct err *err)
{
    size_t n = gp->points.count;
    size_t marked = 0;
    *found = 0;
    double *residuals = arena_alloc(arena, n * sizeof *residuals);
    if (residuals == NULL)
        return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
    for (size_t j = 0; j < n; j++)
        marked += factors[j] > 1;
    if (n < OUTLIER_FROM)
        return STATUS_OK;
    TRY(gp_leave_one_out(gp, residuals, arena, err));
    while (marked < (size_t)(OUTLIER_SHARE * (double)n)) {
        size_t worst = n;
        for (size_t j = 0; j < n; j++)
            if (factors[j] <= 1 && residuals[j] < OUTLIER_BELOW &&
                (worst == n || residuals[j] < residuals[worst]))
                worst = j;
        if (worst == n)
            break;
        factors[worst] = LEARN_OUTLIER_NOISE;
        marked++;
        ++*found;
    }
    return STATUS_OK;
}

static enum status mark_outliers(struct attempt *attempt, const double *theta, size_t *found,
                                 struct arena *arena, struct err *err)
{
    struct gp gp;
    const struct fit_data *data = &attempt->data;
    size_t n = data->points.count;
    TRY(gp_init(&gp, data->dims, data->category, theta, n, arena, err));
    for (size_t j = 0; j < n; j++)
        gp_put(&gp, attempt->history->successes.coordinates + attempt->subset.indexes[j] * data->dims,
               data->factors[j]);
    gp_factor(&gp);
    gp_fit_values(&gp, data->values);
    return learnt_mark_outliers(&gp, attempt->factors, found, arena, err);
}

static enum status make_room(struct learnt *learnt, size_t count, struct err *err)
{
    if (count > learnt->capacity) {
        size_t capacity = count * 2;
        double *grown = realloc(learnt->factors, capacity * sizeof *grown);
        if (grown == NULL)
            return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
        learnt->factors = grown;
        learnt->capacity = capacity;
    }
    return STATUS_OK;
}

/* The negative logarithm of what theta and a strength have for them, up to a constant. */
static double score(const struct attempt *attempt, double loss)
{
    for (size_t j = 0; j < attempt->subset.count; j++)
        loss -= transform_log_slope(&attempt->transform, attempt->data.values[j]);
    return loss;
}

/* Sets strength and theta, from few points. */
static enum status begin_afresh(struct learnt *learnt, const struct history *history, size_t count,
                                uint64_t seed, struct err *err)
{
    size_t dims = history->space->count;
    double best = 0;
    struct attempt attempt = {.history = history};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct arena scratch CLEANUP(arena_free) = arena_make(0);
    double *theta = arena_alloc(&arena, THETA_COUNT(dims) * sizeof *theta);
    if (theta == NULL)
        return err_set(err, STATUS_NO_MEMORY, "learning: out of memory");
    learnt->strength = strengths[0];
    fit_start(dims, 1, learnt->theta);
    fit_start(dims, 1, theta);
    for (size_t k = 0; k < ARRAY_LEN(strengths) && count >= STRENGTH_FROM; k++) {
        double loss = 0;
        arena_reset(&scratch);
        TRY(gather(&attempt, learnt, strengths[k], count, FEW, seed, &scratch, err));
        TRY(fit_improve(&attempt.fit, EVALUATIONS_STRENGTH, theta, &loss, err));
        double found = score(&attempt, loss);
        if (k == 0 || found < best - STRENGTH_GAIN) {
            best = found;
            learnt->strength = strengths[k];
            memcpy(learnt->theta, theta, THETA_COUNT(dims) * sizeof *theta);
        }
    }
    arena_reset(&scratch);
    TRY(gather(&attempt, learnt, learnt->strength, count, FEW, seed, &scratch, err));
    return improve(&attempt, EVALUATIONS_FRESH, FAR_SCALE, learnt->theta, &scratch, err);
}

/* The parameters after `count` successes; with draws of others when `last`. */
static enum status fit_at(struct learnt *learnt, const struct history *history, size_t count, bool fresh,
                          bool last, uint64_t seed, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct attempt attempt = {.history = history};
    bool second = !fresh && (count <= SECOND_START_UNTIL || count % SECOND_START_EACH == 0);
    int evaluations = count > FEW ? EVALUATIONS_LARGE : EVALUATIONS_WARM;
    size_t found = 1;
    TRY(make_room(learnt, count, err));
    if (fresh)
        TRY(begin_afresh(learnt, history, count, seed, err));
    TRY(gather(&attempt, learnt, learnt->strength, count, SUBSET_FIT_MAX, seed, &arena, err));
    if (!fresh || count > FEW)
        TRY(improve(&attempt, evaluations, second ? 1 : 0, learnt->theta, &arena, err));
    for (int round = 0; round < OUTLIER_ROUNDS && found > 0; round++) {
        TRY(mark_outliers(&attempt, learnt->theta, &found, &arena, err));
        if (found > 0)
            TRY(improve(&attempt, evaluations, 0, learnt->theta, &arena, err));
    }
    for (size_t i = 0; i < count; i++)
        learnt->factors[i] = 1;
    for (size_t j = 0; j < attempt.subset.count; j++)
        learnt->factors[attempt.subset.indexes[j]] = attempt.factors[j];
    learnt->fitted = count;
    learnt->draw_count = last && count < EACH_UNTIL ? POSTERIOR_DRAWS : 0;
    if (learnt->draw_count > 0)
        TRY(posterior_draw(&attempt.fit, learnt->theta, seed, count, learnt->draw_count, learnt->draws, err));
    return STATUS_OK;
}

enum status learnt_update(struct learnt *learnt, const struct history *history, uint64_t seed,
                          struct err *err)
{
    size_t count = history->successes.count;
    size_t due = 0;
    size_t fresh = 0;
    find_due(count, &due, &fresh);
    size_t next = learnt->fitted < fresh ? fresh : next_fit(learnt->fitted);
    for (; next <= due; next = next_fit(next))
        TRY(fit_at(learnt, history, next, next == fresh || next >= AFRESH_FROM, next == due, seed, err));
    TRY(make_room(learnt, count, err));
    for (size_t i = learnt->fitted; i < count; i++)
        learnt->factors[i] = 1;
    return STATUS_OK;
}
