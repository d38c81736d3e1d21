// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/tried.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define USED_MAX 100000 /* runs that are looked at */
#define SETS_MAX 32     /* different sets of parameters that points give; points beyond are tried again */

/* Points that give the same parameters. */
struct set {
    bool *given; /* by parameter of the space */
    struct wanted *wanted;
};

struct wanted {
    unsigned char hash[SPACE_HASH_SIZE]; /* of the values in the space's order */
    bool tried;
    UT_hash_handle hh;
};

struct search {
    const struct space *space;
    struct arena *arena;
    struct set sets[SETS_MAX];
    size_t set_count;
    struct wanted **points; /* of each point of the file; NULL: not looked at */
};

/* The hash of the values that the set names; *complete is false when the configuration lacks one. */
static enum status hash_values(const struct search *search, const struct set *set, const json_t *config,
                               unsigned char out[SPACE_HASH_SIZE], bool *complete, struct err *err)
{
    json_t *values = json_array();
    *complete = true;
    for (size_t i = 0; i < space_parameter_count(search->space) && *complete; i++) {
        json_t *value = set->given[i] ? space_config_get(search->space, i, config) : NULL;
        if (set->given[i])
            *complete = value != NULL && json_array_append(values, value) == 0;
    }
    enum status status = *complete ? space_config_hash(values, out, err) : STATUS_OK;
    json_decref(values);
    return status;
}

/* The set of what a point gives; NULL when there are too many, or without memory. */
static struct set *set_of(struct search *search, const json_t *point)
{
    size_t count = space_parameter_count(search->space);
    bool *given = arena_calloc(search->arena, count + 1, sizeof *given);
    if (given == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        given[i] = space_config_get(search->space, i, point) != NULL;
    for (size_t s = 0; s < search->set_count; s++)
        if (memcmp(search->sets[s].given, given, count * sizeof *given) == 0)
            return &search->sets[s];
    if (search->set_count == SETS_MAX)
        return NULL;
    search->sets[search->set_count] = (struct set){.given = given};
    return &search->sets[search->set_count++];
}

static enum status want(struct search *search, const json_t *point, struct wanted **out, struct err *err)
{
    struct set *set = set_of(search, point);
    struct wanted *made = arena_calloc(search->arena, 1, sizeof *made);
    bool complete = false;
    if (set == NULL || made == NULL)
        return STATUS_OK;
    TRY(hash_values(search, set, point, made->hash, &complete, err));
    HASH_FIND(hh, set->wanted, made->hash, SPACE_HASH_SIZE, *out);
    if (*out != NULL || !complete)
        return STATUS_OK;
    HASH_ADD(hh, set->wanted, hash, SPACE_HASH_SIZE, made);
    *out = made;
    return STATUS_OK;
}

static enum status note_run(struct search *search, const json_t *config, struct err *err)
{
    for (size_t s = 0; s < search->set_count; s++) {
        unsigned char hash[SPACE_HASH_SIZE];
        bool complete = false;
        struct wanted *found = NULL;
        TRY(hash_values(search, &search->sets[s], config, hash, &complete, err));
        if (complete)
            HASH_FIND(hh, search->sets[s].wanted, hash, SPACE_HASH_SIZE, found);
        if (found != NULL)
            found->tried = true;
    }
    return STATUS_OK;
}

static enum status look(struct store_tx *tx, const char *sweep_id, struct search *search,
                        const json_t *points, struct err *err)
{
    const char **used;
    size_t count;
    TRY(store_list_used_params(tx, sweep_id, USED_MAX, &used, &count, err));
    for (size_t i = 0; i < json_array_size(points); i++)
        TRY(want(search, json_array_get(points, i), &search->points[i], err));
    for (size_t i = 0; i < count; i++) {
        json_t *config = json_loads(used[i], 0, NULL);
        enum status status = config != NULL ? note_run(search, config, err) : STATUS_OK;
        json_decref(config);
        TRY(status);
    }
    return STATUS_OK;
}

/* The spec with the points that are left. */
static enum status rewrite(const struct search *search, struct sweep_source *source, size_t *left_out,
                           struct err *err)
{
    json_t *spec = json_loads(source->spec_json, 0, NULL);
    const json_t *points = json_object_get(spec, "enqueue");
    json_t *rest = json_array();
    bool done = spec != NULL && rest != NULL;
    for (size_t i = 0; i < json_array_size(points) && done; i++) {
        bool tried = search->points[i] != NULL && search->points[i]->tried;
        *left_out += tried;
        if (!tried)
            done = json_array_append(rest, json_array_get(points, i)) == 0;
    }
    if (done)
        done = json_array_size(rest) > 0 ? json_object_set(spec, "enqueue", rest) == 0
                                         : json_object_del(spec, "enqueue") == 0;
    char *text = done ? space_config_text(spec) : NULL;
    json_decref(rest);
    json_decref(spec);
    if (text == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    free(source->spec_json);
    source->spec_json = text;
    return STATUS_OK;
}

static void clear_sets(struct search *search)
{
    for (size_t s = 0; s < search->set_count; s++)
        HASH_CLEAR(hh, search->sets[s].wanted);
}

enum status tried_leave_out(struct store_tx *tx, const char *sweep_id, struct sweep_source *source,
                            struct err *err)
{
    const json_t *points = source->spec->enqueue;
    struct search search CLEANUP(clear_sets) = {.space = source->spec->space, .arena = store_tx_arena(tx)};
    size_t left_out = 0;
    size_t count = json_array_size(points);
    if (count == 0)
        return STATUS_OK;
    search.points = arena_calloc(search.arena, count, sizeof(struct wanted *));
    if (search.points == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(look(tx, sweep_id, &search, points, err));
    TRY(rewrite(&search, source, &left_out, err));
    if (left_out > 0)
        buffer_printf(
            &source->warnings,
            "warning: %zu of %zu points of enqueue have been tried in this sweep and are left out\n",
            left_out, count);
    return STATUS_OK;
}
