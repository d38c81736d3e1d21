// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/standbys.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/controller/metrics.h"

struct standbys {
    struct controller *controller;
    pthread_mutex_t lock;
    int64_t looked_ms;            /* lock; 0 = never */
    char text[STANDBYS_TEXT_MAX]; /* lock */
};

enum status standbys_new(struct controller *controller, struct standbys **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    (*out)->controller = controller;
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

void standbys_free(struct standbys *standbys)
{
    if (standbys == NULL)
        return;
    pthread_mutex_destroy(&standbys->lock);
    free(standbys);
}

void standbys_describe(const struct store_replication *found, char text[STANDBYS_TEXT_MAX])
{
    const char *mode = found->synchronous_commit;
    bool waits = strcmp(mode, "off") != 0 && strcmp(mode, "local") != 0;
    const char *plural = found->asynchronous == 1 ? "" : "s";
    text[0] = '\0';
    if (found->asynchronous == 0 || found->synchronous + found->unknown > 0)
        return;
    if (waits)
        (void)snprintf(text, STANDBYS_TEXT_MAX,
                       "the database has %" PRId64 " standby%s and none is synchronous: a failover can lose "
                       "what was acknowledged (see synchronous_standby_names)",
                       found->asynchronous, plural);
    else
        (void)snprintf(text, STANDBYS_TEXT_MAX,
                       "the database has %" PRId64 " standby%s and synchronous_commit is %s here: a failover "
                       "can lose what was acknowledged (see ALTER ROLE ... SET synchronous_commit)",
                       found->asynchronous, plural, mode);
}

static enum status read_replication(struct store_tx *tx, void *context, struct err *err)
{
    return store_get_replication(tx, context, err);
}

static void set(enum standby_metric series, int64_t value)
{
    metric_set(&controller_metrics[CONTROLLER_STANDBYS], series, value);
}

/* A change is logged once. */
static void note(struct standbys *standbys, const char text[STANDBYS_TEXT_MAX])
{
    pthread_mutex_lock(&standbys->lock);
    bool changed = (standbys->text[0] == '\0') != (text[0] == '\0');
    memcpy(standbys->text, text, STANDBYS_TEXT_MAX);
    pthread_mutex_unlock(&standbys->lock);
    if (changed && text[0] != '\0')
        log_warn(CONTROLLER_LOG, STANDBYS_CODE, LOG_TEXT("text", text));
    else if (changed)
        log_info(CONTROLLER_LOG, "replication_synchronous");
}

/* One of those who come at once looks. */
static bool is_due(struct standbys *standbys, int64_t max_age_ms)
{
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    pthread_mutex_lock(&standbys->lock);
    bool due = standbys->looked_ms == 0 || now_ms - standbys->looked_ms >= max_age_ms;
    if (due)
        standbys->looked_ms = now_ms;
    pthread_mutex_unlock(&standbys->lock);
    return due;
}

void standbys_look(struct standbys *standbys, int64_t max_age_ms)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct store_replication found = {.synchronous_commit = ""};
    struct err err = ERR_INIT;
    char text[STANDBYS_TEXT_MAX] = "";
    if (!is_due(standbys, max_age_ms))
        return;
    if (store_read(standbys->controller->store, &arena, read_replication, &found, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "replication_not_read", LOG_ERR(&err));
        return;
    }
    set(STANDBY_METRIC_SYNCHRONOUS, found.synchronous);
    set(STANDBY_METRIC_ASYNCHRONOUS, found.asynchronous);
    set(STANDBY_METRIC_UNKNOWN, found.unknown);
    standbys_describe(&found, text);
    note(standbys, text);
}

void standbys_warn(struct standbys *standbys, char text[STANDBYS_TEXT_MAX])
{
    pthread_mutex_lock(&standbys->lock);
    memcpy(text, standbys->text, STANDBYS_TEXT_MAX);
    pthread_mutex_unlock(&standbys->lock);
}
