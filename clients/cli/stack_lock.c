// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define POLL_MS 20
#define KILL_PATIENCE_MS 5000

enum status stack_lock_take(const char *path, int *fd, struct err *err)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    int reason = errno;
    file_close(fd);
    if (reason == EWOULDBLOCK)
        return STATUS_OK;
    return err_set_errno(err, STATUS_IO, reason, "cannot lock %s", path);
}

enum status stack_lock_sign(int fd, struct err *err)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return err_set_errno(err, STATUS_IO, errno, "cannot write the lock file");
    return STATUS_OK;
}

pid_t stack_lock_holder(const char *path)
{
    int fd CLEANUP(file_close) = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
        return 0;
    char text[32] = "";
    if (pread(fd, text, sizeof text - 1, 0) <= 0)
        return -1;
    long pid = strtol(text, NULL, 10);
    return pid > 1 ? (pid_t)pid : -1;
}

static bool has_file_open(const char *pid, const struct stat *wanted)
{
    char path[512];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    bool found = false;
    for (struct dirent *entry = readdir(folder); entry != NULL && !found; entry = readdir(folder)) {
        struct stat facts;
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
        found = stat(path, &facts) == 0 && facts.st_dev == wanted->st_dev && facts.st_ino == wanted->st_ino;
    }
    closedir(folder);
    return found;
}

/* Kills whoever has the file open but us. */
static void kill_holders(const char *path)
{
    struct stat wanted;
    DIR *folder = opendir("/proc");
    if (folder == NULL)
        return;
    if (stat(path, &wanted) == 0)
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            long pid = strtol(entry->d_name, NULL, 10);
            if (pid > 1 && pid != (long)getpid() && has_file_open(entry->d_name, &wanted))
                kill((pid_t)pid, SIGKILL);
        }
    closedir(folder);
}

enum status stack_lock_children(const char *path, int64_t patience_ms, int *fd, struct err *err)
{
    int64_t start = clock_monotonic_ms(&clock_system);
    bool killed = false;
    for (;;) {
        TRY(stack_lock_take(path, fd, err));
        if (*fd >= 0)
            return STATUS_OK;
        int64_t waited = clock_monotonic_ms(&clock_system) - start;
        if (!killed && waited > patience_ms) {
            kill_holders(path);
            killed = true;
        }
        if (waited > patience_ms + KILL_PATIENCE_MS)
            return err_set(err, STATUS_PRECONDITION,
                           "processes of an earlier stack do not end (they have %s open)", path);
        poll(NULL, 0, POLL_MS);
    }
}
