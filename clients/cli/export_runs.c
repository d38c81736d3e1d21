// SPDX-License-Identifier: GPL-3.0-or-later
#include "export_runs.h"

#include <stdlib.h>
#include <string.h>

#include "meter.h"
#include "resolve.h"
#include "space/space.h"

/* One column: what it shows and its heading. */
struct export_column {
    struct filter_name name;
    const char *heading;
};

struct export
{
    struct run_query *query;
    besom_client *client;
    enum record_format format;
    struct out_file *file;
    struct meter meter;
    struct run_leaves leaves;      /* owned; what the first reading found */
    struct export_column *columns; /* in the arena */
    size_t count;
    bool nested; /* JSON with parameters and summary as objects */
    int64_t written;
    int64_t late; /* entries that came up after the first reading */
};

static const struct {
    const char *name, *heading;
} fields[] = {{"id", "id"},
              {"ordinal", "ordinal"},
              {"name", "name"},
              {"state", "state"},
              {"end_reason", "end_reason"},
              {"attempt", "attempt"},
              {"exit_code", "exit_code"},
              {"host", "host"},
              {"created", "created"},
              {"started", "started"},
              {"ended", "ended"},
              {"runtime", "runtime_s"},
              {"objective", "objective"},
              {"tags", "tags"},
              {"notes", "notes"}};

static int look_at(void *context, struct run_view *view)
{
    struct export *export = context;
    Besom__V1__GetRunResponse *whole CLEANUP(message_release) = NULL;
    int code = run_query_whole(export->client, view, RUN_WHOLE_FOR_EXPORT, &whole);
    if (code == CLI_OK)
        run_leaves_add(&export->leaves, view);
    run_view_release(view);
    meter_add(&export->meter, 1);
    return code;
}

/* ---- columns ---- */

static bool is_field(const char *heading)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].heading, heading) == 0)
            return true;
    return false;
}

/* Headings are the bare names; a name that stands for something else already gets its scope before it. */
static bool add_scope(struct export *export, const json_t *names, const json_t *taken,
                      enum filter_scope scope, const char *prefix)
{
    struct arena *arena = &export->query->cli->arena;
    const char **sorted = run_leaves_sorted(arena, names);
    for (size_t i = 0; sorted != NULL && sorted[i] != NULL; i++) {
        bool ambiguous = is_field(sorted[i]) || json_object_get(taken, sorted[i]) != NULL;
        const char *text = arena_strdup(arena, sorted[i]);
        const char *heading = ambiguous ? arena_printf(arena, "%s%s", prefix, sorted[i]) : text;
        if (text == NULL || heading == NULL)
            return false;
        export->columns[export->count++] = (struct export_column){
            .name = {.scope = scope, .text = text, .spelled = text}, .heading = heading};
    }
    return sorted != NULL;
}

static int choose_all(struct export *export)
{
    size_t most = ARRAY_LEN(fields) + json_object_size(export->leaves.params) +
                  json_object_size(export->leaves.summary);
    export->columns = arena_calloc(&export->query->cli->arena, most, sizeof *export->columns);
    if (export->columns == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        export->columns[export->count++] = (struct export_column){
            .name = {.scope = FILTER_RUN, .text = fields[i].name, .spelled = fields[i].name},
            .heading = fields[i].heading};
    if (export->nested)
        return CLI_OK;
    bool whole = add_scope(export, export->leaves.params, NULL, FILTER_PARAMS, "params.") &&
                 add_scope(export, export->leaves.summary, export->leaves.params, FILTER_SUMMARY, "summary.");
    return whole ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static int choose_some(struct export *export, struct run_columns *columns)
{
    struct cli *cli = export->query->cli;
    int code = run_columns_expand(cli, columns, &export->leaves);
    export->columns = arena_calloc(&cli->arena, columns->count + 1, sizeof *export->columns);
    if (code != CLI_OK)
        return code;
    if (export->columns == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < columns->count; i++)
        export->columns[export->count++] =
            (struct export_column){.name = columns->names[i], .heading = columns->names[i].spelled};
    return CLI_OK;
}

/* ---- rows ---- */

static bool put(struct export *export, const struct buffer *text)
{
    return (!text->failed &&
            fwrite(buffer_text(text), 1, text->length, export->file->stream) == text->length) ||
           out_file_failed(export->file);
}

static bool put_head(struct export *export)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    if (export->format == RECORD_JSON)
        return true;
    for (size_t i = 0; i < export->count; i++) {
        if (i > 0)
            buffer_putc(&text, ',');
        csv_text(&text, export->columns[i].heading);
    }
    csv_end(&text);
    return put(export, &text);
}

static void put_csv(struct export *export, struct run_view *view, struct buffer *row)
{
    struct buffer cell CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < export->count; i++) {
        if (i > 0)
            buffer_putc(row, ',');
        buffer_clear(&cell);
        if (run_columns_append(&cell, view, &export->columns[i].name))
            csv_text(row, buffer_text(&cell));
    }
    csv_end(row);
}

static void put_json(struct export *export, struct run_view *view, struct buffer *row)
{
    json_t *object = json_object();
    for (size_t i = 0; i < export->count; i++)
        json_object_set_new(object, export->columns[i].heading,
                            run_columns_value(view, &export->columns[i].name));
    if (export->nested) {
        json_object_set(object, "params", (json_t *)(uintptr_t)run_view_params(view));
        json_object_set(object, "config", (json_t *)(uintptr_t)run_view_config(view));
        json_object_set(object, "summary", (json_t *)(uintptr_t)run_view_summary(view));
    }
    char *text = space_config_text(object);
    buffer_puts(row, text != NULL ? text : "{}");
    buffer_putc(row, '\n');
    free(text);
    json_decref(object);
}

static size_t names_known(const struct export *export)
{
    return json_object_size(export->leaves.params) + json_object_size(export->leaves.summary);
}

/* A run that lives may have got entries since the first reading. */
static void count_late(struct export *export, struct run_view *view)
{
    size_t before = names_known(export);
    if (export->format != RECORD_CSV || before == 0)
        return;
    run_leaves_add(&export->leaves, view);
    export->late += (int64_t)(names_known(export) - before);
}

static int write_row(void *context, struct run_view *view)
{
    struct export *export = context;
    Besom__V1__GetRunResponse *whole CLEANUP(message_release) = NULL;
    struct buffer row CLEANUP(buffer_free) = BUFFER_INIT;
    int code = run_query_whole(export->client, view, RUN_WHOLE_FOR_EXPORT, &whole);
    if (code != CLI_OK)
        return code;
    if (export->format == RECORD_CSV)
        put_csv(export, view, &row);
    else
        put_json(export, view, &row);
    count_late(export, view);
    run_view_release(view);
    meter_add(&export->meter, 1);
    export->written++;
    return put(export, &row) ? CLI_OK : CLI_FAILED; /* whoever has the stream says why */
}

static int write_rows(struct export *export, const char *sweep_id)
{
    if (!put_head(export))
        return CLI_FAILED;
    export->meter = meter_make("runs written");
    return run_query_each(export->query, export->client, sweep_id, write_row, export);
}

int export_runs(struct run_query *query, besom_client *client, const char *sweep_id,
                struct run_columns *columns, enum record_format format, struct out_file *file, int64_t *count)
{
    struct export export = {.query = query, .client = client, .format = format, .file = file};
    bool needs_names = columns != NULL ? run_columns_have_patterns(columns) : format == RECORD_CSV;
    int code = CLI_OK;
    query->quiet = true;
    export.nested = columns == NULL && format == RECORD_JSON;
    export.meter = meter_make("runs looked at");
    if (needs_names)
        code = run_query_each(query, client, sweep_id, look_at, &export);
    meter_end(&export.meter);
    if (code == CLI_OK)
        code = columns != NULL ? choose_some(&export, columns) : choose_all(&export);
    if (code == CLI_OK)
        code = write_rows(&export, sweep_id);
    meter_end(&export.meter);
    if (code == CLI_OK && export.late > 0)
        cli_note(
            "%lld parameters or entries came up while runs were written and have no column (export again)",
            (long long)export.late);
    run_leaves_release(&export.leaves);
    *count = export.written;
    return code;
}
