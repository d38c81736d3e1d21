// SPDX-License-Identifier: GPL-3.0-or-later
/* The configurations of a file one by one. */
#include <stdlib.h>
#include <uthash.h>

#include "space/given.h"
#include "sweep_file.h"

struct sweep_point {
    unsigned char hash[SPACE_HASH_SIZE];
    UT_hash_handle hh;
};

void sweep_points_release(struct sweep_points *points)
{
    struct sweep_point *point;
    struct sweep_point *next;
    HASH_ITER(hh, points->given, point, next)
    {
        HASH_DEL(points->given, point);
        free(point);
    }
}

enum status sweep_points_count(const struct spec *spec, uint64_t *out, struct err *err)
{
    *out = UINT64_MAX;
    if (spec->method == SPEC_METHOD_GRID) /* its points in the file are among them */
        return space_grid_count(spec->space, out, err);
    if (!sweep_file_has_points(spec))
        *out = json_array_size(spec->enqueue);
    return STATUS_OK;
}

/* Whether the grid gave it before; `note` keeps it for the next time. */
static enum status is_given(struct sweep_points *points, const json_t *config, bool note, bool *out,
                            struct err *err)
{
    struct sweep_point *found = NULL;
    struct sweep_point *made = calloc(1, sizeof *made);
    if (made == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    enum status status = space_config_hash(config, made->hash, err);
    if (status == STATUS_OK)
        HASH_FIND(hh, points->given, made->hash, SPACE_HASH_SIZE, found);
    *out = found != NULL;
    if (status == STATUS_OK && note && found == NULL)
        HASH_ADD(hh, points->given, hash, SPACE_HASH_SIZE, made);
    else
        free(made);
    return status;
}

/* Whatever the grid gave before; *out is NULL after the last. */
static enum status make(const struct spec *spec, uint64_t at, json_t **out, struct err *err)
{
    uint64_t enqueued = json_array_size(spec->enqueue);
    uint64_t count = 0;
    bool grid = spec->method == SPEC_METHOD_GRID;
    if (at < enqueued)
        return given_complete(spec->space, json_array_get(spec->enqueue, (size_t)at), spec->seed, at, grid,
                              out, err);
    if (!sweep_file_has_points(spec))
        return STATUS_OK;
    if (!grid)
        return space_random_point(spec->space, spec->seed, at, out, err);
    TRY(space_grid_count(spec->space, &count, err));
    return at - enqueued < count ? space_grid_point(spec->space, at - enqueued, out, err) : STATUS_OK;
}

enum status sweep_points_next(struct sweep_points *points, json_t **out, struct err *err)
{
    const struct spec *spec = points->spec;
    uint64_t enqueued = json_array_size(spec->enqueue);
    bool again = true;
    for (*out = NULL; again;) {
        uint64_t at = points->next++;
        again = false;
        TRY(make(spec, at, out, err));
        if (*out == NULL || spec->method != SPEC_METHOD_GRID || enqueued == 0)
            break;
        enum status status = is_given(points, *out, at < enqueued, &again, err);
        if (status != STATUS_OK || again) {
            json_decref(*out);
            *out = NULL;
        }
        TRY(status);
    }
    return STATUS_OK;
}
