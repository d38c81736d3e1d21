// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/server_internal.h"

typedef Grpc__Health__V1__HealthCheckRequest check_request;
typedef Grpc__Health__V1__HealthCheckResponse check_response;

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct entry {
    struct entry *next;
    bool serving;
    char name[];
};

/* A Watch stream; in the list until its on_close. */
struct watcher {
    struct watcher *next, **link;
    struct rpc_stream *stream;
    bool unsent; /* the outbox was full: the state then counts */
    char name[];
};

struct rpc_health {
    pthread_mutex_t lock;
    struct entry *entries;    /* lock; owned */
    struct watcher *watchers; /* lock; owned by their streams */
    bool draining;            /* lock */
};

static struct entry *find(const struct rpc_health *health, const char *name)
{
    struct entry *entry = health->entries;
    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus state_of(const struct rpc_health *health,
                                                                     const char *name)
{
    const struct entry *entry = find(health, name);
    if (entry == NULL)
        return SERVICE_UNKNOWN;
    return entry->serving && !health->draining ? SERVING : NOT_SERVING;
}

/* Tells one watcher; lock held. */
static void tell(struct rpc_health *health, struct watcher *watcher)
{
    check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = state_of(health, watcher->name);
    watcher->unsent = rpc_stream_send(watcher->stream, &response.base) == STATUS_EXHAUSTED;
}

static void check(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    struct rpc_health *health = service;
    const check_request *request = (const check_request *)message;
    check_response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct err err;
    pthread_mutex_lock(&health->lock);
    response.status = state_of(health, request->service);
    pthread_mutex_unlock(&health->lock);
    if (response.status != SERVICE_UNKNOWN) {
        rpc_call_reply(call, &response.base);
        return;
    }
    err_set(&err, STATUS_NOT_FOUND, "no service '%s' here", request->service);
    rpc_call_fail(call, &err);
}

static void add_watcher(struct rpc_health *health, struct watcher *watcher)
{
    pthread_mutex_lock(&health->lock);
    watcher->next = health->watchers;
    watcher->link = &health->watchers;
    if (watcher->next != NULL)
        watcher->next->link = &watcher->next;
    health->watchers = watcher;
    tell(health, watcher);
    bool draining = health->draining;
    pthread_mutex_unlock(&health->lock);
    if (draining)
        rpc_stream_finish(watcher->stream, NULL);
}

static void watch_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    const check_request *request = (const check_request *)message;
    size_t length = strlen(request->service) + 1;
    struct watcher *watcher = calloc(1, sizeof *watcher + length);
    if (watcher == NULL) {
        struct err err;
        err_set(&err, STATUS_NO_MEMORY, "no memory for a watch");
        rpc_stream_finish(stream, &err);
        return;
    }
    memcpy(watcher->name, request->service, length);
    watcher->stream = stream;
    rpc_stream_set_context(stream, watcher);
    add_watcher(service, watcher);
}

static void watch_writable(void *service, struct rpc_stream *stream)
{
    struct rpc_health *health = service;
    struct watcher *watcher = rpc_stream_context(stream);
    pthread_mutex_lock(&health->lock);
    if (watcher->unsent)
        tell(health, watcher);
    pthread_mutex_unlock(&health->lock);
}

static void watch_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    (void)cancelled;
    struct rpc_health *health = service;
    struct watcher *watcher = rpc_stream_context(stream);
    if (watcher == NULL)
        return;
    pthread_mutex_lock(&health->lock);
    *watcher->link = watcher->next;
    if (watcher->next != NULL)
        watcher->next->link = watcher->link;
    pthread_mutex_unlock(&health->lock);
    free(watcher);
}

static const struct rpc_stream_handler watch_handler = {
    .on_open = watch_open, .on_writable = watch_writable, .on_close = watch_close};

static const struct rpc_method methods[] = {
    {.path = "/grpc.health.v1.Health/Check",
     .kind = RPC_UNARY,
     .request = &grpc__health__v1__health_check_request__descriptor,
     .response = &grpc__health__v1__health_check_response__descriptor,
     .unary = check},
    {.path = "/grpc.health.v1.Health/Watch",
     .kind = RPC_SERVER_STREAM,
     .request = &grpc__health__v1__health_check_request__descriptor,
     .response = &grpc__health__v1__health_check_response__descriptor,
     .stream = &watch_handler},
};

bool health_is_check(const struct rpc_method *method)
{
    return method == &methods[0];
}

/* Makes or changes an entry; lock held. */
static void store(struct rpc_health *health, const char *name, bool serving)
{
    struct entry *entry = find(health, name);
    if (entry == NULL) {
        size_t length = strlen(name) + 1;
        entry = calloc(1, sizeof *entry + length);
        if (entry == NULL)
            return; /* stays unknown, which no probe takes for healthy */
        memcpy(entry->name, name, length);
        entry->next = health->entries;
        health->entries = entry;
    }
    entry->serving = serving;
}

void health_set(struct rpc_health *health, const char *service, bool serving)
{
    pthread_mutex_lock(&health->lock);
    int before = (int)state_of(health, service);
    store(health, service, serving);
    bool changed = before != (int)state_of(health, service);
    for (struct watcher *w = health->watchers; w != NULL && changed; w = w->next)
        if (strcmp(w->name, service) == 0)
            tell(health, w);
    pthread_mutex_unlock(&health->lock);
}

void health_drain(struct rpc_health *health)
{
    pthread_mutex_lock(&health->lock);
    health->draining = true;
    for (struct watcher *w = health->watchers; w != NULL; w = w->next) {
        tell(health, w);
        rpc_stream_finish(w->stream, NULL);
    }
    pthread_mutex_unlock(&health->lock);
}

enum status health_new(struct rpc_health **out, struct err *err)
{
    struct rpc_health *health = calloc(1, sizeof *health);
    if (health == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for health");
    pthread_mutex_init(&health->lock, NULL);
    store(health, "", false);
    *out = health;
    return STATUS_OK;
}

void health_free(struct rpc_health *health)
{
    if (health == NULL)
        return;
    while (health->entries != NULL) {
        struct entry *entry = health->entries;
        health->entries = entry->next;
        free(entry);
    }
    pthread_mutex_destroy(&health->lock);
    free(health);
}

void health_add(struct rpc_health *health, struct rpc_server *server)
{
    rpc_server_add(server, methods, ARRAY_LEN(methods), health);
}
