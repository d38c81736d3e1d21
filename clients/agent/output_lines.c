// SPDX-License-Identifier: Apache-2.0
#include "output_lines.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/pattern.h"
#include "run_line.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */
#define ESCAPE '\033'

/* Where in an escape sequence the last byte was. */
enum escape {
    ESCAPE_NONE,
    ESCAPE_BEGUN,   /* ESC */
    ESCAPE_CONTROL, /* ESC [ ..., to a letter */
    ESCAPE_TEXT,    /* ESC ] ..., to BEL or ESC \ */
    ESCAPE_TEXT_END /* ESC within that */
};

struct output_lines {
    struct output_lines_options options;
    bool has_pattern;
    regex_t pattern;
    enum escape escape;
    bool cut; /* the line is longer than `most` */
    size_t length, most;
    size_t found; /* values of this line but the step */
    bool has_step;
    int64_t step;
    char line[OUTPUT_LINE_MAX + 1];
};

static enum status compile_pattern(struct output_lines *lines, const char *pattern, struct err *err)
{
    const struct pattern_cost cost = pattern_reckon(pattern);
    char text[200];
    if (cost.refers)
        return err_set(err, STATUS_INVALID,
                       "output_metrics: pattern: it takes no references to groups such as \\1");
    if (cost.too_large)
        return err_set(err, STATUS_INVALID, "output_metrics: pattern: it is too large");
    int reason = regcomp(&lines->pattern, pattern, REG_EXTENDED);
    if (reason != 0) {
        regerror(reason, &lines->pattern, text, sizeof text);
        return err_set(err, STATUS_INVALID, "output_metrics: pattern: %s", text);
    }
    lines->has_pattern = true;
    lines->most = OUTPUT_PATTERN_LINE_MAX;
    if (lines->pattern.re_nsub < 2)
        return err_set(err, STATUS_INVALID, "output_metrics: pattern: two groups are needed, name and value");
    return STATUS_OK;
}

enum status output_lines_new(const struct output_lines_options *options, struct output_lines **out,
                             struct err *err)
{
    struct output_lines *lines = calloc(1, sizeof *lines);
    if (lines == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    lines->options = *options;
    lines->most = OUTPUT_LINE_MAX;
    if (options->pattern != NULL && *options->pattern != '\0') {
        enum status status = compile_pattern(lines, options->pattern, err);
        if (status != STATUS_OK) {
            output_lines_free(lines);
            return status;
        }
    }
    *out = lines;
    return STATUS_OK;
}

void output_lines_free(struct output_lines *lines)
{
    if (lines == NULL)
        return;
    if (lines->has_pattern)
        regfree(&lines->pattern);
    free(lines);
}

/* ---- values ---- */

static void take_value(struct output_lines *lines, const char *name, size_t length, double value)
{
    const char *step = lines->options.step;
    if (step != NULL && *step != '\0' && strlen(step) == length && memcmp(step, name, length) == 0) {
        lines->has_step = fabs(value) <= WHOLE_MAX && value == floor(value);
        lines->step = lines->has_step ? (int64_t)value : 0;
        return;
    }
    lines->options.metric(lines->options.context, name, length, value);
    lines->found++;
}

static size_t span_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static size_t span_word(const char *text)
{
    static const char *const words[] = {"infinity", "inf", "nan"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strncasecmp(text, words[i], strlen(words[i])) == 0)
            return strlen(words[i]);
    return 0;
}

/* Length of the decimal number, nan or inf that `text` begins with; 0 = none. */
static size_t span_number(const char *text)
{
    size_t sign = *text == '-' || *text == '+';
    const char *p = text + sign;
    size_t word = span_word(p), whole = span_digits(p), fraction = 0;
    if (word > 0)
        return sign + word;
    p += whole;
    if (*p == '.') {
        fraction = span_digits(p + 1);
        p += whole + fraction > 0 ? 1 + fraction : 0;
    }
    if (whole + fraction == 0)
        return 0;
    if (*p == 'e' || *p == 'E') {
        size_t exponent_sign = p[1] == '-' || p[1] == '+';
        size_t digits = span_digits(p + 1 + exponent_sign);
        p += digits > 0 ? 1 + exponent_sign + digits : 0;
    }
    return (size_t)(p - text);
}

static bool is_key_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("_./-", c) != NULL);
}

/* The key that ends before `end`; NULL when there is none. */
static const char *find_key(const char *line, const char *end)
{
    const char *start = end;
    while (start > line && is_key_char(start[-1]))
        start--;
    bool good =
        start < end && (isalpha((unsigned char)*start) || *start == '_') && end - start <= RUN_LINE_NAME_MAX;
    return good ? start : NULL;
}

/* What follows a value: nothing that could make something else of it, such as a unit or a percent sign. */
static bool ends_value(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr(",;)]}|", c) != NULL;
}

static void search_pairs(struct output_lines *lines)
{
    const char *line = lines->line;
    for (const char *equals = strchr(line, '='); equals != NULL; equals = strchr(equals + 1, '=')) {
        const char *key = find_key(line, equals);
        size_t length = span_number(equals + 1);
        if (key != NULL && length > 0 && ends_value(equals[1 + length]))
            take_value(lines, key, (size_t)(equals - key), strtod(equals + 1, NULL));
    }
}

/* ---- a pattern's groups ---- */

static bool is_name(const char *text, size_t length)
{
    bool good = length > 0 && length <= RUN_LINE_NAME_MAX;
    for (size_t i = 0; i < length; i++)
        good = good && (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x7f;
    return good;
}

static void take_groups(struct output_lines *lines, const char *at, const regmatch_t groups[3])
{
    char number[128];
    if (groups[1].rm_so < 0 || groups[2].rm_so < 0)
        return;
    size_t name_length = (size_t)(groups[1].rm_eo - groups[1].rm_so);
    size_t length = (size_t)(groups[2].rm_eo - groups[2].rm_so);
    if (!is_name(at + groups[1].rm_so, name_length) || length == 0 || length >= sizeof number)
        return;
    memcpy(number, at + groups[2].rm_so, length);
    number[length] = '\0';
    if (span_number(number) == length)
        take_value(lines, at + groups[1].rm_so, name_length, strtod(number, NULL));
}

static void search_pattern(struct output_lines *lines)
{
    const char *at = lines->line;
    regmatch_t groups[3];
    while (regexec(&lines->pattern, at, 3, groups, at == lines->line ? 0 : REG_NOTBOL) == 0) {
        take_groups(lines, at, groups);
        at += groups[0].rm_eo > 0 ? groups[0].rm_eo : 1;
        if (*at == '\0' || at > lines->line + lines->length)
            return;
    }
}

/* ---- lines ---- */

static void take_number(void *context, const char *name, size_t length, double value)
{
    take_value(context, name, length, value);
}

/* Of a line that was cut the last word may be half a word. */
static void drop_last_word(struct output_lines *lines)
{
    while (lines->length > 0 && !isspace((unsigned char)lines->line[lines->length - 1]))
        lines->length--;
}

static void search_line(struct output_lines *lines)
{
    const char *start = lines->line + strspn(lines->line, " \t");
    lines->found = 0;
    lines->has_step = false;
    if (lines->has_pattern)
        search_pattern(lines);
    else if (*start != '{' || !run_line_numbers(start, strlen(start), take_number, lines))
        search_pairs(lines);
    if (lines->found > 0)
        lines->options.row_end(lines->options.context, lines->has_step, lines->step);
}

static void end_line(struct output_lines *lines)
{
    if (lines->cut)
        drop_last_word(lines);
    lines->line[lines->length] = '\0';
    if (lines->length > 0)
        search_line(lines);
    lines->length = 0;
    lines->cut = false;
    lines->escape = ESCAPE_NONE;
}

/* True when the byte belongs to an escape sequence. */
static bool in_escape(struct output_lines *lines, char c)
{
    switch (lines->escape) {
    case ESCAPE_NONE:
        if (c != ESCAPE)
            return false;
        lines->escape = ESCAPE_BEGUN;
        break;
    case ESCAPE_BEGUN:
        lines->escape = c == '[' ? ESCAPE_CONTROL : c == ']' ? ESCAPE_TEXT : ESCAPE_NONE;
        break;
    case ESCAPE_CONTROL: lines->escape = c >= '@' && c <= '~' ? ESCAPE_NONE : ESCAPE_CONTROL; break;
    case ESCAPE_TEXT:
        lines->escape = c == '\a' ? ESCAPE_NONE : c == ESCAPE ? ESCAPE_TEXT_END : ESCAPE_TEXT;
        break;
    case ESCAPE_TEXT_END: lines->escape = ESCAPE_NONE; break;
    }
    return true;
}

void output_lines_add(struct output_lines *lines, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (c == '\n' || c == '\r')
            end_line(lines);
        else if (in_escape(lines, c))
            continue;
        else if (lines->length < lines->most)
            lines->line[lines->length++] = c == '\0' ? ' ' : c;
        else
            lines->cut = true;
    }
}

void output_lines_end(struct output_lines *lines)
{
    end_line(lines);
}
