// SPDX-License-Identifier: GPL-3.0-or-later
/* Filters of runs: an error names a column within the text; what is parsed can be asked, of a run that has
 * every value and of one that has none. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/filter.h"

static const char *const states[] = {"running", "finished", NULL};
static const struct filter_field fields[] = {{.name = "state", .kind = FILTER_KIND_WORD, .words = states},
                                             {.name = "runtime", .kind = FILTER_KIND_DURATION},
                                             {.name = "created", .kind = FILTER_KIND_TIME}};

static const struct filter_field *find_field(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static struct value get(void *context, const struct filter_name *name)
{
    const json_t *values = context;
    if (values == NULL)
        return (struct value)VALUE_INIT;
    return value_of_summary(json_array_get(values, strlen(name->text) % json_array_size(values)));
}

static void check_column(const char *text, const struct err *err)
{
    size_t column = 0;
    if (strlen(text) > FILTER_TEXT_MAX)
        return;
    if (sscanf(err->text, "column %zu: ", &column) != 1 || column < 1 || column > strlen(text) + 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *values;
    struct arena arena CLEANUP(arena_free) = arena_make(1u << 22);
    struct filter *filter CLEANUP(filter_free_at) = NULL;
    struct err err = ERR_INIT;
    if (values == NULL)
        values = json_loads("[1, 0.5, \"NaN\", \"finished\", true, null, [1, \"a\"], {\"b\": 2}]", 0, NULL);
    char *text = arena_strndup(&arena, (const char *)data, size);
    if (text == NULL)
        return 0;
    struct filter_name *names = NULL;
    size_t count = 0;
    if (filter_parse_names(text, &arena, &names, &count, &err) == STATUS_INVALID)
        check_column(text, &err);
    enum status status = filter_parse(text, find_field, 1000000, &filter, &err);
    if (status == STATUS_INVALID)
        check_column(text, &err);
    if (status != STATUS_OK)
        return 0;
    (void)filter_matches(filter, get, values);
    (void)filter_matches(filter, get, NULL);
    (void)filter_unknown_name(filter);
    return 0;
}
