// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MOST 4000
#define DEPTH_MOST 32

struct reckoning {
    size_t sizes[DEPTH_MOST]; /* of what the open groups hold so far */
    size_t depth;
    size_t last; /* of what a repetition would repeat */
    struct pattern_cost cost;
};

static void add(struct reckoning *reckoning, size_t size)
{
    reckoning->last = size;
    reckoning->sizes[reckoning->depth] += size;
}

static void repeat(struct reckoning *reckoning, size_t times)
{
    size_t before = reckoning->last;
    if (times > SIZE_MOST || before * times > SIZE_MOST) {
        reckoning->cost.too_large = true;
        return;
    }
    reckoning->last = before * (times > 0 ? times : 1);
    reckoning->sizes[reckoning->depth] += reckoning->last - before;
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

/* Behind "{": the greater bound, and what follows "}". */
static const char *read_bounds(const char *c, size_t *out)
{
    char *end = NULL;
    unsigned long least = strtoul(c, &end, 10), most = least;
    if (*end == ',' && end[1] == '}')
        most = least + 1;
    else if (*end == ',')
        most = strtoul(end + 1, &end, 10);
    *out = most > least ? most : least;
    end += strcspn(end, "}");
    return *end == '}' ? end + 1 : c;
}

static void open_group(struct reckoning *reckoning)
{
    if (reckoning->depth + 1 == DEPTH_MOST)
        reckoning->cost.too_large = true;
    else
        reckoning->sizes[++reckoning->depth] = 0;
}

static void close_group(struct reckoning *reckoning)
{
    if (reckoning->depth == 0) {
        add(reckoning, 1);
        return;
    }
    size_t inner = reckoning->sizes[reckoning->depth--];
    add(reckoning, inner + 1);
}

/* Takes one piece of the pattern; what follows it. */
static const char *reckon(struct reckoning *reckoning, const char *c)
{
    size_t times = 0;
    switch (*c) {
    case '\\':
        reckoning->cost.refers = reckoning->cost.refers || (c[1] >= '0' && c[1] <= '9');
        add(reckoning, 1);
        return c[1] != '\0' ? c + 2 : c + 1;
    case '[': add(reckoning, 1); return skip_bracket(c + 1);
    case '(': open_group(reckoning); break;
    case ')': close_group(reckoning); break;
    case '+': repeat(reckoning, 2); break;
    case '{':
        reckoning->cost.counts = true;
        c = read_bounds(c + 1, &times);
        repeat(reckoning, times);
        return c;
    case '*':
    case '?': break;
    default: add(reckoning, 1); break;
    }
    return c + 1;
}

struct pattern_cost pattern_reckon(const char *text)
{
    struct reckoning reckoning = {.depth = 0};
    for (const char *c = text; *c != '\0';) {
        c = reckon(&reckoning, c);
        if (reckoning.sizes[reckoning.depth] > SIZE_MOST)
            reckoning.cost.too_large = true;
    }
    return reckoning.cost;
}
