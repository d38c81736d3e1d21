// SPDX-License-Identifier: Apache-2.0
#include "run_socket.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "control.h"
#include "run_line.h"

#define CONNECTIONS_MAX 512  /* more wait until one ends */
#define OTHER_DESCRIPTORS 64 /* the shim's own: spool, pipes, files that it writes */
#define READS_PER_TURN 4
#define OPEN_ROW_MS 1000      /* without a further line */
#define OPEN_VALUES_MAX 50000 /* in all open rows */
#define ANSWERS_WAITING_MAX (8 << 20)

struct connection {
    struct connection *next;
    struct run_socket *owner;
    int fd;
    struct loop_watch *watch;
    struct buffer input;   /* without whole lines */
    struct buffer answers; /* that the program has not read yet */
    struct row row;
    struct loop_timer row_timer;
    int64_t line_us;   /* when the line that is read now came */
    int64_t line_step; /* its step when it does not go into the open row */
    bool skipping;     /* inside a line that is too long */
    bool complained;   /* a connection gets one error answer */
};

struct run_socket {
    struct run_socket_options options;
    int fd;
    struct loop_watch *watch;
    struct connection *connections; /* owned */
    size_t connection_count, most_connections;
    size_t open_values; /* in the rows of all connections */
    json_t *params;     /* owned; what the program cannot configure again */
    bool preempting;
    int exit_code;   /* as the program said last; 0 = a good end, or nothing */
    char *exit_text; /* owned; why, in the program's words; NULL = not said */
    bool held;
    char *stop_line; /* owned; NULL until a stop was announced */
};

static void set_events(struct connection *connection)
{
    int events = (connection->owner->held ? 0 : POLLIN) | (connection->answers.length > 0 ? POLLOUT : 0);
    loop_watch_events(connection->watch, (short)events);
}

/* What does not fit into the socket goes when it is writable. Who never reads its answers loses them. */
static void send_text(struct connection *connection, const char *text, size_t length)
{
    ssize_t sent = 0;
    if (connection->answers.length == 0)
        sent = send(connection->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t done = sent > 0 ? (size_t)sent : 0;
    bool gone = sent < 0 && errno != EAGAIN && errno != EINTR;
    if (done == length || gone || connection->answers.length + length > ANSWERS_WAITING_MAX)
        return;
    buffer_append(&connection->answers, text + done, length - done);
    set_events(connection);
}

static void send_answers(struct connection *connection)
{
    struct buffer *answers = &connection->answers;
    ssize_t sent = send(connection->fd, answers->data, answers->length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t done = sent > 0 ? (size_t)sent : answers->length;
    memmove(answers->data, answers->data + done, answers->length - done);
    answers->length -= done;
    set_events(connection);
}

static void send_json(struct connection *connection, json_t *object)
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

static void close_row(struct connection *connection)
{
    struct run_socket *owner = connection->owner;
    loop_timer_stop(&connection->row_timer);
    if (!connection->row.open)
        return;
    owner->open_values -= connection->row.count;
    row_close(&connection->row, owner->options.steps, owner->options.batcher);
}

static void on_row_timer(void *context)
{
    struct connection *connection = context;
    struct run_socket *owner = connection->owner;
    close_row(connection);
    owner->options.on_input(owner->options.context);
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
    close_row(connection);
    loop_timer_forget(owner->options.loop, &connection->row_timer);
    row_free(&connection->row);
    owner->connection_count--;
    loop_watch_events(owner->watch, POLLIN);
    loop_watch_remove(connection->watch);
    file_close(&connection->fd);
    buffer_free(&connection->input);
    buffer_free(&connection->answers);
    free(connection);
}

static void complain(struct connection *connection, const char *problem)
{
    char text[ERR_TEXT_MAX], line[ERR_TEXT_MAX + 64];
    if (connection->complained)
        return;
    connection->complained = true;
    snprintf(text, sizeof text, "%s", problem);
    attempt_clean_text(text); /* a name may have been cut within a character */
    send_json(connection, json_pack("{s:s}", "error", text));
    log_warn("shim", "bad_run_socket_line", LOG_TEXT("error", text));
    int length = snprintf(line, sizeof line, "besom: run socket: %s\n", text);
    batcher_add_output(connection->owner->options.batcher, true, line, (size_t)length);
}

/* A line goes into the open row, opens one, or is a row of its own. */
static void sink_row_begin(void *context, const struct run_line_row *line)
{
    struct connection *connection = context;
    struct row_steps *steps = connection->owner->options.steps;
    struct row *row = &connection->row;
    connection->line_us = clock_wall_us(&clock_system);
    if (row->open && line->has_step && !row_is_at(row, steps, line->step))
        close_row(connection);
    if (row->open || line->stays_open) {
        row->open = true;
        if (line->has_step)
            row_set_step(row, steps, line->step);
        return;
    }
    connection->line_step = line->has_step ? line->step : row_steps_take(steps);
    if (line->has_step)
        row_steps_note(steps, line->step);
}

static void sink_metric(void *context, const char *name, size_t length, double value)
{
    struct connection *connection = context;
    struct run_socket *socket = connection->owner;
    struct row *row = &connection->row;
    if (!row->open) {
        batcher_add_metric(socket->options.batcher, name, length, connection->line_step, value,
                           connection->line_us);
        return;
    }
    size_t before = row->count;
    row_put(row, name, length, value, connection->line_us);
    socket->open_values += row->count - before;
    if (socket->open_values < OPEN_VALUES_MAX)
        return;
    socket->open_values -= row->count;
    row_write(row, socket->options.steps, socket->options.batcher);
}

static void sink_row_end(void *context, bool stays_open)
{
    struct connection *connection = context;
    if (!connection->row.open)
        return;
    if (stays_open)
        loop_timer_set(connection->owner->options.loop, &connection->row_timer, OPEN_ROW_MS);
    else
        close_row(connection);
}

/* A parameter of the run keeps its value. That it should have another one is a mistake to be told of. */
static enum status check_config(const struct run_socket *socket, const char *name, const char *value_json,
                                bool *is_parameter, struct err *err)
{
    const json_t *parameter = json_object_get(socket->params, name);
    *is_parameter = parameter != NULL;
    if (parameter == NULL)
        return STATUS_OK;
    json_t *value = json_loads(value_json, JSON_DECODE_ANY, NULL);
    bool same = json_is_number(value) && json_is_number(parameter)
                    ? json_number_value(value) == json_number_value(parameter)
                    : json_equal(value, (json_t *)(uintptr_t)parameter) != 0;
    json_decref(value);
    return same ? STATUS_OK
                : err_set(err, STATUS_INVALID, "\"%.40s\" is a parameter of the run and keeps its value",
                          name);
}

/* An entry of the summary stands after what the same connection logged before, also in its open row. */
static enum status sink_fact(void *context, enum fact_kind kind, const char *name, const char *value_json,
                             struct err *err)
{
    struct connection *connection = context;
    struct run_socket *socket = connection->owner;
    struct row *row = &connection->row;
    bool is_parameter = false;
    if (kind == FACT_CONFIG)
        TRY(check_config(socket, name, value_json, &is_parameter, err));
    if (is_parameter)
        return STATUS_OK;
    if (kind == FACT_SUMMARY && row->open) {
        size_t before = row->count;
        row_write_one(row, socket->options.steps, socket->options.batcher, name, strlen(name));
        socket->open_values -= before - row->count;
    }
    return batcher_add_fact(socket->options.batcher, kind, name, value_json, err);
}

static void sink_preempting(void *context)
{
    struct run_socket *socket = ((struct connection *)context)->owner;
    socket->preempting = true;
    batcher_mark_preempting(socket->options.batcher);
}

/* The newest word counts. */
static void sink_exit_code(void *context, int code, const char *text)
{
    struct run_socket *socket = ((struct connection *)context)->owner;
    socket->exit_code = code;
    free(socket->exit_text);
    socket->exit_text = *text != '\0' ? strdup(text) : NULL;
}

/* The text as the controller gave it, so that numbers keep their digits. Line breaks can only be white space.
 */
static void answer_config(struct connection *connection)
{
    struct buffer answer CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&answer, "{\"config\":%s}\n", connection->owner->options.spec->params_json);
    for (size_t i = 0; i + 1 < answer.length; i++)
        if (answer.data[i] == '\n' || answer.data[i] == '\r')
            answer.data[i] = ' ';
    send_text(connection, buffer_text(&answer), answer.length);
}

static void sink_ask(void *context, enum run_line_question question)
{
    struct connection *connection = context;
    const struct run_socket_options *options = &connection->owner->options;
    const struct attempt_spec *spec = options->spec;
    switch (question) {
    case RUN_LINE_ASK_CONFIG: answer_config(connection); break;
    case RUN_LINE_ASK_STEP:
        send_json(connection, json_pack("{s:I}", "step", (json_int_t)options->steps->next));
        break;
    case RUN_LINE_ASK_RUN:
        send_json(connection, json_pack("{s:{s:s, s:s, s:s, s:i, s:s?}}", "run", "run_id", spec->run_id,
                                        "sweep_id", spec->sweep_id, "project", spec->project, "attempt",
                                        (int)spec->attempt, "run_dir", spec->run_dir));
        break;
    }
}

static void take_line(struct connection *connection, const char *line, size_t length)
{
    const struct run_line_sink sink = {.context = connection,
                                       .row_begin = sink_row_begin,
                                       .row_end = sink_row_end,
                                       .metric = sink_metric,
                                       .fact = sink_fact,
                                       .preempting = sink_preempting,
                                       .exit_code = sink_exit_code,
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

enum input { INPUT_MORE, INPUT_NONE, INPUT_END };

/* Reads what is there, a bounded number of times so that one writer cannot keep the loop. */
static enum input read_input(struct connection *connection)
{
    char chunk[65536];
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t got = recv(connection->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? INPUT_NONE : INPUT_END;
        buffer_append(&connection->input, chunk, (size_t)got);
        cut_lines(connection);
    }
    return INPUT_MORE;
}

static void finish_connection(struct connection *connection)
{
    if (connection->input.length > 0 && !connection->skipping)
        take_line(connection, connection->input.data, connection->input.length);
    connection_close(connection);
}

static void on_connection_ready(void *context, short events)
{
    struct connection *connection = context;
    struct run_socket *socket = connection->owner;
    if ((events & (POLLOUT | POLLHUP | POLLERR)) != 0 && connection->answers.length > 0)
        send_answers(connection);
    if (!socket->held && read_input(connection) == INPUT_END)
        finish_connection(connection);
    socket->options.on_input(socket->options.context);
}

static void add_connection(struct run_socket *socket, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        file_close(&fd);
        return;
    }
    *connection = (struct connection){.next = socket->connections,
                                      .owner = socket,
                                      .fd = fd,
                                      .input = BUFFER_INIT,
                                      .answers = BUFFER_INIT,
                                      .row_timer = {.fire = on_row_timer, .context = connection}};
    connection->watch =
        loop_watch_add(socket->options.loop, fd, socket->held ? 0 : POLLIN, on_connection_ready, connection);
    socket->connections = connection;
    socket->connection_count++;
    if (connection->watch == NULL)
        connection_close(connection);
    else if (socket->stop_line != NULL)
        send_text(connection, socket->stop_line, strlen(socket->stop_line));
}

/* Who comes when there are enough waits with what it wrote until another one leaves. */
static void on_listener_ready(void *context, short events)
{
    struct run_socket *socket = context;
    (void)events;
    while (socket->connection_count < socket->most_connections) {
        int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        add_connection(socket, fd);
    }
    loop_watch_events(socket->watch, 0);
}

/* As many as leave descriptors for the spool, without which nothing that they log could be kept. */
static size_t most_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= CONNECTIONS_MAX + OTHER_DESCRIPTORS)
        return CONNECTIONS_MAX;
    return limit.rlim_cur > 2 * OTHER_DESCRIPTORS ? limit.rlim_cur - OTHER_DESCRIPTORS : limit.rlim_cur / 2;
}

enum status run_socket_new(const struct run_socket_options *options, struct run_socket **out, struct err *err)
{
    struct run_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    socket->options = *options;
    socket->fd = -1;
    socket->most_connections = most_connections();
    socket->params = json_loads(options->spec->params_json, 0, NULL); /* no parameters when it is none */
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
        set_events(each);
}

/* Nobody writes any more, so the end of each connection comes, whatever is held. */
static void drain_connections(struct run_socket *socket)
{
    while (socket->connections != NULL) {
        struct connection *connection = socket->connections;
        while (read_input(connection) == INPUT_MORE)
            ;
        finish_connection(connection);
        socket->options.on_input(socket->options.context);
    }
}

void run_socket_drain(struct run_socket *socket)
{
    do {
        drain_connections(socket);
        on_listener_ready(socket, POLLIN);
    } while (socket->connections != NULL);
}

bool run_socket_preempting(const struct run_socket *socket)
{
    return socket->preempting;
}

int run_socket_exit_code(const struct run_socket *socket, const char **text)
{
    *text = socket->exit_text != NULL ? socket->exit_text : "";
    return socket->exit_code;
}

void run_socket_free(struct run_socket *socket)
{
    if (socket == NULL)
        return;
    while (socket->connections != NULL)
        connection_close(socket->connections);
    loop_watch_remove(socket->watch);
    file_close(&socket->fd);
    free(socket->exit_text);
    free(socket->stop_line);
    json_decref(socket->params);
    free(socket);
}
