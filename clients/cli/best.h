/*
 * The best run for people, as `besom best` and `besom run` show it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_BEST_H
#define BESOM_CLI_BEST_H

#include <besom/v1/sweep_service.pb-c.h>

#include "cli.h"

/* To stdout. */
void best_print(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run);

#endif
