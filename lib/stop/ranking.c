/*
 * A treap (Seidel and Aragon, "Randomized Search Trees", 1996) whose nodes
 * count their subtrees. A node's priority is a hash of its run, so that the
 * same values give the same tree.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/ranking.h"

#include <assert.h>
#include <stdlib.h>

struct ranking_node {
    double loss;
    size_t run;
    uint32_t priority;
    uint32_t size; /* of the subtree */
    uint32_t left, right;
};

void ranking_free(struct ranking *ranking)
{
    free(ranking->nodes);
    *ranking = (struct ranking){.nodes = NULL};
}

size_t ranking_count(const struct ranking *ranking)
{
    return ranking->root == 0 ? 0 : ranking->nodes[ranking->root].size;
}

static uint32_t size_of(const struct ranking *ranking, uint32_t node)
{
    return node == 0 ? 0 : ranking->nodes[node].size;
}

static void count_again(struct ranking *ranking, uint32_t node)
{
    struct ranking_node *at = &ranking->nodes[node];
    at->size = 1 + size_of(ranking, at->left) + size_of(ranking, at->right);
}

static bool precedes(const struct ranking_node *node, double loss, size_t run)
{
    return node->loss < loss || (node->loss == loss && node->run < run);
}

/* Mixes all bits (the finaliser of SplitMix64). */
static uint32_t priority_of(size_t run)
{
    uint64_t mixed = (uint64_t)run + 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebU;
    return (uint32_t)(mixed ^ mixed >> 31);
}

static bool grow(struct ranking *ranking)
{
    uint32_t capacity = ranking->capacity == 0 ? 64 : ranking->capacity * 2;
    if (capacity < ranking->capacity)
        return false;
    struct ranking_node *grown = realloc(ranking->nodes, capacity * sizeof *grown);
    if (grown == NULL)
        return false;
    ranking->nodes = grown;
    ranking->capacity = capacity;
    if (ranking->used == 0)
        ranking->used = 1;
    return true;
}

/* 0 without memory. */
static uint32_t new_node(struct ranking *ranking, double loss, size_t run)
{
    uint32_t node = ranking->free;
    if (node != 0) {
        ranking->free = ranking->nodes[node].left;
    } else {
        if (ranking->used >= ranking->capacity && !grow(ranking))
            return 0;
        node = ranking->used++;
    }
    ranking->nodes[node] =
        (struct ranking_node){.loss = loss, .run = run, .priority = priority_of(run), .size = 1};
    return node;
}

/* What precedes the pair goes to *left, the rest to *right. */
static void split(struct ranking *ranking, uint32_t node, double loss, size_t run, uint32_t *left,
                  uint32_t *right)
{
    if (node == 0) {
        *left = *right = 0;
        return;
    }
    uint32_t part;
    if (precedes(&ranking->nodes[node], loss, run)) {
        split(ranking, ranking->nodes[node].right, loss, run, &part, right);
        ranking->nodes[node].right = part;
        *left = node;
    } else {
        split(ranking, ranking->nodes[node].left, loss, run, left, &part);
        ranking->nodes[node].left = part;
        *right = node;
    }
    count_again(ranking, node);
}

/* All of `left` stands before all of `right`. */
static uint32_t merge(struct ranking *ranking, uint32_t left, uint32_t right)
{
    if (left == 0 || right == 0)
        return left + right;
    bool left_on_top = ranking->nodes[left].priority > ranking->nodes[right].priority;
    uint32_t top = left_on_top ? left : right;
    if (left_on_top)
        ranking->nodes[left].right = merge(ranking, ranking->nodes[left].right, right);
    else
        ranking->nodes[right].left = merge(ranking, left, ranking->nodes[right].left);
    count_again(ranking, top);
    return top;
}

bool ranking_insert(struct ranking *ranking, double loss, size_t run)
{
    uint32_t node = new_node(ranking, loss, run), left, right;
    if (node == 0)
        return false;
    split(ranking, ranking->root, loss, run, &left, &right);
    ranking->root = merge(ranking, merge(ranking, left, node), right);
    return true;
}

/* Takes the leftmost node out of a tree that is not empty. */
static uint32_t without_first(struct ranking *ranking, uint32_t tree, uint32_t *first)
{
    if (ranking->nodes[tree].left == 0) {
        *first = tree;
        return ranking->nodes[tree].right;
    }
    ranking->nodes[tree].left = without_first(ranking, ranking->nodes[tree].left, first);
    count_again(ranking, tree);
    return tree;
}

void ranking_remove(struct ranking *ranking, double loss, size_t run)
{
    uint32_t left, right, node;
    split(ranking, ranking->root, loss, run, &left, &right);
    assert(right != 0);
    right = without_first(ranking, right, &node);
    assert(ranking->nodes[node].run == run);
    ranking->root = merge(ranking, left, right);
    ranking->nodes[node].left = ranking->free;
    ranking->free = node;
}

size_t ranking_rank(const struct ranking *ranking, double loss, size_t run)
{
    size_t before = 0;
    for (uint32_t node = ranking->root; node != 0;) {
        const struct ranking_node *at = &ranking->nodes[node];
        bool passes = precedes(at, loss, run);
        before += passes ? 1 + size_of(ranking, at->left) : 0;
        node = passes ? at->right : at->left;
    }
    return before;
}

void ranking_at(const struct ranking *ranking, size_t rank, double *loss, size_t *run)
{
    assert(rank < ranking_count(ranking));
    uint32_t node = ranking->root;
    for (;;) {
        const struct ranking_node *at = &ranking->nodes[node];
        size_t left = size_of(ranking, at->left);
        if (rank == left) {
            *loss = at->loss;
            *run = at->run;
            return;
        }
        node = rank < left ? at->left : at->right;
        rank -= rank < left ? 0 : left + 1;
    }
}
