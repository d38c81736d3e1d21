/*
 * Pages of listings: how many entries one has, and the text that says where the next begins. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_CONTROLLER_PAGE_H
#define BESOM_SERVICES_CONTROLLER_PAGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* 0 asks for the usual number. INVALID names the bounds. */
enum status page_size(int32_t asked, int *out, struct err *err) MUST_USE;

/* The last entry of a page that is ordered by time and id. */
struct page_mark {
    int64_t us;
    const char *id; /* NULL: there was no page before */
};

/* `rpc` is whose token it must be; the id points into it. INVALID. */
enum status page_read_mark(const char *token, const char *rpc, struct page_mark *out,
                           struct err *err) MUST_USE;
/* NULL without memory. */
char *page_write_mark(struct arena *arena, int64_t us, const char *id);

/* A token that is a whole number of at least `least`; 0 where there was no page before. INVALID. */
enum status page_read_number(const char *token, const char *rpc, int64_t least, int64_t *out,
                             struct err *err) MUST_USE;

#endif
