/*
 * What conditions make of a grid: which leaves hang together, the runs of
 * their values, and the weight of each combination.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "space/component.h"
#include "space/grid.h"
#include "space/order.h"

/* Which nodes hang together, and where they stand in the rows. */
struct building {
    const struct space *space;
    struct grid *grid;
    size_t *joined;  /* owned; union-find over nodes */
    size_t *columns; /* owned */
    size_t *sizes;   /* owned; by root: nodes that get a column; then the component's number */
    bool *is_parent; /* owned; by node */
};

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "building a grid: out of memory");
}

static size_t root_of(struct building *building, size_t node)
{
    while (building->joined[node] != node) {
        building->joined[node] = building->joined[building->joined[node]];
        node = building->joined[node];
    }
    return node;
}

static void join(struct building *building, size_t a, size_t b)
{
    building->joined[root_of(building, a)] = root_of(building, b);
}

static void join_all(struct building *building)
{
    const struct space *space = building->space;
    for (size_t i = 0; i < space_node_count(space); i++)
        building->joined[i] = i;
    for (size_t i = 0; i < space->count; i++)
        if (space->leaves[i].condition != NO_CONDITION)
            join(building, i, space->count + space->leaves[i].condition);
    for (size_t i = 0; i < space->condition_count; i++) {
        const struct condition *condition = &space->conditions[i];
        if (condition->outer != NO_CONDITION)
            join(building, space->count + i, space->count + condition->outer);
        for (size_t k = 0; k < condition->term_count; k++) {
            join(building, space->count + i, condition->terms[k].parent);
            building->is_parent[condition->terms[k].parent] = true;
        }
    }
}

static bool has_column(const struct building *building, size_t node)
{
    return node >= building->space->count || building->is_parent[node];
}

/* Gives each root a component and each node with a column its place in it. */
static enum status lay_out(struct building *building, struct err *err)
{
    const struct space *space = building->space;
    struct grid *grid = building->grid;
    size_t nodes = space_node_count(space);
    for (size_t i = 0; i < nodes; i++)
        if (has_column(building, i))
            building->sizes[root_of(building, i)]++;
    for (size_t i = 0; i < nodes; i++)
        grid->component_count += building->sizes[i] > 0;
    grid->components = calloc(grid->component_count + 1, sizeof *grid->components);
    grid->nodes = calloc(nodes + 1, sizeof *grid->nodes);
    if (grid->components == NULL || grid->nodes == NULL)
        return out_of_memory(err);
    size_t used = 0;
    size_t number = 0;
    for (size_t i = 0; i < nodes; i++) {
        size_t size = building->sizes[i];
        building->sizes[i] = size > 0 ? number : NO_COMPONENT;
        if (size > 0)
            grid->components[number++].nodes = grid->nodes + used;
        used += size;
    }
    for (size_t i = 0; i < nodes; i++) {
        size_t node = space->order[i];
        if (!has_column(building, node))
            continue;
        struct component *component = &grid->components[building->sizes[root_of(building, node)]];
        building->columns[node] = component->node_count;
        component->nodes[component->node_count++] = node;
    }
    return STATUS_OK;
}

static void place_leaves(struct building *building)
{
    const struct space *space = building->space;
    for (size_t i = 0; i < space->count; i++) {
        struct place *place = &building->grid->places[i];
        size_t condition = space->leaves[i].condition;
        place->component = building->sizes[root_of(building, i)];
        if (building->is_parent[i])
            place->own_column = building->columns[i];
        if (condition != NO_CONDITION)
            place->if_column = building->columns[space->count + condition];
        if (place->component != NO_COMPONENT)
            building->grid->components[place->component].leaf_count++;
    }
}

/* How many ordinals conditions name of each parent, in `counts`. */
static void count_ordinals(const struct space *space, size_t *counts)
{
    for (size_t i = 0; i < space->condition_count; i++)
        for (size_t k = 0; k < space->conditions[i].term_count; k++)
            counts[space->conditions[i].terms[k].parent] += space->conditions[i].terms[k].count;
}

/* Cuts each parent's values before and after each ordinal that a condition names. */
static enum status cut_runs(struct building *building, size_t *counts, struct err *err)
{
    const struct space *space = building->space;
    struct place *places = building->grid->places;
    count_ordinals(space, counts);
    for (size_t i = 0; i < space->count; i++) {
        if (!building->is_parent[i])
            continue;
        places[i].starts = calloc(2 * counts[i] + 1, sizeof *places[i].starts);
        if (places[i].starts == NULL)
            return out_of_memory(err);
        places[i].run_count = 1;
    }
    for (size_t i = 0; i < space->condition_count; i++)
        for (size_t k = 0; k < space->conditions[i].term_count; k++) {
            const struct term *term = &space->conditions[i].terms[k];
            struct place *place = &places[term->parent];
            for (size_t n = 0; n < term->count && term->ordinals[n] < place->radix; n++) {
                place->starts[place->run_count++] = term->ordinals[n];
                if (term->ordinals[n] + 1 < place->radix)
                    place->starts[place->run_count++] = term->ordinals[n] + 1;
            }
        }
    for (size_t i = 0; i < space->count; i++) {
        if (places[i].starts == NULL)
            continue;
        order_sort(places[i].starts, places[i].run_count);
        places[i].run_count = order_unique(places[i].starts, places[i].run_count);
        if (places[i].run_count > building->grid->run_count_max)
            building->grid->run_count_max = places[i].run_count;
    }
    return STATUS_OK;
}

/* Multiplies each row's weight by the number of values that the leaf has in it. */
static enum status weigh_leaf(struct component *component, const struct place *place, struct err *err)
{
    for (size_t row = 0; row < component->row_count; row++) {
        uint32_t run = component_run(component, place, row);
        if (run != INACTIVE && __builtin_mul_overflow(component->weights[row], place_run_length(place, run),
                                                      &component->weights[row]))
            return grid_too_many_points(err);
    }
    return STATUS_OK;
}

static enum status fill_component(struct building *building, struct component *component,
                                  struct component_budget *budget, struct err *err)
{
    TRY(component_fill(building->space, building->grid->places, building->columns, component, budget, err));
    component->weights = calloc(component->row_count, sizeof *component->weights);
    if (component->weights == NULL)
        return out_of_memory(err);
    for (size_t row = 0; row < component->row_count; row++)
        component->weights[row] = 1;
    building->grid->row_count += component->row_count;
    return STATUS_OK;
}

static enum status add_weights(struct component *component, struct err *err)
{
    for (size_t row = 0; row < component->row_count; row++)
        if (__builtin_add_overflow(component->total, component->weights[row], &component->total))
            return grid_too_many_points(err);
    return STATUS_OK;
}

static enum status build_components(struct building *building, struct err *err)
{
    const struct space *space = building->space;
    struct grid *grid = building->grid;
    struct component_budget budget = {.rows = GRID_ROWS_MAX, .cells = GRID_CELLS_MAX};
    join_all(building);
    TRY(lay_out(building, err));
    place_leaves(building);
    size_t *counts = calloc(space->count, sizeof *counts);
    enum status status = counts != NULL ? cut_runs(building, counts, err) : out_of_memory(err);
    free(counts);
    for (size_t i = 0; i < grid->component_count && status == STATUS_OK; i++)
        status = fill_component(building, &grid->components[i], &budget, err);
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++)
        if (grid->places[i].component != NO_COMPONENT)
            status = weigh_leaf(&grid->components[grid->places[i].component], &grid->places[i], err);
    for (size_t i = 0; i < grid->component_count && status == STATUS_OK; i++)
        status = add_weights(&grid->components[i], err);
    return status;
}

enum status grid_build_components(const struct space *space, struct grid *grid, struct err *err)
{
    size_t nodes = space_node_count(space);
    struct building building = {.space = space,
                                .grid = grid,
                                .joined = calloc(nodes, sizeof *building.joined),
                                .columns = calloc(nodes, sizeof *building.columns),
                                .sizes = calloc(nodes, sizeof *building.sizes),
                                .is_parent = calloc(nodes, sizeof *building.is_parent)};
    bool ready = building.joined != NULL && building.columns != NULL && building.sizes != NULL &&
                 building.is_parent != NULL;
    enum status status = ready ? build_components(&building, err) : out_of_memory(err);
    free(building.joined);
    free(building.columns);
    free(building.sizes);
    free(building.is_parent);
    return status;
}
