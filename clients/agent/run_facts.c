// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "run_verbs.h"

#define VALUE_DEPTH_MAX 64
#define ABOUT_TEXT_MAX 256
#define NOTES_MAX (16 << 10)
#define TAG_MAX 64
#define TAGS_MAX 100

/* ---- values as text ---- */

/* The fewest digits that mean the same number; a whole one keeps its ".0". */
static void put_real(struct buffer *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_puts(out, text);
    if (strpbrk(text, ".e") == NULL)
        buffer_puts(out, ".0");
}

static void put_text(struct buffer *out, const json_t *text)
{
    char *quoted = json_dumps(text, JSON_ENCODE_ANY | JSON_COMPACT);
    buffer_puts(out, quoted != NULL ? quoted : "\"\"");
    free(quoted);
}

static bool put_value(struct buffer *out, const json_t *value, int depth);

static bool put_members(struct buffer *out, json_t *object, int depth)
{
    const char *key;
    json_t *value;
    const char *between = "";
    json_object_foreach(object, key, value)
    {
        json_t *name = json_string(key);
        buffer_puts(out, between);
        put_text(out, name);
        json_decref(name);
        buffer_putc(out, ':');
        if (!put_value(out, value, depth))
            return false;
        between = ",";
    }
    return true;
}

static bool put_items(struct buffer *out, const json_t *list, int depth)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i > 0)
            buffer_putc(out, ',');
        if (!put_value(out, json_array_get(list, i), depth))
            return false;
    }
    return true;
}

/* False when it is nested too deep for those who will read it inside of other documents, or far too long. */
static bool put_value(struct buffer *out, const json_t *value, int depth)
{
    bool fits = depth < VALUE_DEPTH_MAX && out->length <= FACT_VALUE_MAX;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        buffer_putc(out, '{');
        fits = fits && put_members(out, (json_t *)(uintptr_t)value, depth + 1);
        buffer_putc(out, '}');
        return fits;
    case JSON_ARRAY:
        buffer_putc(out, '[');
        fits = fits && put_items(out, value, depth + 1);
        buffer_putc(out, ']');
        return fits;
    case JSON_STRING: put_text(out, value); break;
    case JSON_INTEGER: buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: put_real(out, json_real_value(value)); break;
    case JSON_TRUE: buffer_puts(out, "true"); break;
    case JSON_FALSE: buffer_puts(out, "false"); break;
    case JSON_NULL: buffer_puts(out, "null"); break;
    default: return false;
    }
    return true;
}

void run_emit_fact(const struct run_line_sink *sink, enum fact_kind kind, const char *name,
                   const json_t *value, enum status *first, struct err *err)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    struct err problem = ERR_INIT;
    enum status status = STATUS_OK;
    if (!put_value(&text, value, 0) && text.length <= FACT_VALUE_MAX)
        status =
            err_set(&problem, STATUS_INVALID, "\"%.40s\" is nested more than %d deep", name, VALUE_DEPTH_MAX);
    else if (sink->fact != NULL)
        status = sink->fact(sink->context, kind, name, buffer_text(&text), &problem);
    if (status == STATUS_OK || *first != STATUS_OK)
        return;
    *first = err_set(err, status, "%s", problem.text);
}

/* ---- entries of summary and configuration ---- */

static enum status take_entries(json_t *entries, enum fact_kind kind, const char *verb,
                                const struct run_line_sink *sink, struct err *err)
{
    enum status first = STATUS_OK;
    const char *key;
    json_t *value;
    if (!json_is_object(entries))
        return err_set(err, STATUS_INVALID, "\"%s\" takes an object", verb);
    json_object_foreach(entries, key, value) if (*key == '\0' || strlen(key) > FACT_NAME_MAX) return err_set(
        err, STATUS_INVALID, "a name must have 1 to %d bytes", FACT_NAME_MAX);
    json_object_foreach(entries, key, value) run_emit_fact(sink, kind, key, value, &first, err);
    return first;
}

enum status run_take_summary(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    (void)line;
    return take_entries(value, FACT_SUMMARY, "summary", sink, err);
}

enum status run_take_config(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    (void)line;
    return take_entries(value, FACT_CONFIG, "config", sink, err);
}

/* ---- checks of single values ---- */

/* One of the words, as an error else. */
static enum status check_word(const char *what, const char *word, const char *const *words, size_t count,
                              struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return STATUS_OK;
    const char *near = config_suggest(word, words, count);
    return err_set(err, STATUS_INVALID, "%s \"%.40s\" is not known%s%s%s", what, word,
                   near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?)" : "");
}

static enum status check_text(const char *key, const json_t *value, size_t most, struct err *err)
{
    if (!json_is_string(value))
        return err_set(err, STATUS_INVALID, "\"%s\" must be a text", key);
    if (json_string_length(value) > most)
        return err_set(err, STATUS_INVALID, "\"%s\" may have %zu bytes", key, most);
    return STATUS_OK;
}

/* ---- about ---- */

static enum status check_tags(const json_t *tags, struct err *err)
{
    if (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX)
        return err_set(err, STATUS_INVALID, "\"tags\" must be a list of at most %d texts", TAGS_MAX);
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        const char *text = json_is_string(tag) ? json_string_value(tag) : "";
        if (*text == '\0' || strlen(text) > TAG_MAX || strchr(text, ',') != NULL)
            return err_set(err, STATUS_INVALID, "a tag must be a text of 1 to %d bytes without commas",
                           TAG_MAX);
    }
    return STATUS_OK;
}

static enum status check_about(const char *key, const json_t *value, struct err *err)
{
    static const char *const keys[] = {"name", "notes", "group", "job_type", "tags"};
    TRY(check_word("\"about\":", key, keys, ARRAY_LEN(keys), err));
    if (strcmp(key, "tags") == 0)
        return check_tags(value, err);
    return check_text(key, value, strcmp(key, "notes") == 0 ? NOTES_MAX : ABOUT_TEXT_MAX, err);
}

enum status run_take_about(json_t *line, json_t *value, const struct run_line_sink *sink, struct err *err)
{
    const char *key;
    json_t *entry;
    (void)line;
    if (!json_is_object(value))
        return err_set(err, STATUS_INVALID, "\"about\" takes an object");
    json_object_foreach(value, key, entry) TRY(check_about(key, entry, err));
    return take_entries(value, FACT_ABOUT, "about", sink, err);
}

/* ---- definitions ---- */

/* Adds the words of a text joined by commas to the list. */
static enum status add_summaries(json_t *list, const char *text, struct err *err)
{
    static const char *const words[] = {"min", "max", "mean", "best", "first", "last", "none"};
    while (*text != '\0') {
        char word[41];
        size_t length = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)(length < 40 ? length : 40), text);
        TRY(check_word("\"summary\":", word, words, ARRAY_LEN(words), err));
        json_array_append_new(list, json_string(word));
        text += length + (text[length] == ',');
    }
    return STATUS_OK;
}

static enum status define_summary(json_t *out, const json_t *value, struct err *err)
{
    json_t *list = json_array();
    enum status status = STATUS_OK;
    if (json_is_string(value))
        status = add_summaries(list, json_string_value(value), err);
    else if (!json_is_array(value))
        status = err_set(err, STATUS_INVALID, "\"summary\" must be a text or a list of texts");
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        status = json_is_string(item)
                     ? add_summaries(list, json_string_value(item), err)
                     : err_set(err, STATUS_INVALID, "\"summary\" must be a text or a list of texts");
    }
    if (status == STATUS_OK && json_array_size(list) > 0)
        json_object_set(out, "summary", list);
    json_decref(list);
    return status;
}

static enum status define_goal(json_t *out, const json_t *value, struct err *err)
{
    static const char *const goals[] = {"minimize", "maximize"};
    TRY(check_text("goal", value, 40, err));
    TRY(check_word("\"goal\":", json_string_value(value), goals, ARRAY_LEN(goals), err));
    json_object_set(out, "goal", (json_t *)(uintptr_t)value);
    return STATUS_OK;
}

static enum status define_step_metric(json_t *out, const json_t *value, struct err *err)
{
    TRY(check_text("step_metric", value, FACT_NAME_MAX, err));
    if (json_string_length(value) > 0)
        json_object_set(out, "step_metric", (json_t *)(uintptr_t)value);
    return STATUS_OK;
}

static enum status define_hidden(json_t *out, const json_t *value, struct err *err)
{
    if (!json_is_boolean(value))
        return err_set(err, STATUS_INVALID, "\"hidden\" must be true or false");
    json_object_set(out, "hidden", (json_t *)(uintptr_t)value);
    return STATUS_OK;
}

static enum status define_nothing(json_t *out, const json_t *value, struct err *err)
{
    (void)out;
    (void)value;
    (void)err;
    return STATUS_OK;
}

/* Order of the keys in what is stored, too. */
static const struct {
    const char *key;
    enum status (*define)(json_t *out, const json_t *value, struct err *err);
} definition_keys[] = {{"name", define_nothing},
                       {"summary", define_summary},
                       {"goal", define_goal},
                       {"step_metric", define_step_metric},
                       {"hidden", define_hidden}};

static enum status check_definition_keys(json_t *value, struct err *err)
{
    const char *keys[ARRAY_LEN(definition_keys)];
    const char *key;
    json_t *entry;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        keys[i] = definition_keys[i].key;
    json_object_foreach(value, key, entry)
        TRY(check_word("\"define_metric\":", key, keys, ARRAY_LEN(keys), err));
    return STATUS_OK;
}

static enum status make_definition(json_t *value, json_t *out, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(definition_keys); i++) {
        const json_t *entry = json_object_get(value, definition_keys[i].key);
        if (entry != NULL && !json_is_null(entry))
            TRY(definition_keys[i].define(out, entry, err));
    }
    return STATUS_OK;
}

enum status run_take_definition(json_t *line, json_t *value, const struct run_line_sink *sink,
                                struct err *err)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    (void)line;
    if (name == NULL || *name == '\0' || strlen(name) > FACT_NAME_MAX)
        return err_set(err, STATUS_INVALID,
                       "\"define_metric\" takes an object with a \"name\" of 1 to %d bytes", FACT_NAME_MAX);
    const char *star = strchr(name, '*');
    if (star != NULL && star[1] != '\0')
        return err_set(err, STATUS_INVALID, "\"name\": \"*\" may only stand at the end");
    TRY(check_definition_keys(value, err));
    json_t *definition = json_object();
    enum status status = make_definition(value, definition, err);
    if (status == STATUS_OK)
        run_emit_fact(sink, FACT_DEFINITION, name, definition, &status, err);
    json_decref(definition);
    return status;
}
