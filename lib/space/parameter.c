// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/parameter.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "space/canonical.h"

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "reading a parameter: out of memory");
}

static void read_number(struct parameter *parameter, size_t key_index, const json_t *value)
{
    const struct distribution_key *key = &parameter->kind->keys[key_index];
    parameter->arguments[key_index] = value != NULL ? json_number_value(value) : key->initial;
    parameter->whole[key_index] = json_is_integer(value);
}

static int64_t whole_number(const json_t *value)
{
    if (json_is_integer(value))
        return json_integer_value(value);
    return (int64_t)json_real_value(value);
}

struct labelled {
    const char *identity;
    size_t index;
};

static int compare_labelled(const void *a, const void *b)
{
    const struct labelled *x = a;
    const struct labelled *y = b;
    int order = strcmp(x->identity, y->identity);
    if (order != 0)
        return order;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int compare_indexes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static size_t place_of(const struct parameter *parameter, size_t index)
{
    const size_t *found = bsearch(&index, parameter->distinct, parameter->distinct_count,
                                  sizeof *parameter->distinct, compare_indexes);
    return (size_t)(found - parameter->distinct);
}

/* Fills distinct and by_identity from all values in the order of their identities. */
static void take_distinct(struct parameter *parameter, const struct labelled *sorted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(sorted[i - 1].identity, sorted[i].identity) != 0)
            parameter->distinct[parameter->distinct_count++] = sorted[i].index;
    memcpy(parameter->by_identity, parameter->distinct, parameter->distinct_count * sizeof(size_t));
    qsort(parameter->distinct, parameter->distinct_count, sizeof *parameter->distinct, compare_indexes);
    for (size_t i = 0; i < parameter->distinct_count; i++)
        parameter->by_identity[i] = place_of(parameter, parameter->by_identity[i]);
}

static enum status find_distinct(struct parameter *parameter, size_t count, struct err *err)
{
    struct labelled *sorted = calloc(count + 1, sizeof *sorted);
    parameter->distinct = calloc(count + 1, sizeof *parameter->distinct);
    parameter->by_identity = calloc(count + 1, sizeof *parameter->by_identity);
    if (sorted == NULL || parameter->distinct == NULL || parameter->by_identity == NULL) {
        free(sorted);
        return out_of_memory(err);
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct labelled){parameter->identities[i], i};
    qsort(sorted, count, sizeof *sorted, compare_labelled);
    take_distinct(parameter, sorted, count);
    free(sorted);
    return STATUS_OK;
}

bool parameter_find_value(const struct parameter *parameter, const json_t *value, size_t *out_place)
{
    CLEANUP(buffer_free) struct buffer identity = BUFFER_INIT;
    canonical_write_identity(&identity, value);
    size_t low = 0;
    size_t high = parameter->distinct_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t place = parameter->by_identity[middle];
        int order = strcmp(buffer_text(&identity), parameter->identities[parameter->distinct[place]]);
        *out_place = place;
        if (order == 0)
            return !identity.failed;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static enum status read_values(struct parameter *parameter, struct err *err)
{
    size_t count = json_array_size(parameter->values);
    parameter->identities = calloc(count + 1, sizeof *parameter->identities);
    if (parameter->identities == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct buffer text = BUFFER_INIT;
        canonical_write_identity(&text, json_array_get(parameter->values, i));
        parameter->identities[i] = buffer_take(&text);
        if (parameter->identities[i] == NULL)
            return out_of_memory(err);
    }
    return find_distinct(parameter, count, err);
}

static enum status read_probabilities(struct parameter *parameter, const json_t *list, struct err *err)
{
    size_t count = json_array_size(list);
    parameter->cumulative = calloc(count + 1, sizeof *parameter->cumulative);
    if (parameter->cumulative == NULL)
        return out_of_memory(err);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += json_number_value(json_array_get(list, i));
        parameter->cumulative[i] = sum;
    }
    return STATUS_OK;
}

static enum status read_key(struct parameter *parameter, size_t key_index, struct err *err)
{
    const struct distribution_key *key = &parameter->kind->keys[key_index];
    const json_t *value = json_object_get(parameter->definition, key->name);
    switch (key->type) {
    case DISTRIBUTION_KEY_INTEGER:
        *(key_index == 0 ? &parameter->low : &parameter->high) = whole_number(value);
        read_number(parameter, key_index, value);
        return STATUS_OK;
    case DISTRIBUTION_KEY_NUMBER: read_number(parameter, key_index, value); return STATUS_OK;
    case DISTRIBUTION_KEY_LIST: parameter->values = value; return read_values(parameter, err);
    case DISTRIBUTION_KEY_NUMBERS: return read_probabilities(parameter, value, err);
    case DISTRIBUTION_KEY_ANY: return STATUS_OK;
    }
    return STATUS_OK;
}

enum status parameter_init(struct parameter *parameter, const struct distribution *kind,
                           const json_t *definition, struct err *err)
{
    *parameter = (struct parameter){.kind = kind, .definition = json_copy((json_t *)(uintptr_t)definition)};
    json_t *name = json_string(kind->name);
    if (parameter->definition == NULL ||
        json_object_set_new(parameter->definition, "distribution", name) != 0)
        return out_of_memory(err);
    for (size_t i = 0; i < DISTRIBUTION_KEYS_MAX && kind->keys[i].name != NULL; i++)
        TRY(read_key(parameter, i, err));
    return STATUS_OK;
}

void parameter_release(struct parameter *parameter)
{
    if (parameter->identities != NULL)
        for (size_t i = 0; i < json_array_size(parameter->values); i++)
            free(parameter->identities[i]);
    free(parameter->identities);
    free(parameter->distinct);
    free(parameter->by_identity);
    free(parameter->cumulative);
    json_decref(parameter->definition);
    *parameter = (struct parameter){.kind = NULL};
}

bool parameter_is_enumerable(const struct parameter *parameter)
{
    return parameter->kind->grid_count != NULL;
}
