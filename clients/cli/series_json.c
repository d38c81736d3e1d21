// SPDX-License-Identifier: GPL-3.0-or-later
#include "series_json.h"

#include <inttypes.h>
#include <string.h>

#include "records.h"

static const char *const point_keys[SERIES_LISTS_MAX] = {"steps", "values", "times_us", "attempts"};
static const char *const bucket_keys[SERIES_LISTS_MAX] = {"first_steps", "last_steps", "counts",
                                                          "mins",        "maxs",       "lasts"};

static bool put(struct series_json *writer, const struct buffer *text)
{
    return !text->failed && fwrite(buffer_text(text), 1, text->length, writer->stream) == text->length;
}

static bool begin(struct series_json *writer)
{
    if (writer->begun)
        return true;
    writer->begun = true;
    return fprintf(writer->stream, "{\"run_id\":\"%s\",\"sweep_id\":\"%s\",\"series\":[", writer->run->run_id,
                   writer->run->sweep_id) > 0;
}

/* Prints the metric that is complete. */
static bool flush(struct series_json *writer)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    if (writer->name.length == 0)
        return true;
    buffer_puts(&text, "{\"name\":");
    json_text(&text, buffer_text(&writer->name));
    bool good = put(writer, &text);
    for (size_t i = 0; i < SERIES_LISTS_MAX && writer->keys[i] != NULL && good; i++) {
        good = fprintf(writer->stream, ",\"%s\":[", writer->keys[i]) > 0 && put(writer, &writer->lists[i]) &&
               fputc(']', writer->stream) != EOF;
        buffer_clear(&writer->lists[i]);
    }
    buffer_clear(&writer->name);
    return good && fputc('}', writer->stream) != EOF;
}

/* Pieces of a metric come one after the other. */
static bool turn_to(struct series_json *writer, const char *name, const char *const *keys)
{
    if (writer->name.length > 0 && strcmp(buffer_text(&writer->name), name) == 0)
        return true;
    bool first = !writer->begun;
    if (!begin(writer) || !flush(writer))
        return false;
    if (!first && fputc(',', writer->stream) == EOF)
        return false;
    writer->keys = keys;
    buffer_puts(&writer->name, name);
    return true;
}

static void add_integer(struct buffer *list, int64_t value)
{
    buffer_printf(list, "%s%" PRId64, list->length > 0 ? "," : "", value);
}

static void add_real(struct buffer *list, double value)
{
    if (list->length > 0)
        buffer_putc(list, ',');
    json_real_text(list, value);
}

bool series_json_points(struct series_json *writer, int attempt, const Besom__V1__Series *piece)
{
    if (!turn_to(writer, piece->name, point_keys))
        return false;
    for (size_t i = 0; i < piece->n_steps; i++)
        add_integer(&writer->lists[0], piece->steps[i]);
    for (size_t i = 0; i < piece->n_values; i++)
        add_real(&writer->lists[1], piece->values[i]);
    for (size_t i = 0; i < piece->n_times_us; i++)
        add_integer(&writer->lists[2], piece->times_us[i]);
    for (size_t i = 0; i < piece->n_values; i++)
        add_integer(&writer->lists[3], attempt);
    return true;
}

bool series_json_buckets(struct series_json *writer, const Besom__V1__Buckets *piece)
{
    if (!turn_to(writer, piece->name, bucket_keys))
        return false;
    for (size_t i = 0; i < piece->n_counts; i++) {
        add_integer(&writer->lists[0], piece->first_steps[i]);
        add_integer(&writer->lists[1], piece->last_steps[i]);
        add_integer(&writer->lists[2], piece->counts[i]);
        add_real(&writer->lists[3], piece->mins[i]);
        add_real(&writer->lists[4], piece->maxs[i]);
        add_real(&writer->lists[5], piece->lasts[i]);
    }
    return true;
}

bool series_json_end(struct series_json *writer)
{
    return begin(writer) && flush(writer) && fputs("]}\n", writer->stream) != EOF &&
           fflush(writer->stream) == 0;
}

void series_json_release(struct series_json *writer)
{
    buffer_free(&writer->name);
    for (size_t i = 0; i < SERIES_LISTS_MAX; i++)
        buffer_free(&writer->lists[i]);
}
