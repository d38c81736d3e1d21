// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MOST 4000
#define DEPTH_MOST 32
#define FORKS_MOST 12

/* What a repetition would repeat: a character, a bracket, a group; with the repetitions so far. */
struct piece {
    size_t size;
    size_t forks;  /* how often the ways through it without a character double */
    bool is_empty; /* may match nothing */
};

/* What an open group, or the pattern, holds so far. */
struct level {
    size_t size;
    size_t chain, forks; /* of the pieces that may all match nothing, at the end and at most */
    bool branch_is_empty, is_empty;
};

struct reckoning {
    struct level levels[DEPTH_MOST];
    size_t depth;
    struct piece last; /* not in its level yet; of size 0: none */
    struct pattern_cost cost;
};

/* The last piece is complete: it becomes part of its level. */
static void settle(struct reckoning *reckoning)
{
    struct level *level = &reckoning->levels[reckoning->depth];
    const struct piece last = reckoning->last;
    reckoning->last = (struct piece){.size = 0};
    if (last.size == 0)
        return;
    level->size += last.size;
    level->chain += last.forks;
    if (level->chain > level->forks)
        level->forks = level->chain;
    if (!last.is_empty) {
        level->chain = last.forks;
        level->branch_is_empty = false;
    }
    if (level->size > SIZE_MOST || level->forks > FORKS_MOST)
        reckoning->cost.too_large = true;
}

static void add_character(struct reckoning *reckoning)
{
    settle(reckoning);
    reckoning->last = (struct piece){.size = 1};
}

/* From `least` to `most` times; what is written out is `most` long. */
static void repeat(struct reckoning *reckoning, size_t least, size_t most)
{
    struct piece *last = &reckoning->last;
    size_t times = most > 0 ? most : 1;
    if (times > SIZE_MOST || last->size * times > SIZE_MOST) {
        reckoning->cost.too_large = true;
        return;
    }
    last->size *= times;
    last->forks = last->forks * times + (last->is_empty ? 1 : 0);
    last->is_empty = last->is_empty || least == 0;
}

/* Behind "[": what follows "]". */
static const char *skip_bracket(const char *c)
{
    c += *c == '^';
    c += *c == ']';
    while (*c != '\0' && *c != ']') {
        char kind = c[1];
        const char *end = NULL;
        if (*c == '[' && (kind == ':' || kind == '.' || kind == '=')) {
            const char ending[] = {kind, ']', '\0'};
            end = strstr(c + 2, ending);
        }
        c = end != NULL ? end + 2 : c + 1;
    }
    return *c == ']' ? c + 1 : c;
}

/* Behind "{": the bounds, and what follows "}". */
static const char *read_bounds(const char *c, size_t *least, size_t *most)
{
    char *end = NULL;
    *least = *most = strtoul(c, &end, 10);
    if (*end == ',' && end[1] == '}')
        *most = *least + 1;
    else if (*end == ',')
        *most = strtoul(end + 1, &end, 10);
    if (*most < *least)
        *most = *least;
    end += strcspn(end, "}");
    return *end == '}' ? end + 1 : c;
}

static void open_group(struct reckoning *reckoning)
{
    settle(reckoning);
    if (reckoning->depth + 1 == DEPTH_MOST)
        reckoning->cost.too_large = true;
    else
        reckoning->levels[++reckoning->depth] = (struct level){.branch_is_empty = true};
}

static void end_branch(struct reckoning *reckoning)
{
    struct level *level = &reckoning->levels[reckoning->depth];
    settle(reckoning);
    level->is_empty = level->is_empty || level->branch_is_empty;
    level->branch_is_empty = true;
    level->chain = 0;
}

static void close_group(struct reckoning *reckoning)
{
    if (reckoning->depth == 0) {
        add_character(reckoning);
        return;
    }
    end_branch(reckoning);
    const struct level *group = &reckoning->levels[reckoning->depth--];
    reckoning->last =
        (struct piece){.size = group->size + 1, .forks = group->forks, .is_empty = group->is_empty};
}

/* Takes one piece of the pattern; what follows it. */
static const char *reckon(struct reckoning *reckoning, const char *c)
{
    size_t least, most;
    switch (*c) {
    case '\\':
        reckoning->cost.refers = reckoning->cost.refers || (c[1] >= '0' && c[1] <= '9');
        add_character(reckoning);
        return c[1] != '\0' ? c + 2 : c + 1;
    case '[': add_character(reckoning); return skip_bracket(c + 1);
    case '(': open_group(reckoning); break;
    case ')': close_group(reckoning); break;
    case '|': end_branch(reckoning); break;
    case '+': repeat(reckoning, 1, 2); break;
    case '*':
    case '?': repeat(reckoning, 0, 1); break;
    case '{':
        reckoning->cost.counts = true;
        c = read_bounds(c + 1, &least, &most);
        repeat(reckoning, least, most);
        return c;
    default: add_character(reckoning); break;
    }
    return c + 1;
}

struct pattern_cost pattern_reckon(const char *text)
{
    struct reckoning reckoning = {.levels = {{.branch_is_empty = true}}};
    for (const char *c = text; *c != '\0';)
        c = reckon(&reckoning, c);
    settle(&reckoning);
    return reckoning.cost;
}
