// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_services.h"

#include <string.h>

#include "base/macros.h"
#include "stack_postgres.h"

#define ITEMS_MAX 24

/* A command line that grows; failed = an item could not be made. */
struct command_line {
    struct arena *arena;
    const char **items;
    size_t count;
    bool failed;
};

static struct command_line begin(struct arena *arena, const char *program)
{
    struct command_line line = {.arena = arena, .items = arena_calloc(arena, ITEMS_MAX, sizeof(char *))};
    line.failed = line.items == NULL;
    if (!line.failed)
        line.items[line.count++] = program;
    return line;
}

static void add(struct command_line *line, const char *item)
{
    if (line->failed || item == NULL || line->count + 1 >= ITEMS_MAX)
        line->failed = true;
    else
        line->items[line->count++] = item;
}

static void add_option(struct command_line *line, const char *flag, const char *value)
{
    add(line, flag);
    add(line, value);
}

static const char *const *finish(const struct command_line *line)
{
    return line->failed ? NULL : line->items;
}

const char *stack_service_address(struct arena *arena, const struct stack_layout *layout, const char *socket)
{
    return arena_printf(arena, "unix:%s/%s", layout->run, socket);
}

static struct command_line begin_service(struct arena *arena, const struct stack_layout *layout,
                                         const struct stack_settings *settings, const char *program,
                                         const char *socket)
{
    struct command_line line = begin(arena, program);
    add_option(&line, "--listen", stack_service_address(arena, layout, socket));
    add_option(&line, "--database-url", postgres_conninfo(arena, layout));
    add_option(&line, "--service-token-file", layout->service_token_file);
    add_option(&line, "--log-level", settings->log_level);
    return line;
}

#define SUGGESTION_SOCKET "suggestion.sock"
#define SCHEDULER_SOCKET "scheduler.sock"
#define CONTROLLER_SOCKET "controller.sock"

static const char *const *suggestion_command(struct arena *arena, const struct stack_layout *layout,
                                             const struct stack_settings *settings, const char *program)
{
    struct command_line line = begin_service(arena, layout, settings, program, SUGGESTION_SOCKET);
    return finish(&line);
}

static const char *const *scheduler_command(struct arena *arena, const struct stack_layout *layout,
                                            const struct stack_settings *settings, const char *program)
{
    struct command_line line = begin_service(arena, layout, settings, program, SCHEDULER_SOCKET);
    return finish(&line);
}

static void add_tcp(struct command_line *line, const struct stack_settings *settings)
{
    add_option(line, "--listen", settings->listen);
    if (settings->tls_certificate_file == NULL) {
        add(line, "--insecure");
        return;
    }
    add_option(line, "--tls-cert-file", settings->tls_certificate_file);
    add_option(line, "--tls-key-file", settings->tls_key_file);
}

static const char *const *controller_command(struct arena *arena, const struct stack_layout *layout,
                                             const struct stack_settings *settings, const char *program)
{
    struct command_line line = begin_service(arena, layout, settings, program, CONTROLLER_SOCKET);
    add_option(&line, "--token-file", layout->token_file);
    add_option(&line, "--suggestion-address", stack_service_address(arena, layout, SUGGESTION_SOCKET));
    add_option(&line, "--scheduler-address", stack_service_address(arena, layout, SCHEDULER_SOCKET));
    if (settings->listen != NULL)
        add_tcp(&line, settings);
    return finish(&line);
}

const char *const *stack_migrate_command(struct arena *arena, const struct stack_layout *layout,
                                         const char *program)
{
    struct command_line line = begin(arena, program);
    add(&line, "migrate");
    add_option(&line, "--database-url", postgres_conninfo(arena, layout));
    return finish(&line);
}

const struct stack_service stack_services[] = {
    {"suggestion", "besom-suggestion", SUGGESTION_SOCKET, suggestion_command},
    {"scheduler", "besom-scheduler", SCHEDULER_SOCKET, scheduler_command},
    {"controller", "besom-controller", CONTROLLER_SOCKET, controller_command},
};
const size_t stack_service_count = ARRAY_LEN(stack_services);
