/*
 * Rows of data for programs: CSV as RFC 4180 has it, JSON one object a line,
 * numbers digit by digit. Pure but for the stream that points are written to.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RECORDS_H
#define BESOM_CLI_RECORDS_H

#include <besom/v1/types.pb-c.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"

enum record_format { RECORD_CSV, RECORD_JSON };

/* One cell, quoted where it must be; an empty text is "" so that it differs from nothing. */
void csv_text(struct buffer *out, const char *text);
/* The end of a row. */
void csv_end(struct buffer *out);
/* A JSON string. */
void json_text(struct buffer *out, const char *text);
/* A JSON number that stays a real (3.0); NaN and infinities as texts. */
void json_real_text(struct buffer *out, double value);

/* Points in rows of sweep, run, attempt, metric, step, time, value; without sweep and run when they are NULL.
 */
struct point_writer {
    FILE *stream;
    enum record_format format;
    const char *sweep_id, *run_id;
    int64_t count;      /* points written */
    struct buffer text; /* owned; work */
};

/* The head of CSV, nothing of JSON. */
bool point_writer_begin(struct point_writer *writer);
/* False when the stream takes no more. */
bool point_writer_add(struct point_writer *writer, int attempt, const Besom__V1__Series *piece);
/* Buckets in rows of metric, first_step, last_step, count, min, max, last. */
bool bucket_writer_begin(struct point_writer *writer);
bool bucket_writer_add(struct point_writer *writer, const Besom__V1__Buckets *piece);
/* Usable as CLEANUP. */
void point_writer_release(struct point_writer *writer);

#endif
