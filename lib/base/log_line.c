// SPDX-License-Identifier: Apache-2.0
#include "base/log_line.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- words ---- */

static void put(struct log_line *line, const char *bytes, size_t length)
{
    size_t room = sizeof line->text - 2 - line->length; /* room for the newline */
    if (length > room)
        length = room;
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool is_plain(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
            return false;
    return *text != '\0';
}

static void put_quoted(struct log_line *line, const char *text)
{
    if (is_plain(text)) {
        put_text(line, text);
        return;
    }
    put_text(line, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
        char escaped[8];
        if (*c == '"' || *c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", *c);
        else if (*c == '\n')
            snprintf(escaped, sizeof escaped, "\\n");
        else if (*c < ' ' || *c == 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", *c);
        else
            snprintf(escaped, sizeof escaped, "%c", *c);
        put_text(line, escaped);
    }
    put_text(line, "\"");
}

/* What is no text, as both layouts write it. */
static void format_plain(const struct log_field *field, char out[40])
{
    switch (field->kind) {
    case LOG_KIND_INT: snprintf(out, 40, "%lld", (long long)field->value.integer); break;
    case LOG_KIND_REAL: snprintf(out, 40, "%.9g", field->value.real); break;
    case LOG_KIND_BOOL: snprintf(out, 40, "%s", field->value.flag ? "true" : "false"); break;
    case LOG_KIND_TEXT:
    case LOG_KIND_END: out[0] = '\0'; break;
    }
}

static void begin_text(struct log_line *line, const struct log_head *head)
{
    const char *const words[] = {head->time, head->level, head->subsystem, head->event};
    line->length = 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (i > 0)
            put_text(line, " ");
        put_text(line, words[i]);
    }
}

static void put_text_field(struct log_line *line, const struct log_field *field)
{
    char plain[40];
    put_text(line, " ");
    put_text(line, field->key);
    put_text(line, "=");
    if (field->kind == LOG_KIND_TEXT) {
        put_quoted(line, field->value.text != NULL ? field->value.text : "");
        return;
    }
    format_plain(field, plain);
    put_text(line, plain);
}

static void end_text(struct log_line *line)
{
    line->text[line->length++] = '\n';
}

const struct log_layout log_layout_text = {"text", begin_text, put_text_field, end_text};

/* ---- JSON ---- */

#define TAIL 4       /* of a line: a quote, "}", the newline */
#define FIELD_MIN 64 /* a field that has less room is left out */

static size_t room_of(const struct log_line *line)
{
    size_t most = sizeof line->text - TAIL;
    return line->length < most ? most - line->length : 0;
}

/* Length of the well-formed character at `c`, 0 when it is none. */
static size_t character_length(const unsigned char *c)
{
    size_t length = c[0] < 0x80 ? 1 : c[0] >= 0xc2 && c[0] < 0xe0 ? 2 : c[0] >= 0xe0 && c[0] < 0xf0 ? 3 : 0;
    if (c[0] >= 0xf0 && c[0] < 0xf5)
        length = 4;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90);
    bool outside = (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf4 && c[1] > 0x8f);
    return length > 1 && (overlong || outside) ? 0 : length;
}

/* One character of `text` as JSON writes it; returns how many bytes it took of the text. */
static size_t escape(const unsigned char *text, char out[8])
{
    size_t length = character_length(text);
    if (length == 0)
        snprintf(out, 8, "?");
    else if (*text == '"' || *text == '\\')
        snprintf(out, 8, "\\%c", *text);
    else if (*text < ' ' || *text == 0x7f)
        snprintf(out, 8, "\\u%04x", *text);
    else
        snprintf(out, 8, "%.*s", (int)length, (const char *)text);
    return length > 0 ? length : 1;
}

static void put_json_text(struct log_line *line, const char *text)
{
    char escaped[8];
    put_text(line, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        at += escape(at, escaped);
        size_t length = strlen(escaped);
        if (length > room_of(line))
            break;
        memcpy(line->text + line->length, escaped, length);
        line->length += length;
    }
    line->text[line->length++] = '"';
}

static void put_json_field(struct log_line *line, const struct log_field *field)
{
    char plain[40];
    if (room_of(line) < strlen(field->key) + FIELD_MIN)
        return;
    put_text(line, line->length > 1 ? "," : "");
    put_json_text(line, field->key);
    put_text(line, ":");
    format_plain(field, plain);
    if (field->kind == LOG_KIND_TEXT)
        put_json_text(line, field->value.text != NULL ? field->value.text : "");
    else
        put_text(line, field->kind == LOG_KIND_REAL && !isfinite(field->value.real) ? "null" : plain);
}

static void begin_json(struct log_line *line, const struct log_head *head)
{
    const struct log_field fields[] = {LOG_TEXT("time", head->time), LOG_TEXT("level", head->level),
                                       LOG_TEXT("subsystem", head->subsystem),
                                       LOG_TEXT("event", head->event)};
    line->length = 0;
    put_text(line, "{");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        put_json_field(line, &fields[i]);
}

static void end_json(struct log_line *line)
{
    line->text[line->length++] = '}';
    line->text[line->length++] = '\n';
}

const struct log_layout log_layout_json = {"json", begin_json, put_json_field, end_json};
