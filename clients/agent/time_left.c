// SPDX-License-Identifier: Apache-2.0
#include "time_left.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "loop.h"

#define WITHIN_MS 30000 /* a controller that is busy answers late */
#define FIELDS_MAX 4
#define FIELD_LIMIT 100000000 /* 1000 days in seconds, and more */

extern char **environ;

/* Digits; -1 for none and for too many. */
static int64_t read_field(const char **at)
{
    char *end = NULL;
    errno = 0;
    int64_t value = **at >= '0' && **at <= '9' ? strtoll(*at, &end, 10) : -1;
    if (value < 0 || value > FIELD_LIMIT || errno != 0)
        return -1;
    *at = end;
    return value;
}

enum status time_left_parse_slurm(const char *text, int64_t *out_ms, struct err *err)
{
    const char *at = text;
    int64_t days = 0, seconds = 0;
    int fields = 0;
    *out_ms = TIME_LEFT_UNLIMITED;
    if (strcmp(text, "UNLIMITED") == 0)
        return STATUS_OK;
    int64_t field = read_field(&at);
    if (field >= 0 && *at == '-') {
        at++;
        days = field;
        field = read_field(&at);
    }
    while (field >= 0 && ++fields < FIELDS_MAX) {
        seconds = seconds * 60 + field;
        if (*at != ':')
            break;
        at++;
        field = read_field(&at);
    }
    if (field < 0 || *at != '\0' || fields < 2 || fields == FIELDS_MAX)
        return err_set(err, STATUS_INVALID, "'%.40s' is no time that is left of a job", text);
    *out_ms = (days * 86400 + seconds) * 1000;
    return STATUS_OK;
}

static bool spawn_squeue(const char *job, int output, pid_t *pid)
{
    const char *const argv[] = {"squeue", "-h", "-j", job, "-o", "%L", NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    int reason = posix_spawnp(pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return reason == 0;
}

/* Its one line; false when the end did not come in time. */
static bool read_line(int fd, char *text, size_t size)
{
    int64_t deadline_ms = loop_now_ms() + WITHIN_MS;
    size_t length = 0;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t rest_ms = deadline_ms - loop_now_ms();
        if (rest_ms <= 0 || length + 1 >= size || poll(&ready, 1, (int)rest_ms) != 1)
            return false;
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got < 0)
            return false;
        length += (size_t)got;
        text[length] = '\0';
        if (got == 0) {
            text[strcspn(text, "\r\n ")] = '\0';
            return true;
        }
    }
}

static enum status ask_squeue(const char *job, int64_t *out_ms, struct err *err)
{
    char text[200] = "";
    int ends[2], status = 1;
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot start squeue");
    bool started = spawn_squeue(job, ends[1], &pid);
    file_close(&ends[1]);
    bool complete = started && read_line(ends[0], text, sizeof text);
    file_close(&ends[0]);
    if (started && !complete)
        kill(pid, SIGKILL);
    if (started && waitpid(pid, &status, 0) != pid)
        status = 1;
    if (!started)
        return err_set(err, STATUS_PRECONDITION, "squeue, which tells the time left of a job, is not found");
    if (!complete || status != 0)
        return err_set(err, STATUS_PRECONDITION, "squeue does not tell the time left of job %s", job);
    return time_left_parse_slurm(text, out_ms, err);
}

enum status time_left_ask_slurm(int64_t *out_ms, struct err *err)
{
    const char *job = getenv("SLURM_JOB_ID"), *end_text = getenv("SLURM_JOB_END_TIME");
    if (job == NULL || *job == '\0')
        return err_set(err, STATUS_PRECONDITION, "this is no job of SLURM: SLURM_JOB_ID is not set");
    char *rest = NULL;
    int64_t end_s = end_text != NULL ? strtoll(end_text, &rest, 10) : 0;
    if (end_s <= 0 || *rest != '\0' || end_s > INT64_MAX / 1000)
        return ask_squeue(job, out_ms, err);
    *out_ms = end_s * 1000 - clock_wall_us(&clock_system) / 1000;
    return STATUS_OK;
}
