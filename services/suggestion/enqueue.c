// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/enqueue.h"

#include "space/given.h"

size_t enqueue_count(const struct spec *spec)
{
    return json_array_size(spec->enqueue);
}

/* Paths of what the file left open. New reference. */
static json_t *list_drawn(const struct space *space, const json_t *given, const json_t *params)
{
    json_t *drawn = json_array();
    for (size_t i = 0; drawn != NULL && i < space_parameter_count(space); i++)
        if (space_config_get(space, i, params) != NULL && space_config_get(space, i, given) == NULL &&
            space_parameter_is_searched(space, i) &&
            json_array_append_new(drawn, json_string(space_parameter_path(space, i))) != 0) {
            json_decref(drawn);
            return NULL;
        }
    return drawn;
}

enum status enqueue_fill(const struct spec *spec, uint64_t seed, size_t index, struct suggestion *item,
                         struct err *err)
{
    const json_t *given = json_array_get(spec->enqueue, index);
    bool on_grid = spec->method == SPEC_METHOD_GRID;
    TRY(given_complete(spec->space, given, seed, (uint64_t)item->ordinal, on_grid, &item->params, err));
    item->why = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o*}", "method", spec_method_name(spec->method),
                          "phase", "enqueued", "point", (json_int_t)index + 1, "of",
                          (json_int_t)enqueue_count(spec), "ordinal", (json_int_t)item->ordinal, "drawn",
                          list_drawn(spec->space, given, item->params));
    if (item->why == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    return space_config_hash(item->params, item->config_hash, err);
}
