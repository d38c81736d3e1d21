// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define CAPTURE_LIMIT 65536

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
}

static int drop_user(const struct process_spec *spec)
{
    if (spec->user == NULL)
        return 0;
    if (initgroups(spec->user, spec->gid) != 0 || setgid(spec->gid) != 0)
        return -1;
    return setuid(spec->uid);
}

static int redirect(const struct process_spec *spec)
{
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0 || dup2(nothing, 0) < 0)
        return -1;
    if (spec->output >= 0 && (dup2(spec->output, 1) < 0 || dup2(spec->output, 2) < 0))
        return -1;
    return spec->keep >= 0 ? fcntl(spec->keep, F_SETFD, 0) : 0;
}

/* The parent may have died before the death signal was armed. */
static int arm_death_signal(const struct process_spec *spec, pid_t parent)
{
    if (spec->death_signal == 0)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, spec->death_signal) != 0)
        return -1;
    if (getppid() != parent)
        _exit(1);
    return 0;
}

static void become(const struct process_spec *spec, pid_t parent, int report)
{
    reset_signals();
    if (spec->new_group)
        setpgid(0, 0);
    else
        setsid();
    if (redirect(spec) == 0 && drop_user(spec) == 0 && arm_death_signal(spec, parent) == 0 &&
        (spec->folder == NULL || chdir(spec->folder) == 0))
        execvp(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
    int failure = errno;
    if (write(report, &failure, sizeof failure) < 0)
        _exit(126);
    _exit(127);
}

/* 0 when exec succeeded: it closes the pipe without a word. */
static int read_failure(int report)
{
    int failure = 0;
    ssize_t got;
    do
        got = read(report, &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof failure ? failure : 0;
}

enum status process_spawn(const struct process_spec *spec, pid_t *out, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot start %s", spec->argv[0]);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become(spec, parent, ends[1]);
    int failure = child < 0 ? errno : 0;
    close(ends[1]);
    if (child > 0)
        failure = read_failure(ends[0]);
    close(ends[0]);
    if (failure == 0) {
        *out = child;
        return STATUS_OK;
    }
    if (child > 0)
        waitpid(child, NULL, 0);
    return err_set_errno(err, failure == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, failure, "cannot start %s",
                         spec->argv[0]);
}

static void read_to_end(int fd, struct buffer *out)
{
    char chunk[4096];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        if (out->length < CAPTURE_LIMIT)
            buffer_append(out, chunk, (size_t)got);
    }
}

static enum status wait_for(pid_t child, const char *name, struct err *err)
{
    int ended = 0;
    char how[32];
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
        ;
    if (ended == 0)
        return STATUS_OK;
    return err_set(err, STATUS_PRECONDITION, "%s ended with %s", name, process_describe_end(ended, how));
}

enum status process_run(const struct process_spec *spec, struct err *err)
{
    pid_t child = 0;
    TRY(process_spawn(spec, &child, err));
    return wait_for(child, spec->argv[0], err);
}

enum status process_capture(const struct process_spec *spec, struct buffer *out, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot start %s", spec->argv[0]);
    struct process_spec piped = *spec;
    piped.output = ends[1];
    pid_t child = 0;
    enum status status = process_spawn(&piped, &child, err);
    close(ends[1]);
    if (status == STATUS_OK) {
        read_to_end(ends[0], out);
        status = wait_for(child, spec->argv[0], err);
    }
    close(ends[0]);
    return status;
}

const char *process_describe_end(int wait_status, char text[32])
{
    if (WIFSIGNALED(wait_status))
        snprintf(text, 32, "signal %d", WTERMSIG(wait_status));
    else
        snprintf(text, 32, "exit code %d", WEXITSTATUS(wait_status));
    return text;
}

static const char *program_in_path(struct arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        const char *candidate = arena_printf(arena, "%.*s/%s", (int)length, path, name);
        if (candidate != NULL && length > 0 && access(candidate, X_OK) == 0)
            return candidate;
        path += length;
        path += *path == ':';
    }
    return NULL;
}

enum status process_find_program(struct arena *arena, const char *name, const char **out, struct err *err)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length > 0) {
        own[length] = '\0';
        char *slash = strrchr(own, '/');
        *slash = '\0';
        const char *candidates[] = {arena_printf(arena, "%s/%s", own, name),
                                    arena_printf(arena, "%s/../libexec/besom/%s", own, name),
                                    arena_printf(arena, "%s/../lib/besom/%s", own, name)};
        for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
            *out = candidates[i];
            if (*out != NULL && access(*out, X_OK) == 0)
                return STATUS_OK;
        }
    }
    *out = program_in_path(arena, name);
    if (*out != NULL)
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND,
                   "cannot find %s next to besom, in libexec or in PATH (is it installed?)", name);
}
