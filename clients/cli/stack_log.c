// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define TAIL_BYTES 16384

enum status stack_log_open(const char *folder, const char *name, int *fd, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.log", folder, name);
    *fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open %s", path);
    return STATUS_OK;
}

off_t stack_log_size(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat facts;
    snprintf(path, sizeof path, "%s/%s.log", folder, name);
    return stat(path, &facts) == 0 ? facts.st_size : 0;
}

void stack_log_rotate(const char *folder, const char *name, off_t limit)
{
    off_t size = stack_log_size(folder, name);
    if (size <= limit)
        return;
    char path[PATH_MAX], aside[PATH_MAX + 2];
    snprintf(path, sizeof path, "%s/%s.log", folder, name);
    snprintf(aside, sizeof aside, "%s.1", path);
    int from CLEANUP(file_close) = open(path, O_RDWR | O_CLOEXEC);
    int to CLEANUP(file_close) = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t done = 0;
    while (from >= 0 && to >= 0 && done < size)
        if (sendfile(to, from, &done, (size_t)(size - done)) <= 0)
            break;
    if (from >= 0 && ftruncate(from, 0) != 0)
        return;
}

static const char *last_lines(const char *text, size_t length, size_t lines)
{
    const char *start = text + length;
    while (start > text && (start == text + length || start[-1] != '\n' || lines-- > 1))
        start--;
    return start;
}

void stack_log_tail(const char *folder, const char *name, off_t start, size_t lines, struct buffer *out)
{
    char path[PATH_MAX], text[TAIL_BYTES];
    snprintf(path, sizeof path, "%s/%s.log", folder, name);
    off_t size = stack_log_size(folder, name);
    off_t from = size - start > TAIL_BYTES ? size - TAIL_BYTES : start;
    int fd CLEANUP(file_close) = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || from >= size)
        return;
    ssize_t got = pread(fd, text, sizeof text, from);
    if (got <= 0)
        return;
    const char *tail = last_lines(text, (size_t)got, lines);
    buffer_append(out, tail, (size_t)(text + got - tail));
    if (text[got - 1] != '\n')
        buffer_putc(out, '\n');
}
