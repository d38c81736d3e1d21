// SPDX-License-Identifier: Apache-2.0
#include "run_output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "output_lines.h"

#define CHUNK 65536
#define BYTES_PER_TURN (4 * CHUNK)
#define BYTES_AT_THE_END (4 << 20) /* more than a pipe holds */
#define SEARCHED_AT_ONCE 4096
#define SEARCH_MS 50 /* a turn: orders and what is logged do not wait for a slow pattern */

struct stream {
    struct run_output *owner;
    int fd;
    struct loop_watch *watch;
    struct output_lines *lines; /* owned; NULL = no metrics are read from it */
    bool is_error;
};

struct run_output {
    struct run_output_options options;
    struct stream streams[2];
    struct row row;
    int64_t line_us;
    bool held;
    char error_tail[2 * ATTEMPT_ERROR_MAX]; /* newest error output; the last ATTEMPT_ERROR_MAX count */
    size_t error_tail_length;
};

static void take_metric(void *context, const char *name, size_t length, double value)
{
    struct run_output *output = context;
    row_put(&output->row, name, length, value, output->line_us);
}

static void end_row(void *context, bool has_step, int64_t step)
{
    struct run_output *output = context;
    if (has_step)
        row_set_step(&output->row, output->options.steps, step);
    row_close(&output->row, output->options.steps, output->options.batcher);
}

static enum status make_lines(struct run_output *output, struct stream *stream, struct err *err)
{
    const struct attempt_spec *spec = output->options.spec;
    const struct output_lines_options options = {.pattern = spec->output_pattern,
                                                 .step = spec->output_step,
                                                 .context = output,
                                                 .metric = take_metric,
                                                 .row_end = end_row};
    if (!spec->read_output[stream->is_error])
        return STATUS_OK;
    return output_lines_new(&options, &stream->lines, err);
}

enum status run_output_new(const struct run_output_options *options, struct run_output **out, struct err *err)
{
    struct run_output *output = calloc(1, sizeof *output);
    struct err problem = ERR_INIT;
    enum status status = STATUS_OK;
    if (output == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    output->options = *options;
    for (int i = 0; i < 2; i++) {
        output->streams[i] = (struct stream){.owner = output, .fd = -1, .is_error = i == 1};
        if (status == STATUS_OK)
            status = make_lines(output, &output->streams[i], &problem);
    }
    if (status == STATUS_INVALID) {
        char line[ERR_TEXT_MAX + 16];
        int length = snprintf(line, sizeof line, "besom: %s\n", problem.text);
        batcher_add_output(options->batcher, true, line, (size_t)length);
    } else if (status != STATUS_OK) {
        run_output_free(output);
        return err_set(err, status, "%s", problem.text);
    }
    *out = output;
    return STATUS_OK;
}

static void keep_error_tail(struct run_output *output, const char *bytes, size_t length)
{
    size_t keep = ATTEMPT_ERROR_MAX - 1;
    if (length > keep) {
        bytes += length - keep;
        length = keep;
    }
    if (output->error_tail_length + length > sizeof output->error_tail) {
        memmove(output->error_tail, output->error_tail + output->error_tail_length - keep, keep);
        output->error_tail_length = keep;
    }
    memcpy(output->error_tail + output->error_tail_length, bytes, length);
    output->error_tail_length += length;
}

static void take_output(struct stream *stream, const char *bytes, size_t length)
{
    struct run_output *output = stream->owner;
    batcher_add_output(output->options.batcher, stream->is_error, bytes, length);
    if (stream->is_error)
        keep_error_tail(output, bytes, length);
    output->line_us = clock_wall_us(&clock_system);
    if (stream->lines != NULL)
        output_lines_add(stream->lines, bytes, length);
    output->options.on_input(output->options.context);
}

/* Reads `most` bytes at most, until `end_ms`. False at the end of the stream. */
static bool read_stream(struct stream *stream, size_t most, int64_t end_ms)
{
    char chunk[CHUNK];
    size_t at_once = stream->lines != NULL ? SEARCHED_AT_ONCE : sizeof chunk;
    for (size_t done = 0; done < most && loop_now_ms() < end_ms; done += at_once) {
        ssize_t got = read(stream->fd, chunk, at_once);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        if (got == 0)
            return false;
        take_output(stream, chunk, (size_t)got);
    }
    return true;
}

static void close_stream(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    if (stream->lines != NULL)
        output_lines_end(stream->lines);
    loop_watch_remove(stream->watch);
    stream->watch = NULL;
    file_close(&stream->fd);
}

static bool is_held(const struct stream *stream)
{
    return stream->owner->held && stream->lines != NULL;
}

/* Both streams, so that what was written at about the same time keeps its order about. */
static void on_output(void *context, short events)
{
    struct run_output *output = context;
    (void)events;
    for (int i = 0; i < 2; i++) {
        struct stream *stream = &output->streams[i];
        if (stream->fd < 0 || is_held(stream) ||
            read_stream(stream, BYTES_PER_TURN, loop_now_ms() + SEARCH_MS))
            continue;
        close_stream(stream);
        output->options.on_input(output->options.context);
    }
}

void run_output_watch(struct run_output *output, const int pipes[2])
{
    for (int i = 0; i < 2; i++) {
        output->streams[i].fd = pipes[i];
        output->streams[i].watch = loop_watch_add(output->options.loop, pipes[i], POLLIN, on_output, output);
    }
}

void run_output_hold(struct run_output *output, bool hold)
{
    if (output->held == hold)
        return;
    output->held = hold;
    for (int i = 0; i < 2; i++)
        loop_watch_events(output->streams[i].watch, is_held(&output->streams[i]) ? 0 : POLLIN);
}

void run_output_drain(struct run_output *output)
{
    for (int i = 0; i < 2; i++) {
        struct stream *stream = &output->streams[i];
        if (stream->fd >= 0)
            (void)read_stream(stream, BYTES_AT_THE_END, INT64_MAX);
        close_stream(stream);
    }
}

void run_output_error_text(const struct run_output *output, char out[ATTEMPT_ERROR_MAX])
{
    size_t most = ATTEMPT_ERROR_MAX - 1;
    size_t length = output->error_tail_length < most ? output->error_tail_length : most;
    memcpy(out, output->error_tail + output->error_tail_length - length, length);
    out[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (out[i] == '\0')
            out[i] = '?';
}

void run_output_free(struct run_output *output)
{
    if (output == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        close_stream(&output->streams[i]);
        output_lines_free(output->streams[i].lines);
    }
    row_free(&output->row);
    free(output);
}
