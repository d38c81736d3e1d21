// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"

static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_int output_fd = 2;
static _Atomic(const struct log_layout *) layout = &log_layout_text;
static _Thread_local const char *request;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};
static const struct log_layout *const layouts[] = {&log_layout_text, &log_layout_json};

static void write_time(char stamp[64])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(stamp, 64, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + used, 64 - used, ".%06ldZ", now.tv_nsec / 1000);
}

void log_event(enum log_level level, const char *subsystem, const char *event, ...)
{
    if (!log_enabled(level))
        return;
    int kept_errno = errno;
    const struct log_layout *chosen = atomic_load_explicit(&layout, memory_order_relaxed);
    struct log_line line;
    char stamp[64];
    write_time(stamp);
    const struct log_head head = {stamp, level_names[level], subsystem, event};
    chosen->begin(&line, &head);
    if (request != NULL)
        chosen->put(&line, &LOG_TEXT("request", request));
    va_list args;
    va_start(args, event);
    for (;;) {
        struct log_field field = va_arg(args, struct log_field);
        if (field.kind == LOG_KIND_END)
            break;
        chosen->put(&line, &field);
    }
    va_end(args);
    chosen->end(&line);
    ssize_t ignored = write(atomic_load(&output_fd), line.text, line.length);
    (void)ignored; /* a full or closed log must not stop the work */
    errno = kept_errno;
}

const char *log_set_request(const char *id)
{
    const char *before = request;
    request = id;
    return before;
}

const char *log_request(void)
{
    return request;
}

enum status log_set_format(const char *name, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
        if (strcmp(name, layouts[i]->name) == 0) {
            atomic_store(&layout, layouts[i]);
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "unknown log format '%s' (text or json)", name);
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
