/*
 * Asking a person before something is gone for good.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_CONFIRM_H
#define BESOM_CLI_CONFIRM_H

#include "cli.h"

/* Whether somebody can be asked. */
bool confirm_can_ask(void);
/* "besom: QUESTION [y/N] " on the terminal; true for a yes. */
bool confirm_ask(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
