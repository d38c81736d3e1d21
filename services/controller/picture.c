// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/picture.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "services/controller/run_picture.h"
#include "services/controller/single_runs.h"
#include "spec/spec.h"

#define SUMMARIES_LISTED 1000 /* of each run in a list */
#define FIGURES_LISTED 4000   /* rows of figures, of all attempts, that are read for it */
#define FIGURES_READ 100000   /* of a run that is alone */

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* A spec of a newer release, after a rollback, is shown without what this one cannot read of it. */
static enum status add_bands(struct arena *arena, const char *spec_json, Besom__V1__Sweep *message,
                             struct err *err)
{
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    struct err unread = ERR_INIT;
    enum status status = spec_from_canonical_json(spec_json, strlen(spec_json), &spec, &unread);
    if (status == STATUS_INVALID)
        return STATUS_OK;
    if (status != STATUS_OK)
        return err_set(err, status, "%s", unread.text);
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
    if (single_runs_is_method(sweep.method))
        return STATUS_OK;
    return add_bands(store_tx_arena(tx), spec.json, *out, err);
}

/* Of how many runs the rows are read at a time. */
#define RUNS_READ 100

/* Runs with all that makes their pictures. */
struct album {
    struct store_tx *tx;
    const char *sweep_id;
    int64_t facts_max;       /* bytes of each kind and run */
    size_t summaries_max;    /* of each run */
    int64_t figures_max;     /* rows of each run */
    struct store_sweep goal; /* sweep_id NULL: not read yet */
    struct store_summary *figures;
    size_t figure_count;
    struct store_fact *facts;
    size_t fact_count;
};

/* First row of the run among rows sorted by run, whose run_id is `offset` bytes into each. */
static size_t find_run(const void *rows, size_t count, size_t size, size_t offset, const char *run_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *found;
        memcpy(&found, (const char *)rows + middle * size + offset, sizeof found);
        if (strcmp(found, run_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many of the first summaries a message takes. */
static size_t count_summaries(const struct store_summary *rows, size_t count, size_t most)
{
    const size_t figures_bytes = 80; /* of a summary but for its name */
    size_t bytes = 0, fitting = 0;
    for (; fitting < count && fitting < most; fitting++) {
        bytes += strlen(rows[fitting].name) + figures_bytes;
        if (bytes > PICTURE_RUN_FACTS_MAX)
            break;
    }
    return fitting;
}

/* The sweep's metric and goal matter to definitions alone. */
static enum status read_goal(struct album *album, const struct store_fact *facts, size_t count,
                             struct err *err)
{
    if (album->goal.sweep_id != NULL || !run_picture_has_definitions(facts, count))
        return STATUS_OK;
    return store_get_sweep(album->tx, album->sweep_id, false, &album->goal, err);
}

static enum status fill_run(struct album *album, const struct store_run *run, Besom__V1__Run *message,
                            struct err *err)
{
    struct arena *arena = store_tx_arena(album->tx);
    size_t first = find_run(album->figures, album->figure_count, sizeof *album->figures,
                            offsetof(struct store_summary, run_id), run->run_id);
    size_t fact = find_run(album->facts, album->fact_count, sizeof *album->facts,
                           offsetof(struct store_fact, run_id), run->run_id);
    struct run_picture picture = {.run = run,
                                  .figures = album->figures + first,
                                  .facts = album->facts + fact,
                                  .metric = "",
                                  .summary_max = (size_t)album->facts_max,
                                  .config_max = (size_t)album->facts_max};
    size_t rows = 0;
    while (first + rows < album->figure_count &&
           strcmp(album->figures[first + rows].run_id, run->run_id) == 0)
        rows++;
    while (fact + picture.fact_count < album->fact_count &&
           strcmp(album->facts[fact + picture.fact_count].run_id, run->run_id) == 0)
        picture.fact_count++;
    picture.figure_count = run_picture_merge(album->figures + first, rows);
    TRY(read_goal(album, picture.facts, picture.fact_count, err));
    if (album->goal.sweep_id != NULL) {
        picture.metric = album->goal.metric;
        picture.maximize = album->goal.maximize;
    }
    size_t listed = count_summaries(picture.figures, picture.figure_count, album->summaries_max);
    TRY(message_add_summaries(arena, message, picture.figures, listed, err));
    return run_picture_fill(arena, &picture, message, err);
}

static enum status read_album(struct album *album, const struct store_run *runs, size_t count,
                              struct err *err)
{
    const char **ids = arena_calloc(store_tx_arena(album->tx), count + 1, sizeof(*ids));
    if (ids == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        ids[i] = runs[i].run_id;
    TRY(store_list_summaries_of(album->tx, album->sweep_id, ids, count, album->figures_max, &album->figures,
                                &album->figure_count, err));
    return store_list_facts_of(album->tx, album->sweep_id, ids, count, album->facts_max, &album->facts,
                               &album->fact_count, err);
}

/* Without what its program logged and said. */
static enum status show_outline(struct arena *arena, const struct store_run *run, Besom__V1__Run **out,
                                struct err *err)
{
    *out = message_of_run(arena, run);
    return *out != NULL ? STATUS_OK : no_memory(err);
}

static enum status picture_one(struct store_tx *tx, const struct store_run *run, Besom__V1__Run **out,
                               struct err *err)
{
    struct album album = {.tx = tx,
                          .sweep_id = run->sweep_id,
                          .facts_max = PICTURE_RUN_FACTS_MAX,
                          .summaries_max = SIZE_MAX,
                          .figures_max = FIGURES_READ};
    TRY(read_album(&album, run, 1, err));
    TRY(show_outline(store_tx_arena(tx), run, out, err));
    return fill_run(&album, run, *out, err);
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
    return picture_one(tx, &run, out, err);
}

enum status picture_run(struct store_tx *tx, const char *sweep_id, const char *run_id, Besom__V1__Run **out,
                        struct err *err)
{
    struct store_run run;
    TRY(store_get_run(tx, sweep_id, run_id, &run, err));
    return picture_one(tx, &run, out, err);
}

enum status picture_runs(struct store_tx *tx, const char *sweep_id, const struct store_run *runs,
                         size_t count, size_t bytes_max, Besom__V1__Run ***out, size_t *fitting,
                         struct err *err)
{
    struct arena *arena = store_tx_arena(tx);
    struct album album = {.tx = tx,
                          .sweep_id = sweep_id,
                          .facts_max = PICTURE_LIST_FACTS_MAX,
                          .summaries_max = SUMMARIES_LISTED,
                          .figures_max = FIGURES_LISTED};
    size_t bytes = 0;
    *fitting = 0;
    *out = arena_calloc(arena, count + 1, sizeof(**out));
    if (*out == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        size_t left = count - i;
        if (i % RUNS_READ == 0)
            TRY(read_album(&album, runs + i, left < RUNS_READ ? left : RUNS_READ, err));
        TRY(show_outline(arena, &runs[i], &(*out)[i], err));
        TRY(fill_run(&album, &runs[i], (*out)[i], err));
        bytes += besom__v1__run__get_packed_size((*out)[i]);
        if (bytes > bytes_max)
            break;
        (*fitting)++;
    }
    return STATUS_OK;
}
