// SPDX-License-Identifier: Apache-2.0
#include "syncer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAITING_MAX 64

struct request {
    int fd; /* owned */
    int64_t number;
};

struct syncer {
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct request waiting[WAITING_MAX]; /* oldest first */
    size_t count;
    bool busy, ending;
};

static void *work(void *context)
{
    struct syncer *syncer = context;
    pthread_mutex_lock(&syncer->mutex);
    for (;;) {
        while (syncer->count == 0 && !syncer->ending)
            pthread_cond_wait(&syncer->changed, &syncer->mutex);
        if (syncer->count == 0)
            break;
        int fd = syncer->waiting[0].fd;
        syncer->count--;
        memmove(syncer->waiting, syncer->waiting + 1, syncer->count * sizeof syncer->waiting[0]);
        syncer->busy = true;
        pthread_mutex_unlock(&syncer->mutex);
        (void)fdatasync(fd); /* what the disk refuses the controller may still get in time */
        close(fd);
        pthread_mutex_lock(&syncer->mutex);
        syncer->busy = false;
        pthread_cond_broadcast(&syncer->changed);
    }
    pthread_mutex_unlock(&syncer->mutex);
    return NULL;
}

/* Signals are for the loop's thread. */
static bool start_thread(struct syncer *syncer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&syncer->thread, NULL, work, syncer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct syncer *syncer_new(void)
{
    struct syncer *syncer = calloc(1, sizeof *syncer);
    if (syncer == NULL)
        return NULL;
    pthread_mutex_init(&syncer->mutex, NULL);
    pthread_cond_init(&syncer->changed, NULL);
    if (start_thread(syncer))
        return syncer;
    pthread_cond_destroy(&syncer->changed);
    pthread_mutex_destroy(&syncer->mutex);
    free(syncer);
    return NULL;
}

void syncer_free(struct syncer *syncer)
{
    if (syncer == NULL)
        return;
    pthread_mutex_lock(&syncer->mutex);
    syncer->ending = true;
    pthread_cond_broadcast(&syncer->changed);
    pthread_mutex_unlock(&syncer->mutex);
    pthread_join(syncer->thread, NULL);
    pthread_cond_destroy(&syncer->changed);
    pthread_mutex_destroy(&syncer->mutex);
    free(syncer);
}

/* A request that has not begun serves for what was written since, too. */
void syncer_add(struct syncer *syncer, int fd, int64_t number)
{
    pthread_mutex_lock(&syncer->mutex);
    bool asked = syncer->count > 0 && syncer->waiting[syncer->count - 1].number == number;
    int copy = asked || syncer->count == WAITING_MAX ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0) {
        syncer->waiting[syncer->count++] = (struct request){.fd = copy, .number = number};
        pthread_cond_broadcast(&syncer->changed);
    }
    pthread_mutex_unlock(&syncer->mutex);
}

void syncer_wait(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->mutex);
    while (syncer->count > 0 || syncer->busy)
        pthread_cond_wait(&syncer->changed, &syncer->mutex);
    pthread_mutex_unlock(&syncer->mutex);
}
