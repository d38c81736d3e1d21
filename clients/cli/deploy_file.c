// SPDX-License-Identifier: GPL-3.0-or-later
#include "deploy_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* ---- documents ---- */

static size_t line_end(const char *text, size_t length, size_t at)
{
    const char *found = memchr(text + at, '\n', length - at);
    return found != NULL ? (size_t)(found - text) + 1 : length;
}

/* "---" or "..." in the first column is YAML's in every context. */
static bool is_sign(const char *text, size_t start, size_t end, const char *sign)
{
    return end - start >= 3 && memcmp(text + start, sign, 3) == 0 &&
           (end - start == 3 || isspace((unsigned char)text[start + 3]));
}

/* Whether a line says something of a sweep; what stands behind "---" does. */
static bool has_content(const char *text, size_t start, size_t end)
{
    bool is_begin = is_sign(text, start, end, "---");
    if (is_sign(text, start, end, "...") || (!is_begin && text[start] == '%'))
        return false;
    start += is_begin ? 3 : 0;
    while (start < end && isspace((unsigned char)text[start]))
        start++;
    return start < end && text[start] != '#';
}

struct documents {
    struct deploy_document *items;
    size_t count, capacity;
    struct deploy_document open;
    bool filled, begun; /* the open one says something; it has its "---" */
};

static void close_document(struct documents *documents, size_t at, size_t lines)
{
    documents->open.end = at;
    if (documents->filled && documents->count < documents->capacity)
        documents->items[documents->count] = documents->open;
    documents->count += documents->filled;
    documents->open = (struct deploy_document){.start = at, .lines_before = lines};
    documents->filled = documents->begun = false;
}

size_t deploy_documents_find(const char *text, size_t length, struct deploy_document *out, size_t capacity)
{
    struct documents documents = {.items = out, .capacity = capacity};
    size_t line = 0, end = 0;
    for (size_t at = 0; at < length; at = end) {
        end = line_end(text, length, at);
        bool begins = is_sign(text, at, end, "---");
        if (begins && (documents.filled || documents.begun))
            close_document(&documents, at, line);
        documents.begun = documents.begun || begins;
        documents.filled = documents.filled || has_content(text, at, end);
        line++;
        if (is_sign(text, at, end, "..."))
            close_document(&documents, end, line); /* directives before "---" are the next one's */
    }
    close_document(&documents, length, line);
    return documents.count;
}

/* ---- loading ---- */

/* The parser sees as many empty lines as stand before the document, so that it counts the file's own. */
static int check_document(const struct deploy_document *document, const char *text,
                          const struct sweep_flags *flags, struct sweep_file *file)
{
    file->bytes = (struct buffer)BUFFER_INIT;
    spec_problems_init(&file->problems);
    for (size_t i = 0; i < document->lines_before; i++)
        buffer_putc(&file->bytes, '\n');
    buffer_append(&file->bytes, text + document->start, document->end - document->start);
    if (file->bytes.failed)
        return cli_fail(CLI_FAILED, "out of memory");
    int code = sweep_file_parse(file, flags, true);
    file->bytes.length -= document->lines_before;
    memmove(file->bytes.data, file->bytes.data + document->lines_before, file->bytes.length + 1);
    return code;
}

static int describe(struct cli *cli, const struct sweep_flags *flags, struct deploy_sweep *sweep)
{
    const struct spec *spec = sweep->file.spec;
    struct err err = ERR_INIT;
    uint64_t points = UINT64_MAX;
    if (sweep_file_has_points(spec) && sweep_points_count(spec, &points, &err) != STATUS_OK)
        return cli_fail_err(&err, "%s", sweep->file.path);
    if (spec->run_cap > 0 && (uint64_t)spec->run_cap < points)
        points = (uint64_t)spec->run_cap;
    sweep->runs = points > INT64_MAX ? -1 : (int64_t)points;
    const char *name = flags->name != NULL ? flags->name : spec->name;
    sweep->name = arena_strdup(&cli->arena, name != NULL ? name : "");
    return sweep->name != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static int check_all(struct cli *cli, const struct deploy_document *documents, const char *text,
                     const struct sweep_flags *flags, struct deploy_file *out)
{
    int code = CLI_OK;
    for (size_t i = 0; i < out->count; i++) {
        struct deploy_sweep *sweep = &out->sweeps[i];
        sweep->file.path = out->path;
        int result = check_document(&documents[i], text, flags, &sweep->file);
        if (result == CLI_OK)
            result = describe(cli, flags, sweep);
        code = code == CLI_OK ? result : code;
    }
    return code;
}

int deploy_file_load(struct cli *cli, const char *path, const struct sweep_flags *flags,
                     struct deploy_file *out)
{
    struct deploy_document documents[DEPLOY_SWEEPS_MAX];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    *out = (struct deploy_file){.path = path};
    if (file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, SPEC_FILE_MAX, &text, &err) != STATUS_OK)
        return cli_fail(CLI_USAGE, "%s", err.text);
    size_t count = deploy_documents_find(buffer_text(&text), text.length, documents, ARRAY_LEN(documents));
    if (count > ARRAY_LEN(documents))
        return cli_fail(CLI_USAGE, "%s holds %zu sweeps, more than %d (make several files of it)", path,
                        count, DEPLOY_SWEEPS_MAX);
    if (count == 0) /* let the parser say what it lacks */
        documents[count++] = (struct deploy_document){.start = 0, .end = text.length};
    if (count > 1 && flags->name != NULL)
        return cli_fail(CLI_USAGE,
                        "deploy: --name is for one sweep, and %s holds %zu (name them in the file)", path,
                        count);
    out->sweeps = calloc(count, sizeof *out->sweeps);
    if (out->sweeps == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    out->count = count;
    return check_all(cli, documents, buffer_text(&text), flags, out);
}

void deploy_file_free(struct deploy_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        sweep_file_free(&file->sweeps[i].file);
    free(file->sweeps);
}
