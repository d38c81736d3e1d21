// SPDX-License-Identifier: Apache-2.0
#include "base/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config_value.h"
#include "base/file.h"

#define FILE_LIMIT (1u << 20)

/* A flag as it stood on the command line. */
struct flag {
    const struct config_key *key;
    const char *shown; /* "--name" or "-n", for messages */
    const char *value;
};

struct parse {
    const struct config_command *command;
    struct arena *arena;
    void *out;
    struct config_result *result;
    struct flag *flags; /* in the arena; as many as argv can hold */
    size_t flag_count;
    int argc;
    char *const *argv;
    int next; /* index in argv */
};

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory reading the configuration");
}

static const struct config_key *find_key(const struct config_command *command, const char *name,
                                         size_t length)
{
    for (size_t i = 0; i < command->key_count; i++) {
        const char *candidate = command->keys[i].name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
            return &command->keys[i];
    }
    return NULL;
}

static const struct config_key *find_letter(const struct config_command *command, char letter)
{
    for (size_t i = 0; i < command->key_count; i++)
        if (command->keys[i].letter == letter)
            return &command->keys[i];
    return NULL;
}

/* " (did you mean PREFIXname?)" or an empty text. */
static const char *hint(struct parse *parse, const char *word, const char *prefix)
{
    size_t count = parse->command->key_count;
    const char **names = arena_calloc(parse->arena, count + 2, sizeof *names);
    if (names == NULL)
        return "";
    for (size_t i = 0; i < count; i++)
        names[i] = parse->command->keys[i].name;
    bool is_flag = *prefix != '\0';
    if (is_flag) {
        names[count++] = "help";
        names[count++] = "version";
    }
    const char *nearest = config_suggest(word, names, count);
    const char *text =
        nearest == NULL ? NULL : arena_printf(parse->arena, " (did you mean %s%s?)", prefix, nearest);
    return text != NULL ? text : "";
}

static void add_flag(struct parse *parse, const struct config_key *key, const char *shown, const char *value)
{
    parse->flags[parse->flag_count++] = (struct flag){.key = key, .shown = shown, .value = value};
}

/* The value that follows a flag as an argument of its own. */
static enum status take_value(struct parse *parse, const struct config_key *key, const char *shown,
                              struct err *err)
{
    if (parse->next >= parse->argc)
        return err_set(err, STATUS_INVALID, "%s needs a value (%s)", shown,
                       key->value_name != NULL ? key->value_name : key->help);
    add_flag(parse, key, shown, parse->argv[parse->next++]);
    return STATUS_OK;
}

/* --no-NAME of a boolean. NULL when it is none. */
static const struct config_key *find_negated(const struct config_command *command, const char *name,
                                             size_t length)
{
    if (length <= 3 || memcmp(name, "no-", 3) != 0)
        return NULL;
    const struct config_key *key = find_key(command, name + 3, length - 3);
    return key != NULL && key->type == CONFIG_BOOL ? key : NULL;
}

static enum status unknown_long(struct parse *parse, const char *name, size_t length, struct err *err)
{
    char *word = arena_strndup(parse->arena, name, length);
    if (word == NULL)
        return no_memory(err);
    if (strcmp(word, "help") == 0)
        parse->result->help = true;
    else if (strcmp(word, "version") == 0)
        parse->result->version = true;
    else
        return err_set(err, STATUS_INVALID, "unknown option '--%s'%s", word, hint(parse, word, "--"));
    return STATUS_OK;
}

static enum status read_long(struct parse *parse, const char *argument, struct err *err)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct config_key *key = find_key(parse->command, name, length);
    const struct config_key *negated = key == NULL ? find_negated(parse->command, name, length) : NULL;
    if (key == NULL && negated == NULL)
        return unknown_long(parse, name, length, err);
    char *shown = arena_strndup(parse->arena, argument, length + 2);
    if (shown == NULL)
        return no_memory(err);
    if (negated != NULL && value != NULL)
        return err_set(err, STATUS_INVALID, "%s takes no value", shown);
    if (negated != NULL)
        add_flag(parse, negated, shown, "false");
    else if (value != NULL)
        add_flag(parse, key, shown, value);
    else if (key->type == CONFIG_BOOL)
        add_flag(parse, key, shown, "true");
    else
        return take_value(parse, key, shown, err);
    return STATUS_OK;
}

/* -v, -vx (booleans together), -n4, -n 4. */
static enum status read_short(struct parse *parse, const char *argument, struct err *err)
{
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        const struct config_key *key = find_letter(parse->command, *letter);
        if (key == NULL && *letter == 'h') {
            parse->result->help = true;
            continue;
        }
        if (key == NULL)
            return err_set(err, STATUS_INVALID, "unknown option '-%c'", *letter);
        char *shown = arena_printf(parse->arena, "-%c", *letter);
        if (shown == NULL)
            return no_memory(err);
        if (key->type == CONFIG_BOOL) {
            add_flag(parse, key, shown, "true");
            continue;
        }
        if (letter[1] == '\0')
            return take_value(parse, key, shown, err);
        add_flag(parse, key, shown, letter + 1);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static void take_rest(struct parse *parse)
{
    while (parse->next < parse->argc)
        parse->result->arguments[parse->result->argument_count++] = parse->argv[parse->next++];
}

static enum status read_argument(struct parse *parse, struct err *err)
{
    const char *argument = parse->argv[parse->next++];
    bool positional = argument[0] != '-' || argument[1] == '\0';
    if (positional) {
        parse->result->arguments[parse->result->argument_count++] = argument;
        if (parse->command->stop_at_argument)
            take_rest(parse);
        return STATUS_OK;
    }
    if (argument[1] != '-')
        return read_short(parse, argument, err);
    if (argument[2] != '\0')
        return read_long(parse, argument, err);
    take_rest(parse);
    return STATUS_OK;
}

/* Sorts argv into flags and arguments. Goes on after an error, because a --help behind it wins. */
static enum status read_command_line(struct parse *parse, struct err *err)
{
    size_t most = 1;
    for (int i = 1; i < parse->argc; i++)
        most += parse->argv[i][0] == '-' && parse->argv[i][1] != '-' ? strlen(parse->argv[i]) : 1;
    parse->flags = arena_calloc(parse->arena, most, sizeof *parse->flags);
    parse->result->arguments = arena_calloc(parse->arena, (size_t)parse->argc + 1, sizeof(char *));
    if (parse->flags == NULL || parse->result->arguments == NULL)
        return no_memory(err);
    enum status first = STATUS_OK;
    parse->next = 1;
    while (parse->next < parse->argc) {
        enum status status = read_argument(parse, first == STATUS_OK ? err : NULL);
        if (first == STATUS_OK)
            first = status;
    }
    return parse->result->help || parse->result->version ? STATUS_OK : first;
}

static enum status check_argument_count(const struct parse *parse, struct err *err)
{
    const struct config_command *command = parse->command;
    size_t count = parse->result->argument_count;
    if (count < command->arguments_min)
        return err_set(err, STATUS_INVALID, "missing argument (usage: %s)", command->usage);
    if (count > command->arguments_max)
        return err_set(err, STATUS_INVALID, "unexpected argument '%s' (usage: %s)",
                       parse->result->arguments[command->arguments_max], command->usage);
    return STATUS_OK;
}

static enum status apply_defaults(struct parse *parse, struct err *err)
{
    for (size_t i = 0; i < parse->command->key_count; i++) {
        const struct config_key *key = &parse->command->keys[i];
        config_value_clear(key, parse->out);
        if (key->initial == NULL)
            continue;
        if (config_value_set_all(key, key->initial, parse->arena, parse->out, err) != STATUS_OK)
            return err_context(err, "default of --%s", key->name);
    }
    return STATUS_OK;
}

/* An empty variable counts as unset. */
static const char *variable_of(const struct config_key *key)
{
    const char *value = key->environment != NULL ? getenv(key->environment) : NULL;
    return value != NULL && *value != '\0' ? value : NULL;
}

static enum status apply_environment(struct parse *parse, struct err *err)
{
    for (size_t i = 0; i < parse->command->key_count; i++) {
        const struct config_key *key = &parse->command->keys[i];
        const char *value = variable_of(key);
        if (value == NULL)
            continue;
        char *copy = arena_strdup(parse->arena, value); /* setenv() may move the original */
        if (copy == NULL)
            return no_memory(err);
        config_value_clear(key, parse->out);
        if (config_value_set_all(key, copy, parse->arena, parse->out, err) != STATUS_OK)
            return err_context(err, "%s", key->environment);
    }
    return STATUS_OK;
}

/* A list's first mention at a level takes the place of what lower levels said. */
static enum status apply_flags(struct parse *parse, struct err *err)
{
    for (size_t i = 0; i < parse->flag_count; i++)
        config_value_clear(parse->flags[i].key, parse->out);
    for (size_t i = 0; i < parse->flag_count; i++) {
        const struct flag *flag = &parse->flags[i];
        if (config_value_set(flag->key, flag->value, parse->arena, parse->out, err) != STATUS_OK)
            return err_context(err, "%s", flag->shown);
    }
    return STATUS_OK;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

/* Takes a comment or the quotes off. NULL when a quote is not closed or text follows it. */
static char *unquote(char *value)
{
    if (*value != '"') {
        char *comment = strchr(value, '#');
        while (comment != NULL && comment != value && comment[-1] != ' ' && comment[-1] != '\t')
            comment = strchr(comment + 1, '#');
        if (comment != NULL)
            *comment = '\0';
        return trim(value);
    }
    char *end = strchr(value + 1, '"');
    if (end == NULL)
        return NULL;
    *end = '\0';
    char *rest = trim(end + 1);
    return *rest == '\0' || *rest == '#' ? value + 1 : NULL;
}

/* `seen` marks the keys that this file has set already. */
static enum status apply_line(struct parse *parse, char *line, bool *seen, struct err *err)
{
    line = trim(line);
    if (*line == '\0' || *line == '#')
        return STATUS_OK;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return err_set(err, STATUS_INVALID, "expected 'key = value'");
    *equals = '\0';
    char *name = trim(line);
    const struct config_key *key = find_key(parse->command, name, strlen(name));
    if (key == NULL)
        return err_set(err, STATUS_INVALID, "unknown key '%s'%s", name, hint(parse, name, ""));
    if (strcmp(name, parse->command->config_flag) == 0)
        return err_set(err, STATUS_INVALID, "'%s' cannot be set in a file", name);
    char *value = unquote(trim(equals + 1));
    if (value == NULL)
        return err_set(err, STATUS_INVALID, "%s: the quote is not closed, or text follows it", name);
    size_t index = (size_t)(key - parse->command->keys);
    if (seen[index] && key->type != CONFIG_LIST)
        return err_set(err, STATUS_INVALID, "'%s' is set twice", name);
    if (!seen[index])
        config_value_clear(key, parse->out);
    seen[index] = true;
    if (config_value_set(key, value, parse->arena, parse->out, err) != STATUS_OK)
        return err_context(err, "%s", name);
    return STATUS_OK;
}

static enum status apply_lines(struct parse *parse, const char *path, char *text, struct err *err)
{
    bool *seen = arena_calloc(parse->arena, parse->command->key_count + 1, sizeof *seen);
    if (seen == NULL)
        return no_memory(err);
    for (int number = 1; text != NULL; number++) {
        char *line = text;
        char *newline = strchr(line, '\n');
        if (newline != NULL)
            *newline = '\0';
        text = newline != NULL ? newline + 1 : NULL;
        if (apply_line(parse, line, seen, err) != STATUS_OK)
            return err_context(err, "%s:%d", path, number);
    }
    return STATUS_OK;
}

/* The file named by flag or variable, else the default one; only the latter may be absent. */
static const char *file_path(const struct parse *parse, const struct config_key *key, bool *must_exist)
{
    const char *path = variable_of(key);
    for (size_t i = 0; i < parse->flag_count; i++)
        if (parse->flags[i].key == key)
            path = parse->flags[i].value;
    *must_exist = path != NULL;
    return path != NULL ? path : key->initial;
}

static enum status apply_file(struct parse *parse, struct err *err)
{
    const char *flag = parse->command->config_flag;
    const struct config_key *key = flag == NULL ? NULL : find_key(parse->command, flag, strlen(flag));
    if (key == NULL)
        return STATUS_OK;
    bool must_exist = false;
    const char *path = file_path(parse, key, &must_exist);
    if (path == NULL)
        return STATUS_OK;
    struct buffer content CLEANUP(buffer_free) = BUFFER_INIT;
    enum status status = file_read(path, FILE_LIMIT, &content, err);
    if (status == STATUS_NOT_FOUND && !must_exist) {
        *err = (struct err)ERR_INIT;
        return STATUS_OK;
    }
    TRY(status);
    if (strlen(buffer_text(&content)) != content.length)
        return err_set(err, STATUS_INVALID, "%s: holds a nul byte: not a text file", path);
    char *text = arena_strndup(parse->arena, buffer_text(&content), content.length);
    if (text == NULL)
        return no_memory(err);
    return apply_lines(parse, path, text, err);
}

enum status config_parse(const struct config_command *command, int argc, char *const argv[],
                         struct arena *arena, void *out, struct config_result *result, struct err *err)
{
    struct err ignored;
    if (err == NULL)
        err = &ignored;
    *result = (struct config_result){.arguments = NULL, .argument_count = 0};
    struct parse parse = {
        .command = command, .arena = arena, .out = out, .result = result, .argc = argc, .argv = argv};
    TRY(apply_defaults(&parse, err));
    TRY(read_command_line(&parse, err));
    if (result->help || result->version)
        return STATUS_OK;
    TRY(apply_file(&parse, err));
    TRY(apply_environment(&parse, err));
    TRY(apply_flags(&parse, err));
    return check_argument_count(&parse, err);
}
