// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/component.h"

#include <stdlib.h>
#include <string.h>

#include "space/condition.h"

/* A component whose rows are being made. */
struct filling {
    const struct space *space;
    const struct place *places;
    const size_t *columns;
    struct component *component;
    uint32_t *row; /* owned; the one that comes next */
};

static bool condition_holds(const struct filling *filling, const struct condition *condition)
{
    const uint32_t *row = filling->row;
    if (condition->outer != NO_CONDITION &&
        row[filling->columns[filling->space->count + condition->outer]] == 0)
        return false;
    for (size_t i = 0; i < condition->term_count; i++) {
        const struct term *term = &condition->terms[i];
        uint32_t run = row[filling->columns[term->parent]];
        if (run == INACTIVE || !term_allows(term, filling->places[term->parent].starts[run]))
            return false;
    }
    return true;
}

/* Columns from `first` on, each parent at its first run. */
static void fill_row(struct filling *filling, size_t first)
{
    const struct space *space = filling->space;
    uint32_t *row = filling->row;
    for (size_t column = first; column < filling->component->node_count; column++) {
        size_t node = filling->component->nodes[column];
        if (node >= space->count) {
            row[column] = condition_holds(filling, &space->conditions[node - space->count]);
        } else {
            size_t condition = filling->places[node].if_column;
            row[column] = condition == NO_COLUMN || row[condition] == 1 ? 0 : INACTIVE;
        }
    }
}

/* The next combination; false after the last. */
static bool advance(struct filling *filling)
{
    const struct component *component = filling->component;
    for (size_t column = component->node_count; column-- > 0;) {
        size_t node = component->nodes[column];
        uint32_t *run = &filling->row[column];
        if (node >= filling->space->count || *run == INACTIVE || *run + 1 >= filling->places[node].run_count)
            continue;
        ++*run;
        fill_row(filling, column + 1);
        return true;
    }
    return false;
}

static enum status too_many(const struct filling *filling, struct err *err)
{
    size_t node = filling->component->nodes[0];
    for (size_t i = 0; i < filling->component->node_count && node >= filling->space->count; i++)
        node = filling->component->nodes[i];
    return err_set(err, STATUS_INVALID,
                   "parameter %.100s: the conditions on it, and on what hangs together with it, have too "
                   "many combinations for a grid (use method random, or fewer conditions)",
                   filling->space->leaves[node].path);
}

static bool make_room(struct component *component)
{
    if (component->row_count < component->row_capacity)
        return true;
    size_t capacity = component->row_capacity == 0 ? 4 : component->row_capacity * 2;
    uint32_t *grown = realloc(component->rows, capacity * component->node_count * sizeof *grown);
    if (grown == NULL)
        return false;
    component->rows = grown;
    component->row_capacity = capacity;
    return true;
}

static enum status fill_rows(struct filling *filling, struct component_budget *budget, struct err *err)
{
    struct component *component = filling->component;
    size_t cells = component->node_count + component->leaf_count;
    fill_row(filling, 0);
    do {
        if (budget->rows == 0 || budget->cells < cells)
            return too_many(filling, err);
        budget->rows--;
        budget->cells -= cells;
        if (!make_room(component))
            return err_set(err, STATUS_NO_MEMORY, "reading conditions: out of memory");
        memcpy(component->rows + component->row_count++ * component->node_count, filling->row,
               component->node_count * sizeof *filling->row);
    } while (advance(filling));
    return STATUS_OK;
}

enum status component_fill(const struct space *space, const struct place *places, const size_t *columns,
                           struct component *component, struct component_budget *budget, struct err *err)
{
    struct filling filling = {.space = space, .places = places, .columns = columns, .component = component};
    filling.row = calloc(component->node_count, sizeof *filling.row);
    enum status status = filling.row != NULL
                             ? fill_rows(&filling, budget, err)
                             : err_set(err, STATUS_NO_MEMORY, "reading conditions: out of memory");
    free(filling.row);
    return status;
}

uint32_t component_run(const struct component *component, const struct place *place, size_t row)
{
    const uint32_t *cells = component->rows + row * component->node_count;
    if (place->own_column != NO_COLUMN)
        return cells[place->own_column];
    return place->if_column == NO_COLUMN || cells[place->if_column] == 1 ? 0 : INACTIVE;
}

uint64_t place_run_length(const struct place *place, size_t run)
{
    if (place->starts == NULL)
        return place->radix;
    return (run + 1 < place->run_count ? place->starts[run + 1] : place->radix) - place->starts[run];
}
