// SPDX-License-Identifier: GPL-3.0-or-later
#include "out_file.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that a signal leaves behind; set while there is one. */
static const char *volatile pending;

static void remove_pending(int number)
{
    if (pending != NULL)
        unlink(pending);
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct sigaction action = {.sa_handler = remove_pending}, before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

/* A pipe or a device is written to as it is; of a link the file that it leads to is replaced. */
static int choose_place(struct cli *cli, struct out_file *out)
{
    struct stat facts;
    if (stat(out->path, &facts) == 0 && !S_ISREG(facts.st_mode))
        return CLI_OK;
    char resolved[PATH_MAX];
    if (realpath(out->path, resolved) != NULL)
        out->path = arena_strdup(&cli->arena, resolved);
    if (out->path != NULL)
        out->temporary = arena_printf(&cli->arena, "%s.%ld.tmp", out->path, (long)getpid());
    return out->temporary != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

int out_file_open(struct cli *cli, const char *path, struct out_file *out)
{
    *out = (struct out_file){.stream = stdout};
    if (path == NULL || strcmp(path, "-") == 0)
        return CLI_OK;
    out->path = path;
    int code = choose_place(cli, out);
    if (code != CLI_OK)
        return code;
    const char *name = out->temporary != NULL ? out->temporary : out->path;
    out->stream = fopen(name, "we");
    if (out->stream == NULL)
        return cli_fail(CLI_FAILED, "cannot write %s: %s", name, strerror(errno));
    pending = out->temporary;
    if (pending != NULL)
        catch_signals();
    return CLI_OK;
}

int out_file_finish(struct out_file *out)
{
    FILE *stream = out->stream;
    out->stream = NULL;
    if (out->path == NULL)
        return CLI_OK; /* main flushes it */
    bool written = fflush(stream) == 0 && !ferror(stream);
    if (written && out->temporary != NULL)
        written = fsync(fileno(stream)) == 0;
    int number = errno;
    if (fclose(stream) != 0 && written) {
        number = errno;
        written = false;
    }
    if (written && out->temporary != NULL && rename(out->temporary, out->path) != 0) {
        number = errno;
        written = false;
    }
    if (written) {
        pending = NULL;
        out->temporary = NULL;
        return CLI_OK;
    }
    out_file_release(out);
    return cli_fail(CLI_FAILED, "cannot write %s: %s", out->path, strerror(number));
}

int out_stream_fail(FILE *stream, const char *name, int number)
{
    struct pollfd poller = {.fd = fileno(stream), .events = POLLOUT};
    bool reader_left = number == EPIPE || (poll(&poller, 1, 0) > 0 && (poller.revents & POLLERR) != 0);
    return reader_left
               ? CLI_OK
               : cli_fail(CLI_FAILED, "cannot write %s: %s", name, strerror(number != 0 ? number : EIO));
}

bool out_file_failed(struct out_file *out)
{
    if (out->failure == 0)
        out->failure = errno;
    return false;
}

int out_file_fail(struct out_file *out)
{
    int code = out_stream_fail(out->stream, out->path != NULL ? out->path : "the result", out->failure);
    out_file_release(out);
    return code;
}

void out_file_release(struct out_file *out)
{
    if (out->stream != NULL && out->path != NULL)
        fclose(out->stream);
    if (out->temporary != NULL)
        unlink(out->temporary);
    pending = NULL;
    out->stream = NULL;
    out->temporary = NULL;
}
