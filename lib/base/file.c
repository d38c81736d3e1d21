// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static enum status open_to_read(const char *path, int *fd, struct err *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return err_set_errno(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "cannot read %s",
                             path);
    return STATUS_OK;
}

static enum status read_all(int fd, const char *path, size_t limit, struct buffer *out, struct err *err)
{
    size_t total = 0;
    for (;;) {
        char chunk[16384];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, STATUS_IO, errno, "cannot read %s", path);
        if (got == 0)
            break;
        total += (size_t)got;
        if (total > limit)
            return err_set(err, STATUS_INVALID, "%s is larger than %zu bytes", path, limit);
        buffer_append(out, chunk, (size_t)got);
    }
    if (out->failed)
        return err_set(err, STATUS_NO_MEMORY, "out of memory reading %s", path);
    return STATUS_OK;
}

enum status file_read(const char *path, size_t limit, struct buffer *out, struct err *err)
{
    int fd CLEANUP(file_close) = -1;
    TRY(open_to_read(path, &fd, err));
    return read_all(fd, path, limit, out, err);
}

static enum status check_private(int fd, const char *path, struct err *err)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot read %s", path);
    mode_t refused = facts.st_uid == 0 ? S_IRWXO | S_IWGRP : S_IRWXO | S_IRWXG;
    if (S_ISREG(facts.st_mode) && (facts.st_mode & refused) != 0)
        return err_set(err, STATUS_DENIED, "%s holds a secret but its mode is %04o (chmod 600 it)", path,
                       (unsigned)(facts.st_mode & 07777));
    return STATUS_OK;
}

enum status file_read_secret(const char *path, size_t limit, struct buffer *out, struct err *err)
{
    int fd CLEANUP(file_close) = -1;
    TRY(open_to_read(path, &fd, err));
    TRY(check_private(fd, path, err));
    return read_all(fd, path, limit, out, err);
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    int fd CLEANUP(file_close) = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* some file systems refuse; the rename is still ordered */
}

enum status file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode,
                              struct err *err)
{
    static atomic_uint writes; /* threads may write the same file */
    char temporary[PATH_MAX];
    int printed = snprintf(temporary, sizeof temporary, "%s.%ld.%u.tmp", path, (long)getpid(),
                           atomic_fetch_add(&writes, 1));
    if (printed < 0 || (size_t)printed >= sizeof temporary)
        return err_set(err, STATUS_INVALID, "path is too long: %s", path);
    int fd CLEANUP(file_close) = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot write %s", temporary);
    if (write_all(fd, bytes, length) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0) {
        enum status status = err_set_errno(err, STATUS_IO, errno, "cannot write %s", path);
        unlink(temporary);
        return status;
    }
    sync_folder_of(path);
    return STATUS_OK;
}

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

enum status file_make_dirs(const char *path, mode_t mode, struct err *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return err_set(err, STATUS_INVALID, "bad folder name '%s'", path);
    memcpy(partial, path, length + 1);
    for (char *slash = partial + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char kept = *slash;
        *slash = '\0';
        int number = mkdir(partial, mode) == 0 ? 0 : errno;
        if (number == EEXIST)
            number = is_folder(partial) ? 0 : ENOTDIR;
        if (number != 0)
            return err_set_errno(err, STATUS_IO, number, "cannot create folder %s", partial);
        *slash = kept;
        if (kept == '\0')
            return STATUS_OK;
    }
}

void file_remove_folder(const char *path)
{
    DIR *listing = opendir(path);
    if (listing == NULL)
        return;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        (void)unlinkat(dirfd(listing), entry->d_name, 0); /* refused for folders, as . and .. */
    closedir(listing);
    (void)rmdir(path);
}
