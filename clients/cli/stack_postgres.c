// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "stack_process.h"

#define PID_FILE_LIMIT 4096
#define READY_LINE 7 /* 0-based line of postmaster.pid that holds the state */

/* Major version of the server in `folder`, 0 when there is none. */
static long server_version(const char *folder)
{
    char program[PATH_MAX], initdb[PATH_MAX];
    snprintf(program, sizeof program, "%s/postgres", folder);
    snprintf(initdb, sizeof initdb, "%s/initdb", folder);
    if (access(program, X_OK) != 0 || access(initdb, X_OK) != 0)
        return 0;
    const char *argv[] = {program, "--version", NULL};
    struct process_spec spec = {.argv = argv, .output = -1, .keep = -1};
    struct buffer words CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (process_capture(&spec, &words, &err) != STATUS_OK)
        return 0;
    const char *number = strpbrk(buffer_text(&words), "0123456789");
    return number != NULL ? strtol(number, NULL, 10) : 0;
}

/* The best server so far. */
struct search {
    struct arena *arena;
    const char *bin;
    long version;
    long wanted; /* major version that the cluster needs, 0 = any */
    long too_old;
};

static void consider(struct search *search, const char *folder)
{
    long version = server_version(folder);
    if (version > 0 && version < POSTGRES_OLDEST_MAJOR)
        search->too_old = version;
    bool fits = search->wanted != 0 ? version == search->wanted : version >= POSTGRES_OLDEST_MAJOR;
    if (!fits || version <= search->version)
        return;
    const char *copy = arena_strdup(search->arena, folder);
    if (copy == NULL)
        return;
    search->bin = copy;
    search->version = version;
}

static void consider_pattern(struct search *search, const char *pattern)
{
    glob_t found;
    if (glob(pattern, GLOB_ONLYDIR, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        consider(search, found.gl_pathv[i]);
    globfree(&found);
}

static void consider_path(struct search *search)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        char folder[PATH_MAX];
        size_t length = strcspn(path, ":");
        if (length > 0 && length < sizeof folder) {
            memcpy(folder, path, length);
            folder[length] = '\0';
            consider(search, folder);
        }
        path += length;
        path += *path == ':';
    }
}

static void consider_pg_config(struct search *search)
{
    const char *argv[] = {"pg_config", "--bindir", NULL};
    struct process_spec spec = {.argv = argv, .output = -1, .keep = -1};
    struct buffer words CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (process_capture(&spec, &words, &err) != STATUS_OK || words.length == 0)
        return;
    words.data[strcspn(words.data, "\n")] = '\0';
    consider(search, words.data);
}

/* Major version of the cluster, 0 when there is none yet. */
static long cluster_version(const struct stack_layout *layout)
{
    char path[PATH_MAX];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    snprintf(path, sizeof path, "%s/PG_VERSION", layout->database);
    if (file_read(path, 64, &text, &err) != STATUS_OK)
        return 0;
    return strtol(buffer_text(&text), NULL, 10);
}

enum status postgres_find(struct arena *arena, const struct stack_layout *layout, const char *wanted,
                          const char **bin, struct err *err)
{
    struct search search = {.arena = arena, .wanted = cluster_version(layout)};
    if (wanted != NULL) {
        consider(&search, wanted);
    } else {
        consider_pattern(&search, "/usr/lib/postgresql/*/bin");
        consider_pattern(&search, "/usr/pgsql-*/bin");
        if (search.bin == NULL) {
            consider_pg_config(&search);
            consider_path(&search);
        }
    }
    *bin = search.bin;
    if (search.bin != NULL)
        return STATUS_OK;
    const char *where = wanted != NULL ? wanted : "/usr/lib/postgresql or PATH";
    if (search.wanted != 0)
        return err_set(err, STATUS_NOT_FOUND,
                       "the database was made by PostgreSQL %ld, which is not in %s (install postgresql-%ld)",
                       search.wanted, where, search.wanted);
    if (search.too_old != 0)
        return err_set(err, STATUS_NOT_FOUND, "PostgreSQL %ld is too old (install %d or newer)",
                       search.too_old, POSTGRES_OLDEST_MAJOR);
    return err_set(err, STATUS_NOT_FOUND, "there is no PostgreSQL in %s (apt install postgresql)", where);
}

bool postgres_is_initialised(const struct stack_layout *layout)
{
    return cluster_version(layout) != 0;
}

static enum status run_initdb(const struct stack_layout *layout, const char *bin, const char *folder,
                              int output, int keep, struct err *err)
{
    char program[PATH_MAX];
    snprintf(program, sizeof program, "%s/initdb", bin);
    const char *argv[] = {program,
                          "-D",
                          folder,
                          "-U",
                          "besom",
                          "--encoding=UTF8",
                          "--locale=C",
                          "--auth-local=trust",
                          "--auth-host=reject",
                          "--data-checksums",
                          "--no-instructions",
                          NULL};
    struct process_spec spec = {.argv = argv,
                                .folder = layout->place,
                                .user = layout->database_user,
                                .uid = layout->database_uid,
                                .gid = layout->database_gid,
                                .output = output,
                                .keep = keep,
                                .death_signal = SIGKILL};
    return process_run(&spec, err);
}

enum status postgres_initialise(const struct stack_layout *layout, const char *bin, int output, int keep,
                                struct err *err)
{
    char fresh[PATH_MAX];
    snprintf(fresh, sizeof fresh, "%s.new", layout->database);
    TRY(stack_remove_tree(fresh, err));
    TRY(run_initdb(layout, bin, fresh, output, keep, err));
    if (rename(fresh, layout->database) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot rename %s to %s", fresh, layout->database);
    int folder CLEANUP(file_close) = open(layout->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fsync(folder) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot sync %s", layout->place);
    return STATUS_OK;
}

static enum status read_pid_file(const struct stack_layout *layout, struct buffer *out, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/postmaster.pid", layout->database);
    return file_read(path, PID_FILE_LIMIT, out, err);
}

/* PRECONDITION when process `pid` is a server that works in the cluster's folder. */
static enum status check_owner(const struct stack_layout *layout, long pid, struct err *err)
{
    char link[64], folder[PATH_MAX], real[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%ld/cwd", pid);
    ssize_t length = readlink(link, folder, sizeof folder - 1);
    if (length <= 0 || realpath(layout->database, real) == NULL)
        return STATUS_OK;
    folder[length] = '\0';
    if (strcmp(folder, real) != 0)
        return STATUS_OK;
    return err_set(err, STATUS_PRECONDITION, "another PostgreSQL (process %ld) has %s open (stop it first)",
                   pid, real);
}

static enum status remove_file(const char *folder, const char *name, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(err, STATUS_IO, errno, "cannot remove %s", path);
    return STATUS_OK;
}

enum status postgres_clear_stale(const struct stack_layout *layout, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    enum status status = read_pid_file(layout, &text, err);
    if (status == STATUS_OK)
        TRY(check_owner(layout, strtol(buffer_text(&text), NULL, 10), err));
    else if (status != STATUS_NOT_FOUND)
        return status;
    TRY(remove_file(layout->database, "postmaster.pid", err));
    TRY(remove_file(layout->database_run, ".s.PGSQL.5432", err));
    return remove_file(layout->database_run, ".s.PGSQL.5432.lock", err);
}

const char *const *postgres_command(struct arena *arena, const struct stack_layout *layout, const char *bin)
{
    const char *program = arena_printf(arena, "%s/postgres", bin);
    const char *items[] = {program,
                           "-D",
                           layout->database,
                           "-k",
                           layout->database_run,
                           "-c",
                           "listen_addresses=",
                           "-c",
                           "unix_socket_permissions=0700",
                           "-c",
                           "max_connections=200",
                           "-c",
                           "jit=off",
                           "-c",
                           "log_line_prefix=%m [%p] ",
                           NULL};
    const char **argv = arena_alloc(arena, sizeof items);
    if (program == NULL || argv == NULL)
        return NULL;
    memcpy(argv, items, sizeof items);
    return argv;
}

static const char *line_at(const char *text, size_t index)
{
    while (index-- > 0) {
        text = strchr(text, '\n');
        if (text == NULL)
            return "";
        text++;
    }
    return text;
}

bool postgres_is_ready(const struct stack_layout *layout, pid_t pid)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    if (read_pid_file(layout, &text, &err) != STATUS_OK)
        return false;
    return strtol(buffer_text(&text), NULL, 10) == (long)pid &&
           strncmp(line_at(buffer_text(&text), READY_LINE), "ready", 5) == 0;
}

const char *postgres_conninfo(struct arena *arena, const struct stack_layout *layout)
{
    struct buffer quoted CLEANUP(buffer_free) = BUFFER_INIT;
    for (const char *c = layout->database_run; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            buffer_putc(&quoted, '\\');
        buffer_putc(&quoted, *c);
    }
    return arena_printf(arena, "host='%s' user=besom dbname=postgres", buffer_text(&quoted));
}
