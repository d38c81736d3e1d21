// SPDX-License-Identifier: GPL-3.0-or-later
#include "command_line.h"

#include <besom/command.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "entity.h"
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

/* The template in the sweep's canonical form, into the arena. */
static size_t template_items(struct cli *cli, const Besom__V1__Sweep *sweep, const char *const **out)
{
    json_t *spec = entity_parsed_json(sweep->spec_json);
    const json_t *command = json_object_get(spec, "command");
    size_t count = json_array_size(command);
    const char **items = arena_calloc(&cli->arena, count + 1, sizeof *items);
    for (size_t i = 0; items != NULL && i < count; i++) {
        const char *text = json_string_value(json_array_get(command, i));
        items[i] = arena_strdup(&cli->arena, text != NULL ? text : "");
    }
    json_decref(spec);
    *out = items;
    return items != NULL ? count : 0;
}

int command_line_of_run(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run,
                        struct buffer *out, bool *needs_file)
{
    char **argv = NULL;
    struct command_line line = {.program = sweep->program, .params_json = run->params_json};
    if (strcmp(sweep->method, "none") == 0)
        return cli_fail(CLI_FAILED,
                        "cannot make the command of run %s: only its own agent knows that of a single run",
                        run->run_id);
    line.item_count = template_items(cli, sweep, &line.items);
    const char *what = arena_printf(&cli->arena, "run %s", run->run_id);
    int code = command_line_expand(cli, &line, what != NULL ? what : run->run_id, &argv, needs_file);
    if (code == CLI_OK)
        command_line_quote(argv, out);
    besom_command_free(argv);
    return code;
}

void command_line_note_file(const Besom__V1__Run *run)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    text_shell_quote(run->params_json, &text);
    cli_note("%s is a file that the agent writes; this makes it:", COMMAND_LINE_PARAMS_FILE);
    fprintf(stderr, "printf '%%s\\n' %s > %s\n", buffer_text(&text), COMMAND_LINE_PARAMS_FILE);
}
