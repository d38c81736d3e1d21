/*
 * Where the local stack keeps its things, and the user that PostgreSQL runs
 * as. Everything lies under BESOM_HOME (0700). As root, PostgreSQL runs as an
 * unprivileged user that cannot reach a folder below /root, so its data lies in
 * /var/lib/besom/NAME (else /var/tmp/besom/NAME) and NAME's path is recorded in
 * BESOM_HOME/database-place. Sockets move to a short folder when the path of
 * BESOM_HOME is too long for one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_LAYOUT_H
#define BESOM_CLI_STACK_LAYOUT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct stack_layout {
    const char *home;
    const char *lock_file;          /* flock of the supervisor, holds its process id */
    const char *children_file;      /* flock that lives as long as any child */
    const char *token_file;         /* of the public API */
    const char *service_token_file; /* between the services */
    const char *endpoint_file;      /* there while the stack serves */
    const char *listen_file;        /* TCP address, there while one is served */
    const char *logs;
    const char *run;           /* sockets of the services */
    const char *place;         /* what PostgreSQL's user owns; = home when no user is changed */
    const char *database;      /* data directory */
    const char *database_run;  /* its socket's folder */
    const char *database_user; /* NULL = the invoking user */
    uid_t database_uid;
    gid_t database_gid;
};

/* BESOM_HOME, else $XDG_DATA_HOME/besom, else ~/.local/share/besom, made absolute. INVALID, NO_MEMORY. */
enum status stack_home_path(struct arena *arena, const char **out, struct err *err) MUST_USE;

/* Names only; nothing is made. `run` and `place` are what an earlier `up` recorded, else NULL. */
enum status stack_layout_find(struct arena *arena, struct stack_layout *out, struct err *err) MUST_USE;

/* Makes BESOM_HOME itself and its log folder: enough to take the lock. DENIED when it is another user's. */
enum status stack_layout_make_home(const struct stack_layout *layout, struct err *err) MUST_USE;

/* Decides and makes the rest, with the lock held. */
enum status stack_layout_prepare(struct arena *arena, struct stack_layout *layout, struct err *err) MUST_USE;

/* A file of 32 random bytes in hex, mode 0600, made when it is missing. */
enum status stack_secret_make(const char *path, struct err *err) MUST_USE;

/* Removes a tree without following links; a missing one is fine. */
enum status stack_remove_tree(const char *path, struct err *err) MUST_USE;

#endif
