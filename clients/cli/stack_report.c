// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum kind { KIND_PROGRESS = 'P', KIND_LOG = 'L', KIND_FAILURE = 'F', KIND_READY = 'R' };

static void print_message(enum kind kind, const char *text)
{
    switch (kind) {
    case KIND_PROGRESS: cli_note("%s", text); break;
    case KIND_LOG: fprintf(stderr, "    %s\n", text); break;
    case KIND_FAILURE: cli_fail(CLI_FAILED, "%s", text); break;
    case KIND_READY: break;
    }
}

static void send_line(const struct stack_report *report, enum kind kind, const char *text, size_t length)
{
    char line[2048];
    if (length > sizeof line - 3)
        length = sizeof line - 3;
    if (report->fd < 0) {
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        print_message(kind, line);
        return;
    }
    int size = snprintf(line, sizeof line, "%c%.*s\n", (char)kind, (int)length, text);
    /* nobody reads any more: the waiting `up` was killed, the stack goes on */
    if (write(report->fd, line, (size_t)size) < 0)
        return;
}

void stack_report_progress(const struct stack_report *report, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    send_line(report, KIND_PROGRESS, text, strlen(text));
}

void stack_report_failure(const struct stack_report *report, const char *format, ...)
{
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    send_line(report, KIND_FAILURE, text, strlen(text));
}

void stack_report_log(const struct stack_report *report, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        send_line(report, KIND_LOG, text, length);
        text += length;
        text += *text == '\n';
    }
}

void stack_report_ready(struct stack_report *report)
{
    send_line(report, KIND_READY, "", 0);
    if (report->fd >= 0)
        close(report->fd);
    report->fd = -1;
}

bool stack_report_follow(int fd)
{
    FILE *stream = fdopen(fd, "r");
    char line[2048];
    bool ready = false, failed = false;
    while (stream != NULL && !ready && fgets(line, sizeof line, stream) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ready = line[0] == KIND_READY;
        failed = failed || line[0] == KIND_FAILURE;
        print_message((enum kind)line[0], line + 1);
    }
    if (!ready && !failed)
        cli_fail(CLI_FAILED, "cannot start: the supervisor ended without a word (see log/supervisor.log)");
    if (stream != NULL)
        fclose(stream);
    return ready;
}
