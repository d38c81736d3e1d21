/*
 * PATH, as the command of a run sees it, and where its Python finds Besom's
 * package. Reads and sets the environment, so it belongs to one thread.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SEARCH_PATH_H
#define BESOM_AGENT_SEARCH_PATH_H

#include <stdbool.h>

#include "base/err.h"

/* Whether execvp would find `name`, which has no slash. */
bool search_path_has(const char *name);

/* What ${interpreter} is on this machine: python, or python3 where that is the only one. */
const char *search_path_python(void);

/* The folder with Besom's Python package: $BESOM_PYTHON_DIR or one beside this program. Owned by the caller;
 * NULL when there is none. */
char *search_path_package(void);

/* Appends this program's own folder to PATH unless it is there, so that a command finds `besom log`. */
enum status search_path_add_own_folder(void) MUST_USE;

#endif
