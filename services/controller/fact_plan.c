// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/fact_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum status fact_plan_make(struct arena *arena, size_t room, struct fact_plan *out, struct err *err)
{
    *out = (struct fact_plan){.room = room};
    if (room == 0)
        return STATUS_OK;
    out->steps = arena_calloc(arena, room, sizeof *out->steps);
    return out->steps != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "storing facts: out of memory");
}

void fact_plan_add(struct fact_plan *plan, struct store_fact step)
{
    assert(plan->count < plan->room);
    plan->steps[plan->count++] = step;
}

static int compare_keys(const struct store_fact *a, const struct store_fact *b)
{
    int order = strcmp(a->sweep_id, b->sweep_id);
    if (order == 0)
        order = strcmp(a->run_id, b->run_id);
    if (order == 0)
        order = (a->attempt > b->attempt) - (a->attempt < b->attempt);
    if (order == 0)
        order = strcmp(a->kind, b->kind);
    return order != 0 ? order : strcmp(a->name, b->name);
}

/* Equal keys in order of the steps, which is the order of addresses. */
static int compare_steps(const void *a, const void *b)
{
    const struct store_fact *left = *(struct store_fact *const *)a, *right = *(struct store_fact *const *)b;
    int order = compare_keys(left, right);
    return order != 0 ? order : (left > right) - (left < right);
}

enum status fact_plan_settle(struct fact_plan *plan, struct arena *arena, struct err *err)
{
    size_t count = plan->count;
    if (count == 0)
        return STATUS_OK;
    struct store_fact **sorted = arena_calloc(arena, count, sizeof(*sorted));
    plan->puts = arena_calloc(arena, count, sizeof *plan->puts);
    plan->ends = arena_calloc(arena, count, sizeof *plan->ends);
    if (sorted == NULL || plan->puts == NULL || plan->ends == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing facts: out of memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &plan->steps[i];
    qsort(sorted, count, sizeof(*sorted), compare_steps);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && compare_keys(sorted[i], sorted[i + 1]) == 0)
            continue;
        if (sorted[i]->value != NULL)
            plan->puts[plan->put_count++] = *sorted[i];
        else
            plan->ends[plan->end_count++] = *sorted[i];
    }
    return STATUS_OK;
}
