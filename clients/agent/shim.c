// SPDX-License-Identifier: Apache-2.0
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "batcher.h"
#include "command.h"
#include "loop.h"
#include "row.h"
#include "run_output.h"
#include "run_socket.h"
#include "tree.h"

#define KILL_AGAIN_MS 20 /* doubled each time, for what sleeps in the kernel */
#define KILL_AGAIN_LAST_MS 1000
#define LEFTOVER_GRACE_MS 2000
#define SYNC_EVERY_MS 1000
#define TELL_AGAIN_MS 100
#define SEGMENTS_PER_SPOOL 16

enum phase {
    PHASE_RUNNING,  /* the command runs */
    PHASE_STOPPING, /* SIGTERM was sent, SIGKILL follows */
    PHASE_KILLING,  /* SIGKILL until nothing is left */
    PHASE_ENDED     /* no descendant is left */
};

struct shim {
    struct attempt_paths paths;
    struct attempt_spec spec;
    struct loop *loop;
    struct spool_writer *spool;
    struct batcher *batcher;
    struct row_steps steps;
    struct run_socket *run_socket;
    struct run_output *output;
    struct command_started command; /* the pipes are the output's */
    int64_t started_ms;
    enum phase phase;
    bool command_reaped;
    struct attempt_exit end;
    int64_t told_sequence;
    int64_t kill_again_ms;
    char trouble[200]; /* for the agent; "" = all is well */
    bool trouble_told;
    int signal_fd, control_listener, control;
    struct loop_watch *signal_watch, *listener_watch, *control_watch;
    struct loop_timer flush_timer, sync_timer, kill_timer, orphan_timer, lease_timer;
};

/* ---- batches ---- */

/* What is news to the agent. An agent that hangs takes nothing: it is told later. */
static void tell_agent(struct shim *shim)
{
    int64_t sequence = batcher_sequence(shim->batcher);
    if (sequence != shim->told_sequence && control_send(shim->control, CONTROL_SEQUENCE, sequence, 0, NULL))
        shim->told_sequence = sequence;
    if (!shim->trouble_told)
        shim->trouble_told = control_send(shim->control, CONTROL_TROUBLE, 0, 0, shim->trouble);
}

static bool agent_knows_all(const struct shim *shim)
{
    return shim->control < 0 ||
           (shim->trouble_told && shim->told_sequence == batcher_sequence(shim->batcher));
}

/* The shim's own log may lie on the disk that is full: the agent says it. */
static void note_trouble(struct shim *shim, const char *text)
{
    if (strcmp(shim->trouble, text) == 0)
        return;
    if (*text != '\0')
        log_warn("shim", "trouble", LOG_TEXT("text", text));
    snprintf(shim->trouble, sizeof shim->trouble, "%s", text);
    shim->trouble_told = false;
    tell_agent(shim);
}

/* Without its folder the run can neither keep nor report anything. */
static bool folder_is_gone(const struct shim *shim)
{
    return attempt_is_gone(&shim->paths);
}

static void take_order(struct shim *shim, bool at_once, enum end_cause cause, int64_t generation,
                       const char *reason);

static void note_flush(struct shim *shim, enum status status, const struct err *err)
{
    char text[sizeof shim->trouble];
    if (status == STATUS_OK) {
        note_trouble(shim, batcher_is_full(shim->batcher)
                               ? "the spool is full: logging waits until the controller takes metrics"
                               : "");
        return;
    }
    snprintf(text, sizeof text, "%.150s (what it logs waits)", err->text);
    note_trouble(shim, text);
    if (shim->phase == PHASE_RUNNING && folder_is_gone(shim))
        take_order(shim, false, END_CAUSE_ORPHANED, 0, "the folder of the run was deleted");
}

static void flush_if_due(struct shim *shim)
{
    if (batcher_due_ms(shim->batcher) == 0) {
        struct err err = ERR_INIT;
        enum status status = batcher_flush(shim->batcher, false, &err);
        note_flush(shim, status, &err);
        if (!loop_timer_is_set(&shim->sync_timer))
            loop_timer_set(shim->loop, &shim->sync_timer, SYNC_EVERY_MS);
    }
    tell_agent(shim);
    run_socket_hold(shim->run_socket, batcher_is_full(shim->batcher));
    run_output_hold(shim->output, batcher_is_full(shim->batcher));
    int64_t due_ms = batcher_due_ms(shim->batcher);
    if (!agent_knows_all(shim) && (due_ms < 0 || due_ms > TELL_AGAIN_MS))
        due_ms = TELL_AGAIN_MS;
    if (due_ms >= 0)
        loop_timer_set(shim->loop, &shim->flush_timer, due_ms);
    else
        loop_timer_stop(&shim->flush_timer);
}

static void on_input(void *context)
{
    flush_if_due(context);
}

static void on_sync_timer(void *context)
{
    struct shim *shim = context;
    spool_sync(shim->spool);
}

/* ---- ending ---- */

static void kill_now(struct shim *shim)
{
    shim->phase = PHASE_KILLING;
    if (!shim->command_reaped)
        kill(-shim->command.pid, SIGKILL);
    tree_kill(getpid());
    int64_t again_ms = shim->kill_again_ms > 0 ? shim->kill_again_ms : KILL_AGAIN_MS;
    loop_timer_set(shim->loop, &shim->kill_timer, again_ms);
    shim->kill_again_ms = again_ms * 2 < KILL_AGAIN_LAST_MS ? again_ms * 2 : KILL_AGAIN_LAST_MS;
}

static void on_kill_timer(void *context)
{
    struct shim *shim = context;
    if (shim->phase != PHASE_ENDED)
        kill_now(shim);
}

/* The group hears SIGTERM once; what left the group is told by the walk. A stopped process must wake up to
 * hear. */
static void terminate(struct shim *shim, int64_t grace_ms)
{
    shim->phase = PHASE_STOPPING;
    tree_signal(getpid(), SIGTERM);
    tree_signal(getpid(), SIGCONT);
    loop_timer_set(shim->loop, &shim->kill_timer, grace_ms);
}

/* The first order counts as the reason of the end; a kill may follow a stop. */
static void take_order(struct shim *shim, bool at_once, enum end_cause cause, int64_t generation,
                       const char *reason)
{
    if (shim->phase == PHASE_ENDED)
        return;
    if (shim->end.cause == END_CAUSE_NONE && !shim->command_reaped) {
        shim->end.cause = cause;
        shim->end.generation = generation;
    }
    run_socket_announce_stop(shim->run_socket, reason);
    if (at_once)
        kill_now(shim);
    else if (shim->phase == PHASE_RUNNING)
        terminate(shim, shim->spec.stop_grace_ms);
}

static void on_orphan_timer(void *context)
{
    take_order(context, false, END_CAUSE_ORPHANED, 0, "no agent has come back");
}

static void on_lease_timer(void *context)
{
    take_order(context, false, END_CAUSE_LEASE, 0, "the controller cannot be reached (on_disconnect: stop)");
}

static void note_command_end(struct shim *shim, int status)
{
    shim->command_reaped = true;
    shim->end.run_time_ms = loop_now_ms() - shim->started_ms;
    shim->end.end = WIFSIGNALED(status) ? ATTEMPT_SIGNALED : ATTEMPT_EXITED;
    shim->end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    shim->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* As the subreaper of its tree the shim has a child as long as the tree has a member. */
static void reap(struct shim *shim)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && pid == shim->command.pid)
            note_command_end(shim, status);
        if (pid > 0 || (pid < 0 && errno == EINTR))
            continue;
        if (pid < 0)
            shim->phase = PHASE_ENDED;
        break;
    }
    if (shim->phase == PHASE_RUNNING && shim->command_reaped)
        terminate(shim, shim->spec.stop_grace_ms < LEFTOVER_GRACE_MS ? shim->spec.stop_grace_ms
                                                                     : LEFTOVER_GRACE_MS);
}

static void on_signal(void *context, short events)
{
    struct shim *shim = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(shim->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM)
            take_order(shim, false, END_CAUSE_PREEMPTED, 0, "the machine is going away");
    reap(shim);
}

/* ---- the agent ---- */

static void drop_agent(struct shim *shim)
{
    loop_watch_remove(shim->control_watch);
    shim->control_watch = NULL;
    file_close(&shim->control);
    loop_timer_set(shim->loop, &shim->orphan_timer, shim->spec.lost_after_ms);
}

static void take_message(struct shim *shim, const struct control_message *message)
{
    switch ((enum control_kind)message->kind) {
    case CONTROL_ACKNOWLEDGED:
        spool_acknowledge(shim->spool, message->a);
        flush_if_due(shim);
        break;
    case CONTROL_STOP:
    case CONTROL_KILL:
        take_order(shim, message->kind == CONTROL_KILL, (enum end_cause)message->b, message->a,
                   message->text);
        (void)control_send(shim->control, CONTROL_TAKEN, message->a, 0, NULL);
        break;
    case CONTROL_SIGNAL:
        if (!shim->command_reaped)
            kill(-shim->command.pid, (int)message->a);
        break;
    case CONTROL_LEASE:
        if (shim->spec.stop_on_disconnect)
            loop_timer_set(shim->loop, &shim->lease_timer, message->a);
        break;
    default: log_warn("shim", "unknown_message", LOG_INT("kind", message->kind)); break;
    }
}

static void on_control(void *context, short events)
{
    struct shim *shim = context;
    (void)events;
    for (;;) {
        struct control_message message;
        int got = control_receive(shim->control, &message);
        if (got > 0)
            take_message(shim, &message);
        if (got < 0)
            drop_agent(shim);
        if (got <= 0)
            return;
    }
}

/* A new agent takes the place of the one before: that one was killed. */
static void on_agent(void *context, short events)
{
    struct shim *shim = context;
    (void)events;
    int fd = accept4(shim->control_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (shim->control >= 0)
        drop_agent(shim);
    shim->control = fd;
    shim->control_watch = loop_watch_add(shim->loop, fd, POLLIN, on_control, shim);
    loop_timer_stop(&shim->orphan_timer);
    shim->told_sequence = -1;
    shim->trouble_told = shim->trouble[0] == '\0';
    tell_agent(shim);
}

/* ---- life ---- */

static enum status make_output(struct shim *shim, struct err *err)
{
    const struct run_output_options options = {.spec = &shim->spec,
                                               .loop = shim->loop,
                                               .batcher = shim->batcher,
                                               .steps = &shim->steps,
                                               .on_input = on_input,
                                               .context = shim};
    return run_output_new(&options, &shim->output, err);
}

static enum status open_sockets(struct shim *shim, struct err *err)
{
    const struct run_socket_options options = {.path = shim->paths.run_socket,
                                               .spec = &shim->spec,
                                               .loop = shim->loop,
                                               .batcher = shim->batcher,
                                               .steps = &shim->steps,
                                               .on_input = on_input,
                                               .context = shim};
    TRY(run_socket_new(&options, &shim->run_socket, err));
    TRY(control_listen(shim->paths.control_socket, &shim->control_listener, err));
    shim->listener_watch = loop_watch_add(shim->loop, shim->control_listener, POLLIN, on_agent, shim);
    return shim->listener_watch != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status watch_signals(struct shim *shim, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    shim->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (shim->signal_fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot watch signals");
    shim->signal_watch = loop_watch_add(shim->loop, shim->signal_fd, POLLIN, on_signal, shim);
    return shim->signal_watch != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status set_up(struct shim *shim, struct err *err)
{
    prctl(PR_SET_NAME, "besom-shim"); /* for ps: it was started as /proc/self/exe */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a bound on files is to the spool what a full disk is */
    fcntl(SHIM_LOCK_FD, F_SETFD, FD_CLOEXEC);
    close_range(SHIM_LOCK_FD + 1, ~0U, 0); /* what whoever started the agent left open */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot become a subreaper");
    TRY(attempt_spec_read(&shim->paths, &shim->spec, err));
    shim->loop = loop_new();
    if (shim->loop == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(watch_signals(shim, err));
    TRY(spool_writer_new(shim->paths.spool, &shim->spool, err));
    int64_t part = shim->spec.spool_limit_bytes / SEGMENTS_PER_SPOOL;
    if (part < SPOOL_SEGMENT_BYTES)
        spool_set_segment_bytes(shim->spool, part);
    TRY(batcher_new(shim->spool, shim->spec.spool_limit_bytes, &shim->batcher, err));
    shim->steps.next = shim->spec.next_step;
    TRY(make_output(shim, err));
    return open_sockets(shim, err);
}

static void set_timers(struct shim *shim)
{
    const struct {
        struct loop_timer *timer;
        void (*fire)(void *context);
    } rows[] = {{&shim->flush_timer, on_input},
                {&shim->sync_timer, on_sync_timer},
                {&shim->kill_timer, on_kill_timer},
                {&shim->orphan_timer, on_orphan_timer},
                {&shim->lease_timer, on_lease_timer}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        *rows[i].timer = (struct loop_timer){.fire = rows[i].fire, .context = shim};
}

/* The mark comes first: a crash in between makes the attempt lost, never started twice. */
static enum status start(struct shim *shim, struct err *err)
{
    TRY(attempt_mark_started(&shim->paths, err));
    shim->started_ms = loop_now_ms();
    enum status status = command_start(&shim->spec, &shim->paths, &shim->command, err);
    if (status != STATUS_OK) {
        shim->end.end = status == STATUS_UNAVAILABLE ? ATTEMPT_NOT_STARTED : ATTEMPT_START_FAILED;
        shim->phase = PHASE_ENDED;
        snprintf(shim->end.error_text, sizeof shim->end.error_text, "%s", err->text);
        return STATUS_OK;
    }
    run_output_watch(shim->output, shim->command.output);
    loop_timer_set(shim->loop, &shim->orphan_timer, shim->spec.lost_after_ms);
    if (shim->spec.stop_on_disconnect)
        loop_timer_set(shim->loop, &shim->lease_timer, shim->spec.lease_ms);
    return STATUS_OK;
}

/* Everything that the command left in pipes and connections. Orders are still heard while the disk is full.
 */
static void drain(struct shim *shim)
{
    run_output_drain(shim->output);
    run_socket_drain(shim->run_socket);
    struct err err = ERR_INIT;
    while (batcher_flush(shim->batcher, true, &err) != STATUS_OK && !folder_is_gone(shim)) {
        note_flush(shim, err.code, &err);
        loop_timer_set(shim->loop, &shim->flush_timer, 1000);
        loop_run_once(shim->loop);
    }
    spool_sync_wait(shim->spool);
    tell_agent(shim);
}

/* A program may end well and yet say that its run failed: after an exception that it caught, for example. */
static void take_told_end(struct shim *shim)
{
    struct attempt_exit *end = &shim->end;
    const char *text;
    int code = run_socket_exit_code(shim->run_socket, &text);
    if (code == 0 || end->end != ATTEMPT_EXITED || end->exit_code != 0 || end->cause != END_CAUSE_NONE)
        return;
    end->exit_code = code;
    end->told = true;
    size_t length = strlen(text), most = sizeof end->error_text - 1;
    snprintf(end->error_text, sizeof end->error_text, "%s", length > most ? text + length - most : text);
}

static void write_exit(struct shim *shim)
{
    struct attempt_exit *end = &shim->end;
    end->final_sequence = batcher_sequence(shim->batcher);
    end->preempting = run_socket_preempting(shim->run_socket);
    take_told_end(shim);
    bool failed = end->end == ATTEMPT_SIGNALED || (end->end == ATTEMPT_EXITED && end->exit_code != 0);
    if (failed && end->error_text[0] == '\0')
        run_output_error_text(shim->output, end->error_text);
    attempt_clean_text(end->error_text);
    struct err err = ERR_INIT;
    while (attempt_exit_write(&shim->paths, end, &err) != STATUS_OK && !folder_is_gone(shim)) {
        note_flush(shim, err.code, &err);
        loop_timer_set(shim->loop, &shim->flush_timer, 1000);
        loop_run_once(shim->loop);
    }
    (void)control_send(shim->control, CONTROL_EXITED, 0, 0, NULL);
}

static void tear_down(struct shim *shim)
{
    run_socket_free(shim->run_socket);
    run_output_free(shim->output);
    unlink(shim->paths.run_socket);
    unlink(shim->paths.control_socket);
    file_close(&shim->control);
    file_close(&shim->control_listener);
    file_close(&shim->signal_fd);
    batcher_free(shim->batcher);
    spool_writer_free(shim->spool);
    attempt_spec_free(&shim->spec);
    loop_free(shim->loop);
}

int shim_main(const char *folder)
{
    struct shim *shim = calloc(1, sizeof *shim);
    struct err err = ERR_INIT;
    if (shim == NULL)
        return 1;
    shim->control = shim->control_listener = shim->signal_fd = -1;
    shim->trouble_told = true;
    shim->command = (struct command_started){.pid = -1, .output = {-1, -1}};
    set_timers(shim);
    enum status status = attempt_paths_make(folder, &shim->paths, &err);
    if (status == STATUS_OK)
        status = set_up(shim, &err);
    if (status == STATUS_OK)
        status = start(shim, &err);
    if (status == STATUS_OK) {
        while (shim->phase != PHASE_ENDED)
            loop_run_once(shim->loop);
        command_clean_up(&shim->spec);
        drain(shim);
        write_exit(shim);
    } else {
        log_error("shim", "cannot_start", LOG_ERR(&err));
    }
    tear_down(shim);
    free(shim);
    return status == STATUS_OK ? 0 : 1;
}
