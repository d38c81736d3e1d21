/*
 * Changing name, notes and tags of runs, and telling which have changed:
 * what `besom tag`, `note` and `rename` share.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_RUN_EDIT_H
#define BESOM_CLI_RUN_EDIT_H

#include "run_targets.h"

struct run_edit {
    const char *name, *notes; /* NULL = stays */
    struct config_list add_tags, remove_tags;
    const char *done; /* "Tagged" */
    bool json;
};

/* Finds the runs, changes them and says how many were changed, and which. An exit code. */
int run_edit_apply(struct cli *cli, const char *command, const struct connection_options *connection,
                   const struct run_query_options *query, const char *const *ids, size_t id_count,
                   const struct run_edit *edit) MUST_USE;

/* Whether the run is another one than before after the edit, as far as it can be foretold. */
bool run_edit_changes(const struct run_edit *edit, const Besom__V1__Run *run);

#endif
