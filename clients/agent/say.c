// SPDX-License-Identifier: Apache-2.0
#include "say.h"

#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "clients/c/python_text.h"

/* A pipe that is ready takes at least this much without waiting. */
#define CHUNK 4096
#define PATIENCE_MS 100 /* with what reads slowly, for one text */

static bool
    is_stalled[STDERR_FILENO + 1]; /* it was waited for in vain: no longer, until it takes something */

static void write_ready(int fd, const char *bytes, size_t length)
{
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    int64_t end_ms = now_ms + (is_stalled[fd] ? 0 : PATIENCE_MS);
    for (; length > 0; now_ms = clock_monotonic_ms(&clock_system)) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int got = poll(&ready, 1, end_ms > now_ms ? (int)(end_ms - now_ms) : 0);
        is_stalled[fd] = got == 0;
        if (got != 1 || (ready.revents & POLLOUT) == 0)
            return;
        ssize_t written = write(fd, bytes, length < CHUNK ? length : CHUNK);
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void say(const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0)
        return;
    struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&line, "besom: %s\n", text);
    write_ready(STDERR_FILENO, buffer_text(&line), line.length);
}

void say_output(bool is_error, const char *prefix, const char *bytes, size_t length, bool *at_start)
{
    int fd = is_error ? STDERR_FILENO : STDOUT_FILENO;
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    const char *end = bytes + length;
    if (prefix == NULL) {
        write_ready(fd, bytes, length);
        return;
    }
    while (bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline != NULL ? newline + 1 : end;
        if (*at_start)
            buffer_puts(&out, prefix);
        buffer_append(&out, bytes, (size_t)(stop - bytes));
        *at_start = newline != NULL;
        bytes = stop;
    }
    write_ready(fd, buffer_text(&out), out.length);
}

void say_config(const char *params_json)
{
    json_t *params = json_loads(params_json, 0, NULL);
    struct buffer out CLEANUP(buffer_free) = BUFFER_INIT;
    for (void *i = json_object_iter(params); i != NULL; i = json_object_iter_next(params, i)) {
        buffer_printf(&out, "\t%s: ", json_object_iter_key(i));
        python_str(&out, json_object_iter_value(i));
        buffer_putc(&out, '\n');
    }
    json_decref(params);
    write_ready(STDERR_FILENO, buffer_text(&out), out.length);
}
