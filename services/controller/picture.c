// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/picture.h"

#include <string.h>

#include "services/controller/run_picture.h"
#include "spec/spec.h"

#define SUMMARIES_LISTED 1000 /* of each run in a list */

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status add_bands(struct arena *arena, const char *spec_json, Besom__V1__Sweep *message,
                             struct err *err)
{
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    TRY(spec_from_canonical_json(spec_json, strlen(spec_json), &spec, err));
    if (!spec->has_early_terminate)
        return STATUS_OK;
    message->bands = arena_calloc(arena, STOP_BANDS_MAX, sizeof *message->bands);
    if (message->bands == NULL)
        return no_memory(err);
    return stop_bands(&spec->early_terminate, message->bands, &message->n_bands, err);
}

enum status picture_get_sweep(struct store_tx *tx, const char *sweep_id, bool lock, struct store_sweep *out,
                              struct err *err)
{
    enum status status = store_get_sweep(tx, sweep_id, lock, out, err);
    return status == STATUS_NOT_FOUND ? err_set(err, status, "there is no sweep %s", sweep_id) : status;
}

enum status picture_sweep(struct store_tx *tx, const char *sweep_id, Besom__V1__Sweep **out, struct err *err)
{
    struct store_sweep sweep;
    struct store_run_counts counts;
    struct store_spec spec;
    TRY(picture_get_sweep(tx, sweep_id, false, &sweep, err));
    TRY(store_count_runs(tx, sweep_id, &counts, err));
    TRY(store_get_spec(tx, sweep_id, sweep.spec_version, &spec, err));
    *out = message_of_sweep(store_tx_arena(tx), &sweep, &counts);
    if (*out == NULL)
        return no_memory(err);
    (*out)->spec_json = message_text(spec.json);
    return add_bands(store_tx_arena(tx), spec.json, *out, err);
}

static enum status add_summaries(struct store_tx *tx, Besom__V1__Run *run, struct err *err)
{
    struct store_summary *rows;
    size_t count;
    TRY(store_list_summaries(tx, run->sweep_id, run->run_id, 0, &rows, &count, err));
    count = run_picture_merge(rows, count);
    return message_add_summaries(store_tx_arena(tx), run, rows, count, err);
}

enum status picture_best(struct store_tx *tx, const char *sweep_id, Besom__V1__Run **out, struct err *err)
{
    struct store_run run;
    struct err none = ERR_INIT;
    *out = NULL;
    enum status status = store_get_best_run(tx, sweep_id, &run, &none);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return err_set(err, status, "%s", none.text);
    *out = message_of_run(store_tx_arena(tx), &run);
    return *out != NULL ? add_summaries(tx, *out, err) : no_memory(err);
}

enum status picture_run(struct store_tx *tx, const char *sweep_id, const char *run_id, Besom__V1__Run **out,
                        struct err *err)
{
    struct store_run run;
    TRY(store_get_run(tx, sweep_id, run_id, &run, err));
    *out = message_of_run(store_tx_arena(tx), &run);
    return *out != NULL ? add_summaries(tx, *out, err) : no_memory(err);
}

enum status picture_runs(struct store_tx *tx, const char *sweep_id, const struct store_run *runs,
                         size_t count, Besom__V1__Run ***out, struct err *err)
{
    struct arena *arena = store_tx_arena(tx);
    struct store_summary *rows = NULL;
    size_t row_count = 0, at = 0;
    const char **ids = arena_calloc(arena, count + 1, sizeof(*ids));
    *out = arena_calloc(arena, count + 1, sizeof(**out));
    if (ids == NULL || *out == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        ids[i] = runs[i].run_id;
    if (count > 0)
        TRY(store_list_summaries_of(tx, sweep_id, ids, count, &rows, &row_count, err));
    for (size_t i = 0; i < count; i++) {
        if (((*out)[i] = message_of_run(arena, &runs[i])) == NULL)
            return no_memory(err);
        /* rows are sorted by run, runs are not: find the run's first row */
        size_t low = 0, high = row_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (strcmp(rows[middle].run_id, ids[i]) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (at = low; at < row_count && strcmp(rows[at].run_id, ids[i]) == 0; at++)
            ;
        size_t found = run_picture_merge(rows + low, at - low);
        found = found < SUMMARIES_LISTED ? found : SUMMARIES_LISTED;
        TRY(message_add_summaries(arena, (*out)[i], rows + low, found, err));
    }
    return STATUS_OK;
}
