// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run_columns.h"

#define KEYS_MAX 16

struct sort_key {
    struct filter_name name;
    bool descending;
};

struct sort_keys {
    struct sort_key keys[KEYS_MAX];
    size_t count;
};

struct row {
    struct run_view view;
    size_t place; /* before sorting */
    struct value *values;
};

static bool drop_suffix(char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    if (length <= end || strcmp(text + length - end, suffix) != 0)
        return false;
    text[length - end] = '\0';
    return true;
}

static int parse_key(struct cli *cli, const char *command, char *text, struct sort_keys *out)
{
    struct err err = ERR_INIT;
    struct filter_name *names = NULL;
    size_t count = 0;
    if (out->count == KEYS_MAX)
        return cli_fail(CLI_USAGE, "%s: --sort: more than %d keys", command, KEYS_MAX);
    struct sort_key *key = &out->keys[out->count++];
    text += strspn(text, " ");
    key->descending = *text == '-';
    text += key->descending ? 1 : 0;
    if (drop_suffix(text, ":desc"))
        key->descending = true;
    else
        (void)drop_suffix(text, ":asc");
    if (filter_parse_names(text, &cli->arena, &names, &count, &err) != STATUS_OK)
        return cli_fail(CLI_USAGE, "%s: --sort: '%.60s': %s (such as val_loss, -val_loss or lr:desc)",
                        command, text, err.text);
    key->name = names[0];
    return CLI_OK;
}

/* The end of a key: a comma outside of backquotes, or that of the text. */
static char *key_end(char *text)
{
    bool quoted = false;
    for (; *text != '\0' && (quoted || *text != ','); text++)
        quoted = quoted != (*text == '`');
    return text;
}

static int parse_keys(struct cli *cli, const char *command, const char *keys, struct sort_keys *out)
{
    char *next = arena_strdup(&cli->arena, keys);
    int code = CLI_OK;
    out->count = 0;
    if (next == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (bool more = true; more && code == CLI_OK;) {
        char *end = key_end(next);
        more = *end == ',';
        *end = '\0';
        code = parse_key(cli, command, next, out);
        next = end + 1;
    }
    return code;
}

int run_list_check_sort(struct cli *cli, const char *command, const char *keys)
{
    struct sort_keys parsed;
    return parse_keys(cli, command, keys, &parsed);
}

/* Last whichever way: what is no number, what is null or missing. */
static int lastness(const struct value *value)
{
    if (value->type == VALUE_MISSING || value->type == VALUE_NULL)
        return 2;
    return value->type == VALUE_NUMBER && isnan(value->number) ? 1 : 0;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct sort_keys *keys = context;
    const struct row *one = a, *two = b;
    for (size_t i = 0; i < keys->count; i++) {
        int last = lastness(&one->values[i]) - lastness(&two->values[i]);
        if (last != 0)
            return last;
        int order = lastness(&one->values[i]) > 0 ? 0 : value_order(&one->values[i], &two->values[i]);
        if (order != 0)
            return keys->keys[i].descending ? -order : order;
    }
    return (one->place > two->place) - (one->place < two->place);
}

int run_list_sort(struct cli *cli, const char *command, const char *keys, struct run_list *list)
{
    struct sort_keys parsed;
    int code = parse_keys(cli, command, keys, &parsed);
    struct row *rows = arena_calloc(&cli->arena, list->count + 1, sizeof *rows);
    struct value *values = arena_calloc(&cli->arena, list->count * parsed.count + 1, sizeof *values);
    if (code != CLI_OK)
        return code;
    if (rows == NULL || values == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        rows[i] = (struct row){.place = i, .values = values + i * parsed.count};
        for (size_t k = 0; k < parsed.count; k++)
            rows[i].values[k] = run_view_get(&list->views[i], &parsed.keys[k].name);
        rows[i].view = list->views[i]; /* with what the values borrow from */
    }
    qsort_r(rows, list->count, sizeof *rows, compare_rows, &parsed);
    for (size_t i = 0; i < list->count; i++) {
        list->views[i] = rows[i].view;
        run_view_release(&list->views[i]);
    }
    return CLI_OK;
}
