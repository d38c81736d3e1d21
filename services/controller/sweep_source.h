/*
 * A sweep file as it comes in a request: checked, with what is stored of it.
 * No state; no database.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_SWEEP_SOURCE_H
#define BESOM_CONTROLLER_SWEEP_SOURCE_H

#include <besom/v1/sweep_service.pb-c.h>

#include "base/buffer.h"
#include "spec/spec.h"

#define SWEEP_NAME_MAX_BYTES 255
#define SWEEP_DEFAULT_PROJECT "uncategorized"

struct sweep_source {
    struct spec *spec;      /* owned */
    char *spec_json;        /* owned; canonical */
    struct buffer warnings; /* owned; "FILE:LINE:COL: message", one a line */
    bool has_grid_count;
    int64_t grid_count;
};

/* INVALID tells as many problems as fit, one a line. *out is to be freed whatever comes back. */
enum status sweep_source_read(const ProtobufCBinaryData *bytes, const char *file_name,
                              const struct spec_options *options, struct sweep_source *out,
                              struct err *err) MUST_USE;
void sweep_source_free(struct sweep_source *source);

/* The warnings as texts of the arena. */
enum status sweep_source_split_warnings(const struct sweep_source *source, struct arena *arena, char ***out,
                                        size_t *count, struct err *err) MUST_USE;

/* NULL for an empty text: a flag that was not given. */
const char *sweep_source_given(const char *text);
/* The first that is not NULL, or "". */
const char *sweep_source_first_of(const char *a, const char *b);

#endif
