// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Metrics in output: the same rows whatever pieces the text comes in, and names within their bounds. The
 * first byte chooses a pattern.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "clients/agent/output_lines.h"
#include "clients/agent/run_line.h"

static void metric(void *context, const char *name, size_t length, double value)
{
    if (length == 0 || length > RUN_LINE_NAME_MAX)
        abort();
    buffer_append(context, name, length);
    buffer_printf(context, "=%a ", value);
}

static void row_end(void *context, bool has_step, int64_t step)
{
    buffer_printf(context, "@%d %lld\n", has_step, (long long)step);
}

static void read_in_pieces(const char *pattern, const char *bytes, size_t length, size_t piece,
                           struct buffer *seen)
{
    struct output_lines *lines = NULL;
    struct err err = ERR_INIT;
    const struct output_lines_options options = {
        .pattern = pattern, .step = "s", .context = seen, .metric = metric, .row_end = row_end};
    if (output_lines_new(&options, &lines, &err) != STATUS_OK)
        abort();
    for (size_t at = 0; at < length; at += piece)
        output_lines_add(lines, bytes + at, length - at < piece ? length - at : piece);
    output_lines_end(lines);
    output_lines_free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const patterns[] = {NULL, "([a-z]+): *([-+.0-9e]+)", "(.*)=(.*)", "^(a*)(b|c*)",
                                           "(x)|y(z)"};
    if (size == 0)
        return 0;
    const char *pattern = patterns[data[0] % ARRAY_LEN(patterns)];
    struct buffer whole = BUFFER_INIT, pieces = BUFFER_INIT;
    read_in_pieces(pattern, (const char *)data + 1, size - 1, size, &whole);
    read_in_pieces(pattern, (const char *)data + 1, size - 1, 3, &pieces);
    if (strcmp(buffer_text(&whole), buffer_text(&pieces)) != 0)
        abort();
    buffer_free(&whole);
    buffer_free(&pieces);
    return 0;
}
