// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_int output_fd = 2;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

struct line {
    char text[LINE_MAX_BYTES];
    size_t length;
};

static void put(struct line *line, const char *bytes, size_t length)
{
    size_t room = sizeof line->text - 2 - line->length; /* room for the newline */
    if (length > room)
        length = room;
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_quoted(struct line *line, const char *text)
{
    bool plain = *text != '\0';
    for (const unsigned char *c = (const unsigned char *)text; *c != 0 && plain; c++)
        plain = *c > ' ' && *c != '"' && *c != '=' && *c != '\\' && *c != 0x7f;
    if (plain) {
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

static void put_field(struct line *line, const struct log_field *field)
{
    char number[40];
    put_text(line, " ");
    put_text(line, field->key);
    put_text(line, "=");
    switch (field->kind) {
    case LOG_KIND_TEXT: put_quoted(line, field->value.text != NULL ? field->value.text : ""); break;
    case LOG_KIND_INT:
        snprintf(number, sizeof number, "%lld", (long long)field->value.integer);
        put_text(line, number);
        break;
    case LOG_KIND_REAL:
        snprintf(number, sizeof number, "%.9g", field->value.real);
        put_text(line, number);
        break;
    case LOG_KIND_BOOL: put_text(line, field->value.flag ? "true" : "false"); break;
    case LOG_KIND_END: break;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + used, sizeof stamp - used, ".%06ldZ ", now.tv_nsec / 1000);
    put_text(line, stamp);
}

void log_event(enum log_level level, const char *subsystem, const char *event, ...)
{
    if (!log_enabled(level))
        return;
    int kept_errno = errno;
    struct line line;
    line.length = 0;
    put_time(&line);
    put_text(&line, level_names[level]);
    put_text(&line, " ");
    put_text(&line, subsystem);
    put_text(&line, " ");
    put_text(&line, event);
    va_list args;
    va_start(args, event);
    for (;;) {
        struct log_field field = va_arg(args, struct log_field);
        if (field.kind == LOG_KIND_END)
            break;
        put_field(&line, &field);
    }
    va_end(args);
    line.text[line.length++] = '\n';
    ssize_t ignored = write(atomic_load(&output_fd), line.text, line.length);
    (void)ignored; /* a full or closed log must not stop the work */
    errno = kept_errno;
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

void log_set_fd(int fd)
{
    atomic_store(&output_fd, fd);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

enum status log_parse_level(const char *name, enum log_level *out, struct err *err)
{
    for (int level = 0; level < (int)ARRAY_LEN(level_names); level++)
        if (strcmp(name, level_names[level]) == 0) {
            *out = (enum log_level)level;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "unknown log level '%s' (debug, info, warn, error or off)", name);
}
