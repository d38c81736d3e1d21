// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* gRPC numbers: google.golang.org/grpc/codes, the same in every implementation. */
static const struct status_info table[STATUS_COUNT] = {
    [STATUS_OK] = {"ok", 0, 0, false},
    [STATUS_CANCELLED] = {"cancelled", 1, 1, false},
    [STATUS_INVALID] = {"invalid", 3, 2, false},
    [STATUS_DEADLINE] = {"deadline exceeded", 4, 4, true},
    [STATUS_NOT_FOUND] = {"not found", 5, 3, false},
    [STATUS_ALREADY_EXISTS] = {"already exists", 6, 1, false},
    [STATUS_DENIED] = {"not permitted", 7, 5, false},
    [STATUS_EXHAUSTED] = {"limit reached", 8, 1, true},
    [STATUS_PRECONDITION] = {"not possible now", 9, 1, false},
    [STATUS_CONFLICT] = {"conflict", 10, 1, true},
    [STATUS_UNIMPLEMENTED] = {"not implemented", 12, 1, false},
    [STATUS_INTERNAL] = {"internal", 13, 1, false},
    [STATUS_UNAVAILABLE] = {"unavailable", 14, 4, true},
    [STATUS_UNAUTHENTICATED] = {"not authenticated", 16, 5, false},
    [STATUS_IO] = {"input/output", 13, 1, false},
    [STATUS_NO_MEMORY] = {"out of memory", 8, 1, true},
};

const struct status_info *status_info(enum status code)
{
    if ((unsigned)code >= STATUS_COUNT)
        return &table[STATUS_INTERNAL];
    return &table[code];
}

enum status status_from_grpc(int grpc)
{
    for (int code = 0; code < STATUS_COUNT; code++)
        if (table[code].grpc == grpc)
            return (enum status)code;
    return STATUS_INTERNAL;
}

/* By way of a copy: the arguments may be parts of the old text. */
PRINTF_LIKE(2, 0)
static void format_text(struct err *err, const char *format, va_list args)
{
    char text[ERR_TEXT_MAX];
    int length = vsnprintf(text, sizeof text, format, args);
    if (length < 0)
        text[0] = '\0';
    memcpy(err->text, text, strlen(text) + 1);
}

enum status(err_set)(struct err *err, enum status code, const char *format, ...)
{
    if (err == NULL)
        return code;
    err->code = code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

enum status(err_set_errno)(struct err *err, enum status code, int number, const char *format, ...)
{
    if (err == NULL)
        return code;
    err->code = code;
    va_list args;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    char reason[128];
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror_r(number, reason, sizeof reason));
    return code;
}

enum status err_context(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return STATUS_INTERNAL;
    char context[ERR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(context, sizeof context, format, args);
    va_end(args);
    if (length < 0)
        return err->code;
    size_t prefix = strlen(context);
    size_t room = sizeof err->text - prefix - 3;
    size_t rest = strnlen(err->text, room);
    memmove(err->text + prefix + 2, err->text, rest);
    memcpy(err->text, context, prefix);
    memcpy(err->text + prefix, ": ", 2);
    err->text[prefix + 2 + rest] = '\0';
    return err->code;
}
