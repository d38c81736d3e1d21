// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/slice.h"

#include <string.h>

#include "services/suggestion/bayes_space.h"

void slice_release(struct slice *slice)
{
    json_decref(slice->configs);
    slice->configs = NULL;
}

/* ---- the axes ---- */

static enum status find_dim(const struct survey *survey, const char *path, size_t *out, struct err *err)
{
    const struct bayes_space *space = survey_space(survey);
    for (*out = 0; *out < bayes_space_dims(space)->count; ++*out)
        if (strcmp(bayes_space_path(space, *out), path) == 0)
            return STATUS_OK;
    return err_set(err, STATUS_INVALID, "\"%.100s\" is no parameter that the sweep searches", path);
}

size_t slice_list_values(const struct optim_dim *dim, size_t most, double *out)
{
    size_t count = 0;
    if (dim->kind == OPTIM_CATEGORY || (dim->kind == OPTIM_ORDERED && dim->levels <= most)) {
        while (count < dim->levels && count < SLICE_POINTS_MAX) {
            out[count] = (double)count;
            count++;
        }
        return count;
    }
    for (size_t k = 0; k < most; k++) {
        double place = ((double)k + 0.5) / (double)most;
        if (dim->kind == OPTIM_ORDERED)
            place = (double)dims_level_near(dim, place);
        else if (!dims_is_continuous(dim))
            place = dim->snap(dim->context, place);
        if (count == 0 || place != out[count - 1])
            out[count++] = place;
    }
    return count;
}

static enum status make_axis(const struct survey *survey, const char *path, size_t most,
                             struct slice_axis *axis, struct arena *arena, struct err *err)
{
    TRY(find_dim(survey, path, &axis->dim, err));
    const struct optim_dim *dim = &bayes_space_dims(survey_space(survey))->dims[axis->dim];
    axis->categorical = dim->kind == OPTIM_CATEGORY;
    axis->levels = arena_alloc(arena, SLICE_POINTS_MAX * sizeof *axis->levels);
    axis->values = arena_calloc(arena, SLICE_POINTS_MAX, sizeof(*axis->values));
    if (axis->levels == NULL || axis->values == NULL)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    axis->count = slice_list_values(dim, most, axis->levels);
    return STATUS_OK;
}

static enum status make_axes(const struct survey *survey, const struct slice_question *question,
                             struct slice *out, struct arena *arena, struct err *err)
{
    int32_t points = question->points;
    if (question->path_count < 1 || question->path_count > SLICE_AXES_MAX)
        return err_set(err, STATUS_INVALID, "one or two parameters are varied");
    if (points == 0)
        points = question->path_count == 1 ? SLICE_POINTS_ONE : SLICE_POINTS_TWO;
    int most = question->path_count == 1 ? SLICE_POINTS_MAX : SLICE_POINTS_MAX_TWO;
    if (points < SLICE_POINTS_MIN || points > most)
        return err_set(err, STATUS_INVALID, "points must be %d to %d", SLICE_POINTS_MIN, most);
    if (question->path_count == 2 && strcmp(question->paths[0], question->paths[1]) == 0)
        return err_set(err, STATUS_INVALID, "the two parameters are the same");
    out->axis_count = question->path_count;
    out->count = 1;
    for (size_t a = 0; a < out->axis_count; a++) {
        TRY(make_axis(survey, question->paths[a], (size_t)points, &out->axes[a], arena, err));
        out->count *= out->axes[a].count;
    }
    return STATUS_OK;
}

/* ---- the points ---- */

/* A value in each dimension. */
static void complete(const struct optim_space *space, const double *base, double *full)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        double middle = dim->kind == OPTIM_FLOAT     ? 0.5
                        : dim->kind == OPTIM_ORDERED ? (double)dims_level_near(dim, 0.5)
                                                     : 0;
        full[i] = base[i] == OPTIM_INACTIVE ? middle : base[i];
    }
}

/* The values of axes that have none yet at a point where they are active. */
static enum status take_values(const struct survey *survey, struct slice *slice, const double *point,
                               const size_t *at, struct err *err)
{
    bool wanted = false;
    json_t *config = NULL;
    for (size_t a = 0; a < slice->axis_count; a++)
        wanted =
            wanted || (slice->axes[a].values[at[a]] == NULL && point[slice->axes[a].dim] != OPTIM_INACTIVE);
    if (!wanted)
        return STATUS_OK;
    TRY(bayes_space_to_params(survey_space(survey), point, &config, err));
    if (json_array_append_new(slice->configs, config) != 0)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    for (size_t a = 0; a < slice->axis_count; a++) {
        struct slice_axis *axis = &slice->axes[a];
        size_t parameter = bayes_space_parameter(survey_space(survey), axis->dim);
        if (axis->values[at[a]] == NULL)
            axis->values[at[a]] = space_config_get(survey_spec(survey)->space, parameter, config);
    }
    return STATUS_OK;
}

static enum status make_points(const struct survey *survey, const struct slice_question *question,
                               struct slice *slice, double *points, struct arena *arena, struct err *err)
{
    const struct optim_space *space = bayes_space_dims(survey_space(survey));
    double *full = arena_alloc(arena, space->count * sizeof *full);
    bool *active = arena_calloc(arena, space->count, sizeof *active);
    if (full == NULL || active == NULL)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    complete(space, question->base, full);
    for (size_t k = 0; k < slice->count; k++) {
        size_t last = slice->axes[slice->axis_count - 1].count;
        const size_t at[SLICE_AXES_MAX] = {slice->axis_count == 1 ? k : k / last, k % last};
        for (size_t a = 0; a < slice->axis_count; a++)
            full[slice->axes[a].dim] = slice->axes[a].levels[at[a]];
        dims_settle(space, full, active, points + k * space->count);
        TRY(take_values(survey, slice, points + k * space->count, at, err));
    }
    for (size_t a = 0; a < slice->axis_count; a++)
        for (size_t k = 0; k < slice->axes[a].count; k++)
            if (slice->axes[a].values[k] == NULL)
                return err_set(err, STATUS_INVALID,
                               "the base configuration has no \"%.100s\" (choose one that has it)",
                               question->paths[a]);
    return STATUS_OK;
}

static enum status take_base(const struct survey *survey, const struct slice_question *question,
                             struct slice *slice, struct err *err)
{
    json_t *config = NULL;
    slice->configs = json_array();
    TRY(bayes_space_to_params(survey_space(survey), question->base, &config, err));
    if (json_array_append_new(slice->configs, config) != 0)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    for (size_t a = 0; a < slice->axis_count; a++)
        slice->axes[a].base =
            space_config_get(survey_spec(survey)->space,
                             bayes_space_parameter(survey_space(survey), slice->axes[a].dim), config);
    return STATUS_OK;
}

enum status slice_predict(struct survey *survey, const struct slice_question *question, struct slice *out,
                          struct arena *arena, struct err *err)
{
    *out = (struct slice){.configs = NULL};
    TRY(make_axes(survey, question, out, arena, err));
    TRY(take_base(survey, question, out, err));
    size_t dims = bayes_space_dims(survey_space(survey))->count;
    double *points = arena_alloc(arena, out->count * dims * sizeof *points);
    out->means = arena_alloc(arena, out->count * sizeof *out->means);
    out->deviations = arena_alloc(arena, out->count * sizeof *out->deviations);
    if (points == NULL || out->means == NULL || out->deviations == NULL)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    TRY(make_points(survey, question, out, points, arena, err));
    return survey_predict(survey, points, out->count, out->means, out->deviations, err);
}
