// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

struct loop_watch {
    struct loop_watch *next;
    int fd;
    short events;
    bool removed; /* freed after the round: its neighbours may be in use */
    void (*ready)(void *context, short events);
    void *context;
};

struct posted {
    struct posted *next;
    void (*work)(void *context);
    void *context;
};

struct loop {
    struct loop_watch *watches; /* owned */
    struct loop_timer *timers;
    struct pollfd *polled; /* owned; scratch */
    struct loop_watch **polled_watches;
    size_t polled_capacity;
    int wake_fd;
    pthread_mutex_t mutex; /* of first, last */
    struct posted *first, *last;
};

int64_t loop_now_ms(void)
{
    return clock_monotonic_ms(&clock_system);
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        free(loop);
        return NULL;
    }
    pthread_mutex_init(&loop->mutex, NULL);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->watches != NULL) {
        struct loop_watch *watch = loop->watches;
        loop->watches = watch->next;
        free(watch);
    }
    while (loop->first != NULL) {
        struct posted *posted = loop->first;
        loop->first = posted->next;
        free(posted);
    }
    file_close(&loop->wake_fd);
    pthread_mutex_destroy(&loop->mutex);
    free(loop->polled);
    free(loop->polled_watches);
    free(loop);
}

struct loop_watch *loop_watch_add(struct loop *loop, int fd, short events,
                                  void (*ready)(void *context, short events), void *context)
{
    struct loop_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    *watch = (struct loop_watch){
        .next = loop->watches, .fd = fd, .events = events, .ready = ready, .context = context};
    loop->watches = watch;
    return watch;
}

void loop_watch_events(struct loop_watch *watch, short events)
{
    if (watch != NULL)
        watch->events = events;
}

void loop_watch_remove(struct loop_watch *watch)
{
    if (watch != NULL)
        watch->removed = true;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms)
{
    timer->due_ms = loop_now_ms() + (delay_ms > 0 ? delay_ms : 0);
    if (timer->linked)
        return;
    timer->next = loop->timers;
    timer->linked = true;
    loop->timers = timer;
}

void loop_timer_stop(struct loop_timer *timer)
{
    timer->due_ms = 0;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->due_ms != 0;
}

void loop_timer_forget(struct loop *loop, struct loop_timer *timer)
{
    for (struct loop_timer **link = &loop->timers; *link != NULL; link = &(*link)->next) {
        if (*link != timer)
            continue;
        *link = timer->next;
        break;
    }
    timer->linked = false;
    timer->due_ms = 0;
}

void loop_post(struct loop *loop, void (*work)(void *context), void *context)
{
    struct posted *posted = calloc(1, sizeof *posted);
    if (posted == NULL)
        abort(); /* a lost completion would hang the agent for ever */
    posted->work = work;
    posted->context = context;
    pthread_mutex_lock(&loop->mutex);
    if (loop->last != NULL)
        loop->last->next = posted;
    else
        loop->first = posted;
    loop->last = posted;
    /* Under the mutex, so that the loop's owner may free it once it has seen the last post. */
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written; /* full means that a wake-up is due already */
    pthread_mutex_unlock(&loop->mutex);
}

static void run_posted(struct loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->wake_fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&loop->mutex);
    struct posted *posted = loop->first;
    loop->first = loop->last = NULL;
    pthread_mutex_unlock(&loop->mutex);
    while (posted != NULL) {
        struct posted *next = posted->next;
        posted->work(posted->context);
        free(posted);
        posted = next;
    }
}

static void sweep_removed(struct loop *loop)
{
    for (struct loop_watch **link = &loop->watches; *link != NULL;) {
        struct loop_watch *watch = *link;
        if (!watch->removed) {
            link = &watch->next;
            continue;
        }
        *link = watch->next;
        free(watch);
    }
}

/* Lists what to poll; entry 0 is the wake-up descriptor. Returns the number of entries. */
static size_t collect(struct loop *loop)
{
    size_t count = 1;
    for (struct loop_watch *watch = loop->watches; watch != NULL; watch = watch->next)
        count++;
    if (count > loop->polled_capacity) {
        free(loop->polled);
        free(loop->polled_watches);
        loop->polled = calloc(count * 2, sizeof *loop->polled);
        loop->polled_watches = calloc(count * 2, sizeof(struct loop_watch *));
        if (loop->polled == NULL || loop->polled_watches == NULL)
            abort();
        loop->polled_capacity = count * 2;
    }
    loop->polled[0] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
    size_t at = 1;
    for (struct loop_watch *watch = loop->watches; watch != NULL; watch = watch->next, at++) {
        loop->polled[at] =
            (struct pollfd){.fd = watch->events != 0 ? watch->fd : -1, .events = watch->events};
        loop->polled_watches[at] = watch;
    }
    return count;
}

static int wait_ms(const struct loop *loop)
{
    int64_t now_ms = loop_now_ms();
    int64_t wait = 60000;
    for (const struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->due_ms != 0 && timer->due_ms - now_ms < wait)
            wait = timer->due_ms - now_ms;
    return wait > 0 ? (int)wait : 0;
}

/* Each fired timer may set or forget any other, so the search starts again. */
static void fire_timers(struct loop *loop)
{
    int64_t now_ms = loop_now_ms();
    for (bool fired = true; fired;) {
        fired = false;
        for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next) {
            if (timer->due_ms == 0 || timer->due_ms > now_ms)
                continue;
            timer->due_ms = 0;
            timer->fire(timer->context);
            fired = true;
            break;
        }
    }
}

void loop_run_once(struct loop *loop)
{
    sweep_removed(loop);
    size_t count = collect(loop);
    int ready = poll(loop->polled, count, wait_ms(loop));
    if (ready > 0 && loop->polled[0].revents != 0)
        run_posted(loop);
    for (size_t i = 1; ready > 0 && i < count; i++)
        if (loop->polled[i].revents != 0 && !loop->polled_watches[i]->removed)
            loop->polled_watches[i]->ready(loop->polled_watches[i]->context, loop->polled[i].revents);
    fire_timers(loop);
}
