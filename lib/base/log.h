/*
 * Structured log: one line per event on a file descriptor (stderr by default),
 *
 *     2026-01-31T12:00:00.000123Z info controller claimed_run sweep=ab12cd34 run=ef56ab78 attempt=1
 *
 * time, level, subsystem, event, then key=value pairs, quoted where needed; or
 * the same as a JSON object. The first pair names the request that the thread
 * works on, if any (log_set_request).
 * Events are named in snake_case. Never give it a secret. Thread-safe: a line
 * is one write(2), cut at 4 kB. errno is left as it was.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_LOG_H
#define BESOM_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_REAL, LOG_KIND_BOOL };

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        const char *text; /* NULL is logged as an empty text */
        int64_t integer;
        double real;
        bool flag;
    } value;
};

#define LOG_TEXT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_TEXT, .value.text = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .value.integer = (int64_t)(v)})
#define LOG_REAL(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_REAL, .value.real = (v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .value.flag = (v)})
/* The code and the text of an error. */
#define LOG_ERR(e) LOG_TEXT("status", status_info((e)->code)->name), LOG_TEXT("error", (e)->text)

/* `subsystem` is a static text such as "controller". At most 16 fields. */
#define log_debug(subsystem, ...) \
    log_event(LOG_LEVEL_DEBUG, subsystem, __VA_ARGS__, (struct log_field){.kind = LOG_KIND_END})
#define log_info(subsystem, ...) \
    log_event(LOG_LEVEL_INFO, subsystem, __VA_ARGS__, (struct log_field){.kind = LOG_KIND_END})
#define log_warn(subsystem, ...) \
    log_event(LOG_LEVEL_WARN, subsystem, __VA_ARGS__, (struct log_field){.kind = LOG_KIND_END})
#define log_error(subsystem, ...) \
    log_event(LOG_LEVEL_ERROR, subsystem, __VA_ARGS__, (struct log_field){.kind = LOG_KIND_END})

/* Fields end with one of kind LOG_KIND_END; use the macros. */
void log_event(enum log_level level, const char *subsystem, const char *event, ...);

/* Lines below `level` are dropped. Default: LOG_LEVEL_INFO to descriptor 2. */
void log_set_level(enum log_level level);
void log_set_fd(int fd);
bool log_enabled(enum log_level level);

/* "text" or "json"; INVALID otherwise. */
enum status log_set_format(const char *name, struct err *err) MUST_USE;

/*
 * The id of the request that this thread works on from now on, `request` in its lines and sent along by the
 * RPC client; NULL = none. The text is not copied: it stays until another is set. Returns what was set
 * before.
 */
const char *log_set_request(const char *id);
/* NULL: none. */
const char *log_request(void);

/* "debug", "info", "warn", "error", "off"; INVALID otherwise. */
enum status log_parse_level(const char *name, enum log_level *out, struct err *err) MUST_USE;

#endif
