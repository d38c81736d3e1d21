// SPDX-License-Identifier: GPL-3.0-or-later
#include "filter_pattern.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MOST 4000
#define DEPTH_MOST 32
#define TEXT_MOST 1000

/* regcomp writes x{n} out n times and x+ as xx*, so that a few nested ones are more than a machine holds: how
 * many states a pattern has is reckoned beforehand. */
struct reckoning {
    size_t sizes[DEPTH_MOST]; /* of what the open groups hold so far */
    size_t depth;
    size_t last; /* of what a repetition would repeat */
    bool refers; /* to a group: no part of extended expressions, and dear to match */
    bool too_large;
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
        reckoning->too_large = true;
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
        reckoning->too_large = true;
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
        reckoning->refers = reckoning->refers || (c[1] >= '1' && c[1] <= '9');
        add(reckoning, 1);
        return c[1] != '\0' ? c + 2 : c + 1;
    case '[': add(reckoning, 1); return skip_bracket(c + 1);
    case '(': open_group(reckoning); break;
    case ')': close_group(reckoning); break;
    case '+': repeat(reckoning, 2); break;
    case '{':
        c = read_bounds(c + 1, &times);
        repeat(reckoning, times);
        return c;
    case '*':
    case '?': break;
    default: add(reckoning, 1); break;
    }
    return c + 1;
}

enum status filter_pattern_compile(const char *text, regex_t *out, struct err *err)
{
    struct reckoning reckoning = {.depth = 0};
    char why[128];
    for (const char *c = text; *c != '\0' && !reckoning.too_large;) {
        c = reckon(&reckoning, c);
        reckoning.too_large = reckoning.too_large || reckoning.sizes[reckoning.depth] > SIZE_MOST;
    }
    if (reckoning.too_large || strlen(text) > TEXT_MOST)
        return err_set(err, STATUS_INVALID, "this pattern is too large");
    if (reckoning.refers)
        return err_set(err, STATUS_INVALID,
                       "this pattern is no extended regular expression: it refers back to a group");
    int code = regcomp(out, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return STATUS_OK;
    regerror(code, out, why, sizeof why);
    return err_set(err, STATUS_INVALID, "'%.60s' is no regular expression: %s", text, why);
}
