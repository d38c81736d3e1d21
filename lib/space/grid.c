// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "space/component.h"

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "building a grid: out of memory");
}

enum status grid_too_many_points(struct err *err)
{
    return err_set(err, STATUS_INVALID, "the grid has too many points (2^64 or more)");
}

/* ---- building ---- */

static enum status read_radix(const struct leaf *leaf, struct place *place, struct err *err)
{
    *place = (struct place){
        .component = NO_COMPONENT, .own_column = NO_COLUMN, .if_column = NO_COLUMN, .run_count = 1};
    if (!parameter_is_enumerable(&leaf->parameter))
        return err_set(err, STATUS_INVALID,
                       "parameter %.100s: a grid cannot enumerate %s (give values, or use method random)",
                       leaf->path, leaf->parameter.kind->name);
    if (!leaf->parameter.kind->grid_count(&leaf->parameter, &place->radix))
        return err_set(err, STATUS_INVALID,
                       "parameter %.100s: the grid has too many points, or points too close to differ",
                       leaf->path);
    return STATUS_OK;
}

static enum status multiply(struct grid *grid, size_t leaf_count, struct err *err)
{
    grid->count = 1;
    for (size_t i = 0; i < leaf_count; i++)
        if (grid->places[i].component == NO_COMPONENT &&
            __builtin_mul_overflow(grid->count, grid->places[i].radix, &grid->count))
            return grid_too_many_points(err);
    for (size_t i = 0; i < grid->component_count; i++)
        if (__builtin_mul_overflow(grid->count, grid->components[i].total, &grid->count))
            return grid_too_many_points(err);
    return STATUS_OK;
}

static enum status build(const struct space *space, struct grid *grid, struct err *err)
{
    for (size_t i = 0; i < space->count; i++)
        TRY(read_radix(&space->leaves[i], &grid->places[i], err));
    if (space->condition_count > 0)
        TRY(grid_build_components(space, grid, err));
    return multiply(grid, space->count, err);
}

enum status grid_new(const struct space *space, struct grid **out, struct err *err)
{
    struct grid *grid = calloc(1, sizeof *grid);
    *out = grid;
    if (grid == NULL || (grid->places = calloc(space->count, sizeof *grid->places)) == NULL)
        return out_of_memory(err);
    grid->leaf_count = space->count;
    struct err fault = ERR_INIT;
    enum status status = build(space, grid, &fault);
    grid->fault = fault;
    return status == STATUS_INVALID || status == STATUS_OK ? STATUS_OK
                                                           : err_set(err, status, "%s", fault.text);
}

void grid_free(struct grid *grid)
{
    if (grid == NULL)
        return;
    for (size_t i = 0; i < grid->leaf_count; i++)
        free(grid->places[i].starts);
    free(grid->places);
    for (size_t i = 0; i < grid->component_count && grid->components != NULL; i++) {
        free(grid->components[i].rows);
        free(grid->components[i].weights);
    }
    free(grid->components);
    free(grid->nodes);
    free(grid);
}

enum status grid_count(const struct grid *grid, uint64_t *out, struct err *err)
{
    if (grid->fault.code != STATUS_OK)
        return err_set(err, grid->fault.code, "%s", grid->fault.text);
    *out = grid->count;
    return STATUS_OK;
}

/* ---- looking up ---- */

/* A row that what was decided so far leaves possible; `weight` is how many ways are left in it. */
struct live_row {
    uint64_t weight;
    size_t row;
};

/* The rows of one component that are still possible. */
struct live_component {
    struct live_row *rows;
    size_t count;
    uint64_t total;
};

struct search {
    const struct grid *grid;
    struct live_component *live; /* owned; one for each component */
    struct live_row *rows;       /* owned; of all components */
    uint64_t *sums;              /* owned; by run */
    uint64_t rest;               /* points that are left */
    uint64_t index;              /* among them */
};

static enum status start(struct search *search, struct err *err)
{
    const struct grid *grid = search->grid;
    search->live = calloc(grid->component_count, sizeof *search->live);
    search->rows = calloc(grid->row_count, sizeof *search->rows);
    search->sums = calloc(grid->run_count_max + 1, sizeof *search->sums);
    if (search->live == NULL || search->rows == NULL || search->sums == NULL)
        return out_of_memory(err);
    struct live_row *next = search->rows;
    for (size_t i = 0; i < grid->component_count; i++) {
        const struct component *component = &grid->components[i];
        search->live[i] = (struct live_component){next, component->row_count, component->total};
        for (size_t row = 0; row < component->row_count; row++)
            *next++ = (struct live_row){component->weights[row], row};
    }
    return STATUS_OK;
}

static void end(struct search *search)
{
    free(search->live);
    free(search->rows);
    free(search->sums);
}

/* What is left in each row once this leaf is decided: by run in search->sums, the rest (where the leaf is not
 * there, so that it stands at its first value) returned. */
static uint64_t sum_runs(struct search *search, const struct place *place)
{
    const struct component *component = &search->grid->components[place->component];
    const struct live_component *live = &search->live[place->component];
    uint64_t inactive = 0;
    memset(search->sums, 0, place->run_count * sizeof *search->sums);
    for (size_t i = 0; i < live->count; i++) {
        uint32_t run = component_run(component, place, live->rows[i].row);
        if (run == INACTIVE)
            inactive += live->rows[i].weight;
        else
            search->sums[run] += live->rows[i].weight / place_run_length(place, run);
    }
    return inactive;
}

/* Keeps the rows in which the leaf is in `run`; with value 0 also those where it is not there. */
static void keep_rows(struct search *search, const struct place *place, uint32_t run, bool first_value)
{
    const struct component *component = &search->grid->components[place->component];
    struct live_component *live = &search->live[place->component];
    size_t kept = 0;
    live->total = 0;
    for (size_t i = 0; i < live->count; i++) {
        struct live_row row = live->rows[i];
        uint32_t own = component_run(component, place, row.row);
        if (own == run)
            row.weight /= place_run_length(place, run);
        else if (own != INACTIVE || !first_value)
            continue;
        live->total += row.weight;
        live->rows[kept++] = row;
    }
    live->count = kept;
}

/* The value of a leaf that hangs together with others; leaves search->index among what then is left. */
static uint64_t decide(struct search *search, const struct place *place)
{
    uint64_t others = search->rest / search->live[place->component].total;
    uint64_t at = search->index / others; /* among the component's own ways */
    uint64_t inactive = sum_runs(search, place);
    uint64_t before = 0;
    uint64_t value = 0;
    uint32_t run = 0;
    if (at >= inactive + search->sums[0]) {
        before = inactive; /* value 0 has `inactive` ways more than its run's others */
        while (at - before >= search->sums[run] * place_run_length(place, run)) {
            before += search->sums[run] * place_run_length(place, run);
            run++;
        }
        uint64_t step = (at - before) / search->sums[run];
        before += step * search->sums[run];
        value = (place->starts != NULL ? place->starts[run] : 0) + step;
    }
    keep_rows(search, place, run, value == 0);
    search->index -= before * others;
    search->rest = search->live[place->component].total * others;
    return value;
}

/* Each component has one row left. */
static void tell_active(const struct search *search, bool *active)
{
    const struct grid *grid = search->grid;
    for (size_t i = 0; i < grid->leaf_count; i++) {
        const struct place *place = &grid->places[i];
        active[i] = true;
        if (place->component != NO_COMPONENT)
            active[i] = component_run(&grid->components[place->component], place,
                                      search->live[place->component].rows[0].row) != INACTIVE;
    }
}

enum status grid_locate(const struct space *space, uint64_t index, uint64_t *values, bool *active,
                        struct err *err)
{
    const struct grid *grid = space->grid;
    struct search search = {.grid = grid, .rest = grid->count, .index = index};
    enum status status = grid->component_count > 0 ? start(&search, err) : STATUS_OK;
    for (size_t i = 0; i < grid->leaf_count && status == STATUS_OK; i++) {
        const struct place *place = &grid->places[i];
        assert(place->component == NO_COMPONENT || search.live != NULL);
        if (place->component != NO_COMPONENT) {
            values[i] = decide(&search, place);
            continue;
        }
        search.rest /= place->radix;
        assert(search.rest > 0);
        values[i] = search.index / search.rest;
        search.index %= search.rest;
    }
    if (status == STATUS_OK)
        tell_active(&search, active);
    end(&search);
    return status;
}
