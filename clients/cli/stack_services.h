/*
 * The processes of a stack besides PostgreSQL, as a table: how each is
 * started. To add a service: a row here and its command line.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_SERVICES_H
#define BESOM_CLI_STACK_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "stack_layout.h"

struct stack_settings {
    const char *listen; /* HOST:PORT that the controller serves besides its socket; NULL = none */
    const char *tls_certificate_file, *tls_key_file; /* for `listen`; NULL = without TLS */
    const char *postgres_bin;
    const char *log_level;
};

struct stack_service {
    const char *name;    /* of its log, too */
    const char *program; /* looked up next to besom */
    const char *socket;  /* in the run folder */
    /* Command line, NULL-terminated, in the arena; NULL without memory. */
    const char *const *(*command)(struct arena *arena, const struct stack_layout *layout,
                                  const struct stack_settings *settings, const char *program);
};

/* In the order of starting; they are stopped in reverse. */
extern const struct stack_service stack_services[];
extern const size_t stack_service_count;

/* "unix:PATH" of a service's socket. NULL without memory. */
const char *stack_service_address(struct arena *arena, const struct stack_layout *layout, const char *socket);

/* Command line of the schema's migration; NULL without memory. */
const char *const *stack_migrate_command(struct arena *arena, const struct stack_layout *layout,
                                         const char *program);

#endif
