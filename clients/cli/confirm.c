// SPDX-License-Identifier: GPL-3.0-or-later
#include "confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

bool confirm_can_ask(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool confirm_ask(const char *format, ...)
{
    char answer[16] = "";
    va_list arguments;
    fputs("besom: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}
