// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "stack_child.h"
#include "stack_lock.h"
#include "stack_log.h"
#include "stack_postgres.h"
#include "stack_probe.h"

#define CHILDREN_MAX 8
#define TICK_MS 10         /* while something is waited for */
#define IDLE_MS 1000       /* between looks at the logs' sizes */
#define START_DEATHS_MAX 4 /* a child that dies so often before all serve does not work */
#define POSTGRES_WAIT_MS 600000
#define SERVICES_WAIT_MS 60000
#define ORPHANS_WAIT_MS 15000
#define SERVICE_STOP_MS 15000
#define POSTGRES_STOP_MS 60000
#define TAIL_LINES 12

struct supervisor {
    struct arena *arena;
    struct stack_layout *layout;
    const struct stack_settings *settings;
    struct stack_report *report;
    struct stack_child children[CHILDREN_MAX]; /* [0] is PostgreSQL */
    size_t child_count;
    int signals;       /* signalfd */
    int children_lock; /* inherited by every child */
    int stop_requests;
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

static void read_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            supervisor->stop_requests++;
}

static void wait_for_signals(struct supervisor *supervisor, int64_t timeout_ms)
{
    struct pollfd poll_for = {.fd = supervisor->signals, .events = POLLIN};
    if (poll(&poll_for, 1, (int)timeout_ms) > 0)
        read_signals(supervisor);
}

static void restart_due(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct stack_child *child = &supervisor->children[i];
        struct err err = ERR_INIT;
        int64_t due = stack_child_due_ms(child);
        if (due >= 0 && due <= now_ms() && stack_child_start(child, now_ms(), &err) != STATUS_OK)
            log_error("supervisor", "child_not_started", LOG_TEXT("child", child->name), LOG_ERR(&err));
    }
}

static void reap_all(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        (void)stack_child_reap(&supervisor->children[i], now_ms());
}

/* One turn: wait a little, note deaths, start what is due. */
static void turn(struct supervisor *supervisor, int64_t timeout_ms)
{
    wait_for_signals(supervisor, timeout_ms);
    reap_all(supervisor);
    if (supervisor->stop_requests == 0)
        restart_due(supervisor);
}

static enum status blame(struct supervisor *supervisor, const struct stack_child *child, struct err *err)
{
    struct buffer tail CLEANUP(buffer_free) = BUFFER_INIT;
    char how[32];
    stack_log_tail(supervisor->layout->logs, child->name, child->log_start, TAIL_LINES, &tail);
    stack_report_log(supervisor->report, buffer_text(&tail));
    return err_set(err, STATUS_INTERNAL, "%s ended with %s (see %s/%s.log)", child->name,
                   process_describe_end(child->ended, how), supervisor->layout->logs, child->name);
}

/* While starting: CANCELLED when told to stop, INTERNAL when a child keeps dying. */
static enum status check_start(struct supervisor *supervisor, struct err *err)
{
    if (supervisor->stop_requests > 0)
        return err_set(err, STATUS_CANCELLED, "stopped while starting");
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].deaths >= START_DEATHS_MAX)
            return blame(supervisor, &supervisor->children[i], err);
    return STATUS_OK;
}

static enum status start_postgres(struct supervisor *supervisor, const char *bin, struct err *err)
{
    struct stack_layout *layout = supervisor->layout;
    struct stack_child *child = &supervisor->children[supervisor->child_count++];
    *child = (struct stack_child){.name = "postgres",
                                  .spec = {.argv = postgres_command(supervisor->arena, layout, bin),
                                           .folder = layout->place,
                                           .user = layout->database_user,
                                           .uid = layout->database_uid,
                                           .gid = layout->database_gid,
                                           .keep = supervisor->children_lock,
                                           .death_signal = SIGINT},
                                  .logs = layout->logs,
                                  .stop_signal = SIGINT,
                                  .stop_patience_ms = POSTGRES_STOP_MS};
    if (child->spec.argv == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(stack_child_start(child, now_ms(), err));
    int64_t start = now_ms(), said = start;
    while (!postgres_is_ready(layout, child->pid)) {
        turn(supervisor, TICK_MS);
        TRY(check_start(supervisor, err));
        if (now_ms() - said > 5000) {
            stack_report_progress(supervisor->report, "PostgreSQL is recovering (%lld s)",
                                  (long long)((now_ms() - start) / 1000));
            said = now_ms();
        }
        if (now_ms() - start > POSTGRES_WAIT_MS)
            return err_set(err, STATUS_DEADLINE, "PostgreSQL did not get ready (see %s/postgres.log)",
                           layout->logs);
    }
    return STATUS_OK;
}

static enum status prepare_database(struct supervisor *supervisor, const char **bin, struct err *err)
{
    struct stack_layout *layout = supervisor->layout;
    TRY(postgres_find(supervisor->arena, layout, supervisor->settings->postgres_bin, bin, err));
    if (postgres_is_initialised(layout))
        return postgres_clear_stale(layout, err);
    stack_report_progress(supervisor->report, "Making a database in %s", layout->database);
    int output CLEANUP(file_close) = -1;
    TRY(stack_log_open(layout->logs, "initdb", &output, err));
    off_t start = stack_log_size(layout->logs, "initdb");
    enum status status = postgres_initialise(layout, *bin, output, supervisor->children_lock, err);
    if (status != STATUS_OK) {
        struct buffer tail CLEANUP(buffer_free) = BUFFER_INIT;
        stack_log_tail(layout->logs, "initdb", start, TAIL_LINES, &tail);
        stack_report_log(supervisor->report, buffer_text(&tail));
    }
    return status;
}

/* A child that is to end by itself. */
static enum status wait_for_end(struct supervisor *supervisor, struct stack_child *child, struct err *err)
{
    child->wanted = false;
    while (child->pid != 0 && supervisor->stop_requests == 0) {
        turn(supervisor, TICK_MS);
        (void)stack_child_reap(child, now_ms());
    }
    if (child->pid != 0) {
        stack_child_signal(child, SIGKILL);
        waitpid(child->pid, NULL, 0);
        return err_set(err, STATUS_CANCELLED, "stopped while starting");
    }
    return child->ended == 0 ? STATUS_OK : blame(supervisor, child, err);
}

static enum status migrate(struct supervisor *supervisor, struct err *err)
{
    const char *program = NULL;
    TRY(process_find_program(supervisor->arena, "besom-controller", &program, err));
    struct stack_child child = {
        .name = "migrate",
        .spec = {.argv = stack_migrate_command(supervisor->arena, supervisor->layout, program),
                 .keep = supervisor->children_lock,
                 .death_signal = SIGTERM},
        .logs = supervisor->layout->logs};
    if (child.spec.argv == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(stack_child_start(&child, now_ms(), err));
    return wait_for_end(supervisor, &child, err);
}

static enum status start_service(struct supervisor *supervisor, const struct stack_service *service,
                                 struct err *err)
{
    const char *program = NULL;
    TRY(process_find_program(supervisor->arena, service->program, &program, err));
    struct stack_child *child = &supervisor->children[supervisor->child_count];
    *child = (struct stack_child){
        .name = service->name,
        .spec = {.argv =
                     service->command(supervisor->arena, supervisor->layout, supervisor->settings, program),
                 .keep = supervisor->children_lock,
                 .death_signal = SIGTERM},
        .logs = supervisor->layout->logs,
        .stop_signal = SIGTERM,
        .stop_patience_ms = SERVICE_STOP_MS,
        .socket = arena_printf(supervisor->arena, "%s/%s", supervisor->layout->run, service->socket)};
    if (child->spec.argv == NULL || child->socket == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    supervisor->child_count++;
    return stack_child_start(child, now_ms(), err);
}

static bool sockets_accept(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const struct stack_child *child = &supervisor->children[i];
        if (child->socket != NULL && (child->pid == 0 || !stack_probe_socket(child->socket)))
            return false;
    }
    return true;
}

static enum status wait_for_sockets(struct supervisor *supervisor, struct err *err)
{
    int64_t start = now_ms();
    while (!sockets_accept(supervisor)) {
        turn(supervisor, TICK_MS);
        TRY(check_start(supervisor, err));
        if (now_ms() - start > SERVICES_WAIT_MS)
            return err_set(err, STATUS_DEADLINE, "the services did not get ready (see %s)",
                           supervisor->layout->logs);
    }
    return STATUS_OK;
}

/* Until the controller answers a real call. */
static enum status wait_for_answer(struct supervisor *supervisor, const char *address, struct err *err)
{
    int output CLEANUP(file_close) = -1;
    struct stack_child probe = {.name = "probe"};
    TRY(stack_log_open(supervisor->layout->logs, "probe", &output, err));
    TRY(stack_probe_start(address, supervisor->layout->token_file, output, &probe.pid, err));
    int64_t start = now_ms();
    enum status status = STATUS_OK;
    while (!stack_child_reap(&probe, now_ms()) && status == STATUS_OK) {
        turn(supervisor, TICK_MS);
        status = check_start(supervisor, err);
        if (status == STATUS_OK && now_ms() - start > SERVICES_WAIT_MS)
            status = err_set(err, STATUS_DEADLINE, "the controller does not answer (see %s)",
                             supervisor->layout->logs);
    }
    if (probe.pid != 0) {
        stack_child_signal(&probe, SIGKILL);
        waitpid(probe.pid, NULL, 0);
    }
    if (status == STATUS_OK && probe.ended != 0)
        status = err_set(err, STATUS_INTERNAL, "the controller refuses its own token (see %s/probe.log)",
                         supervisor->layout->logs);
    return status;
}

static enum status publish(struct supervisor *supervisor, const char *address, struct err *err)
{
    const char *line = arena_printf(supervisor->arena, "%s\n", address);
    if (line == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    if (supervisor->settings->listen != NULL) {
        const char *tcp = arena_printf(supervisor->arena, "%s\n", supervisor->settings->listen);
        if (tcp == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        TRY(file_write_atomic(supervisor->layout->listen_file, tcp, strlen(tcp), 0600, err));
    }
    return file_write_atomic(supervisor->layout->endpoint_file, line, strlen(line), 0600, err);
}

static enum status start_all(struct supervisor *supervisor, struct err *err)
{
    const char *bin = NULL;
    TRY(prepare_database(supervisor, &bin, err));
    stack_report_progress(supervisor->report, "Starting PostgreSQL");
    TRY(start_postgres(supervisor, bin, err));
    TRY(migrate(supervisor, err));
    stack_report_progress(supervisor->report, "Starting the services");
    for (size_t i = 0; i < stack_service_count; i++)
        TRY(start_service(supervisor, &stack_services[i], err));
    TRY(wait_for_sockets(supervisor, err));
    const struct stack_service *controller = &stack_services[stack_service_count - 1];
    const char *address = stack_service_address(supervisor->arena, supervisor->layout, controller->socket);
    if (address == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(wait_for_answer(supervisor, address, err));
    return publish(supervisor, address, err);
}

static void stop_child(struct supervisor *supervisor, struct stack_child *child)
{
    int64_t start = now_ms();
    int asked = supervisor->stop_requests;
    bool killed = false;
    child->wanted = false;
    stack_child_signal(child, child->stop_signal);
    while (child->pid != 0) {
        wait_for_signals(supervisor, TICK_MS);
        (void)stack_child_reap(child, now_ms());
        bool hurried = supervisor->stop_requests > asked;
        if (!killed && (hurried || now_ms() - start > child->stop_patience_ms)) {
            /* SIGQUIT is PostgreSQL's way to drop everything: the log is replayed at the next start */
            stack_child_signal(child, child->stop_signal == SIGINT ? SIGQUIT : SIGKILL);
            killed = true;
            start = now_ms();
        } else if (killed && now_ms() - start > child->stop_patience_ms) {
            stack_child_signal(child, SIGKILL);
        }
    }
}

static void stop_all(struct supervisor *supervisor)
{
    unlink(supervisor->layout->endpoint_file);
    unlink(supervisor->layout->listen_file);
    for (size_t i = supervisor->child_count; i-- > 0;)
        stop_child(supervisor, &supervisor->children[i]);
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].socket != NULL)
            unlink(supervisor->children[i].socket);
}

static void rotate_logs(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        stack_log_rotate(supervisor->layout->logs, supervisor->children[i].name, STACK_LOG_LIMIT);
    stack_log_rotate(supervisor->layout->logs, "supervisor", STACK_LOG_LIMIT);
}

static void keep_running(struct supervisor *supervisor)
{
    while (supervisor->stop_requests == 0) {
        int64_t wait_ms = IDLE_MS;
        for (size_t i = 0; i < supervisor->child_count; i++) {
            int64_t due = stack_child_due_ms(&supervisor->children[i]);
            if (due >= 0 && due - now_ms() < wait_ms)
                wait_ms = due > now_ms() ? due - now_ms() : 0;
        }
        turn(supervisor, wait_ms);
        rotate_logs(supervisor);
    }
}

/* SIGCHLD only ends a wait. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum status begin(struct supervisor *supervisor, struct err *err)
{
    unlink(supervisor->layout->endpoint_file);
    unlink(supervisor->layout->listen_file);
    supervisor->signals = open_signals();
    if (supervisor->signals < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot watch signals");
    TRY(stack_lock_children(supervisor->layout->children_file, ORPHANS_WAIT_MS, &supervisor->children_lock,
                            err));
    TRY(stack_layout_prepare(supervisor->arena, supervisor->layout, err));
    return start_all(supervisor, err);
}

enum status stack_supervise(struct arena *arena, struct stack_layout *layout,
                            const struct stack_settings *settings, struct stack_report *report,
                            struct err *err)
{
    struct supervisor supervisor = {.arena = arena,
                                    .layout = layout,
                                    .settings = settings,
                                    .report = report,
                                    .signals = -1,
                                    .children_lock = -1};
    enum status status = begin(&supervisor, err);
    if (status == STATUS_OK) {
        log_info("supervisor", "serving", LOG_TEXT("home", layout->home));
        stack_report_ready(report);
        keep_running(&supervisor);
    } else {
        log_error("supervisor", "start_failed", LOG_ERR(err));
    }
    stop_all(&supervisor);
    log_info("supervisor", "stopped", LOG_TEXT("home", layout->home));
    file_close(&supervisor.children_lock);
    file_close(&supervisor.signals);
    return status;
}
