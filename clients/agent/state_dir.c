// SPDX-License-Identifier: Apache-2.0
#include "state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attempt.h"
#include "base/file.h"
#include "base/random.h"

#define AGENTS_MAX 4096
#define OPEN_TRIES 20
#define GONE ".gone-"

static enum status join(char out[PATH_MAX], struct err *err, const char *folder, const char *name)
{
    int printed = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (printed < 0 || printed >= PATH_MAX)
        return err_set(err, STATUS_INVALID, "path is too long: %s/%s", folder, name);
    return STATUS_OK;
}

static enum status default_root(char out[PATH_MAX], struct err *err)
{
    const char *state = getenv("XDG_STATE_HOME");
    if (state != NULL && *state != '\0')
        return join(out, err, state, "besom/agents");
    const char *home = getenv("HOME");
    return join(out, err, home != NULL ? home : "", ".local/state/besom/agents");
}

/* The lock, when the folder is still the one that was opened: its last holder may have deleted it. */
static int lock_folder(const char *folder)
{
    char path[PATH_MAX];
    struct stat opened, named;
    if (join(path, NULL, folder, "lock") != STATUS_OK)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 && stat(path, &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
        return fd;
    close(fd);
    return -1;
}

static bool try_folder(const char *parent, int number, bool make, struct state_dir *out)
{
    char name[32];
    snprintf(name, sizeof name, "agent-%d", number);
    if (join(out->path, NULL, parent, name) != STATUS_OK)
        return false;
    if (make ? mkdir(out->path, 0700) != 0 : access(out->path, F_OK) != 0)
        return false;
    out->lock_fd = lock_folder(out->path);
    if (out->lock_fd < 0 && make)
        rmdir(out->path); /* stays when somebody else was faster */
    return out->lock_fd >= 0;
}

static enum status take_folder(const char *parent, bool fresh, struct state_dir *out, struct err *err)
{
    for (int making = fresh; making < 2; making++)
        for (int number = 0; number < AGENTS_MAX; number++)
            if (try_folder(parent, number, making == 1, out))
                return STATUS_OK;
    return err_set_errno(err, STATUS_IO, errno, "cannot make a folder for this agent in %s", parent);
}

static void make_agent_id(char out[AGENT_ID_LENGTH + 1])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (int i = 0; i < AGENT_ID_LENGTH; i++)
        out[i] = letters[random_below(&random_system, sizeof letters - 1)];
    out[AGENT_ID_LENGTH] = '\0';
}

static enum status load_agent_id(struct state_dir *dir, struct err *err)
{
    char path[PATH_MAX];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    TRY(join(path, err, dir->path, "agent_id"));
    enum status status = file_read(path, AGENT_ID_LENGTH, &text, err);
    if (status == STATUS_OK && text.length == AGENT_ID_LENGTH) {
        memcpy(dir->agent_id, buffer_text(&text), AGENT_ID_LENGTH + 1);
        return STATUS_OK;
    }
    if (status != STATUS_NOT_FOUND && status != STATUS_OK)
        return status;
    make_agent_id(dir->agent_id);
    return file_write_atomic(path, dir->agent_id, AGENT_ID_LENGTH, 0600, err);
}

static enum status open_below(const char *parent, bool fresh, struct state_dir *out, struct err *err)
{
    char absolute[PATH_MAX];
    TRY(file_make_dirs(parent, 0700, err));
    if (realpath(parent, absolute) == NULL)
        return err_set_errno(err, STATUS_IO, errno, "cannot use %s", parent);
    TRY(take_folder(absolute, fresh, out, err));
    return load_agent_id(out, err);
}

enum status state_dir_open(const char *root, const char *host, const char *sweep_id, bool fresh,
                           struct state_dir *out, struct err *err)
{
    char base[PATH_MAX], host_folder[PATH_MAX], parent[PATH_MAX];
    *out = (struct state_dir){.lock_fd = -1};
    if (root != NULL)
        snprintf(base, sizeof base, "%s", root);
    else
        TRY(default_root(base, err));
    TRY(join(host_folder, err, base, host));
    TRY(join(parent, err, host_folder, sweep_id));
    /* Another agent that ends deletes empty parents, maybe between two steps of this one. */
    enum status status = STATUS_IO;
    for (int i = 0; i < OPEN_TRIES && status != STATUS_OK; i++)
        status = open_below(parent, fresh, out, err);
    if (status != STATUS_OK)
        file_close(&out->lock_fd);
    return status;
}

static enum status counter_path(const struct state_dir *dir, int slot, char out[PATH_MAX], struct err *err)
{
    char name[32];
    snprintf(name, sizeof name, "slot-%d", slot);
    return join(out, err, dir->path, name);
}

enum status state_dir_counter(const struct state_dir *dir, int slot, int64_t *out, struct err *err)
{
    char path[PATH_MAX];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    *out = 1;
    TRY(counter_path(dir, slot, path, err));
    enum status status = file_read(path, 64, &text, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    *out = strtoll(buffer_text(&text), NULL, 10);
    return *out > 0 ? STATUS_OK : err_set(err, STATUS_IO, "%s holds no number", path);
}

enum status state_dir_set_counter(const struct state_dir *dir, int slot, int64_t counter, struct err *err)
{
    char path[PATH_MAX], text[32];
    TRY(counter_path(dir, slot, path, err));
    int length = snprintf(text, sizeof text, "%lld\n", (long long)counter);
    return file_write_atomic(path, text, (size_t)length, 0600, err);
}

/* Not all file systems tell the type with the name. */
static bool is_file(DIR *listing, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_REG;
    return fstatat(dirfd(listing), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

void state_dir_each_attempt(const struct state_dir *dir, void (*visit)(void *context, const char *path),
                            void *context)
{
    DIR *listing = opendir(dir->path);
    if (listing == NULL)
        return;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char path[PATH_MAX];
        struct attempt_paths paths;
        if (strchr(entry->d_name, '.') == NULL || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0 || join(path, NULL, dir->path, entry->d_name) != STATUS_OK)
            continue;
        bool is_folder = !is_file(listing, entry);
        if (strncmp(entry->d_name, ".new-", 5) != 0 && is_folder)
            visit(context, path);
        else if (is_folder && attempt_paths_make(path, &paths, NULL) == STATUS_OK)
            attempt_remove(&paths);
        else
            unlink(path); /* a temporary file of an interrupted atomic write */
    }
    closedir(listing);
}

static void count_attempt(void *context, const char *path)
{
    (void)path;
    ++*(int *)context;
}

/* Those of others too, whose deletion was cut off. */
static void remove_gone(const char *parent)
{
    DIR *listing = opendir(parent);
    if (listing == NULL)
        return;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char path[PATH_MAX];
        if (strncmp(entry->d_name, GONE, strlen(GONE)) == 0 &&
            join(path, NULL, parent, entry->d_name) == STATUS_OK)
            file_remove_folder(path);
    }
    closedir(listing);
}

/* Out of the way in one step: who takes the name from now on makes a folder of its own. */
static void give_up_folder(struct state_dir *dir)
{
    char parent[PATH_MAX], name[64], gone[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", dir->path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    snprintf(name, sizeof name, GONE "%s", dir->agent_id);
    if (join(gone, NULL, parent, name) != STATUS_OK || rename(dir->path, gone) != 0)
        return;
    remove_gone(parent);
    for (int level = 0; level < 2 && rmdir(parent) == 0; level++) {
        slash = strrchr(parent, '/'); /* refused while other agents or sweeps are in there */
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

void state_dir_close(struct state_dir *dir)
{
    int attempts = 0;
    if (dir->lock_fd < 0)
        return;
    state_dir_each_attempt(dir, count_attempt, &attempts);
    if (attempts == 0)
        give_up_folder(dir);
    file_close(&dir->lock_fd);
}
