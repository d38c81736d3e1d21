// SPDX-License-Identifier: Apache-2.0
#include "run_line.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "run_line_plain.h"
#include "run_verbs.h"

#define NESTING_MAX 16
#define EXIT_CODE_MAX 255
#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

static const struct {
    const char *text;
    double value;
} odd_numbers[] = {{"NaN", NAN}, {"-Infinity", -INFINITY}, {"Infinity", INFINITY}};

static size_t odd_number_length(const char *text, size_t length)
{
    for (size_t k = 0; k < ARRAY_LEN(odd_numbers); k++) {
        size_t matched = strlen(odd_numbers[k].text);
        if (matched <= length && memcmp(text, odd_numbers[k].text, matched) == 0)
            return matched;
    }
    return 0;
}

/* Bytes of a number, of one that is none as well. */
static size_t number_length(const char *text, size_t length)
{
    size_t end = 0;
    while (end < length && text[end] != '\0' && strchr("-+.0123456789eE", text[end]) != NULL)
        end++;
    return end;
}

static bool is_beyond_64_bits(const char *number, size_t length)
{
    bool negative = length > 0 && number[0] == '-';
    const char *digits = number + negative, *most = "9223372036854775807";
    size_t count = length - negative;
    for (size_t i = 0; i < count; i++)
        if (digits[i] < '0' || digits[i] > '9')
            return false;
    if (count != strlen(most))
        return count > strlen(most);
    return memcmp(digits, negative ? "9223372036854775808" : most, count) > 0;
}

/* Copies the line with bare NaN and Infinity in quotes, and with whole numbers as reals where they must be.
 */
static void rewrite_odd_numbers(struct buffer *out, const char *line, size_t length)
{
    bool in_string = false;
    for (size_t i = 0; i < length;) {
        size_t odd = in_string ? 0 : odd_number_length(line + i, length - i);
        size_t number = in_string || odd > 0 ? 0 : number_length(line + i, length - i);
        if (odd > 0)
            buffer_printf(out, "\"%.*s\"", (int)odd, line + i);
        if (number > 0) {
            buffer_append(out, line + i, number);
            buffer_puts(out, is_beyond_64_bits(line + i, number) ? ".0" : "");
        }
        if (odd + number > 0) {
            i += odd + number;
            continue;
        }
        if (in_string && line[i] == '\\' && i + 1 < length)
            buffer_putc(out, line[i++]);
        else if (line[i] == '"')
            in_string = !in_string;
        buffer_putc(out, line[i++]);
    }
}

static bool number_of(const json_t *value, double *out)
{
    if (json_is_number(value))
        *out = json_number_value(value);
    else if (json_is_boolean(value))
        *out = json_is_true(value) ? 1 : 0;
    else if (json_is_string(value)) {
        for (size_t i = 0; i < ARRAY_LEN(odd_numbers); i++) {
            if (strcmp(json_string_value(value), odd_numbers[i].text) != 0)
                continue;
            *out = odd_numbers[i].value;
            return true;
        }
        return false;
    } else
        return false;
    return true;
}

#define PATH_SIZE (2 * RUN_LINE_NAME_MAX + 2)

/* Nested objects become "outer.inner". */
static enum status check_values(json_t *values, const char *prefix, int depth, struct err *err)
{
    if (depth > NESTING_MAX)
        return err_set(err, STATUS_INVALID, "values are nested more than %d deep", NESTING_MAX);
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        const char *key = json_object_iter_key(i);
        bool nested = json_is_object(json_object_iter_value(i));
        if (strlen(prefix) + strlen(key) + nested > RUN_LINE_NAME_MAX || *key == '\0')
            return err_set(err, STATUS_INVALID, "a metric's name must have 1 to %d bytes", RUN_LINE_NAME_MAX);
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s%s.", prefix, key);
        if (nested)
            TRY(check_values(json_object_iter_value(i), name, depth + 1, err));
    }
    return STATUS_OK;
}

/* What is no number becomes an entry of the summary. */
static void emit_values(json_t *values, const char *prefix, const struct run_line_sink *sink,
                        enum status *first, struct err *err)
{
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        char name[PATH_SIZE];
        json_t *value = json_object_iter_value(i);
        bool nested = json_is_object(value);
        double number = 0;
        snprintf(name, sizeof name, "%s%s%s", prefix, json_object_iter_key(i), nested ? "." : "");
        if (nested)
            emit_values(value, name, sink, first, err);
        else if (number_of(value, &number))
            sink->metric(sink->context, name, strlen(name), number);
        else
            run_emit_fact(sink, FACT_SUMMARY, name, value, first, err);
    }
}

/* Whole numbers however they are written: JavaScript and JSON know no difference between 5 and 5.0. */
static bool step_of(const json_t *value, int64_t *out)
{
    double real = json_real_value(value);
    *out = json_is_integer(value) ? json_integer_value(value) : 0;
    if (!json_is_real(value))
        return json_is_integer(value);
    if (!(fabs(real) <= WHOLE_MAX) || real != floor(real))
        return false;
    *out = (int64_t)real;
    return true;
}

static enum status take_log(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    const json_t *step = json_object_get(line, "step"), *commit = json_object_get(line, "commit");
    struct run_line_row row = {.has_step = step != NULL && !json_is_null(step),
                               .stays_open = json_is_false(commit)};
    if (!json_is_object(value))
        return err_set(err, STATUS_INVALID, "\"log\" takes an object of values");
    if (row.has_step && !step_of(step, &row.step))
        return err_set(err, STATUS_INVALID, "\"step\" must be a whole number");
    if (commit != NULL && !json_is_boolean(commit) && !json_is_null(commit))
        return err_set(err, STATUS_INVALID, "\"commit\" must be true or false");
    TRY(check_values(value, "", 0, err));
    enum status first = STATUS_OK;
    sink->row_begin(sink->context, &row);
    emit_values(value, "", sink, &first, err);
    sink->row_end(sink->context, row.stays_open);
    return first;
}

static void emit_plain(const struct plain_line *line, const struct run_line_sink *sink)
{
    const struct run_line_row row = {.has_step = line->has_step, .step = line->step};
    sink->row_begin(sink->context, &row);
    for (size_t i = 0; i < line->count; i++)
        sink->metric(sink->context, line->values[i].name, line->values[i].length, line->values[i].value);
    sink->row_end(sink->context, false);
}

static enum status take_preempting(json_t *line, json_t *value, const struct run_line_sink *sink,
                                   struct err *err)
{
    (void)line;
    if (!json_is_boolean(value))
        return err_set(err, STATUS_INVALID, "\"preempting\" takes true");
    if (json_is_true(value))
        sink->preempting(sink->context);
    return STATUS_OK;
}

static enum status take_exit_code(json_t *line, json_t *value, const struct run_line_sink *sink,
                                  struct err *err)
{
    const json_t *text = json_object_get(line, "text");
    json_int_t code = json_is_integer(value) ? json_integer_value(value) : -1;
    if (code < 0 || code > EXIT_CODE_MAX)
        return err_set(err, STATUS_INVALID, "\"exit_code\" takes a whole number from 0 to %d", EXIT_CODE_MAX);
    if (text != NULL && !json_is_string(text) && !json_is_null(text))
        return err_set(err, STATUS_INVALID, "\"text\" must be a text");
    sink->exit_code(sink->context, (int)code, json_is_string(text) ? json_string_value(text) : "");
    return STATUS_OK;
}

static enum status take_ask(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    static const struct {
        const char *word;
        enum run_line_question question;
    } questions[] = {{"config", RUN_LINE_ASK_CONFIG}, {"step", RUN_LINE_ASK_STEP}, {"run", RUN_LINE_ASK_RUN}};
    (void)line;
    for (size_t i = 0; json_is_string(value) && i < ARRAY_LEN(questions); i++)
        if (strcmp(json_string_value(value), questions[i].word) == 0) {
            sink->ask(sink->context, questions[i].question);
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "\"ask\" knows \"config\", \"step\" and \"run\" alone");
}

static const struct {
    const char *key;
    enum status (*take)(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err);
} verbs[] = {{"log", take_log},
             {"summary", run_take_summary},
             {"define_metric", run_take_definition},
             {"config", run_take_config},
             {"about", run_take_about},
             {"preempting", take_preempting},
             {"exit_code", take_exit_code},
             {"ask", take_ask}};

static enum status refuse(const char *key, struct err *err)
{
    const char *names[ARRAY_LEN(verbs)];
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        names[i] = verbs[i].key;
    const char *near = config_suggest(key, names, ARRAY_LEN(names));
    return err_set(err, STATUS_INVALID, "unknown request \"%.40s\"%s%s%s", key,
                   near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?)" : "");
}

/* The first key that is known decides. */
static enum status take_object(json_t *line, const struct run_line_sink *sink, struct err *err)
{
    void *first = json_object_iter(line);
    for (void *i = first; i != NULL; i = json_object_iter_next(line, i))
        for (size_t k = 0; k < ARRAY_LEN(verbs); k++)
            if (strcmp(json_object_iter_key(i), verbs[k].key) == 0)
                return verbs[k].take(line, json_object_iter_value(i), sink, err);
    return refuse(first != NULL ? json_object_iter_key(first) : "", err);
}

/* NULL with what is wrong when it is no JSON. */
static json_t *load(const char *line, size_t length, json_error_t *problem)
{
    json_t *document = json_loadb(line, length, 0, problem);
    if (document != NULL)
        return document;
    struct buffer rewritten CLEANUP(buffer_free) = BUFFER_INIT;
    rewrite_odd_numbers(&rewritten, line, length);
    return json_loadb(buffer_text(&rewritten), rewritten.length, 0, problem);
}

enum status run_line_parse(const char *line, size_t length, const struct run_line_sink *sink, struct err *err)
{
    struct plain_line plain;
    json_error_t problem;
    if (run_line_read_plain(line, length, &plain)) {
        emit_plain(&plain, sink);
        return STATUS_OK;
    }
    json_t *object = load(line, length, &problem);
    if (!json_is_object(object)) {
        bool parsed = object != NULL;
        json_decref(object);
        return err_set(err, STATUS_INVALID, "not a JSON object: %s", parsed ? "another type" : problem.text);
    }
    enum status status = take_object(object, sink, err);
    json_decref(object);
    return status;
}

struct number_sink {
    void (*metric)(void *context, const char *name, size_t length, double value);
    void *context;
};

static void emit_numbers(json_t *values, const char *prefix, int depth, const struct number_sink *sink)
{
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        char name[PATH_SIZE];
        const char *key = json_object_iter_key(i);
        json_t *value = json_object_iter_value(i);
        bool nested = json_is_object(value) && depth < NESTING_MAX;
        double number = 0;
        if (*key == '\0' || strlen(prefix) + strlen(key) + 1 > RUN_LINE_NAME_MAX)
            continue;
        snprintf(name, sizeof name, "%s%s%s", prefix, key, nested ? "." : "");
        if (nested)
            emit_numbers(value, name, depth + 1, sink);
        else if (!json_is_boolean(value) && number_of(value, &number))
            sink->metric(sink->context, name, strlen(name), number);
    }
}

bool run_line_numbers(const char *line, size_t length,
                      void (*metric)(void *context, const char *name, size_t length, double value),
                      void *context)
{
    json_error_t problem;
    json_t *object = load(line, length, &problem);
    bool found = json_is_object(object);
    if (found)
        emit_numbers(object, "", 0, &(struct number_sink){metric, context});
    json_decref(object);
    return found;
}
