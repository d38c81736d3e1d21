// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/run_picture.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "services/controller/messages.h"
#include "services/controller/metric_definitions.h"

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* ---- figures ---- */

static void merge_into(struct store_summary *to, const struct store_summary *later)
{
    to->attempt = later->attempt;
    to->points += later->points;
    to->last = later->last;
    to->last_step = later->last_step;
    to->least_step = later->least_step < to->least_step ? later->least_step : to->least_step;
    to->min = fmin(to->min, later->min); /* a NaN loses */
    to->max = fmax(to->max, later->max);
    to->total += later->total;
    to->finite += later->finite;
}

size_t run_picture_merge(struct store_summary *rows, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (left > 0 && strcmp(rows[left - 1].name, rows[i].name) == 0)
            merge_into(&rows[left - 1], &rows[i]);
        else
            rows[left++] = rows[i];
    }
    return left;
}

/* ---- facts ---- */

struct facts_of_kind {
    const struct store_fact *rows; /* sorted by name */
    size_t count;
};

static struct facts_of_kind facts_of(const struct run_picture *picture, const char *kind)
{
    struct facts_of_kind facts = {.count = 0};
    for (size_t i = 0; i < picture->fact_count; i++) {
        if (strcmp(picture->facts[i].kind, kind) != 0)
            continue;
        if (facts.count++ == 0)
            facts.rows = &picture->facts[i];
    }
    return facts;
}

static const struct store_fact *find_fact(const struct facts_of_kind *facts, const char *name)
{
    size_t low = 0, high = facts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(facts->rows[middle].name, name);
        if (order == 0)
            return &facts->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool run_picture_has_definitions(const struct store_fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(facts[i].kind, "definition") == 0)
            return true;
    return false;
}

/* ---- objects as text, which keeps every digit ---- */

struct object {
    struct buffer text; /* owned; "{" and entries */
    size_t left;        /* bytes of entries that it still takes */
};

static void object_clear(struct object *object)
{
    buffer_free(&object->text);
}

/* An entry that does not fit, or whose name is no text, is left out. */
static void object_add(struct object *object, const char *name, const char *value)
{
    json_t *text = json_string(name);
    char *key = text != NULL ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
    json_decref(text);
    size_t needed = key != NULL ? strlen(key) + strlen(value) + 2 : 0;
    if (key != NULL && needed <= object->left) {
        object->left -= needed;
        buffer_printf(&object->text, "%s%s:", object->text.length > 1 ? "," : "", key);
        buffer_puts(&object->text, value);
    }
    free(key);
}

static enum status object_take(struct object *object, struct arena *arena, char **out, struct err *err)
{
    buffer_putc(&object->text, '}');
    *out = object->text.failed ? NULL : arena_strdup(arena, buffer_text(&object->text));
    return *out != NULL ? STATUS_OK : no_memory(err);
}

/* ---- the summary ---- */

/* The program's entry of a name stands unless the metric was logged by a later attempt. */
static bool is_overruled(const struct store_summary *figures, const struct facts_of_kind *entries)
{
    const struct store_fact *entry = find_fact(entries, figures->name);
    return entry != NULL && entry->attempt >= figures->attempt;
}

static int compare_name(const void *name, const void *figures)
{
    return strcmp(name, ((const struct store_summary *)figures)->name);
}

static bool is_logged_later(const struct run_picture *picture, const struct store_fact *entry)
{
    const struct store_summary *found = NULL;
    if (picture->figure_count > 0)
        found = bsearch(entry->name, picture->figures, picture->figure_count, sizeof *found, compare_name);
    return found != NULL && found->attempt > entry->attempt;
}

static enum status fill_summary(struct arena *arena, const struct run_picture *picture,
                                Besom__V1__Run *message, struct err *err)
{
    const struct facts_of_kind entries = facts_of(picture, "summary");
    struct object object CLEANUP(object_clear) = {BUFFER_INIT, picture->summary_max};
    struct buffer value CLEANUP(buffer_free) = BUFFER_INIT;
    const struct facts_of_kind defined = facts_of(picture, "definition");
    struct metric_definitions definitions;
    TRY(metric_definitions_read(defined.rows, defined.count, arena, &definitions, err));
    definitions.metric = picture->metric;
    definitions.maximize = picture->maximize;
    buffer_putc(&object.text, '{');
    for (size_t i = 0; i < picture->figure_count; i++) {
        const struct store_summary *figures = &picture->figures[i];
        buffer_clear(&value);
        if (is_overruled(figures, &entries) || !metric_definitions_put(&definitions, figures, &value))
            continue;
        if (value.failed)
            return no_memory(err);
        object_add(&object, figures->name, buffer_text(&value));
    }
    for (size_t i = 0; i < entries.count; i++)
        if (!is_logged_later(picture, &entries.rows[i]))
            object_add(&object, entries.rows[i].name, entries.rows[i].value);
    return object_take(&object, arena, &message->summary_json, err);
}

/* ---- the configuration ---- */

static enum status fill_config(struct arena *arena, const struct run_picture *picture,
                               Besom__V1__Run *message, struct err *err)
{
    const struct facts_of_kind entries = facts_of(picture, "config");
    const char *params = picture->run->params_json, *end = strrchr(params, '}');
    message->config_json = message_text(params);
    if (entries.count == 0)
        return STATUS_OK;
    struct object object CLEANUP(object_clear) = {BUFFER_INIT, picture->config_max};
    json_t *given = fact_json(params);
    if (!json_is_object(given) || end == NULL) {
        json_decref(given);
        return STATUS_OK;
    }
    if (json_object_size(given) == 0)
        buffer_putc(&object.text, '{');
    else
        buffer_append(&object.text, params, (size_t)(end - params));
    for (size_t i = 0; i < entries.count; i++)
        if (json_object_get(given, entries.rows[i].name) == NULL)
            object_add(&object, entries.rows[i].name, entries.rows[i].value);
    json_decref(given);
    return object_take(&object, arena, &message->config_json, err);
}

/* ---- name, notes, tags ---- */

/* A user's text, else the program's. */
static enum status fill_text(struct arena *arena, const struct facts_of_kind *about, const char *name,
                             const char *own, char **out, struct err *err)
{
    const struct store_fact *fact = own[0] == '\0' ? find_fact(about, name) : NULL;
    *out = message_text(own);
    if (fact == NULL)
        return STATUS_OK;
    json_t *value = fact_json(fact->value);
    if (json_is_string(value))
        *out = arena_strdup(arena, json_string_value(value));
    json_decref(value);
    return *out != NULL ? STATUS_OK : no_memory(err);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

static enum status add_tags(struct arena *arena, const json_t *tags, const json_t *hidden,
                            Besom__V1__Run *message, struct err *err)
{
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        if (tag == NULL || strlen(tag) > RUN_PICTURE_TAG_MAX || has_text(hidden, tag))
            continue;
        message->tags[message->n_tags] = arena_strdup(arena, tag);
        if (message->tags[message->n_tags++] == NULL)
            return no_memory(err);
    }
    return STATUS_OK;
}

static void sort_tags(Besom__V1__Run *message)
{
    size_t left = 0;
    if (message->n_tags > 1)
        qsort(message->tags, message->n_tags, sizeof(*message->tags), compare_texts);
    for (size_t i = 0; i < message->n_tags; i++)
        if (left == 0 || strcmp(message->tags[left - 1], message->tags[i]) != 0)
            message->tags[left++] = message->tags[i];
    message->n_tags = left;
}

static enum status fill_tags(struct arena *arena, const struct facts_of_kind *about,
                             const struct store_run *run, Besom__V1__Run *message, struct err *err)
{
    const struct store_fact *fact = find_fact(about, "tags");
    if (fact == NULL && strcmp(run->tags_json, "[]") == 0)
        return STATUS_OK;
    json_t *own = fact_json(run->tags_json), *hidden = fact_json(run->hidden_tags_json);
    json_t *said = fact != NULL ? fact_json(fact->value) : NULL;
    message->tags =
        arena_calloc(arena, json_array_size(own) + json_array_size(said) + 1, sizeof(*message->tags));
    enum status status = message->tags != NULL ? STATUS_OK : no_memory(err);
    if (status == STATUS_OK)
        status = add_tags(arena, own, NULL, message, err);
    if (status == STATUS_OK)
        status = add_tags(arena, said, hidden, message, err);
    json_decref(own);
    json_decref(hidden);
    json_decref(said);
    sort_tags(message);
    return status;
}

enum status run_picture_fill(struct arena *arena, const struct run_picture *picture, Besom__V1__Run *message,
                             struct err *err)
{
    const struct facts_of_kind about = facts_of(picture, "about");
    TRY(fill_text(arena, &about, "name", picture->run->name, &message->name, err));
    TRY(fill_text(arena, &about, "notes", picture->run->notes, &message->notes, err));
    TRY(fill_tags(arena, &about, picture->run, message, err));
    TRY(fill_summary(arena, picture, message, err));
    return fill_config(arena, picture, message, err);
}
