// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "commands.h"
#include "stack_layout.h"
#include "stack_lock.h"
#include "stack_log.h"
#include "stack_supervisor.h"
#include "stack_tcp.h"

#define POLL_MS 50
#define OTHER_START_MS 120000

struct up_options {
    bool detach;
    const char *listen;
    bool tcp;
    bool insecure;
    const char *tls_certificate_file, *tls_key_file;
    const char *postgres_bin;
    const char *log_level;
};

/* What one `up` works with. */
struct up {
    struct cli *cli;
    const struct up_options *options;
    struct stack_layout layout;
    struct stack_settings settings;
    int lock;
};

static const char *read_line(struct cli *cli, const char *path)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (file_read(path, 4096, &text, &err) != STATUS_OK || text.length == 0)
        return NULL;
    return arena_strndup(&cli->arena, buffer_text(&text), strcspn(buffer_text(&text), "\n"));
}

static void say_where(struct up *up, const char *how)
{
    const char *endpoint = read_line(up->cli, up->layout.endpoint_file);
    const char *tcp = read_line(up->cli, up->layout.listen_file);
    if (tcp != NULL)
        cli_say("%s at %s and %s (token: %s)", how, endpoint != NULL ? endpoint : "?", tcp,
                up->layout.token_file);
    else
        cli_say("%s at %s", how, endpoint != NULL ? endpoint : "?");
}

/* Another `up` has the lock: wait until its stack serves. */
static int find_other(struct up *up)
{
    int64_t start = clock_monotonic_ms(&clock_system);
    while (access(up->layout.endpoint_file, F_OK) != 0) {
        if (stack_lock_holder(up->layout.lock_file) == 0)
            return cli_fail(CLI_FAILED,
                            "cannot start: another besom up was starting and gave up (try again)");
        if (clock_monotonic_ms(&clock_system) - start > OTHER_START_MS)
            return cli_fail(CLI_UNAVAILABLE,
                            "cannot start: another besom up (process %ld) has %s and does not get ready",
                            (long)stack_lock_holder(up->layout.lock_file), up->layout.home);
        poll(NULL, 0, POLL_MS);
    }
    say_where(up, "Already running");
    if (up->settings.listen != NULL && read_line(up->cli, up->layout.listen_file) == NULL)
        cli_note("The running stack serves no TCP address (besom down, then besom up --listen)");
    return CLI_OK;
}

static enum status log_to_file(const struct up *up, struct err *err)
{
    int fd = -1;
    TRY(stack_log_open(up->layout.logs, "supervisor", &fd, err));
    log_set_fd(fd);
    return STATUS_OK;
}

/* The lock is held: runs the stack to its end. */
static int supervise(struct up *up, struct stack_report *report)
{
    struct err err = ERR_INIT;
    umask(077);
    enum status status = log_to_file(up, &err);
    if (status == STATUS_OK)
        status = stack_lock_sign(up->lock, &err);
    if (status == STATUS_OK)
        status = stack_supervise(&up->cli->arena, &up->layout, &up->settings, report, &err);
    if (status == STATUS_OK)
        return CLI_OK;
    stack_report_failure(report, "cannot start: %s", err.text);
    return status_info(status)->exit_code;
}

static void close_between(int low, int high)
{
    if (high - low > 1)
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
}

/* Whoever waits for the end of a pipe that our caller had open must not wait for the stack. */
static void close_inherited(int a, int b)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    close_between(2, low);
    close_between(low, high);
    close_range((unsigned)high + 1, ~0U, 0);
}

/* In the child: a session of its own, nothing of the terminal left. */
static int become_daemon(struct up *up, int pipe_end)
{
    struct stack_report report = {.fd = pipe_end};
    int fd = -1;
    struct err err = ERR_INIT;
    close_inherited(up->lock, pipe_end);
    setsid();
    signal(SIGHUP, SIG_IGN);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0)
        dup2(nothing, 0);
    if (stack_log_open(up->layout.logs, "supervisor", &fd, &err) != STATUS_OK) {
        stack_report_failure(&report, "cannot start: %s", err.text);
        return CLI_FAILED;
    }
    dup2(fd, 1);
    dup2(fd, 2);
    if (chdir("/") != 0)
        stack_report_progress(&report, "cannot leave the working directory");
    return supervise(up, &report);
}

static int detach(struct up *up)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return cli_fail(CLI_FAILED, "cannot start: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return cli_fail(CLI_FAILED, "cannot start: %s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        _exit(become_daemon(up, ends[1]));
    }
    close(ends[1]);
    file_close(&up->lock);
    if (!stack_report_follow(ends[0]))
        return CLI_FAILED;
    say_where(up, "Serving");
    return CLI_OK;
}

static int choose_listen(struct up *up)
{
    const struct up_options *options = up->options;
    struct err err = ERR_INIT;
    bool moved = false;
    const char *wanted = options->listen != NULL ? options->listen : STACK_TCP_DEFAULT;
    if ((options->tls_certificate_file == NULL) != (options->tls_key_file == NULL))
        return cli_fail(CLI_USAGE, "up: --tls-cert-file and --tls-key-file go together");
    if (options->listen == NULL && !options->tcp)
        return CLI_OK;
    if (stack_tcp_choose(&up->cli->arena, wanted, &up->settings.listen, &moved, &err) != STATUS_OK)
        return cli_fail_err(&err, "up");
    if (options->tls_certificate_file == NULL) {
        if (!options->insecure && !stack_tcp_is_loopback(up->settings.listen))
            return cli_fail(
                CLI_USAGE,
                "up: %s would carry tokens in the clear (give --tls-cert-file and --tls-key-file, or "
                "--insecure)",
                up->settings.listen);
        cli_note("TCP without TLS: clients of %s need --insecure", up->settings.listen);
    }
    if (moved)
        cli_note("%s is taken: serving %s instead", wanted, up->settings.listen);
    return CLI_OK;
}

/* The supervisor works in another folder. */
static const char *absolute(struct up *up, const char *path)
{
    if (path == NULL || *path == '/')
        return path;
    char *here = getcwd(NULL, 0);
    const char *full = here != NULL ? arena_printf(&up->cli->arena, "%s/%s", here, path) : NULL;
    free(here);
    return full != NULL ? full : path;
}

static int check_options(struct up *up)
{
    enum log_level level;
    struct err err = ERR_INIT;
    if (log_parse_level(up->options->log_level, &level, &err) != STATUS_OK)
        return cli_fail_err(&err, "up: --log-level");
    log_set_level(level);
    up->settings.log_level = up->options->log_level;
    up->settings.postgres_bin = absolute(up, up->options->postgres_bin);
    up->settings.tls_certificate_file = absolute(up, up->options->tls_certificate_file);
    up->settings.tls_key_file = absolute(up, up->options->tls_key_file);
    return CLI_OK;
}

static int run_in_foreground(struct up *up)
{
    struct stack_report report = {.fd = -1};
    return supervise(up, &report);
}

static int run_up(struct cli *cli, void *given)
{
    struct up up = {.cli = cli, .options = given, .lock = -1};
    struct err err = ERR_INIT;
    int code = check_options(&up);
    if (code != CLI_OK)
        return code;
    enum status status = stack_layout_find(&cli->arena, &up.layout, &err);
    if (status == STATUS_OK)
        status = stack_layout_make_home(&up.layout, &err);
    if (status == STATUS_OK)
        status = stack_lock_take(up.layout.lock_file, &up.lock, &err);
    if (status != STATUS_OK)
        return cli_fail_err(&err, "cannot start");
    if (up.lock < 0)
        return find_other(&up);
    code = choose_listen(&up);
    if (code == CLI_OK)
        code = up.options->detach ? detach(&up) : run_in_foreground(&up);
    file_close(&up.lock);
    return code;
}

static const struct config_key keys[] = {
    {.name = "detach",
     .letter = 'd',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct up_options, detach),
     .help = "return when the stack serves and leave it running"},
    {.name = "listen",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct up_options, listen),
     .value_name = "HOST:PORT",
     .help = "serve TCP, too; another free port when that one is taken"},
    {.name = "tcp",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct up_options, tcp),
     .help = "the same as --listen " STACK_TCP_DEFAULT},
    {.name = "tls-cert-file",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct up_options, tls_certificate_file),
     .value_name = "FILE",
     .help = "certificate chain (PEM) for the TCP address"},
    {.name = "tls-key-file",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct up_options, tls_key_file),
     .value_name = "FILE",
     .help = "its private key (PEM)"},
    {.name = "insecure",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct up_options, insecure),
     .help = "let other machines connect without TLS"},
    {.name = "postgres-bin",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct up_options, postgres_bin),
     .environment = "BESOM_POSTGRES_BIN",
     .value_name = "DIR",
     .help = "folder of initdb and postgres; unset: the newest installed"},
    {.name = "log-level",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct up_options, log_level),
     .initial = "info",
     .environment = "BESOM_LOG_LEVEL",
     .value_name = "LEVEL",
     .help = "of the services: debug, info, warn, error, off"},
};

const struct cli_command cmd_up = {
    .name = "up",
    .group = "Local stack",
    .usage = "besom up [--detach] [--listen HOST:PORT]",
    .summary =
        "Start PostgreSQL and the services on this machine\n"
        "Everything lives under BESOM_HOME (default ~/.local/share/besom) and listens on Unix sockets that\n"
        "only you can reach. A second `besom up` finds the first.",
    .footer = "Logs are in BESOM_HOME/log. `besom down` stops the stack; its data stays.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct up_options),
    .run = run_up,
};
