/*
 * What a sweep file would do, without a server: how many points, when runs
 * stop early, and the first configurations with their command lines.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_DRY_RUN_H
#define BESOM_CLI_DRY_RUN_H

#include "cli.h"
#include "spec/spec.h"

/* To stdout, `count` configurations at most; with `json` one JSON value. An exit code. */
int dry_run_print(struct cli *cli, const char *path, const struct spec *spec, uint64_t count,
                  bool json) MUST_USE;

#endif
