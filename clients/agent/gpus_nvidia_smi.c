// SPDX-License-Identifier: Apache-2.0
#include "gpus_nvidia_smi.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "loop.h"

#define WITHIN_MS 20000 /* a driver that was not loaded needs seconds; a broken one never answers */
#define OUTPUT_LIMIT (1u << 20)

extern char **environ;

static bool spawn(int output, pid_t *pid)
{
    char *const argv[] = {"nvidia-smi", "-L", NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int reason = posix_spawnp(pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return reason == 0;
}

/* False when the end did not come in time. */
static bool read_all(int fd, struct buffer *out)
{
    int64_t deadline_ms = loop_now_ms() + WITHIN_MS;
    for (;;) {
        char chunk[4096];
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t rest_ms = deadline_ms - loop_now_ms();
        if (rest_ms <= 0 || out->length > OUTPUT_LIMIT || poll(&ready, 1, (int)rest_ms) != 1)
            return false;
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got <= 0)
            return got == 0;
        buffer_append(out, chunk, (size_t)got);
    }
}

static long count_lines(const char *text)
{
    long count = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += strncmp(line, "GPU ", 4) == 0;
    }
    return count;
}

long gpus_count_by_nvidia_smi(void)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    int ends[2], status = 1;
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    bool started = spawn(ends[1], &pid);
    file_close(&ends[1]);
    bool complete = started && read_all(ends[0], &text);
    file_close(&ends[0]);
    if (started && !complete)
        kill(pid, SIGKILL); /* one that hangs in the driver would be waited for without end */
    if (complete && waitpid(pid, &status, 0) != pid)
        status = 1;
    return complete && status == 0 ? count_lines(buffer_text(&text)) : 0;
}
