// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Lines of the run socket: a line that is refused hands no metric on, names keep their bounds, facts are
 * JSON; and what the quick reader takes the general one takes exactly so.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "clients/agent/run_line.h"
#include "clients/agent/run_line_plain.h"

struct seen {
    struct buffer text;
    size_t rows, row_ends;
};

static void row_begin(void *context, const struct run_line_row *row)
{
    struct seen *seen = context;
    seen->rows++;
    buffer_printf(&seen->text, "row %d %lld %d\n", row->has_step, (long long)row->step, row->stays_open);
}

static void row_end(void *context, bool stays_open)
{
    struct seen *seen = context;
    seen->row_ends++;
    buffer_printf(&seen->text, "end %d\n", stays_open);
}

/* Bit for bit. */
static void metric(void *context, const char *name, size_t length, double value)
{
    uint64_t bits;
    struct seen *seen = context;
    if (length == 0 || length > RUN_LINE_NAME_MAX)
        abort();
    memcpy(&bits, &value, sizeof bits);
    buffer_append(&seen->text, name, length);
    buffer_printf(&seen->text, " %llx\n", (unsigned long long)bits);
}

static enum status fact(void *context, enum fact_kind kind, const char *name, const char *value_json,
                        struct err *err)
{
    (void)context;
    (void)kind;
    (void)err;
    json_t *value = json_loads(value_json, JSON_DECODE_ANY, NULL);
    if (value == NULL && strlen(value_json) <= FACT_VALUE_MAX)
        abort();
    json_decref(value);
    if (*name == '\0' || strlen(name) > FACT_NAME_MAX)
        abort();
    return STATUS_OK;
}

static void preempting(void *context)
{
    buffer_puts(&((struct seen *)context)->text, "preempting\n");
}

static void exit_code(void *context, int code, const char *text)
{
    if (code < 0 || code > 255)
        abort();
    buffer_printf(&((struct seen *)context)->text, "exit %d %s\n", code, text);
}

static void ask(void *context, enum run_line_question question)
{
    buffer_printf(&((struct seen *)context)->text, "ask %d\n", (int)question);
}

static enum status parse(const char *line, size_t length, struct seen *seen)
{
    struct err err = ERR_INIT;
    const struct run_line_sink sink = {seen, row_begin, row_end, metric, fact, preempting, exit_code, ask};
    *seen = (struct seen){.text = BUFFER_INIT};
    enum status status = run_line_parse(line, length, &sink, &err);
    if ((status != STATUS_OK && err.text[0] == '\0') || seen->rows != seen->row_ends || seen->rows > 1)
        abort();
    return status;
}

/* The same line with a key that means nothing is none for the quick reader. */
static void compare_readers(const char *line, size_t length, const struct seen *quick)
{
    struct seen general;
    struct buffer longer = BUFFER_INIT;
    size_t end = length;
    while (line[end - 1] != '}')
        end--;
    buffer_append(&longer, line, end - 1);
    buffer_puts(&longer, ",\"x\":null}");
    if (parse(buffer_text(&longer), longer.length, &general) != STATUS_OK ||
        strcmp(buffer_text(&quick->text), buffer_text(&general.text)) != 0)
        abort();
    buffer_free(&longer);
    buffer_free(&general.text);
}

static void count_number(void *context, const char *name, size_t length, double value)
{
    (void)context;
    (void)value;
    if (length == 0 || length > RUN_LINE_NAME_MAX || name[length] != '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plain_line plain;
    struct seen seen;
    const char *line = (const char *)data;
    bool is_plain = run_line_read_plain(line, size, &plain);
    enum status status = parse(line, size, &seen);
    if (is_plain && status != STATUS_OK)
        abort();
    if (is_plain)
        compare_readers(line, size, &seen);
    buffer_free(&seen.text);
    (void)run_line_numbers(line, size, count_number, NULL);
    return 0;
}
