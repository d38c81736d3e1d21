// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/study.h"

#include <stdlib.h>
#include <uthash.h>

#include "services/suggestion/enqueue.h"

struct point {
    unsigned char hash[SPACE_HASH_SIZE];
    UT_hash_handle hh;
};

struct study {
    struct spec *spec; /* owned */
    uint64_t seed;
    int64_t next_ordinal;
    bool *told; /* owned; by id - 1 */
    size_t asked;
    size_t capacity;
    struct point *observed; /* owned; uthash; grids only */
    struct bayes *bayes;    /* owned; NULL for other methods */
};

unsigned study_method_bits(void)
{
    return suggest_method_bits() | 1u << SPEC_METHOD_BAYES;
}

enum status study_new(struct spec *spec, uint64_t seed, struct study **out, struct err *err)
{
    struct study *study = calloc(1, sizeof *study);
    *out = study;
    if (study == NULL) {
        spec_free(spec);
        return err_set(err, STATUS_NO_MEMORY, "study: out of memory");
    }
    study->spec = spec;
    study->seed = seed;
    if (spec->method != SPEC_METHOD_BAYES)
        return STATUS_OK;
    enum status status = bayes_new(spec, seed, 0, &study->bayes, err);
    if (status != STATUS_OK) {
        study_free(study);
        *out = NULL;
    }
    return status;
}

void study_free(struct study *study)
{
    if (study == NULL)
        return;
    struct point *point;
    struct point *next;
    HASH_ITER(hh, study->observed, point, next)
    {
        HASH_DEL(study->observed, point);
        free(point);
    }
    bayes_free(study->bayes);
    free(study->told);
    spec_free(study->spec);
    free(study);
}

/* The values of the active parameters in order, null for each that conditions leave out; NULL when one of the
 * active ones is missing. New reference. */
static json_t *list_values(const struct space *space, const json_t *params, const bool *active)
{
    json_t *values = json_array();
    for (size_t i = 0; i < space_parameter_count(space); i++) {
        json_t *value = active[i] ? space_config_get(space, i, params) : json_null();
        if (value == NULL || json_array_append(values, value) != 0) {
            json_decref(values);
            return NULL;
        }
    }
    return values;
}

/* Identity of a point by the space's parameters alone; *complete false when one of them is missing. */
static enum status hash_point(const struct space *space, const json_t *params,
                              unsigned char out[SPACE_HASH_SIZE], bool *complete, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    bool *active = arena_calloc(&arena, space_parameter_count(space) + 1, sizeof *active);
    if (active == NULL)
        return err_set(err, STATUS_NO_MEMORY, "study: out of memory");
    TRY(space_active(space, params, active, err));
    json_t *values = list_values(space, params, active);
    *complete = values != NULL;
    enum status status = *complete ? space_config_hash(values, out, err) : STATUS_OK;
    json_decref(values);
    return status;
}

static enum status is_observed(const struct study *study, const json_t *params, bool *out, struct err *err)
{
    unsigned char hash[SPACE_HASH_SIZE];
    struct point *point = NULL;
    bool complete = false;
    *out = false;
    if (study->observed == NULL)
        return STATUS_OK;
    TRY(hash_point(study->spec->space, params, hash, &complete, err));
    if (complete)
        HASH_FIND(hh, study->observed, hash, SPACE_HASH_SIZE, point);
    *out = point != NULL;
    return STATUS_OK;
}

static enum status make_room(struct study *study, struct err *err)
{
    if (study->asked < study->capacity)
        return STATUS_OK;
    size_t capacity = study->capacity == 0 ? 64 : study->capacity * 2;
    bool *grown = realloc(study->told, capacity * sizeof *grown);
    if (grown == NULL)
        return err_set(err, STATUS_NO_MEMORY, "study: out of memory");
    study->told = grown;
    study->capacity = capacity;
    return STATUS_OK;
}

/* Notes that a point of a grid was run, or is. */
static enum status remember(struct study *study, const json_t *params, struct err *err)
{
    struct point *known = NULL;
    bool complete = false;
    struct point *point = calloc(1, sizeof *point);
    if (point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "study: out of memory");
    enum status status = hash_point(study->spec->space, params, point->hash, &complete, err);
    if (complete && status == STATUS_OK)
        HASH_FIND(hh, study->observed, point->hash, SPACE_HASH_SIZE, known);
    if (status != STATUS_OK || !complete || known != NULL)
        free(point);
    else
        HASH_ADD(hh, study->observed, hash, SPACE_HASH_SIZE, point);
    return status;
}

/* The next point that was not observed; an empty batch at the end. Points of the file that a grid gave are
 * not given by it again. */
static enum status next_point(struct study *study, struct suggest_batch *batch, struct err *err)
{
    bool grid = study->spec->method == SPEC_METHOD_GRID;
    for (;;) {
        bool used = false;
        const struct suggest_input input = {
            .spec = study->spec, .seed = study->seed, .first_ordinal = study->next_ordinal, .count = 1};
        TRY(suggest(&input, batch, err));
        if (batch->count == 0)
            return STATUS_OK;
        study->next_ordinal++;
        enum status status = is_observed(study, batch->items[0].params, &used, err);
        if (status == STATUS_OK && !used && grid &&
            (uint64_t)input.first_ordinal < enqueue_count(study->spec))
            status = remember(study, batch->items[0].params, err);
        if (status == STATUS_OK && !used)
            return STATUS_OK;
        suggest_batch_free(batch);
        TRY(status);
    }
}

/* A batch of one, or an empty one when the space is exhausted. */
static enum status ask_bayes(struct study *study, struct suggest_batch *batch, struct err *err)
{
    bool exhausted = false;
    batch->items = calloc(1, sizeof *batch->items);
    if (batch->items == NULL)
        return err_set(err, STATUS_NO_MEMORY, "study: out of memory");
    batch->count = 1;
    batch->items[0].ordinal = study->next_ordinal;
    enum status status = bayes_ask(study->bayes, &batch->items[0], &exhausted, err);
    if (status != STATUS_OK || exhausted)
        suggest_batch_free(batch);
    else
        study->next_ordinal++;
    return status;
}

enum status study_ask(struct study *study, struct suggest_batch *batch, int64_t *id, struct err *err)
{
    *batch = (struct suggest_batch){0};
    if (study->spec->run_cap > 0 && (int64_t)study->asked >= study->spec->run_cap)
        return STATUS_OK;
    TRY(make_room(study, err));
    TRY(study->bayes != NULL ? ask_bayes(study, batch, err) : next_point(study, batch, err));
    if (batch->count == 0)
        return STATUS_OK;
    study->told[study->asked++] = false;
    *id = (int64_t)study->asked;
    return STATUS_OK;
}

enum status study_tell(struct study *study, int64_t id, const struct bayes_outcome *outcome, struct err *err)
{
    if (id < 1 || (uint64_t)id > study->asked)
        return err_set(err, STATUS_NOT_FOUND, "id %lld was never handed out", (long long)id);
    if (study->told[id - 1])
        return err_set(err, STATUS_ALREADY_EXISTS, "id %lld was told before", (long long)id);
    if (study->bayes != NULL)
        TRY(bayes_tell(study->bayes, id - 1, outcome, err));
    study->told[id - 1] = true;
    return STATUS_OK;
}

enum status study_observe(struct study *study, const json_t *params, const struct bayes_outcome *outcome,
                          struct err *err)
{
    if (study->bayes != NULL)
        return bayes_observe(study->bayes, params, outcome, err);
    return study->spec->method == SPEC_METHOD_GRID ? remember(study, params, err) : STATUS_OK;
}
