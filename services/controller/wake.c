// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/wake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "services/controller/claim.h"
#include "services/controller/controller.h"
#include "services/controller/metrics.h"
#include "services/controller/track.h"

#define PENDING_MAX 500
#define SEND_INTERVAL_MS 50
#define LISTEN_TIMEOUT_MS 1000
#define EVERYTHING "*"

struct wake {
    struct controller *controller;
    struct store_listener *listener; /* owned */
    pthread_t listening, sending;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char pending[PENDING_MAX][ID_SIZE]; /* lock; sweeps to tell others of */
    size_t pending_count;               /* lock; PENDING_MAX = too many: everything */
};

void wake_local(struct controller *controller, const char *sweep_id)
{
    if (controller->claims != NULL)
        claims_wake(controller->claims, sweep_id);
    if (controller->tracks != NULL)
        tracks_wake(controller->tracks);
}

static void queue_sweep(struct wake *wake, const char *sweep_id)
{
    pthread_mutex_lock(&wake->lock);
    size_t i = 0;
    while (i < wake->pending_count && strcmp(wake->pending[i], sweep_id) != 0)
        i++;
    if (i == wake->pending_count && i < PENDING_MAX)
        (void)snprintf(wake->pending[wake->pending_count++], ID_SIZE, "%.8s", sweep_id);
    pthread_cond_signal(&wake->changed);
    pthread_mutex_unlock(&wake->lock);
}

void wake_sweep(struct controller *controller, const char *sweep_id)
{
    wake_local(controller, sweep_id);
    if (controller->wake != NULL)
        queue_sweep(controller->wake, sweep_id);
}

/* As store_wake has it. */
static void write_payload(struct wake *wake, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%.128s", wake->controller->owner);
    if (wake->pending_count == PENDING_MAX) {
        (void)snprintf(out + used, size - used, " " EVERYTHING);
        return;
    }
    for (size_t i = 0; i < wake->pending_count; i++)
        used += (size_t)snprintf(out + used, size - used, " %s", wake->pending[i]);
}

static void *send_wakes(void *argument)
{
    struct wake *wake = argument;
    char payload[160 + PENDING_MAX * (ID_SIZE + 1)];
    while (!atomic_load(&wake->stopping)) {
        pthread_mutex_lock(&wake->lock);
        while (wake->pending_count == 0 && !atomic_load(&wake->stopping))
            pthread_cond_wait(&wake->changed, &wake->lock);
        write_payload(wake, payload, sizeof payload);
        bool any = wake->pending_count > 0;
        wake->pending_count = 0;
        pthread_mutex_unlock(&wake->lock);
        struct err err = ERR_INIT;
        if (any)
            controller_count(CONTROLLER_WAKES_SENT, 0);
        if (any && store_wake(wake->controller->store, payload, &err) != STATUS_OK)
            log_debug(CONTROLLER_LOG, "wake_not_sent", LOG_ERR(&err));
        int64_t end_ms = clock_monotonic_ms(&clock_system) + SEND_INTERVAL_MS, left_ms;
        pthread_mutex_lock(&wake->lock);
        while (!atomic_load(&wake->stopping) && (left_ms = end_ms - clock_monotonic_ms(&clock_system)) > 0)
            (void)clock_cond_wait(&wake->changed, &wake->lock, left_ms);
        pthread_mutex_unlock(&wake->lock);
    }
    return NULL;
}

static void heard(void *context, const char *payload)
{
    struct wake *wake = context;
    size_t sender = strcspn(payload, " ");
    if (strlen(wake->controller->owner) == sender && memcmp(payload, wake->controller->owner, sender) == 0)
        return;
    controller_count(CONTROLLER_WAKES_HEARD, 0);
    for (const char *at = payload + sender; *at != '\0';) {
        at += strspn(at, " ");
        size_t length = strcspn(at, " ");
        char id[ID_SIZE] = "";
        if (length == ID_LENGTH)
            memcpy(id, at, length);
        if (length > 0)
            wake_local(wake->controller, id[0] != '\0' ? id : NULL);
        at += length;
    }
}

static void *listen_for_wakes(void *argument)
{
    struct wake *wake = argument;
    while (!atomic_load(&wake->stopping)) {
        struct err err = ERR_INIT;
        bool reconnected = false;
        enum status status =
            store_listener_wait(wake->listener, LISTEN_TIMEOUT_MS, heard, wake, &reconnected, &err);
        if (status != STATUS_OK)
            log_debug(CONTROLLER_LOG, "not_listening", LOG_ERR(&err));
        else if (reconnected)
            wake_local(wake->controller, NULL);
    }
    return NULL;
}

static enum status start_threads(struct wake *wake, struct err *err)
{
    int failure = pthread_create(&wake->listening, NULL, listen_for_wakes, wake);
    if (failure != 0)
        return err_set_errno(err, STATUS_IO, failure, "starting the listener");
    (void)pthread_setname_np(wake->listening, "wake-listen");
    failure = pthread_create(&wake->sending, NULL, send_wakes, wake);
    if (failure != 0) {
        atomic_store(&wake->stopping, true);
        store_listener_interrupt(wake->listener);
        pthread_join(wake->listening, NULL);
        return err_set_errno(err, STATUS_IO, failure, "starting the sender of wake-ups");
    }
    (void)pthread_setname_np(wake->sending, "wake-send");
    return STATUS_OK;
}

static void destroy(struct wake *wake)
{
    store_listener_free(wake->listener);
    pthread_cond_destroy(&wake->changed);
    pthread_mutex_destroy(&wake->lock);
    free(wake);
}

enum status wake_start(struct controller *controller, struct wake **out, struct err *err)
{
    struct wake *wake = calloc(1, sizeof *wake);
    *out = NULL;
    if (wake == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    wake->controller = controller;
    pthread_mutex_init(&wake->lock, NULL);
    clock_cond_init(&wake->changed);
    enum status status = store_listener_new(controller->options->service.database_url, &wake->listener, err);
    if (status == STATUS_OK)
        status = start_threads(wake, err);
    if (status != STATUS_OK) {
        destroy(wake);
        return status;
    }
    *out = wake;
    return STATUS_OK;
}

void wake_stop(struct wake *wake)
{
    if (wake == NULL)
        return;
    pthread_mutex_lock(&wake->lock);
    atomic_store(&wake->stopping, true);
    pthread_cond_broadcast(&wake->changed);
    pthread_mutex_unlock(&wake->lock);
    store_listener_interrupt(wake->listener);
    pthread_join(wake->listening, NULL);
    pthread_join(wake->sending, NULL);
    destroy(wake);
}
