// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/order.h"

#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void order_sort(uint64_t *numbers, size_t count)
{
    if (count > 1)
        qsort(numbers, count, sizeof *numbers, compare_numbers);
}

size_t order_unique(uint64_t *numbers, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    return kept;
}

bool order_contains(const uint64_t *numbers, size_t count, uint64_t number)
{
    return count > 0 && bsearch(&number, numbers, count, sizeof *numbers, compare_numbers) != NULL;
}

/* Kahn's algorithm: who waits for a node lies in waiting[first[node] .. first[node + 1]]. */
struct graph {
    size_t *first;
    size_t *waiting;
    size_t *open; /* how many each node still waits for */
};

typedef void visit_edge(struct graph *graph, size_t from, size_t to);

/* Calls `visit` for each pair of a node and one that waits for it. */
static void each_edge(const struct space *space, struct graph *graph, visit_edge *visit)
{
    for (size_t i = 0; i < space->count; i++)
        if (space->leaves[i].condition != NO_CONDITION)
            visit(graph, space->count + space->leaves[i].condition, i);
    for (size_t i = 0; i < space->condition_count; i++) {
        const struct condition *condition = &space->conditions[i];
        if (condition->outer != NO_CONDITION)
            visit(graph, space->count + condition->outer, space->count + i);
        for (size_t k = 0; k < condition->term_count; k++)
            visit(graph, condition->terms[k].parent, space->count + i);
    }
}

static void count_edge(struct graph *graph, size_t from, size_t to)
{
    graph->first[from]++;
    graph->open[to]++;
}

/* Fills each node's part from its end, so that first[] ends at the beginnings. */
static void keep_edge(struct graph *graph, size_t from, size_t to)
{
    graph->waiting[--graph->first[from]] = to;
}

static bool connect(const struct space *space, struct graph *graph)
{
    size_t nodes = space_node_count(space);
    each_edge(space, graph, count_edge);
    for (size_t i = 0; i < nodes; i++)
        graph->first[i + 1] += graph->first[i];
    graph->waiting = calloc(graph->first[nodes] + 1, sizeof *graph->waiting);
    if (graph->waiting == NULL)
        return false;
    each_edge(space, graph, keep_edge);
    return true;
}

/* The order itself is the queue. */
static size_t drain(const struct space *space, struct graph *graph, size_t *order, bool *done)
{
    size_t found = 0;
    for (size_t i = 0; i < space_node_count(space); i++)
        if (graph->open[i] == 0)
            order[found++] = i;
    for (size_t next = 0; next < found; next++) {
        size_t node = order[next];
        done[node] = true;
        for (size_t k = graph->first[node]; k < graph->first[node + 1]; k++)
            if (--graph->open[graph->waiting[k]] == 0)
                order[found++] = graph->waiting[k];
    }
    return found;
}

bool order_build(const struct space *space, size_t *order, bool *done, bool *out_complete)
{
    size_t nodes = space_node_count(space);
    struct graph graph = {.first = calloc(nodes + 1, sizeof *graph.first),
                          .open = calloc(nodes + 1, sizeof *graph.open)};
    bool ready = graph.first != NULL && graph.open != NULL && connect(space, &graph);
    if (ready)
        *out_complete = drain(space, &graph, order, done) == nodes;
    free(graph.first);
    free(graph.open);
    free(graph.waiting);
    return ready;
}
