/*
 * One attempt on disk: what the agent tells the shim (spec.json), the mark
 * that the command was started, how it ended (exit.json), and where everything
 * of it lies. The folder itself is the agent's promise: it exists, synced to
 * disk, before a shim does, and it goes when the end has been reported.
 *
 *   RUN.ATTEMPT/
 *     spec.json      everything about the attempt; written before the folder gets its name
 *     params.json    BESOM_PARAMS_FILE         config.yaml    WANDB_SWEEP_PARAM_PATH
 *     lock           flock()ed by the shim while it lives
 *     started        written and synced right before the command is forked
 *     spool/         batches that are not acknowledged
 *     exit.json      written atomically after the last batch
 *     shim.log       the shim's own warnings
 *     control.sock run.sock    (in a short folder elsewhere when the path is too long for a socket)
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_ATTEMPT_H
#define BESOM_AGENT_ATTEMPT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "control.h"

#define ATTEMPT_ERROR_MAX 4096

/* Contents of spec.json. All texts are owned. */
struct attempt_spec {
    char *sweep_id;
    char *run_id;
    int32_t attempt;
    int32_t slot;
    int64_t counter;
    int64_t started_us; /* reported to the controller before the start */
    char *project;
    uint64_t seed;
    char *params_json;
    char **command; /* argv, NULL-terminated */
    char *workdir;
    int64_t stop_grace_ms;
    int64_t lost_after_ms;
    int64_t lease_ms;
    int64_t spool_limit_bytes;
    bool stop_on_disconnect;
    int64_t next_step;    /* of the first log call without a step */
    char *run_dir;        /* BESOM_RUN_DIR: the same for all attempts of the run; NULL = none */
    char *gpus;           /* for CUDA_VISIBLE_DEVICES, "0,1"; NULL = not pinned */
    char *python_path;    /* put in front of PYTHONPATH; NULL = nothing */
    bool read_output[2];  /* metrics from standard output, from standard error */
    char *output_pattern; /* as in OutputMetrics; NULL or "" = JSON objects and key=value */
    char *output_step;    /* name whose value is a line's step; NULL or "" = none */
};

/* START_FAILED: the command's fault. NOT_STARTED: this machine's, which another may not have. */
enum attempt_end {
    ATTEMPT_EXITED = 1,
    ATTEMPT_SIGNALED = 2,
    ATTEMPT_START_FAILED = 3,
    ATTEMPT_LOST = 4,
    ATTEMPT_NOT_STARTED = 5
};

/* Contents of exit.json. */
struct attempt_exit {
    enum attempt_end end;
    int32_t exit_code;
    int32_t signal;
    enum end_cause cause;
    int64_t generation; /* of the directive when cause is END_CAUSE_DIRECTED */
    int64_t final_sequence;
    int64_t run_time_ms;
    bool preempting; /* the run said so */
    bool told;       /* the command ended with 0: exit_code is what the run said */
    char error_text[ATTEMPT_ERROR_MAX];
};

/* Where things lie; made by attempt_paths. */
struct attempt_paths {
    char folder[PATH_MAX];
    char spec[PATH_MAX], params[PATH_MAX], config[PATH_MAX], lock[PATH_MAX], started[PATH_MAX];
    char spool[PATH_MAX], exit[PATH_MAX], log[PATH_MAX];
    char socket_folder[PATH_MAX]; /* equals folder unless that is too long */
    char control_socket[PATH_MAX], run_socket[PATH_MAX];
};

/* INVALID when the folder's name is too long. */
enum status attempt_paths_make(const char *folder, struct attempt_paths *out, struct err *err) MUST_USE;

/* Makes the folder with spec, parameters and socket folder, so that it is there wholly or not at all after a
 * crash. An existing one is an error. IO. */
enum status attempt_create(const struct attempt_paths *paths, const struct attempt_spec *spec,
                           struct err *err) MUST_USE;

enum status attempt_spec_read(const struct attempt_paths *paths, struct attempt_spec *out,
                              struct err *err) MUST_USE;
void attempt_spec_free(struct attempt_spec *spec);

enum status attempt_exit_write(const struct attempt_paths *paths, const struct attempt_exit *end,
                               struct err *err) MUST_USE;
/* NOT_FOUND when it has not ended. */
enum status attempt_exit_read(const struct attempt_paths *paths, struct attempt_exit *out,
                              struct err *err) MUST_USE;

/* The command was, or may have been, started. */
enum status attempt_mark_started(const struct attempt_paths *paths, struct err *err) MUST_USE;
bool attempt_was_started(const struct attempt_paths *paths);

/* Takes the shim's lock without waiting: a descriptor, or -1 while a shim holds it. */
int attempt_lock(const struct attempt_paths *paths);

/* Somebody deleted the folder. */
bool attempt_is_gone(const struct attempt_paths *paths);

/* Deletes the folder and its sockets. */
void attempt_remove(const struct attempt_paths *paths);

/* Turns bytes that are not UTF-8 into '?'. In place. */
void attempt_clean_text(char *text);

#endif
