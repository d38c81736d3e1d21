// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "db/store/query.h"
#include "db/store/runs.h"

/* A row of edit_runs. */
struct edited {
    const char *run_id;
    int32_t tags, hidden_tags;
};
static const struct field EDITED_FIELDS[] = {
    FIELD(TEXT, struct edited, run_id),
    FIELD(I32, struct edited, tags),
    FIELD(I32, struct edited, hidden_tags),
};

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct edited *)a)->run_id, ((const struct edited *)b)->run_id);
}

static enum status check_found(struct edited *rows, size_t count, const char *const *run_ids,
                               size_t run_count, struct err *err)
{
    if (count > 1)
        qsort(rows, count, sizeof *rows, compare_ids);
    for (size_t i = 0; i < run_count; i++) {
        const struct edited key = {.run_id = run_ids[i]};
        if (bsearch(&key, rows, count, sizeof *rows, compare_ids) == NULL)
            return err_set(err, STATUS_NOT_FOUND, "no such run: %s", run_ids[i]);
    }
    return STATUS_OK;
}

static enum status check_tags(const struct edited *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].tags > STORE_RUN_TAGS_MAX)
            return err_set(err, STATUS_PRECONDITION, "run %s would have %d tags (%d at most)", rows[i].run_id,
                           (int)rows[i].tags, STORE_RUN_TAGS_MAX);
        if (rows[i].hidden_tags > STORE_RUN_HIDDEN_TAGS_MAX)
            return err_set(err, STATUS_PRECONDITION, "of run %s too many tags were taken away (%d at most)",
                           rows[i].run_id, STORE_RUN_HIDDEN_TAGS_MAX);
    }
    return STATUS_OK;
}

enum status store_edit_runs(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                            size_t run_count, const struct store_run_edit *edit, struct err *err)
{
    struct params params = params_begin(tx);
    struct edited *rows;
    size_t count;
    params_text(&params, sweep_id);
    params_texts(&params, run_ids, run_count);
    params_bool(&params, edit->name != NULL);
    params_text(&params, edit->name != NULL ? edit->name : "");
    params_bool(&params, edit->notes != NULL);
    params_text(&params, edit->notes != NULL ? edit->notes : "");
    params_texts(&params, edit->add_tags, edit->add_count);
    params_texts(&params, edit->remove_tags, edit->remove_count);
    TRY(query_rows(tx, QUERY_EDIT_RUNS, &params, SHAPE(struct edited, EDITED_FIELDS), &rows, &count, err));
    TRY(check_found(rows, count, run_ids, run_count, err));
    return check_tags(rows, count, err);
}
