// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/config.h"

#define PROBLEM_TEXT_MAX 700

void spec_problems_init(struct spec_problems *problems)
{
    problems->count = 0;
    problems->error_count = 0;
    problems->dropped = 0;
    problems->arena = arena_make(0);
}

void spec_problems_free(struct spec_problems *problems)
{
    problems->count = 0;
    arena_free(&problems->arena);
}

void problems_add(struct spec_problems *problems, enum spec_severity severity, struct place place,
                  const char *format, ...)
{
    if (severity == SPEC_ERROR)
        problems->error_count++;
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = NULL;
    if (length >= 0 && problems->count < SPEC_PROBLEMS_MAX)
        kept = arena_strdup(&problems->arena, text);
    if (kept == NULL) {
        problems->dropped++;
        return;
    }
    problems->items[problems->count++] =
        (struct spec_problem){.severity = severity, .line = place.line, .column = place.column, .text = kept};
}

static int compare_places(const void *a, const void *b)
{
    const struct spec_problem *x = a;
    const struct spec_problem *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return 0;
}

void problems_sort(struct spec_problems *problems)
{
    qsort(problems->items, problems->count, sizeof problems->items[0], compare_places);
}

const char *problems_did_you_mean(struct spec_problems *problems, const char *word, const char *const *names,
                                  size_t count)
{
    const char *near = config_suggest(word, names, count);
    const char *text = near != NULL ? arena_printf(&problems->arena, " (did you mean %s?)", near) : "";
    return text != NULL ? text : "";
}

void spec_problem_format(const struct spec_problem *problem, const char *filename, struct buffer *out)
{
    buffer_printf(out, "%s:%zu:%zu: %s%s\n", filename, problem->line, problem->column,
                  problem->severity == SPEC_WARNING ? "warning: " : "", problem->text);
}
