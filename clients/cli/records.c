// SPDX-License-Identifier: GPL-3.0-or-later
#include "records.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "format.h"

void csv_text(struct buffer *out, const char *text)
{
    if (*text != '\0' && text[strcspn(text, ",\"\r\n")] == '\0') {
        buffer_puts(out, text);
        return;
    }
    buffer_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buffer_putc(out, '"');
        buffer_putc(out, *text);
    }
    buffer_putc(out, '"');
}

void csv_end(struct buffer *out)
{
    buffer_puts(out, "\r\n");
}

void json_text(struct buffer *out, const char *text)
{
    buffer_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_printf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            buffer_printf(out, "\\u%04x", (unsigned)*text);
        else
            buffer_putc(out, *text);
    }
    buffer_putc(out, '"');
}

void json_real_text(struct buffer *out, double value)
{
    char text[FORMAT_SIZE];
    format_exact(value, text);
    if (isnan(value) || isinf(value))
        buffer_printf(out, "\"%s\"", text);
    else
        buffer_printf(out, "%s%s", text, text[strcspn(text, ".e")] == '\0' ? ".0" : "");
}

static bool write_text(struct point_writer *writer)
{
    const struct buffer *text = &writer->text;
    return !text->failed && fwrite(buffer_text(text), 1, text->length, writer->stream) == text->length;
}

/* ---- points ---- */

bool point_writer_begin(struct point_writer *writer)
{
    if (writer->format == RECORD_JSON)
        return true;
    buffer_clear(&writer->text);
    buffer_printf(&writer->text, "%sattempt,metric,step,time,value\r\n",
                  writer->run_id != NULL ? "sweep,run," : "");
    return write_text(writer);
}

/* What is the same in all rows of a piece. */
static void put_prefix(const struct point_writer *writer, int attempt, const char *name, struct buffer *out)
{
    bool is_json = writer->format == RECORD_JSON;
    if (writer->run_id != NULL)
        buffer_printf(out, is_json ? "{\"sweep\":\"%s\",\"run\":\"%s\"," : "%s,%s,", writer->sweep_id,
                      writer->run_id);
    else if (is_json)
        buffer_putc(out, '{');
    buffer_printf(out, is_json ? "\"attempt\":%d,\"metric\":" : "%d,", attempt);
    if (is_json)
        json_text(out, name);
    else
        csv_text(out, name);
}

static void put_csv_point(struct buffer *out, const Besom__V1__Series *piece, size_t i)
{
    char time[FORMAT_SIZE], value[FORMAT_SIZE];
    buffer_printf(out, ",%" PRId64 ",%s,%s\r\n", piece->steps[i],
                  format_time(i < piece->n_times_us ? piece->times_us[i] : 0, time),
                  format_exact(piece->values[i], value));
}

static void put_json_point(struct buffer *out, const Besom__V1__Series *piece, size_t i)
{
    char time[FORMAT_SIZE];
    buffer_printf(out, ",\"step\":%" PRId64 ",\"time\":\"%s\",\"value\":", piece->steps[i],
                  format_time(i < piece->n_times_us ? piece->times_us[i] : 0, time));
    json_real_text(out, piece->values[i]);
    buffer_puts(out, "}\n");
}

bool point_writer_add(struct point_writer *writer, int attempt, const Besom__V1__Series *piece)
{
    struct buffer prefix CLEANUP(buffer_free) = BUFFER_INIT;
    size_t count = piece->n_steps < piece->n_values ? piece->n_steps : piece->n_values;
    put_prefix(writer, attempt, piece->name, &prefix);
    buffer_clear(&writer->text);
    for (size_t i = 0; i < count; i++) {
        buffer_append(&writer->text, prefix.data, prefix.length);
        if (writer->format == RECORD_JSON)
            put_json_point(&writer->text, piece, i);
        else
            put_csv_point(&writer->text, piece, i);
    }
    writer->count += (int64_t)count;
    return !prefix.failed && write_text(writer);
}

/* ---- buckets ---- */

bool bucket_writer_begin(struct point_writer *writer)
{
    buffer_clear(&writer->text);
    buffer_puts(&writer->text, "metric,first_step,last_step,count,min,max,last\r\n");
    return write_text(writer);
}

bool bucket_writer_add(struct point_writer *writer, const Besom__V1__Buckets *piece)
{
    buffer_clear(&writer->text);
    for (size_t i = 0; i < piece->n_counts; i++) {
        char least[FORMAT_SIZE], most[FORMAT_SIZE], last[FORMAT_SIZE];
        csv_text(&writer->text, piece->name);
        buffer_printf(&writer->text, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s,%s\r\n",
                      piece->first_steps[i], piece->last_steps[i], piece->counts[i],
                      format_exact(piece->mins[i], least), format_exact(piece->maxs[i], most),
                      format_exact(piece->lasts[i], last));
    }
    return write_text(writer);
}

void point_writer_release(struct point_writer *writer)
{
    buffer_free(&writer->text);
}
