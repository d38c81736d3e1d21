// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "base/file.h"
#include "commands.h"
#include "run_edit.h"

#define NOTES_MAX 16384

struct note_options {
    struct connection_options connection;
    bool json;
    bool clear;
    struct run_query_options query;
};

/* The text, or standard input without the line break at its end for "-". */
static int read_text(struct cli *cli, const char *given, const char **out)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    *out = given;
    if (strcmp(given, "-") == 0) {
        if (file_read("/dev/stdin", NOTES_MAX + 1, &text, &err) != STATUS_OK)
            return cli_fail(CLI_USAGE, "note: %s", err.text);
        size_t length = text.length > 0 && text.data[text.length - 1] == '\n' ? text.length - 1 : text.length;
        *out = arena_strndup(&cli->arena, buffer_text(&text), length);
    }
    if (*out == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (strlen(*out) > NOTES_MAX)
        return cli_fail(CLI_USAGE, "note: notes have at most %d bytes", NOTES_MAX);
    return CLI_OK;
}

static int run_note(struct cli *cli, void *given)
{
    const struct note_options *options = given;
    size_t count = cli->given->argument_count;
    struct run_edit edit = {
        .done = options->clear ? "Took the notes of" : "Noted", .json = options->json, .notes = ""};
    if (!options->clear && count < 2)
        return cli_fail(
            CLI_USAGE,
            "note: the text is missing (besom note RUN TEXT, - reads stdin, --clear takes it away)");
    if (!options->clear) {
        int code = read_text(cli, cli->given->arguments[--count], &edit.notes);
        if (code != CLI_OK)
            return code;
    }
    return run_edit_apply(cli, "note", &options->connection, &options->query, cli->given->arguments, count,
                          &edit);
}

static const struct config_key keys[] = {
    {.name = "clear",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct note_options, clear),
     .help = "take the notes away: what the program said stands again"},
    RUN_FILTER_KEY(struct note_options),
    RUN_STATE_KEY(struct note_options),
    JSON_KEY(struct note_options),
    CONNECTION_KEYS(struct note_options),
};

const struct cli_command cmd_note = {
    .name = "note",
    .group = "Change",
    .usage = "besom note RUN... TEXT | besom note RUN... --clear | besom note SWEEP --filter EXPR TEXT",
    .summary =
        "Write notes to runs, in place of those they have\n"
        "TEXT - reads standard input. Says which runs have changed. With --filter or --state the arguments\n"
        "before TEXT are sweeps and their runs are chosen, without they are runs.",
    .footer = RUN_FILTER_HELP,
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct note_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_note,
};
