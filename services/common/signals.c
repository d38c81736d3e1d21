// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static pthread_t waiter; /* the thread that called signals_block */

static void pass_on(int number)
{
    (void)pthread_kill(waiter, number);
}

/* A library may have started threads before main (OpenBLAS does), in which nothing is blocked: the kernel
 * gives them the signal, and they hand it to the thread that waits. */
void signals_block(void)
{
    sigset_t set = ending_signals();
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    waiter = pthread_self();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int signals_wait(int64_t timeout_ms)
{
    sigset_t set = ending_signals();
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    for (;;) {
        int number = timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &timeout);
        if (number > 0)
            return number;
        if (errno != EINTR)
            return 0;
    }
}

void signals_release(void)
{
    sigset_t set = ending_signals();
    /* Started in the background of a shell, a process ignores SIGINT. */
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
