// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/method.h"

#include <stdlib.h>

#include "services/suggestion/enqueue.h"

typedef enum status suggest_method(const struct suggest_input *input, struct suggest_batch *batch,
                                   struct err *err);
static suggest_method suggest_grid, suggest_random;

static suggest_method *const methods[] = {
    [SPEC_METHOD_GRID] = suggest_grid,
    [SPEC_METHOD_RANDOM] = suggest_random,
};

/* NULL for a method that is not served. */
static suggest_method *find_method(enum spec_method method)
{
    size_t index = (size_t)method;
    return index < ARRAY_LEN(methods) ? methods[index] : NULL;
}

unsigned suggest_method_bits(void)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
        if (methods[i] != NULL)
            bits |= 1u << i;
    return bits;
}

/* Appends to a batch with room for it; steals params and why, of which `why` may be NULL for want of memory.
 */
static enum status add(struct suggest_batch *batch, int64_t ordinal, json_t *params, json_t *why,
                       struct err *err)
{
    struct suggestion *item = &batch->items[batch->count++];
    *item = (struct suggestion){.ordinal = ordinal, .params = params, .why = why};
    if (why == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    return space_config_hash(params, item->config_hash, err);
}

/* The last ordinal that the input asks for, plus one. */
static int64_t end_ordinal(const struct suggest_input *input)
{
    return input->first_ordinal > INT64_MAX - input->count ? INT64_MAX : input->first_ordinal + input->count;
}

/* The first ordinal after the points of the file. */
static int64_t own_begin(const struct suggest_input *input)
{
    return input->begin_ordinal + (int64_t)enqueue_count(input->spec);
}

/* The points of the file among the ordinals that the input asks for. */
static enum status add_enqueued(const struct suggest_input *input, struct suggest_batch *batch,
                                struct err *err)
{
    int64_t end = end_ordinal(input) < own_begin(input) ? end_ordinal(input) : own_begin(input);
    for (int64_t at = input->first_ordinal; at < end; at++) {
        struct suggestion *item = &batch->items[batch->count++];
        *item = (struct suggestion){.ordinal = at};
        TRY(enqueue_fill(input->spec, input->seed, (size_t)(at - input->begin_ordinal), item, err));
    }
    return STATUS_OK;
}

/* The first ordinal of those asked for that is the method's own. */
static int64_t own_first(const struct suggest_input *input)
{
    return input->first_ordinal > own_begin(input) ? input->first_ordinal : own_begin(input);
}

/* Numbers beyond 2^63 - 1 do not fit JSON integers of jansson; their count is only told. */
static json_int_t to_json_int(uint64_t value)
{
    return value > INT64_MAX ? (json_int_t)INT64_MAX : (json_int_t)value;
}

static enum status suggest_grid(const struct suggest_input *input, struct suggest_batch *batch,
                                struct err *err)
{
    uint64_t points = 0;
    TRY(space_grid_count(input->spec->space, &points, err));
    int64_t begin = own_begin(input), end = end_ordinal(input);
    for (int64_t at = own_first(input); at < end && (uint64_t)(at - begin) < points; at++) {
        json_t *params = NULL;
        TRY(space_grid_point(input->spec->space, (uint64_t)(at - begin), &params, err));
        json_t *why = json_pack("{s:s, s:I, s:I}", "method", "grid", "index", (json_int_t)(at - begin), "of",
                                to_json_int(points));
        TRY(add(batch, at, params, why, err));
    }
    batch->exhausted = end >= begin && (uint64_t)(end - begin) >= points;
    return STATUS_OK;
}

static enum status suggest_random(const struct suggest_input *input, struct suggest_batch *batch,
                                  struct err *err)
{
    int64_t end = end_ordinal(input);
    char seed[24];
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)input->seed);
    for (int64_t at = own_first(input); at < end; at++) {
        json_t *params = NULL;
        TRY(space_random_point(input->spec->space, input->seed, (uint64_t)at, &params, err));
        /* Seeds of 64 bits are told as text: a JSON number would lose digits in many readers. */
        json_t *why = input->seed <= INT64_MAX ? json_pack("{s:s, s:I, s:I}", "method", "random", "seed",
                                                           (json_int_t)input->seed, "ordinal", (json_int_t)at)
                                               : json_pack("{s:s, s:s, s:I}", "method", "random", "seed",
                                                           seed, "ordinal", (json_int_t)at);
        TRY(add(batch, at, params, why, err));
    }
    batch->exhausted = end == INT64_MAX;
    return STATUS_OK;
}

static enum status check_input(const struct suggest_input *input, struct err *err)
{
    if (input->begin_ordinal < 0 || input->first_ordinal < input->begin_ordinal)
        return err_set(err, STATUS_INVALID, "first_ordinal is before the first of the spec's version");
    if (input->count < 1 || input->count > SUGGEST_COUNT_MAX)
        return err_set(err, STATUS_INVALID, "count must be 1 to %d", SUGGEST_COUNT_MAX);
    return STATUS_OK;
}

enum status suggest(const struct suggest_input *input, struct suggest_batch *out, struct err *err)
{
    *out = (struct suggest_batch){0};
    TRY(check_input(input, err));
    suggest_method *method = find_method(input->spec->method);
    if (method == NULL)
        return err_set(err, STATUS_UNIMPLEMENTED, "method %s is not served here",
                       spec_method_name(input->spec->method));
    out->items = calloc((size_t)input->count, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    enum status status = add_enqueued(input, out, err);
    if (status == STATUS_OK)
        status = method(input, out, err);
    if (status != STATUS_OK)
        suggest_batch_free(out);
    return status;
}

void suggest_batch_free(struct suggest_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        json_decref(batch->items[i].params);
        json_decref(batch->items[i].why);
    }
    free(batch->items);
    *batch = (struct suggest_batch){0};
}
