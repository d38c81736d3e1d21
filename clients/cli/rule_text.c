// SPDX-License-Identifier: GPL-3.0-or-later
#include "rule_text.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli.h"

/* The least that makes a whole sweep file of a rule, with what any of them needs. */
#define REST                                                                                             \
    "method: bayes\nprogram: program\nmetric: {name: metric}\nresume: true\nparameters: {x: {min: 0.0, " \
    "max: 1.0}}\n"

/* A key at the left margin. */
static bool has_key(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return true;
    }
    return false;
}

static void append_indented(struct buffer *out, const char *text)
{
    buffer_puts(out, "  ");
    for (; *text != '\0'; text++) {
        buffer_putc(out, *text);
        if (*text == '\n')
            buffer_puts(out, "  ");
    }
    buffer_putc(out, '\n');
}

static void write_whole(const char *text, bool is_file, struct buffer *out)
{
    text += strspn(text, " \n");
    if (is_file && (has_key(text, "method") || (*text == '{' && strstr(text, "\"method\"") != NULL))) {
        buffer_puts(out, text);
        return;
    }
    buffer_puts(out, REST);
    if (has_key(text, "early_terminate")) {
        buffer_puts(out, text);
    } else if (*text == '{') {
        buffer_puts(out, "early_terminate: ");
        append_indented(out, text);
    } else if (is_file || strchr(text, '\n') != NULL) {
        buffer_puts(out, "early_terminate:\n");
        append_indented(out, text);
    } else {
        buffer_printf(out, "early_terminate: {%s}\n", text);
    }
}

static int parse(const char *text, const char *given, struct spec **out)
{
    struct spec_problems problems CLEANUP(spec_problems_free);
    const struct spec_options options = {.methods = ~0u};
    struct err err = ERR_INIT;
    spec_problems_init(&problems);
    if (spec_parse(text, strlen(text), given, &options, out, &problems, &err) != STATUS_OK) {
        const char *why = problems.error_count > 0 && problems.count > 0 ? problems.items[0].text : err.text;
        for (size_t i = 0; i < problems.count; i++)
            if (problems.items[i].severity == SPEC_ERROR) {
                why = problems.items[i].text;
                break;
            }
        return cli_fail(CLI_USAGE, "--early-terminate: '%.80s': %s", given, why);
    }
    if ((*out)->has_early_terminate)
        return CLI_OK;
    spec_free(*out);
    *out = NULL;
    return cli_fail(CLI_USAGE, "--early-terminate: %.80s has no early_terminate", given);
}

int rule_text_read(const char *given, struct spec **out)
{
    struct buffer bytes CLEANUP(buffer_free) = BUFFER_INIT, whole CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    *out = NULL;
    if (strcmp(given, "none") == 0)
        return CLI_OK;
    bool is_file = access(given, F_OK) == 0 || strchr(given, ':') == NULL;
    if (is_file && file_read(given, SPEC_FILE_MAX, &bytes, &err) != STATUS_OK)
        return cli_fail(CLI_USAGE,
                        "--early-terminate: %s (give a file, a rule such as 'type: asha, max_iter: 81', "
                        "or none)",
                        err.text);
    write_whole(is_file ? buffer_text(&bytes) : given, is_file, &whole);
    return parse(buffer_text(&whole), given, out);
}
