// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

/* The public numbers are gRPC's, so the table of lib/base serves both. */
static const struct status_info *info_of(besom_status code)
{
    return status_info(status_from_grpc((int)code));
}

const char *besom_status_name(besom_status code)
{
    return info_of(code)->name;
}

int besom_status_exit_code(besom_status code)
{
    return info_of(code)->exit_code;
}

besom_status error_export(besom_error *error, const struct err *err)
{
    besom_status code = (besom_status)status_info(err->code)->grpc;
    if (error != NULL) {
        error->code = code;
        snprintf(error->text, sizeof error->text, "%s", err->text);
    }
    return code;
}

besom_status error_set(besom_error *error, enum status code, const char *format, ...)
{
    besom_status public_code = (besom_status)status_info(code)->grpc;
    if (error == NULL)
        return public_code;
    error->code = public_code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return public_code;
}
