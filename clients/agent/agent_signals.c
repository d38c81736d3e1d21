// SPDX-License-Identifier: Apache-2.0
#include "agent_signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define STOP_TICK_MS 200
#define REPORT_WITHIN_MS 10000
#define SAME_TERMINATION_MS 3000

static void order_all(struct agent *agent, bool at_once, enum end_cause cause, const char *reason)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (slot_is_live(&agent->slots[i]) || agent->slots[i].phase == SLOT_REPORTING)
            slot_order(&agent->slots[i], at_once, cause, 0, reason);
}

static bool any_live(const struct agent *agent)
{
    for (int i = 0; i < agent->slot_count; i++)
        if (slot_is_live(&agent->slots[i]))
            return true;
    return false;
}

/* Who was told to stop does not wait for ever for a controller that is away. */
static void on_stop_timer(void *context)
{
    struct agent *agent = context;
    int64_t now_ms = loop_now_ms();
    if (any_live(agent))
        agent->ended_ms = 0;
    else if (agent->ended_ms == 0)
        agent->ended_ms = now_ms;
    if (agent->ended_ms != 0 && now_ms - agent->ended_ms > REPORT_WITHIN_MS && agent->mode != AGENT_RETIRING)
        agent->left_behind = agent->finished = true;
    loop_timer_set(agent->loop, &agent->stop_timer, STOP_TICK_MS);
}

static void stop_runs(struct agent *agent, bool at_once, enum end_cause cause, const char *reason)
{
    if (agent->mode == AGENT_RETIRING)
        return;
    agent_leave(agent, 0, "%s", reason);
    agent->mode = at_once ? AGENT_KILLING : AGENT_STOPPING;
    order_all(agent, at_once, cause, reason);
    loop_timer_set(agent->loop, &agent->stop_timer, STOP_TICK_MS);
    agent_step(agent);
}

static void leave_at_once(struct agent *agent)
{
    agent->left_behind = agent->finished = true;
}

/* Who waits for a single run has nothing else to wait for: the first one stops it. */
static void take_interrupt(struct agent *agent)
{
    bool single = agent->submit_params != NULL;
    if (agent->interrupts == 0 && single)
        agent->interrupts++;
    switch (++agent->interrupts) {
    case 1:
        say("ctrl-c received. Waiting for runs to end. Press ctrl-c again to stop them.");
        agent_leave(agent, 0, "interrupted by its user");
        break;
    case 2:
        say(single ? "ctrl-c received. Stopping the run. Press ctrl-c again to kill it."
                   : "ctrl-c received again. Stopping runs. Press ctrl-c once more to kill them.");
        stop_runs(agent, false, END_CAUSE_USER, "stopped by its user");
        break;
    case 3:
        say(single ? "ctrl-c received again. Killing the run."
                   : "ctrl-c received for the third time. Killing runs.");
        stop_runs(agent, true, END_CAUSE_USER, "killed by its user");
        break;
    default: leave_at_once(agent); break;
    }
}

/* A batch system signals all processes of a job, and its shell may pass that on: one termination comes twice.
 */
static bool is_repeated(struct agent *agent)
{
    int64_t now_ms = loop_now_ms();
    if (agent->terminations > 0 && now_ms - agent->terminated_ms < SAME_TERMINATION_MS)
        return true;
    agent->terminated_ms = now_ms;
    return false;
}

/* A batch system warns with SIGUSR1, maybe more than once, before it terminates. */
static void take_termination(struct agent *agent, bool warning)
{
    bool stopping = agent->stop_cause == END_CAUSE_PREEMPTED;
    if (!warning && is_repeated(agent))
        return;
    if (!warning && agent->terminations++ > 0 && stopping) {
        leave_at_once(agent);
        return;
    }
    if (stopping)
        return;
    agent->interrupts++;
    agent->stop_cause = END_CAUSE_PREEMPTED;
    say("%s. Stopping %s.", warning ? "Told that this machine is taken away" : "Told to end",
        agent->submit_params != NULL ? "the run" : "runs; they go back to the queue");
    stop_runs(agent, false, END_CAUSE_PREEMPTED,
              warning ? "the machine is taken away (SIGUSR1)" : "the agent was told to end");
}

static void on_term_timer(void *context)
{
    stop_runs(context, true, END_CAUSE_USER, "killed: --term-timeout has passed");
}

static void forward(struct agent *agent, int number)
{
    for (int i = 0; i < agent->slot_count; i++)
        slot_forward_signal(&agent->slots[i], number);
}

static bool asks_to_end(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

static void take_signal(struct agent *agent, int number)
{
    if (agent->options->forward_signals) {
        forward(agent, number);
        if (!asks_to_end(number))
            return;
        if (agent->options->term_timeout_ms > 0 && !loop_timer_is_set(&agent->term_timer))
            loop_timer_set(agent->loop, &agent->term_timer, agent->options->term_timeout_ms);
        take_interrupt(agent);
    } else if (number == SIGINT) {
        take_interrupt(agent);
    } else if (number == SIGUSR1 || asks_to_end(number)) {
        take_termination(agent, number == SIGUSR1);
    }
}

static void on_signal(void *context, short events)
{
    struct agent *agent = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(agent->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            take_signal(agent, (int)info.ssi_signo);
    while (waitpid(-1, NULL, WNOHANG) > 0) /* shims; their lock and exit.json tell the rest */
        continue;
}

enum status agent_signals_watch(struct agent *agent, struct err *err)
{
    static const int always[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGCHLD};
    static const int forwarded[] = {SIGUSR2, SIGCONT, SIGWINCH, SIGALRM};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        sigaddset(&set, always[i]);
    for (size_t i = 0; agent->options->forward_signals && i < ARRAY_LEN(forwarded); i++)
        sigaddset(&set, forwarded[i]);
    signal(SIGPIPE, SIG_IGN);
    agent->stop_timer = (struct loop_timer){.fire = on_stop_timer, .context = agent};
    agent->term_timer = (struct loop_timer){.fire = on_term_timer, .context = agent};
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot block signals");
    agent->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (agent->signal_fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot watch signals");
    agent->signal_watch = loop_watch_add(agent->loop, agent->signal_fd, POLLIN, on_signal, agent);
    return agent->signal_watch != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}
