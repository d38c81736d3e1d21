// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

struct process {
    pid_t pid, parent, group;
    bool zombie;
    bool below; /* of the root */
};

struct table {
    struct process *rows; /* owned */
    size_t count, capacity;
};

/* The command name may hold spaces and parentheses: the fields start after the last ')'. */
static bool read_process(pid_t pid, struct process *out)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd CLEANUP(file_close) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (got <= 0)
        return false;
    text[got] = '\0';
    const char *end = strrchr(text, ')');
    if (end == NULL || strlen(end) < 4)
        return false;
    char *after_parent;
    *out = (struct process){.pid = pid, .zombie = end[2] == 'Z'};
    out->parent = (pid_t)strtol(end + 4, &after_parent, 10);
    out->group = (pid_t)strtol(after_parent, NULL, 10);
    return true;
}

static void add_process(struct table *table, const struct process *process)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 256 : table->capacity * 2;
        struct process *grown = realloc(table->rows, capacity * sizeof *grown);
        if (grown == NULL)
            return; /* found in the next round */
        table->rows = grown;
        table->capacity = capacity;
    }
    table->rows[table->count++] = *process;
}

static void for_each_pid(void (*visit)(void *context, pid_t pid), void *context)
{
    DIR *listing = opendir("/proc");
    if (listing == NULL)
        return;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        if (isdigit((unsigned char)entry->d_name[0]))
            visit(context, (pid_t)strtol(entry->d_name, NULL, 10));
    closedir(listing);
}

static void collect_process(void *context, pid_t pid)
{
    struct process process;
    if (read_process(pid, &process))
        add_process(context, &process);
}

static bool is_below(const struct table *table, pid_t parent, pid_t root)
{
    if (parent == root)
        return true;
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].pid == parent)
            return table->rows[i].below;
    return false;
}

/* Parents may be listed after their children when numbers have wrapped: repeat until nothing changes. */
static void mark_below(struct table *table, pid_t root)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process *row = &table->rows[i];
            if (row->below || !is_below(table, row->parent, root))
                continue;
            row->below = changed = true;
        }
    }
}

size_t tree_signal(pid_t root, int signal)
{
    struct table table = {.rows = NULL};
    for_each_pid(collect_process, &table);
    mark_below(&table, root);
    size_t living = 0;
    for (size_t i = 0; i < table.count; i++)
        if (table.rows[i].below && !table.rows[i].zombie && kill(table.rows[i].pid, signal) == 0)
            living++;
    free(table.rows);
    return living;
}

size_t tree_kill(pid_t root)
{
    struct table table = {.rows = NULL};
    for_each_pid(collect_process, &table);
    mark_below(&table, root);
    pid_t own = getpgrp(), last = 0;
    size_t living = 0;
    for (size_t i = 0; i < table.count; i++) {
        const struct process *row = &table.rows[i];
        if (!row->below)
            continue;
        /* A zombie's group may have living members that were not there yet when this was listed. */
        if (row->group > 1 && row->group != own && row->group != last)
            kill(-row->group, SIGKILL);
        last = row->group;
        living += !row->zombie && kill(row->pid, SIGKILL) == 0;
    }
    free(table.rows);
    return living;
}

struct marked {
    const char *entry;
    size_t count;
};

static bool environment_holds(pid_t pid, const char *entry)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    if (file_read(path, 4 << 20, &text, NULL) != STATUS_OK)
        return false;
    const char *end = buffer_text(&text) + text.length;
    for (const char *item = buffer_text(&text); item < end; item += strlen(item) + 1)
        if (strcmp(item, entry) == 0)
            return true;
    return false;
}

static void kill_if_marked(void *context, pid_t pid)
{
    struct marked *marked = context;
    if (pid != getpid() && environment_holds(pid, marked->entry) && kill(pid, SIGKILL) == 0)
        marked->count++;
}

size_t tree_kill_marked(const char *entry)
{
    struct marked marked = {.entry = entry};
    for_each_pid(kill_if_marked, &marked);
    return marked.count;
}
