/*
 * The live picture of a sweep: bar, rates, best so far and the running runs;
 * drawn in place on a terminal, a line per change elsewhere.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_PROGRESS_H
#define BESOM_CLI_PROGRESS_H

#include <besom/v1/sweep_service.pb-c.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "table.h"

/* The whole picture as lines; the running runs are cut to what fits screen->height. `savings` may be NULL. */
void progress_format(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                     const Besom__V1__Savings *savings, const struct screen *screen, int64_t now_us,
                     struct buffer *out);
/* One line: counts, rates and the best. */
void progress_format_line(struct arena *arena, const Besom__V1__WatchSweepResponse *picture,
                          struct buffer *out);
/* "[####------]" of `width` columns. */
void progress_format_bar(int64_t done, int64_t total, size_t width, struct buffer *out);
/* Runs that end per minute; a sweep younger than a minute is judged by its age. */
double progress_rate(int64_t ended_last_minute, int64_t age_us);
/* Milliseconds until `total` runs have ended at this rate; -1 = cannot tell. */
int64_t progress_eta_ms(int64_t done, int64_t total, double per_minute);
/* The sweep with `best`, `running`, `savings`, `warnings` and the rates beside its own keys. New reference.
 */
json_t *progress_json(const Besom__V1__WatchSweepResponse *picture, const Besom__V1__Savings *savings);

/* Draws again and again. */
struct progress_view {
    struct screen screen;
    size_t drawn_lines; /* on the terminal, to be drawn over */
    char last_line[512];
    size_t warnings_told;              /* of those that stand */
    const Besom__V1__Savings *savings; /* what stopping early saved; NULL = not known; the caller's */
};

struct progress_view progress_view_make(void);
void progress_view_show(struct progress_view *view, const Besom__V1__WatchSweepResponse *picture);
/* A remark above or below what is drawn. */
void progress_view_note(struct progress_view *view, const char *text);

#endif
