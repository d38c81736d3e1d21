// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/random.h"

#define SECRET_BYTES 32
/* the longest socket name of the services, and PostgreSQL's with its lock file's suffix */
#define SOCKET_NAME_LONGEST "/.s.PGSQL.5432.lock"

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static const char *user_home(void)
{
    const char *home = variable("HOME");
    if (home != NULL)
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? user->pw_dir : NULL;
}

enum status stack_home_path(struct arena *arena, const char **out, struct err *err)
{
    const char *path = variable("BESOM_HOME");
    if (path == NULL && variable("XDG_DATA_HOME") != NULL)
        path = arena_printf(arena, "%s/besom", variable("XDG_DATA_HOME"));
    if (path == NULL) {
        if (user_home() == NULL)
            return err_set(err, STATUS_INVALID,
                           "neither BESOM_HOME nor HOME is set (set BESOM_HOME to a folder)");
        path = arena_printf(arena, "%s/.local/share/besom", user_home());
    }
    if (path != NULL && *path != '/') {
        char here[PATH_MAX];
        if (getcwd(here, sizeof here) == NULL)
            return err_set_errno(err, STATUS_IO, errno, "cannot tell the working directory");
        path = arena_printf(arena, "%s/%s", here, path);
    }
    *out = path;
    return path != NULL ? STATUS_OK : no_memory(err);
}

/* The one line that an earlier `up` recorded; *out = NULL when there is none. */
static enum status read_record(struct arena *arena, const char *home, const char *name, const char **out,
                               struct err *err)
{
    struct buffer content CLEANUP(buffer_free) = BUFFER_INIT;
    const char *path = arena_printf(arena, "%s/%s", home, name);
    *out = NULL;
    if (path == NULL)
        return no_memory(err);
    enum status status = file_read(path, PATH_MAX, &content, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    size_t length = strcspn(buffer_text(&content), "\n");
    if (length > 0)
        *out = arena_strndup(arena, buffer_text(&content), length);
    return STATUS_OK;
}

static enum status write_record(struct arena *arena, const char *home, const char *name, const char *value,
                                struct err *err)
{
    const char *path = arena_printf(arena, "%s/%s", home, name);
    const char *line = arena_printf(arena, "%s\n", value);
    if (path == NULL || line == NULL)
        return no_memory(err);
    return file_write_atomic(path, line, strlen(line), 0600, err);
}

static enum status name_place(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    layout->database = arena_printf(arena, "%s/postgres", layout->place);
    if (layout->database == NULL)
        return no_memory(err);
    return STATUS_OK;
}

enum status stack_layout_find(struct arena *arena, struct stack_layout *out, struct err *err)
{
    *out = (struct stack_layout){.home = NULL};
    TRY(stack_home_path(arena, &out->home, err));
    const struct {
        const char **field;
        const char *name;
    } names[] = {{&out->lock_file, "lock"},
                 {&out->children_file, "children"},
                 {&out->token_file, "token"},
                 {&out->service_token_file, "service-token"},
                 {&out->endpoint_file, "endpoint"},
                 {&out->listen_file, "listen"},
                 {&out->logs, "log"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        *names[i].field = arena_printf(arena, "%s/%s", out->home, names[i].name);
        if (*names[i].field == NULL)
            return no_memory(err);
    }
    TRY(read_record(arena, out->home, "run-place", &out->run, err));
    TRY(read_record(arena, out->home, "database-place", &out->place, err));
    return out->place != NULL ? name_place(arena, out, err) : STATUS_OK;
}

/* A folder of ours with this mode, whatever made it before. */
static enum status make_private_folder(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_set_errno(err, STATUS_IO, errno, "cannot make %s", path);
    struct stat facts;
    if (lstat(path, &facts) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot look at %s", path);
    if (!S_ISDIR(facts.st_mode))
        return err_set(err, STATUS_IO, "%s is no folder (move it away)", path);
    if (facts.st_uid != geteuid())
        return err_set(err, STATUS_DENIED, "%s belongs to another user (set BESOM_HOME to a folder of yours)",
                       path);
    if ((facts.st_mode & 07777) != mode && chmod(path, mode) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot change the mode of %s", path);
    return STATUS_OK;
}

enum status stack_layout_make_home(const struct stack_layout *layout, struct err *err)
{
    TRY(file_make_dirs(layout->home, 0700, err));
    /* the path itself may be a link to a folder of ours */
    char real[PATH_MAX];
    if (realpath(layout->home, real) == NULL)
        return err_set_errno(err, STATUS_IO, errno, "cannot look at %s", layout->home);
    TRY(make_private_folder(real, 0700, err));
    return make_private_folder(layout->logs, 0700, err);
}

static enum status find_database_user(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    static const char *const candidates[] = {"postgres", "nobody"};
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        const struct passwd *user = getpwnam(candidates[i]);
        if (user == NULL || user->pw_uid == 0)
            continue;
        layout->database_user = arena_strdup(arena, candidates[i]);
        layout->database_uid = user->pw_uid;
        layout->database_gid = user->pw_gid;
        return layout->database_user != NULL ? STATUS_OK : no_memory(err);
    }
    return err_set(
        err, STATUS_PRECONDITION,
        "PostgreSQL does not run as root and there is no user 'postgres' or 'nobody' to run it as");
}

/* NAME below `parent`, made by us and given to the database's user. */
static enum status make_place_below(struct arena *arena, const char *parent, struct stack_layout *layout,
                                    struct err *err)
{
    TRY(make_private_folder(parent, 0711, err));
    char id[ID_SIZE];
    id_make(&random_system, id);
    layout->place = arena_printf(arena, "%s/%s", parent, id);
    return layout->place != NULL ? STATUS_OK : no_memory(err);
}

static enum status own_place(struct stack_layout *layout, struct err *err)
{
    if (mkdir(layout->place, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, STATUS_IO, errno, "cannot make %s", layout->place);
    if (lchown(layout->place, layout->database_uid, layout->database_gid) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot give %s to user %s", layout->place,
                             layout->database_user);
    return STATUS_OK;
}

/* As root: a place that an unprivileged user can reach. The record is written before the folder is made, so
 * that a crash in between leaves nothing unknown. */
static enum status prepare_place_as_root(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    TRY(find_database_user(arena, layout, err));
    if (layout->place == NULL) {
        if (make_place_below(arena, "/var/lib/besom", layout, err) != STATUS_OK)
            TRY(make_place_below(arena, "/var/tmp/besom", layout, err));
        TRY(write_record(arena, layout->home, "database-place", layout->place, err));
    }
    return own_place(layout, err);
}

/* PostgreSQL and libpq split such paths at commas. */
static bool fits_a_socket(const char *folder)
{
    return strpbrk(folder, ",\"'\\") == NULL &&
           strlen(folder) + sizeof SOCKET_NAME_LONGEST <= sizeof((struct sockaddr_un *)NULL)->sun_path;
}

/* A fresh folder, so that nobody can have prepared it; the recorded one is a dead stack's. */
static enum status make_short_run(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    if (layout->run != NULL && strncmp(layout->run, layout->home, strlen(layout->home)) != 0)
        TRY(stack_remove_tree(layout->run, err));
    char path[64];
    snprintf(path, sizeof path, "/run/user/%u/besom-XXXXXX", (unsigned)geteuid());
    if (mkdtemp(path) == NULL) {
        snprintf(path, sizeof path, "/tmp/besom-XXXXXX");
        if (mkdtemp(path) == NULL)
            return err_set_errno(err, STATUS_IO, errno, "cannot make a folder for sockets in /tmp");
    }
    layout->run = arena_strdup(arena, path);
    return layout->run != NULL ? STATUS_OK : no_memory(err);
}

static enum status prepare_run(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    const char *usual = arena_printf(arena, "%s/run", layout->home);
    if (usual == NULL)
        return no_memory(err);
    if (fits_a_socket(usual)) {
        layout->run = usual;
        TRY(make_private_folder(usual, 0700, err));
    } else {
        TRY(make_short_run(arena, layout, err));
    }
    return write_record(arena, layout->home, "run-place", layout->run, err);
}

static enum status prepare_database_run(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    if (layout->database_user == NULL) {
        layout->database_run = layout->run;
        return STATUS_OK;
    }
    layout->database_run = arena_printf(arena, "%s/run", layout->place);
    if (layout->database_run == NULL)
        return no_memory(err);
    if (mkdir(layout->database_run, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, STATUS_IO, errno, "cannot make %s", layout->database_run);
    if (lchown(layout->database_run, layout->database_uid, layout->database_gid) != 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot give %s away", layout->database_run);
    return STATUS_OK;
}

enum status stack_layout_prepare(struct arena *arena, struct stack_layout *layout, struct err *err)
{
    if (geteuid() == 0)
        TRY(prepare_place_as_root(arena, layout, err));
    else
        layout->place = layout->home;
    TRY(name_place(arena, layout, err));
    TRY(prepare_run(arena, layout, err));
    TRY(prepare_database_run(arena, layout, err));
    TRY(stack_secret_make(layout->token_file, err));
    return stack_secret_make(layout->service_token_file, err);
}

enum status stack_secret_make(const char *path, struct err *err)
{
    if (access(path, F_OK) == 0)
        return STATUS_OK;
    unsigned char bytes[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 2];
    random_system.fill(random_system.context, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[2 * SECRET_BYTES] = '\n';
    return file_write_atomic(path, text, 2 * SECRET_BYTES + 1, 0600, err);
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

enum status stack_remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return err_set_errno(err, STATUS_IO, errno, "cannot remove %s", path);
    return STATUS_OK;
}
