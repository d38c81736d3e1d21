// SPDX-License-Identifier: Apache-2.0
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "params_file.h"
#include "spool.h"

#define SPEC_LIMIT (8 << 20)
#define SOCKET_NAME_MAX 16 /* "/control.sock" and the end */

static bool join(char out[PATH_MAX], const char *folder, const char *name)
{
    int printed = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return printed > 0 && printed < PATH_MAX;
}

/* FNV-1a: the same attempt finds the same short folder after a restart. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    return hash;
}

/* Not in XDG_RUNTIME_DIR: that goes with the user's last session, which runs may outlive, and the next agent
 * may have none. */
static void choose_socket_folder(struct attempt_paths *paths)
{
    struct sockaddr_un address;
    if (strlen(paths->folder) + SOCKET_NAME_MAX < sizeof address.sun_path) {
        memcpy(paths->socket_folder, paths->folder, strlen(paths->folder) + 1);
        return;
    }
    snprintf(paths->socket_folder, sizeof paths->socket_folder, "/tmp/besom-%ld-%016llx", (long)getuid(),
             (unsigned long long)hash_text(paths->folder));
}

enum status attempt_paths_make(const char *folder, struct attempt_paths *out, struct err *err)
{
    *out = (struct attempt_paths){.folder = ""};
    if (strlen(folder) + 32 >= PATH_MAX)
        return err_set(err, STATUS_INVALID, "path is too long: %s", folder);
    memcpy(out->folder, folder, strlen(folder) + 1);
    choose_socket_folder(out);
    bool fits = join(out->spec, folder, "spec.json") && join(out->params, folder, "params.json") &&
                join(out->config, folder, "config.yaml") && join(out->lock, folder, "lock") &&
                join(out->started, folder, "started") && join(out->spool, folder, "spool") &&
                join(out->exit, folder, "exit.json") && join(out->log, folder, "shim.log") &&
                join(out->control_socket, out->socket_folder, "control.sock") &&
                join(out->run_socket, out->socket_folder, "run.sock");
    return fits ? STATUS_OK : err_set(err, STATUS_INVALID, "path is too long: %s", folder);
}

/* What the command finds around it, and how it is listened to. */
static json_t *surroundings_to_json(const struct attempt_spec *spec)
{
    return json_pack("{s:I, s:s*, s:s*, s:s*, s:b, s:b, s:s*, s:s*}", "next_step",
                     (json_int_t)spec->next_step, "run_dir", spec->run_dir, "gpus", spec->gpus, "python_path",
                     spec->python_path, "read_stdout", (int)spec->read_output[0], "read_stderr",
                     (int)spec->read_output[1], "output_pattern", spec->output_pattern, "output_step",
                     spec->output_step);
}

static json_t *spec_to_json(const struct attempt_spec *spec)
{
    json_t *command = json_array();
    for (char **item = spec->command; item != NULL && *item != NULL; item++)
        json_array_append_new(command, json_string_nocheck(*item));
    /* The seed takes all 64 bits, hence the cast: JSON integers here are signed. */
    return json_pack(
        "{s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:s, s:I, s:s, s:o, s:s*, s:I, s:I, s:I, s:I, s:b, s:o}",
        "version", 1, "sweep_id", spec->sweep_id, "run_id", spec->run_id, "attempt", (int)spec->attempt,
        "slot", (int)spec->slot, "counter", (json_int_t)spec->counter, "started_us",
        (json_int_t)spec->started_us, "project", spec->project, "seed", (json_int_t)spec->seed, "params_json",
        spec->params_json, "command", command, "workdir", spec->workdir, "stop_grace_ms",
        (json_int_t)spec->stop_grace_ms, "lost_after_ms", (json_int_t)spec->lost_after_ms, "lease_ms",
        (json_int_t)spec->lease_ms, "spool_limit_bytes", (json_int_t)spec->spool_limit_bytes,
        "stop_on_disconnect", (int)spec->stop_on_disconnect, "surroundings", surroundings_to_json(spec));
}

static enum status write_json(const char *path, json_t *document, struct err *err)
{
    char *text = document != NULL ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (text == NULL)
        return err_set(err, STATUS_INVALID, "%s: a text is not UTF-8", path);
    enum status status = file_write_atomic(path, text, strlen(text), 0600, err);
    free(text);
    return status;
}

/* A folder in /tmp may have been made by somebody else: it must be ours alone. */
static enum status make_socket_folder(const char *path, struct err *err)
{
    struct stat info;
    if (mkdir(path, 0700) == 0)
        return STATUS_OK;
    if (errno != EEXIST || lstat(path, &info) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot create folder %s", path);
    if (!S_ISDIR(info.st_mode) || info.st_uid != getuid() || (info.st_mode & 077) != 0)
        return err_set(err, STATUS_IO, "%s is not a private folder of this user", path);
    return STATUS_OK;
}

static void sync_folder(const char *path)
{
    int fd CLEANUP(file_close) = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

static enum status fill_folder(const struct attempt_paths *paths, const struct attempt_spec *spec,
                               struct err *err)
{
    TRY(write_json(paths->spec, spec_to_json(spec), err));
    TRY(params_file_write_json(paths->params, spec->params_json, err));
    return params_file_write_yaml(paths->config, spec->params_json, err);
}

enum status attempt_create(const struct attempt_paths *paths, const struct attempt_spec *spec,
                           struct err *err)
{
    char unnamed[PATH_MAX];
    const char *name = strrchr(paths->folder, '/');
    snprintf(unnamed, sizeof unnamed, "%.*s/.new-%s", (int)(name - paths->folder), paths->folder, name + 1);
    struct attempt_paths parts;
    TRY(attempt_paths_make(unnamed, &parts, err));
    attempt_remove(&parts);
    if (mkdir(unnamed, 0700) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot create folder %s", unnamed);
    TRY(fill_folder(&parts, spec, err));
    if (strcmp(paths->socket_folder, paths->folder) != 0)
        TRY(make_socket_folder(paths->socket_folder, err));
    if (rename(unnamed, paths->folder) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot create folder %s", paths->folder);
    snprintf(unnamed, sizeof unnamed, "%.*s", (int)(name - paths->folder), paths->folder);
    sync_folder(unnamed);
    return STATUS_OK;
}

static enum status read_json(const char *path, json_t **out, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    TRY(file_read(path, SPEC_LIMIT, &text, err));
    json_error_t problem;
    *out = json_loadb(buffer_text(&text), text.length, 0, &problem);
    if (*out == NULL)
        return err_set(err, STATUS_INVALID, "%s:%d: %s", path, problem.line, problem.text);
    return STATUS_OK;
}

static char **copy_command(const json_t *command)
{
    size_t count = json_array_size(command);
    char **argv = calloc(count + 1, sizeof *argv);
    for (size_t i = 0; argv != NULL && i < count; i++) {
        const char *item = json_string_value(json_array_get(command, i));
        argv[i] = strdup(item != NULL ? item : "");
    }
    return argv;
}

static char *copy_text(const json_t *document, const char *key)
{
    const char *text = json_string_value(json_object_get(document, key));
    return text != NULL ? strdup(text) : NULL;
}

static int64_t number_of(const json_t *document, const char *key)
{
    return json_integer_value(json_object_get(document, key));
}

static void read_surroundings(const json_t *document, struct attempt_spec *out)
{
    out->next_step = number_of(document, "next_step");
    out->run_dir = copy_text(document, "run_dir");
    out->gpus = copy_text(document, "gpus");
    out->python_path = copy_text(document, "python_path");
    out->read_output[0] = json_is_true(json_object_get(document, "read_stdout"));
    out->read_output[1] = json_is_true(json_object_get(document, "read_stderr"));
    out->output_pattern = copy_text(document, "output_pattern");
    out->output_step = copy_text(document, "output_step");
}

enum status attempt_spec_read(const struct attempt_paths *paths, struct attempt_spec *out, struct err *err)
{
    json_t *document = NULL;
    *out = (struct attempt_spec){.attempt = 0};
    TRY(read_json(paths->spec, &document, err));
    *out = (struct attempt_spec){
        .sweep_id = copy_text(document, "sweep_id"),
        .run_id = copy_text(document, "run_id"),
        .attempt = (int32_t)number_of(document, "attempt"),
        .slot = (int32_t)number_of(document, "slot"),
        .counter = number_of(document, "counter"),
        .started_us = number_of(document, "started_us"),
        .project = copy_text(document, "project"),
        .seed = (uint64_t)number_of(document, "seed"),
        .params_json = copy_text(document, "params_json"),
        .command = copy_command(json_object_get(document, "command")),
        .workdir = copy_text(document, "workdir"),
        .stop_grace_ms = number_of(document, "stop_grace_ms"),
        .lost_after_ms = number_of(document, "lost_after_ms"),
        .lease_ms = number_of(document, "lease_ms"),
        .spool_limit_bytes = number_of(document, "spool_limit_bytes"),
        .stop_on_disconnect = json_is_true(json_object_get(document, "stop_on_disconnect")),
    };
    read_surroundings(json_object_get(document, "surroundings"), out);
    json_decref(document);
    if (out->sweep_id != NULL && out->run_id != NULL && out->project != NULL && out->params_json != NULL &&
        out->command != NULL && out->slot >= 0)
        return STATUS_OK;
    attempt_spec_free(out);
    return err_set(err, STATUS_INVALID, "%s: something is missing", paths->spec);
}

void attempt_spec_free(struct attempt_spec *spec)
{
    for (char **item = spec->command; item != NULL && *item != NULL; item++)
        free(*item);
    free(spec->command);
    free(spec->sweep_id);
    free(spec->run_id);
    free(spec->project);
    free(spec->params_json);
    free(spec->workdir);
    free(spec->run_dir);
    free(spec->gpus);
    free(spec->python_path);
    free(spec->output_pattern);
    free(spec->output_step);
    *spec = (struct attempt_spec){.attempt = 0};
}

enum status attempt_exit_write(const struct attempt_paths *paths, const struct attempt_exit *end,
                               struct err *err)
{
    json_t *document =
        json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:b, s:b, s:s}", "end", (int)end->end, "exit_code",
                  (int)end->exit_code, "signal", (int)end->signal, "cause", (int)end->cause, "generation",
                  (json_int_t)end->generation, "final_sequence", (json_int_t)end->final_sequence,
                  "run_time_ms", (json_int_t)end->run_time_ms, "preempting", (int)end->preempting, "told",
                  (int)end->told, "error_text", end->error_text);
    return write_json(paths->exit, document, err);
}

enum status attempt_exit_read(const struct attempt_paths *paths, struct attempt_exit *out, struct err *err)
{
    json_t *document = NULL;
    TRY(read_json(paths->exit, &document, err));
    *out = (struct attempt_exit){
        .end = (enum attempt_end)number_of(document, "end"),
        .exit_code = (int32_t)number_of(document, "exit_code"),
        .signal = (int32_t)number_of(document, "signal"),
        .cause = (enum end_cause)number_of(document, "cause"),
        .generation = number_of(document, "generation"),
        .final_sequence = number_of(document, "final_sequence"),
        .run_time_ms = number_of(document, "run_time_ms"),
        .preempting = json_is_true(json_object_get(document, "preempting")),
        .told = json_is_true(json_object_get(document, "told")),
    };
    const char *text = json_string_value(json_object_get(document, "error_text"));
    snprintf(out->error_text, sizeof out->error_text, "%s", text != NULL ? text : "");
    json_decref(document);
    return STATUS_OK;
}

enum status attempt_mark_started(const struct attempt_paths *paths, struct err *err)
{
    return file_write_atomic(paths->started, "", 0, 0600, err);
}

bool attempt_was_started(const struct attempt_paths *paths)
{
    return access(paths->started, F_OK) == 0;
}

int attempt_lock(const struct attempt_paths *paths)
{
    int fd = open(paths->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        file_close(&fd);
    return fd;
}

bool attempt_is_gone(const struct attempt_paths *paths)
{
    return access(paths->spec, F_OK) != 0 && errno == ENOENT;
}

void attempt_remove(const struct attempt_paths *paths)
{
    (void)unlink(paths->spec); /* first: what a cut leaves is then known for remains */
    file_remove_folder(paths->spool);
    if (strcmp(paths->socket_folder, paths->folder) != 0)
        file_remove_folder(paths->socket_folder);
    file_remove_folder(paths->folder); /* with what an interrupted write left */
}

/* Length of the well-formed sequence at `p`, 0 = not UTF-8. */
static size_t sequence_length(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                    : (p[0] & 0xf0) == 0xe0       ? 3
                    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                  : 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

void attempt_clean_text(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0';) {
        size_t length = sequence_length(p);
        if (length == 0)
            *p = '?';
        p += length > 0 ? length : 1;
    }
}
