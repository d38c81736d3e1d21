// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"

#define HELP_COLUMN 28
#define HELP_WIDTH 100
#define WORD_MAX 64

/* "  -j, --jobs N" */
static void print_flag(struct buffer *line, const struct config_key *key)
{
    if (key->letter != 0)
        buffer_printf(line, "  -%c, --", key->letter);
    else
        buffer_puts(line, "      --");
    if (key->type == CONFIG_BOOL)
        buffer_puts(line, "[no-]");
    buffer_puts(line, key->name);
    if (key->type != CONFIG_BOOL)
        buffer_printf(line, " %s", key->value_name != NULL ? key->value_name : "VALUE");
}

static void print_description(struct buffer *text, const struct config_key *key)
{
    buffer_puts(text, key->help != NULL ? key->help : "");
    bool has_default = key->initial != NULL && *key->initial != '\0';
    if (has_default)
        buffer_printf(text, " (default: %s)", key->initial);
    if (key->environment != NULL)
        buffer_printf(text, " [$%s]", key->environment);
    if (key->type == CONFIG_LIST)
        buffer_puts(text, " (may be repeated)");
}

/* Words of `text` from column `indent` on, in lines of at most HELP_WIDTH. */
static void print_wrapped(FILE *stream, const char *text, size_t column, size_t indent)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
        }
        if (column > indent) {
            fputc(' ', stream);
            column++;
        }
        fprintf(stream, "%.*s", (int)length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', stream);
}

static void print_row(FILE *stream, const char *flag, const char *description)
{
    size_t width = strlen(flag);
    fputs(flag, stream);
    if (width + 2 > HELP_COLUMN)
        fprintf(stream, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(stream, "%*s", (int)(HELP_COLUMN - width), "");
    print_wrapped(stream, description, HELP_COLUMN, HELP_COLUMN);
}

static bool has_letter(const struct config_command *command, char letter)
{
    for (size_t i = 0; i < command->key_count; i++)
        if (command->keys[i].letter == letter)
            return true;
    return false;
}

void config_print_help(const struct config_command *command, FILE *stream)
{
    fprintf(stream, "Usage: %s\n\n", command->usage);
    if (command->summary != NULL)
        fprintf(stream, "%s\n\n", command->summary);
    fputs("Options:\n", stream);
    struct buffer flag CLEANUP(buffer_free) = BUFFER_INIT;
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < command->key_count; i++) {
        buffer_clear(&flag);
        buffer_clear(&text);
        print_flag(&flag, &command->keys[i]);
        print_description(&text, &command->keys[i]);
        print_row(stream, buffer_text(&flag), buffer_text(&text));
    }
    print_row(stream, has_letter(command, 'h') ? "      --help" : "  -h, --help", "Show this help");
    print_row(stream, "      --version", "Show the version");
    if (command->footer != NULL)
        fprintf(stream, "\n%s\n", command->footer);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance; both words at most WORD_MAX long. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(changed, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[columns];
}

const char *config_suggest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t limit = length < 3 ? 1 : length / 3 + 1; /* a third of the letters may be wrong */
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, candidates[i]);
        bool is_start = length >= 3 && strncmp(word, candidates[i], length) == 0;
        if (is_start)
            distance = 1;
        if (distance > limit || distance >= length)
            continue;
        limit = distance - (distance > 0 ? 1 : 0);
        nearest = candidates[i];
    }
    return nearest;
}
