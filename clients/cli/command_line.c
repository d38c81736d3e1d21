// SPDX-License-Identifier: GPL-3.0-or-later
#include "command_line.h"

#include <besom/command.h>

#include "connection.h"
#include "format.h"
#include "stack_process.h"

static bool has_program(struct arena *arena, const char *name)
{
    const char *path = NULL;
    struct err err = ERR_INIT;
    return process_find_program(arena, name, &path, &err) == STATUS_OK;
}

/* As the agent chooses: python, or python3 on a machine that has only that. */
static const char *choose_interpreter(struct arena *arena)
{
    return !has_program(arena, "python") && has_program(arena, "python3") ? "python3" : "python";
}

int command_line_expand(struct cli *cli, const struct command_line *line, const char *what, char ***argv,
                        bool *needs_file)
{
    const struct besom_command_input input = {.items = line->items,
                                              .item_count = line->item_count,
                                              .interpreter = choose_interpreter(&cli->arena),
                                              .program = line->program,
                                              .params_json = line->params_json,
                                              .params_file = COMMAND_LINE_PARAMS_FILE};
    besom_error error = {.code = BESOM_OK};
    int needs = 0;
    if (besom_command_expand(&input, argv, &needs, &error) != BESOM_OK)
        return connection_fail(&error, "cannot make the command of %s", what);
    *needs_file = needs != 0;
    return CLI_OK;
}

void command_line_quote(char *const *argv, struct buffer *out)
{
    for (char *const *item = argv; *item != NULL; item++) {
        buffer_puts(out, item == argv ? "" : " ");
        text_shell_quote(*item, out);
    }
}
