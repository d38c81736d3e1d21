/**
 * The command line of a run, made from a template and a configuration exactly as `wandb agent` makes it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BESOM_COMMAND_H
#define BESOM_COMMAND_H

#include <besom/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the macros stand for. */
typedef struct besom_command_input {
    const char *const *items; /**< template; count 0 = ${env} ${interpreter} ${program} ${args} */
    size_t item_count;
    const char *interpreter; /**< ${interpreter}; NULL = python */
    const char *program;     /**< ${program}; NULL or "" vanishes */
    const char *params_json; /**< configuration, a JSON object; order of arguments = order of its keys */
    const char *params_file; /**< ${args_json_file}; the caller writes the file when *needs_file is set */
} besom_command_input;

/** A NULL-terminated argv, owned; free with besom_command_free. needs_file: the template has
 * ${args_json_file}.
 * ${envvar:NAME} takes the environment of this process, never BESOM_TOKEN, BESOM_DATABASE_URL or key paths.
 */
BESOM_API besom_status besom_command_expand(const besom_command_input *input, char ***argv, int *needs_file,
                                            besom_error *error) BESOM_MUST_USE;
BESOM_API void besom_command_free(char **argv);

#ifdef __cplusplus
}
#endif

#endif
