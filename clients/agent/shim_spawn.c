// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>

#include "base/file.h"
#include "command.h"
#include "shim.h"

static enum status spawn(const struct attempt_paths *paths, posix_spawn_file_actions_t *files,
                         posix_spawnattr_t *attributes, int lock_fd, pid_t *pid, struct err *err)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_adddup2(files, lock_fd, SHIM_LOCK_FD);
    posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(files, 2, paths->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    char **environment = command_clean_environment();
    if (environment == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    char *const argv[] = {"besom-agent", "--shim", (char *)(uintptr_t)paths->folder, NULL};
    int reason = posix_spawn(pid, "/proc/self/exe", files, attributes, argv, environment);
    free(environment);
    if (reason != 0)
        return err_set_errno(err, STATUS_IO, reason, "cannot start a shim");
    return STATUS_OK;
}

enum status shim_spawn(const struct attempt_paths *paths, int lock_fd, pid_t *pid, struct err *err)
{
    /* dup2 of a descriptor onto itself would keep it close-on-exec */
    int source = lock_fd == SHIM_LOCK_FD ? fcntl(lock_fd, F_DUPFD_CLOEXEC, SHIM_LOCK_FD + 1) : lock_fd;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    enum status status = spawn(paths, &files, &attributes, source, pid, err);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (source != lock_fd)
        file_close(&source);
    return status;
}
