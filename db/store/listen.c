// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "db/store/query.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 2000
#define PAYLOAD_MAX 7999

struct store_listener {
    char *url;  /* owned */
    PGconn *pg; /* owned; NULL while away */
    int interrupt_fd;
    int64_t backoff_ms;
};

enum status store_listener_new(const char *url, struct store_listener **out, struct err *err)
{
    TRY(connection_check_url(url, err));
    struct store_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a listener");
    listener->url = strdup(url);
    listener->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    listener->backoff_ms = BACKOFF_FIRST_MS;
    if (listener->url == NULL || listener->interrupt_fd < 0) {
        err_set_errno(err, STATUS_IO, errno, "cannot make a listener");
        store_listener_free(listener);
        return STATUS_IO;
    }
    *out = listener;
    return STATUS_OK;
}

void store_listener_free(struct store_listener *listener)
{
    if (listener == NULL)
        return;
    PQfinish(listener->pg);
    if (listener->interrupt_fd >= 0)
        close(listener->interrupt_fd);
    free(listener->url);
    free(listener);
}

void store_listener_interrupt(struct store_listener *listener)
{
    uint64_t one = 1;
    ssize_t ignored = write(listener->interrupt_fd, &one, sizeof one);
    (void)ignored; /* full means that an interrupt is under way */
}

/* True when something arrived on `fd` (-1: nothing can) or an interrupt came; *interrupted tells which. */
static bool wait_for(struct store_listener *listener, int fd, int64_t timeout_ms, bool *interrupted)
{
    struct pollfd fds[] = {{.fd = listener->interrupt_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int timeout = timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    int ready = poll(fds, ARRAY_LEN(fds), timeout);
    uint64_t count;
    *interrupted = ready > 0 && fds[0].revents != 0 && read(listener->interrupt_fd, &count, sizeof count) > 0;
    return ready > 0;
}

static enum status lose(struct store_listener *listener, int64_t timeout_ms, const char *why, struct err *err)
{
    bool interrupted;
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(why, "\n"), why);
    PQfinish(listener->pg);
    listener->pg = NULL;
    int64_t pause_ms = listener->backoff_ms / 2 +
                       (int64_t)random_below(&random_system, (uint64_t)listener->backoff_ms / 2 + 1);
    wait_for(listener, -1, pause_ms < timeout_ms ? pause_ms : timeout_ms, &interrupted);
    listener->backoff_ms =
        listener->backoff_ms * 2 < BACKOFF_MOST_MS ? listener->backoff_ms * 2 : BACKOFF_MOST_MS;
    return err_set(err, STATUS_UNAVAILABLE, "listening for wake-ups: %s", text);
}

static enum status subscribe(struct store_listener *listener, int64_t timeout_ms, struct err *err)
{
    enum status status;
    listener->pg = connection_open(listener->url, "besom listener", &status, err);
    if (listener->pg == NULL)
        return lose(listener, timeout_ms, err == NULL ? "no connection" : err->text, err);
    PGresult *answer = PQexec(listener->pg, "LISTEN besom_wake");
    bool done = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    if (!done)
        return lose(listener, timeout_ms, PQerrorMessage(listener->pg), err);
    listener->backoff_ms = BACKOFF_FIRST_MS;
    return STATUS_OK;
}

static bool deliver(struct store_listener *listener, void (*heard)(void *context, const char *payload),
                    void *context)
{
    bool any = false;
    for (PGnotify *notify; (notify = PQnotifies(listener->pg)) != NULL; any = true) {
        heard(context, notify->extra);
        PQfreemem(notify);
    }
    return any;
}

enum status store_listener_wait(struct store_listener *listener, int64_t timeout_ms,
                                void (*heard)(void *context, const char *payload), void *context,
                                bool *reconnected, struct err *err)
{
    *reconnected = false;
    if (listener->pg == NULL) {
        TRY(subscribe(listener, timeout_ms, err));
        /* The caller looks everywhere now; what comes from here on is heard by its next wait. */
        *reconnected = true;
        return STATUS_OK;
    }
    int64_t deadline_ms = clock_monotonic_ms(&clock_system) + timeout_ms;
    bool interrupted = false;
    while (!deliver(listener, heard, context) && !interrupted) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms(&clock_system);
        if (left_ms <= 0 || !wait_for(listener, PQsocket(listener->pg), left_ms, &interrupted))
            break;
        if (!interrupted && PQconsumeInput(listener->pg) != 1)
            return lose(listener, timeout_ms, PQerrorMessage(listener->pg), err);
    }
    return STATUS_OK;
}

static enum status notify(struct store_tx *tx, void *context, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, context);
    return query_change(tx, QUERY_WAKE, &params, NULL, err);
}

enum status store_wake(struct store *store, const char *payload, struct err *err)
{
    CLEANUP(arena_free) struct arena arena = arena_make(0);
    if (strlen(payload) > PAYLOAD_MAX)
        return err_set(err, STATUS_INVALID, "a wake-up's payload has %zu bytes, more than %d",
                       strlen(payload), PAYLOAD_MAX);
    char copy[PAYLOAD_MAX + 1];
    memcpy(copy, payload, strlen(payload) + 1);
    return store_transaction(store, &arena, notify, copy, err);
}
