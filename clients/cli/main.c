// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "format.h"
#include "out_file.h"

static int run_command(const struct cli_command *command, int argc, char *const argv[])
{
    struct cli cli = {.arena = arena_make(0), .argc = argc - 1, .argv = argv + 1};
    struct config_command configuration = {.usage = command->usage,
                                           .keys = command->keys,
                                           .key_count = command->key_count,
                                           .arguments_min = command->arguments_min,
                                           .arguments_max = command->arguments_max};
    struct config_result given = {.arguments = NULL};
    struct err err = ERR_INIT;
    void *options = arena_calloc(&cli.arena, 1, command->options_size + 1);
    int code;
    if (options == NULL)
        code = cli_fail(CLI_FAILED, "out of memory");
    else if (!command->passes_arguments &&
             config_parse(&configuration, argc, argv, &cli.arena, options, &given, &err) != STATUS_OK)
        code = cli_fail(CLI_USAGE, "%s: %s (see besom %s --help)", command->name, err.text, command->name);
    else if (given.help) {
        cli_print_command_help(command);
        code = CLI_OK;
    } else if (given.version) {
        code = cmd_version.run(&cli, options);
    } else {
        cli.given = &given;
        code = command->run(&cli, options);
    }
    arena_free(&cli.arena);
    return code;
}

static int unknown_command(const char *word)
{
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < cli_command_count && count < ARRAY_LEN(names); i++)
        names[count++] = cli_commands[i]->name;
    const char *meant = config_suggest(word, names, count);
    if (meant != NULL)
        return cli_fail(CLI_USAGE, "unknown command '%s' (did you mean '%s'? see besom --help)", word, meant);
    return cli_fail(CLI_USAGE, "unknown command '%s' (see besom --help)", word);
}

static bool is_any_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char *argv[])
{
    signal(SIGPIPE, SIG_IGN);
    text_prepare();
    if (argc < 2) {
        cli_print_overview();
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (is_any_of(word, "--help", "-h")) {
        cli_print_overview();
        return CLI_OK;
    }
    const struct cli_command *command =
        cli_find_command(is_any_of(word, "--version", "-V") ? "version" : word);
    if (command == NULL)
        return unknown_command(word);
    int code = run_command(command, argc - 1, argv + 1);
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK)
        code = out_stream_fail(stdout, "the result", errno);
    return code;
}
