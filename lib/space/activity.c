// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/condition.h"
#include "space/order.h"

bool term_allows(const struct term *term, uint64_t ordinal)
{
    return order_contains(term->ordinals, term->count, ordinal);
}

static bool term_holds(const struct space *space, const struct term *term, const json_t *value)
{
    const struct parameter *parent = &space->leaves[term->parent].parameter;
    uint64_t ordinal;
    return value != NULL && parent->kind->locate(parent, value, &ordinal) && term_allows(term, ordinal);
}

void conditions_apply(const struct space *space, json_t *const *values, bool *active)
{
    for (size_t i = 0; i < space_node_count(space); i++) {
        size_t node = space->order != NULL ? space->order[i] : i;
        if (node < space->count) {
            size_t own = space->leaves[node].condition;
            active[node] = own == NO_CONDITION || active[space->count + own];
            continue;
        }
        const struct condition *condition = &space->conditions[node - space->count];
        bool holds = condition->outer == NO_CONDITION || active[space->count + condition->outer];
        for (size_t k = 0; k < condition->term_count && holds; k++) {
            const struct term *term = &condition->terms[k];
            holds = active[term->parent] && term_holds(space, term, values[term->parent]);
        }
        active[node] = holds;
    }
}
