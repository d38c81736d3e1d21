/*
 * A configuration as files for the command: JSON (BESOM_PARAMS_FILE) and the
 * YAML that W&B's agent writes (WANDB_SWEEP_PARAM_PATH). Pure but for writing.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_PARAMS_FILE_H
#define BESOM_AGENT_PARAMS_FILE_H

#include "base/err.h"

/* INVALID (no JSON object), IO. */
enum status params_file_write_json(const char *path, const char *params_json, struct err *err) MUST_USE;

/* "wandb_version: 1", a blank line, then name: {value: ...} each. INVALID, IO. */
enum status params_file_write_yaml(const char *path, const char *params_json, struct err *err) MUST_USE;

#endif
