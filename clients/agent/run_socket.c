// SPDX-License-Identifier: Apache-2.0
#include "run_socket.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "control.h"
#include "run_line.h"

#define CONNECTIONS_MAX 256

struct connection {
    struct connection *next;
    struct run_socket *owner;
    int fd;
    struct loop_watch *watch;
    struct buffer input; /* without whole lines */
    bool skipping;       /* inside a line that is too long */
    bool complained;     /* a connection gets one error answer */
};

struct run_socket {
    struct run_socket_options options;
    int fd;
    struct loop_watch *watch;
    struct connection *connections; /* owned */
    size_t connection_count;
    int64_t next_step;
    bool preempting;
    bool held;
    char *stop_line; /* owned; NULL until a stop was announced */
};

static void send_text(const struct connection *connection, const char *text, size_t length)
{
    /* Who does not read its answers loses them. */
    ssize_t sent = send(connection->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

static void send_json(const struct connection *connection, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return;
    size_t length = strlen(text);
    text[length] = '\n'; /* the terminator's place: the length goes along */
    send_text(connection, text, length + 1);
    free(text);
}

static void connection_close(struct connection *connection)
{
    struct run_socket *owner = connection->owner;
    for (struct connection **link = &owner->connections; *link != NULL; link = &(*link)->next) {
        if (*link != connection)
            continue;
        *link = connection->next;
        break;
    }
    owner->connection_count--;
    loop_watch_remove(connection->watch);
    file_close(&connection->fd);
    buffer_free(&connection->input);
    free(connection);
}

static void complain(struct connection *connection, const char *text)
{
    if (connection->complained)
        return;
    connection->complained = true;
    send_json(connection, json_pack("{s:s}", "error", text));
    log_warn("shim", "bad_run_socket_line", LOG_TEXT("error", text));
    char line[ERR_TEXT_MAX + 64];
    int length = snprintf(line, sizeof line, "besom: run socket: %s\n", text);
    batcher_add_output(connection->owner->options.batcher, true, line, (size_t)length);
}

static int64_t sink_begin(void *context, bool has_step, int64_t step, bool counts)
{
    struct run_socket *socket = ((struct connection *)context)->owner;
    if (!counts)
        return socket->next_step > 0 ? socket->next_step - 1 : 0;
    if (!has_step)
        return socket->next_step++;
    if (step >= socket->next_step && step < INT64_MAX)
        socket->next_step = step + 1;
    return step;
}

static void sink_metric(void *context, const char *name, int64_t step, double value)
{
    const struct run_socket *socket = ((struct connection *)context)->owner;
    batcher_add_metric(socket->options.batcher, name, step, value, clock_wall_us(&clock_system));
}

static void sink_preempting(void *context)
{
    struct run_socket *socket = ((struct connection *)context)->owner;
    socket->preempting = true;
    batcher_mark_preempting(socket->options.batcher);
}

/* The text as the controller gave it, so that numbers keep their digits. Line breaks can only be white space.
 */
static void sink_ask(void *context)
{
    const struct connection *connection = context;
    struct buffer answer CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&answer, "{\"config\":%s}\n", connection->owner->options.params_json);
    for (size_t i = 0; i + 1 < answer.length; i++)
        if (answer.data[i] == '\n' || answer.data[i] == '\r')
            answer.data[i] = ' ';
    send_text(connection, buffer_text(&answer), answer.length);
}

static void take_line(struct connection *connection, const char *line, size_t length)
{
    const struct run_line_sink sink = {.context = connection,
                                       .begin = sink_begin,
                                       .metric = sink_metric,
                                       .preempting = sink_preempting,
                                       .ask = sink_ask};
    struct err err = ERR_INIT;
    if (strspn(line, " \t\r") >= length)
        return;
    if (run_line_parse(line, length, &sink, &err) != STATUS_OK)
        complain(connection, err.text);
}

/* Hands whole lines on and keeps the rest. */
static void cut_lines(struct connection *connection)
{
    struct buffer *input = &connection->input;
    size_t start = 0;
    for (;;) {
        char *newline =
            input->length > start ? memchr(input->data + start, '\n', input->length - start) : NULL;
        if (newline == NULL)
            break;
        *newline = '\0';
        if (!connection->skipping)
            take_line(connection, input->data + start, (size_t)(newline - input->data) - start);
        connection->skipping = false;
        start = (size_t)(newline - input->data) + 1;
    }
    if (start > 0) {
        memmove(input->data, input->data + start, input->length - start);
        input->length -= start;
    }
    if (input->length > RUN_LINE_MAX) {
        complain(connection, "a line is longer than 1 MiB");
        connection->skipping = true;
    }
    if (connection->skipping)
        buffer_clear(input);
}

/* Reads what is there, a bounded number of times so that one writer cannot keep the loop. False at the end.
 */
static bool read_input(struct connection *connection, int rounds)
{
    char chunk[65536];
    for (int i = 0; i < rounds; i++) {
        ssize_t got = recv(connection->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        if (got == 0)
            return false;
        buffer_append(&connection->input, chunk, (size_t)got);
        cut_lines(connection);
    }
    return true;
}

static void on_connection_ready(void *context, short events)
{
    struct connection *connection = context;
    struct run_socket *socket = connection->owner;
    (void)events;
    if (!read_input(connection, 4)) {
        if (connection->input.length > 0 && !connection->skipping)
            take_line(connection, connection->input.data, connection->input.length);
        connection_close(connection);
    }
    socket->options.on_input(socket->options.context);
}

static void add_connection(struct run_socket *socket, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || socket->connection_count >= CONNECTIONS_MAX) {
        file_close(&fd);
        free(connection);
        return;
    }
    *connection =
        (struct connection){.next = socket->connections, .owner = socket, .fd = fd, .input = BUFFER_INIT};
    connection->watch =
        loop_watch_add(socket->options.loop, fd, socket->held ? 0 : POLLIN, on_connection_ready, connection);
    socket->connections = connection;
    socket->connection_count++;
    if (connection->watch == NULL)
        connection_close(connection);
    else if (socket->stop_line != NULL)
        send_text(connection, socket->stop_line, strlen(socket->stop_line));
}

static void on_listener_ready(void *context, short events)
{
    struct run_socket *socket = context;
    (void)events;
    for (;;) {
        int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        add_connection(socket, fd);
    }
}

enum status run_socket_new(const struct run_socket_options *options, struct run_socket **out, struct err *err)
{
    struct run_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    socket->options = *options;
    socket->fd = -1;
    enum status status = control_listen_stream(options->path, &socket->fd, err);
    if (status == STATUS_OK) {
        socket->watch = loop_watch_add(options->loop, socket->fd, POLLIN, on_listener_ready, socket);
        if (socket->watch == NULL)
            status = err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    if (status != STATUS_OK) {
        run_socket_free(socket);
        return status;
    }
    *out = socket;
    return STATUS_OK;
}

void run_socket_announce_stop(struct run_socket *socket, const char *reason)
{
    if (socket->stop_line != NULL)
        return;
    json_t *object = json_pack("{s:s}", "stop", reason);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    struct buffer line = BUFFER_INIT;
    buffer_puts(&line, text != NULL ? text : "{\"stop\":\"\"}");
    buffer_putc(&line, '\n');
    free(text);
    socket->stop_line = buffer_take(&line);
    for (struct connection *each = socket->connections; each != NULL && socket->stop_line != NULL;
         each = each->next)
        send_text(each, socket->stop_line, strlen(socket->stop_line));
}

void run_socket_hold(struct run_socket *socket, bool hold)
{
    if (socket->held == hold)
        return;
    socket->held = hold;
    if (hold)
        log_warn("shim", "spool_is_full",
                 LOG_TEXT("effect", "logging waits until the controller takes metrics"));
    for (struct connection *each = socket->connections; each != NULL; each = each->next)
        loop_watch_events(each->watch, hold ? 0 : POLLIN);
}

void run_socket_drain(struct run_socket *socket)
{
    on_listener_ready(socket, POLLIN);
    for (struct connection *each = socket->connections; each != NULL;) {
        struct connection *next = each->next;
        bool open = read_input(each, 1 << 16);
        if (!open && each->input.length > 0 && !each->skipping)
            take_line(each, each->input.data, each->input.length);
        connection_close(each);
        each = next;
    }
}

bool run_socket_preempting(const struct run_socket *socket)
{
    return socket->preempting;
}

void run_socket_free(struct run_socket *socket)
{
    if (socket == NULL)
        return;
    while (socket->connections != NULL)
        connection_close(socket->connections);
    loop_watch_remove(socket->watch);
    file_close(&socket->fd);
    free(socket->stop_line);
    free(socket);
}
