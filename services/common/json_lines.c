// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/json_lines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "space/canonical.h"

/* Lets one buffer of a long line go again. */
#define KEEP_CAPACITY (1u << 20)

/* ---- parsing ---- */

/* Looks at what begins at text[0], outside of strings: true when it becomes null. *size: its length. */
typedef bool becomes_null(const char *text, size_t length, size_t *size);

/* The literals of Python's json module. */
static bool is_non_finite(const char *text, size_t length, size_t *size)
{
    static const char *const literals[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
        *size = strlen(literals[i]);
        if (*size <= length && memcmp(text, literals[i], *size) == 0)
            return true;
    }
    *size = 1;
    return false;
}

/* A whole number that no 64-bit integer holds, or one that no double does. */
static bool is_beyond(const char *text, size_t length, size_t *size)
{
    *size = 0;
    while (*size < length && memchr("0123456789+-.eE", text[*size], 15) != NULL)
        ++*size;
    if (*size == 0) {
        *size = 1;
        return false;
    }
    const char *whole = text + *size;
    char *end;
    errno = 0;
    if (text[0] == '-')
        (void)strtoll(text, &end, 10);
    else
        (void)strtoull(text, &end, 10);
    if (end == whole)
        return errno == ERANGE;
    return isinf(strtod(text, &end)) != 0 && end == whole;
}

/* Length of the string literal at text[0] == '"', its quotes included. */
static size_t skip_string(const char *text, size_t length)
{
    size_t at = 1;
    while (at < length && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at < length ? at + 1 : length;
}

static enum status nullify(const char *text, size_t length, becomes_null *matches, struct buffer *out,
                           struct err *err)
{
    size_t copied = 0;
    for (size_t at = 0, size; at < length; at += size) {
        if (text[at] == '"') {
            size = skip_string(text + at, length - at);
        } else if (matches(text + at, length - at, &size)) {
            buffer_append(out, text + copied, at - copied);
            buffer_puts(out, "null");
            copied = at + size;
        }
    }
    buffer_append(out, text + copied, length - copied);
    return out->failed ? err_set(err, STATUS_NO_MEMORY, "out of memory") : STATUS_OK;
}

enum status json_lines_parse(const char *text, size_t length, json_t **out, struct err *err)
{
    struct buffer finite CLEANUP(buffer_free) = BUFFER_INIT;
    struct buffer within CLEANUP(buffer_free) = BUFFER_INIT;
    json_error_t error;
    TRY(nullify(text, length, is_non_finite, &finite, err));
    *out = json_loadb(buffer_text(&finite), finite.length, JSON_DECODE_ANY, &error);
    if (*out == NULL && json_error_code(&error) == json_error_numeric_overflow) {
        TRY(nullify(buffer_text(&finite), finite.length, is_beyond, &within, err));
        *out = json_loadb(buffer_text(&within), within.length, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
                          &error);
    }
    if (*out == NULL)
        return err_set(err, STATUS_INVALID, "not JSON: column %d: %s", error.column, error.text);
    return STATUS_OK;
}

enum status json_lines_set(json_t *object, const char *key, json_t *value, struct err *err)
{
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

/* ---- serving ---- */

/* Reads up to the line's end, which is left out. False at the end of the input; *too_long: the line was
 * dropped. */
static bool read_line(FILE *in, struct buffer *line, bool *too_long)
{
    size_t length = 0;
    int c;
    if (line->capacity > KEEP_CAPACITY)
        buffer_free(line);
    buffer_clear(line);
    while ((c = getc_unlocked(in)) != EOF && c != '\n')
        if (length++ < JSON_LINE_MAX)
            buffer_putc(line, (char)c);
    *too_long = length > JSON_LINE_MAX || line->failed;
    return length > 0 || c == '\n';
}

static const struct json_lines_op *find_op(const struct json_lines_op *ops, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    return NULL;
}

struct session {
    const struct json_lines_op *ops;
    size_t count;
    void *context;
    bool quit;
};

static enum status run_line(struct session *session, const struct buffer *line, json_t *answer,
                            struct err *err)
{
    json_t *request = NULL;
    TRY(json_lines_parse(buffer_text(line), line->length, &request, err));
    const char *name = json_string_value(json_object_get(request, "op"));
    const struct json_lines_op *op = name == NULL ? NULL : find_op(session->ops, session->count, name);
    enum status status = STATUS_OK;
    if (name == NULL)
        status = err_set(err, STATUS_INVALID, "a line is an object with the text \"op\"");
    else if (strcmp(name, "quit") == 0)
        session->quit = true;
    else if (op == NULL)
        status = err_set(err, STATUS_INVALID, "unknown op \"%.64s\"", name);
    else
        status = op->run(session->context, request, answer, err);
    json_decref(request);
    if (session->quit)
        status = json_lines_set(answer, "ok", json_true(), err);
    return status;
}

static void write_answer(FILE *out, json_t *answer, enum status status, const struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct buffer clean CLEANUP(buffer_free) = BUFFER_INIT;
    if (status != STATUS_OK) {
        json_object_clear(answer);
        /* A cut error text may end within a character. */
        for (const char *c = err->text; *c != '\0'; c++)
            buffer_putc(&clean, (unsigned char)*c < 0x80 ? *c : '?');
        (void)json_object_set_new(answer, "error", json_string(buffer_text(&clean)));
    }
    canonical_write_json(&text, answer);
    (void)fprintf(out, "%s\n", text.failed ? "{\"error\":\"out of memory\"}" : buffer_text(&text));
    (void)fflush(out);
}

static bool is_blank(const struct buffer *line)
{
    return strspn(buffer_text(line), " \t\r") == line->length;
}

static void answer_line(struct session *session, FILE *out, const struct buffer *line, bool too_long)
{
    struct err err = ERR_INIT;
    enum status status;
    json_t *answer = json_object();
    if (too_long)
        status = err_set(&err, STATUS_INVALID, "the line is longer than %u bytes", JSON_LINE_MAX);
    else
        status = run_line(session, line, answer, &err);
    write_answer(out, answer, status, &err);
    json_decref(answer);
}

enum status json_lines_serve(FILE *in, FILE *out, const struct json_lines_op *ops, size_t count,
                             void *context, struct err *err)
{
    struct session session = {.ops = ops, .count = count, .context = context, .quit = false};
    struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
    bool too_long = false;
    while (!session.quit && !ferror(out) && read_line(in, &line, &too_long))
        if (too_long || !is_blank(&line))
            answer_line(&session, out, &line, too_long);
    if (ferror(in))
        return err_set_errno(err, STATUS_IO, errno, "reading the requests");
    if (ferror(out))
        return err_set_errno(err, STATUS_IO, errno, "writing the answers");
    return STATUS_OK;
}
