// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/monitor.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "services/common/service_metrics.h"

#define CONNECTIONS_MAX 32u
#define CONNECTION_SECONDS 10u
#define REASON_MAX 512

struct monitor {
    struct MHD_Daemon *daemon; /* owned; NULL without a port */
    pthread_mutex_t lock;
    char reasons[MONITOR_CONDITION_COUNT][REASON_MAX]; /* lock; "" = it holds */
};

static const char *const condition_names[] = {[MONITOR_DATABASE] = "database", [MONITOR_DRAIN] = "drain"};

/* ---- pages ---- */

struct page {
    unsigned code;
    const char *type;
    struct buffer text;
};

static void write_metrics(struct monitor *monitor, struct page *page)
{
    (void)monitor;
    page->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(&page->text);
}

static void write_live(struct monitor *monitor, struct page *page)
{
    (void)monitor;
    buffer_puts(&page->text, "{\"live\": true}\n");
}

static void write_ready(struct monitor *monitor, struct page *page)
{
    json_t *reasons = json_array();
    pthread_mutex_lock(&monitor->lock);
    for (size_t i = 0; i < MONITOR_CONDITION_COUNT; i++)
        if (monitor->reasons[i][0] != '\0')
            (void)json_array_append_new(reasons, json_pack("{s:s, s:s}", "condition", condition_names[i],
                                                           "reason", monitor->reasons[i]));
    pthread_mutex_unlock(&monitor->lock);
    bool ready = json_array_size(reasons) == 0;
    json_t *root = json_pack("{s:b, s:o}", "ready", ready, "reasons", reasons);
    char *text = root != NULL ? json_dumps(root, 0) : NULL;
    page->code = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    buffer_puts(&page->text, text != NULL ? text : "{}");
    buffer_puts(&page->text, "\n");
    free(text);
    json_decref(root);
}

static const struct {
    const char *path;
    void (*write)(struct monitor *monitor, struct page *page);
} pages[] = {{"/metrics", write_metrics}, {"/healthz", write_live}, {"/readyz", write_ready}};

static void write_page(struct monitor *monitor, const char *path, struct page *page)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (strcmp(pages[i].path, path) == 0) {
            pages[i].write(monitor, page);
            return;
        }
    page->code = MHD_HTTP_NOT_FOUND;
    buffer_puts(&page->text, "{\"error\": \"there are /metrics, /healthz and /readyz\"}\n");
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    struct page page = {.code = MHD_HTTP_OK, .type = "application/json", .text = BUFFER_INIT};
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        write_page(context, path, &page);
    } else {
        page.code = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_puts(&page.text, "{\"error\": \"only GET\"}\n");
    }
    bool failed = page.text.failed;
    size_t length = page.text.length;
    char *text = buffer_take(&page.text);
    struct MHD_Response *response =
        failed ? NULL : MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO; /* closes the connection */
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page.type);
    enum MHD_Result result = MHD_queue_response(connection, page.code, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- conditions ---- */

void monitor_set(struct monitor *monitor, enum monitor_condition condition, const char *reason)
{
    bool ready = true;
    pthread_mutex_lock(&monitor->lock);
    (void)snprintf(monitor->reasons[condition], REASON_MAX, "%s", reason != NULL ? reason : "");
    for (char *c = monitor->reasons[condition]; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80 || (unsigned char)*c < ' ')
            *c = *c == '\n' || *c == '\t' ? ' ' : '?'; /* a cut text may end within a character */
    for (size_t i = 0; i < MONITOR_CONDITION_COUNT; i++)
        ready = ready && monitor->reasons[i][0] == '\0';
    pthread_mutex_unlock(&monitor->lock);
    metric_set(&service_metrics[SERVICE_READY], 0, ready);
}

/* ---- life ---- */

static enum status listen_on(struct monitor *monitor, const char *address, int64_t port, struct err *err)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%d", (int)port);
    if (getaddrinfo(address, service, &hints, &found) != 0 || found == NULL)
        return err_set(err, STATUS_INVALID, "--metrics-address %s is no IP address", address);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (found->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    monitor->daemon =
        MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, answer, monitor, MHD_OPTION_SOCK_ADDR,
                         found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_SECONDS, MHD_OPTION_END);
    int failure = errno;
    freeaddrinfo(found);
    if (monitor->daemon == NULL)
        return err_set_errno(err, STATUS_UNAVAILABLE, failure, "metrics cannot be served on %s port %d",
                             address, (int)port);
    return STATUS_OK;
}

enum status monitor_start(const char *address, int64_t port, struct monitor **out, struct err *err)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    *out = NULL;
    if (monitor == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    pthread_mutex_init(&monitor->lock, NULL);
    monitor_set(monitor, MONITOR_DATABASE, "it has not been looked at yet");
    enum status status = port > 0 ? listen_on(monitor, address, port, err) : STATUS_OK;
    if (status != STATUS_OK) {
        monitor_stop(monitor);
        return status;
    }
    *out = monitor;
    return STATUS_OK;
}

void monitor_stop(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    if (monitor->daemon != NULL)
        MHD_stop_daemon(monitor->daemon);
    pthread_mutex_destroy(&monitor->lock);
    free(monitor);
}
