/*
 * Search methods: from a spec to the next configurations and the reason of
 * each. A method is a row of one table. Pure: the same input gives the same
 * batch, so a batch may be asked for again by any process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_METHOD_H
#define BESOM_SERVICES_SUGGESTION_METHOD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "space/space.h"
#include "spec/spec.h"

#define SUGGEST_COUNT_MAX 1000

/* What a batch is a function of. */
struct suggest_input {
    const struct spec *spec;
    uint64_t seed;
    int64_t begin_ordinal; /* the one at which this version of the spec begins */
    int64_t first_ordinal; /* >= begin_ordinal */
    int32_t count;         /* 1..SUGGEST_COUNT_MAX */
};

struct suggestion {
    int64_t ordinal;
    json_t *params; /* owned */
    json_t *why;    /* owned; what made it */
    unsigned char config_hash[SPACE_HASH_SIZE];
};

struct suggest_batch {
    struct suggestion *items; /* owned; in order of ordinal, without gaps */
    size_t count;
    bool exhausted; /* nothing comes after the last of them */
};

/* Bits 1u << enum spec_method of all rows, for spec_options. */
unsigned suggest_method_bits(void);

/* INVALID: counts out of range, or a space that the method cannot search; UNIMPLEMENTED: the method. */
enum status suggest(const struct suggest_input *input, struct suggest_batch *out, struct err *err) MUST_USE;

/* Usable as CLEANUP(suggest_batch_free). */
void suggest_batch_free(struct suggest_batch *batch);

#endif
