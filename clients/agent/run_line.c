// SPDX-License-Identifier: Apache-2.0
#include "run_line.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"

#define NESTING_MAX 16
#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

static const struct {
    const char *text;
    double value;
} odd_numbers[] = {{"NaN", NAN}, {"-Infinity", -INFINITY}, {"Infinity", INFINITY}};

/* Copies the line with bare NaN and Infinity in quotes. */
static void quote_odd_numbers(struct buffer *out, const char *line, size_t length)
{
    bool in_string = false;
    for (size_t i = 0; i < length;) {
        size_t matched = 0;
        for (size_t k = 0; k < ARRAY_LEN(odd_numbers) && !in_string && matched == 0; k++)
            if (strlen(odd_numbers[k].text) <= length - i &&
                memcmp(line + i, odd_numbers[k].text, strlen(odd_numbers[k].text)) == 0)
                matched = strlen(odd_numbers[k].text);
        if (matched > 0) {
            buffer_printf(out, "\"%.*s\"", (int)matched, line + i);
            i += matched;
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

/* Nested objects become "outer.inner"; what is no number (text, null, list) is nothing to plot and passed
 * over. */
static enum status check_values(json_t *values, const char *prefix, int depth, struct err *err)
{
    if (depth > NESTING_MAX)
        return err_set(err, STATUS_INVALID, "values are nested more than %d deep", NESTING_MAX);
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        const char *key = json_object_iter_key(i);
        if (strlen(prefix) + strlen(key) + 1 > RUN_LINE_NAME_MAX || *key == '\0')
            return err_set(err, STATUS_INVALID, "a metric's name must have 1 to %d bytes", RUN_LINE_NAME_MAX);
        char name[2 * RUN_LINE_NAME_MAX + 2];
        snprintf(name, sizeof name, "%s%s.", prefix, key);
        if (json_is_object(json_object_iter_value(i)))
            TRY(check_values(json_object_iter_value(i), name, depth + 1, err));
    }
    return STATUS_OK;
}

static void emit_values(json_t *values, const char *prefix, int64_t step, const struct run_line_sink *sink)
{
    for (void *i = json_object_iter(values); i != NULL; i = json_object_iter_next(values, i)) {
        char name[2 * RUN_LINE_NAME_MAX + 2];
        json_t *value = json_object_iter_value(i);
        bool nested = json_is_object(value);
        double number = 0;
        snprintf(name, sizeof name, "%s%s%s", prefix, json_object_iter_key(i), nested ? "." : "");
        if (nested)
            emit_values(value, name, step, sink);
        else if (number_of(value, &number))
            sink->metric(sink->context, name, step, number);
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

static enum status take_values(json_t *values, bool counts, json_t *step, const struct run_line_sink *sink,
                               struct err *err)
{
    if (!json_is_object(values))
        return err_set(err, STATUS_INVALID, "\"log\" and \"summary\" take an object of values");
    int64_t number = 0;
    if (step != NULL && !step_of(step, &number))
        return err_set(err, STATUS_INVALID, "\"step\" must be a whole number");
    TRY(check_values(values, "", 0, err));
    emit_values(values, "", sink->begin(sink->context, step != NULL, number, counts), sink);
    return STATUS_OK;
}

static enum status take_log(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    return take_values(value, true, json_object_get(line, "step"), sink, err);
}

static enum status take_summary(json_t *line, json_t *value, const struct run_line_sink *sink,
                                struct err *err)
{
    (void)line;
    return take_values(value, false, NULL, sink, err);
}

/* How a metric is summed up is the reader's choice here: taken and not needed. */
static enum status take_define_metric(json_t *line, json_t *value, const struct run_line_sink *sink,
                                      struct err *err)
{
    (void)line;
    (void)sink;
    if (!json_is_object(value) || !json_is_string(json_object_get(value, "name")))
        return err_set(err, STATUS_INVALID, "\"define_metric\" takes an object with \"name\"");
    return STATUS_OK;
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

static enum status take_ask(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    (void)line;
    if (!json_is_string(value) || strcmp(json_string_value(value), "config") != 0)
        return err_set(err, STATUS_INVALID, "\"ask\" knows \"config\" alone");
    sink->ask(sink->context);
    return STATUS_OK;
}

static const struct {
    const char *key;
    enum status (*take)(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err);
} verbs[] = {{"log", take_log},
             {"summary", take_summary},
             {"define_metric", take_define_metric},
             {"preempting", take_preempting},
             {"ask", take_ask}};

static enum status take_object(json_t *line, const struct run_line_sink *sink, struct err *err)
{
    const char *names[ARRAY_LEN(verbs)];
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        names[i] = verbs[i].key;
        json_t *value = json_object_get(line, verbs[i].key);
        if (value != NULL)
            return verbs[i].take(line, value, sink, err);
    }
    void *first = json_object_iter(line);
    const char *key = first != NULL ? json_object_iter_key(first) : "";
    const char *near = config_suggest(key, names, ARRAY_LEN(names));
    return err_set(err, STATUS_INVALID, "unknown request \"%.40s\"%s%s%s", key,
                   near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?)" : "");
}

enum status run_line_parse(const char *line, size_t length, const struct run_line_sink *sink, struct err *err)
{
    json_error_t problem;
    json_t *object = json_loadb(line, length, 0, &problem);
    if (object == NULL) {
        struct buffer quoted CLEANUP(buffer_free) = BUFFER_INIT;
        quote_odd_numbers(&quoted, line, length);
        object = json_loadb(buffer_text(&quoted), quoted.length, 0, &problem);
        if (object == NULL && json_error_code(&problem) == json_error_numeric_overflow)
            object = json_loadb(buffer_text(&quoted), quoted.length, JSON_DECODE_INT_AS_REAL, &problem);
    }
    if (!json_is_object(object)) {
        bool parsed = object != NULL;
        json_decref(object);
        return err_set(err, STATUS_INVALID, "not a JSON object: %s", parsed ? "another type" : problem.text);
    }
    enum status status = take_object(object, sink, err);
    json_decref(object);
    return status;
}
