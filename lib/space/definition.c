/*
 * Reading a leaf definition: which kind it is and what is wrong with it,
 * against the table in distribution.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "space/distribution.h"
#include "space/law.h"
#include "space/parameter.h"

#define INTEGER_LIMIT 0x1p63

const struct distribution *distribution_find(const char *name)
{
    for (size_t i = 0; i < distribution_count; i++)
        if (strcmp(distributions[i].name, name) == 0)
            return &distributions[i];
    return NULL;
}

const struct distribution_key *distribution_find_key(const struct distribution *kind, const char *key)
{
    for (size_t i = 0; i < DISTRIBUTION_KEYS_MAX && kind->keys[i].name != NULL; i++)
        if (strcmp(kind->keys[i].name, key) == 0)
            return &kind->keys[i];
    return NULL;
}

static bool has(const json_t *definition, const char *key)
{
    return json_object_get(definition, key) != NULL;
}

const struct distribution *distribution_infer(const json_t *definition)
{
    if (has(definition, "values"))
        return distribution_find(has(definition, "probabilities") ? "categorical_w_probabilities"
                                                                  : "categorical");
    if (has(definition, "value"))
        return distribution_find("constant");
    if (!has(definition, "min") && !has(definition, "max"))
        return NULL;
    bool whole = json_is_integer(json_object_get(definition, "min")) &&
                 json_is_integer(json_object_get(definition, "max"));
    return distribution_find(whole ? "int_uniform" : "uniform");
}

/* Passes faults on and counts them. */
struct counter {
    distribution_report *report;
    void *context;
    size_t faults;
};

static void count_fault(void *context, const char *key, const char *text)
{
    struct counter *counter = context;
    counter->faults++;
    counter->report(counter->context, key, text);
}

static void fault(struct counter *counter, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);

static void fault(struct counter *counter, const char *key, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    count_fault(counter, key, text);
}

static const char *suggest_distribution(const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; i < distribution_count && count < ARRAY_LEN(names); i++)
        names[count++] = distributions[i].name;
    return config_suggest(name, names, count);
}

static const struct distribution *named_kind(const json_t *definition, struct counter *counter)
{
    const json_t *name = json_object_get(definition, "distribution");
    if (!json_is_string(name)) {
        fault(counter, "distribution", "distribution must be the name of one, such as uniform");
        return NULL;
    }
    const struct distribution *kind = distribution_find(json_string_value(name));
    if (kind != NULL)
        return kind;
    const char *near = suggest_distribution(json_string_value(name));
    fault(counter, "distribution", "unknown distribution \"%.80s\"%s%s%s", json_string_value(name),
          near != NULL ? ": did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    return NULL;
}

static const struct distribution *kind_of(const json_t *definition, struct counter *counter)
{
    if (has(definition, "distribution"))
        return named_kind(definition, counter);
    const struct distribution *kind = distribution_infer(definition);
    if (kind == NULL && (has(definition, "mu") || has(definition, "sigma")))
        fault(counter, NULL, "mu and sigma need a distribution: did you mean distribution: normal?");
    else if (kind == NULL)
        fault(counter, NULL, "needs value, values, min and max, or parameters");
    return kind;
}

static void list_keys(const struct distribution *kind, struct buffer *out)
{
    for (size_t i = 0; i < DISTRIBUTION_KEYS_MAX && kind->keys[i].name != NULL; i++)
        buffer_printf(out, "%s%s", i > 0 ? ", " : "", kind->keys[i].name);
}

static bool is_key_of_any(const char *key)
{
    for (size_t i = 0; i < distribution_count; i++)
        if (distribution_find_key(&distributions[i], key) != NULL)
            return true;
    return false;
}

static void foreign_key(const struct distribution *kind, const char *key, struct counter *counter)
{
    CLEANUP(buffer_free) struct buffer keys = BUFFER_INIT;
    list_keys(kind, &keys);
    const char *names[DISTRIBUTION_KEYS_MAX + 2];
    size_t count = 0;
    for (size_t i = 0; i < DISTRIBUTION_KEYS_MAX && kind->keys[i].name != NULL; i++)
        names[count++] = kind->keys[i].name;
    names[count++] = "distribution";
    names[count++] = "when";
    const char *near = is_key_of_any(key) ? NULL : config_suggest(key, names, count);
    if (near != NULL)
        fault(counter, key, "unknown key \"%.80s\": did you mean %s?", key, near);
    else
        fault(counter, key, "%s takes no \"%.80s\" (its keys: %s)", kind->name, key, buffer_text(&keys));
}

static bool is_number(const json_t *value)
{
    return json_is_number(value) && isfinite(json_number_value(value));
}

static bool is_whole(const json_t *value)
{
    double x = json_number_value(value);
    return json_is_integer(value) ||
           (json_is_real(value) && x == floor(x) && x >= -INTEGER_LIMIT && x < INTEGER_LIMIT);
}

static bool all_numbers(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!is_number(json_array_get(list, i)))
            return false;
    return json_is_array(list);
}

static void check_type(const struct distribution *kind, const struct distribution_key *key,
                       const json_t *value, struct counter *counter)
{
    switch (key->type) {
    case DISTRIBUTION_KEY_ANY: break;
    case DISTRIBUTION_KEY_LIST:
        if (!json_is_array(value))
            fault(counter, key->name, "%s must be a list: write values: [...], or value for a single one",
                  key->name);
        else if (json_array_size(value) == 0)
            fault(counter, key->name, "%s is empty", key->name);
        break;
    case DISTRIBUTION_KEY_NUMBER:
        if (!is_number(value))
            fault(counter, key->name, "%s must be a number", key->name);
        break;
    case DISTRIBUTION_KEY_INTEGER:
        if (!is_number(value) || !is_whole(value))
            fault(counter, key->name, "%s of %s must be a whole number", key->name, kind->name);
        break;
    case DISTRIBUTION_KEY_NUMBERS:
        if (!all_numbers(value))
            fault(counter, key->name, "%s must be a list of numbers", key->name);
        break;
    }
}

static void check_keys(const struct distribution *kind, const json_t *definition, struct counter *counter)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)definition, key, value)
    {
        const struct distribution_key *known = distribution_find_key(kind, key);
        if (known != NULL)
            check_type(kind, known, value, counter);
        else if (strcmp(key, "distribution") != 0 && strcmp(key, "when") != 0)
            foreign_key(kind, key, counter);
    }
    for (size_t i = 0; i < DISTRIBUTION_KEYS_MAX && kind->keys[i].name != NULL; i++)
        if (kind->keys[i].required && !has(definition, kind->keys[i].name))
            fault(counter, NULL, "%s needs %s", kind->name, kind->keys[i].name);
}

static void check_law(const struct distribution *kind, const json_t *definition, struct counter *counter)
{
    struct parameter parameter;
    struct err err = ERR_INIT;
    if (parameter_init(&parameter, kind, definition, &err) != STATUS_OK)
        fault(counter, NULL, "%s", err.text);
    else if (kind->check != NULL)
        kind->check(&parameter, count_fault, counter);
    parameter_release(&parameter);
}

const struct distribution *distribution_check(const json_t *definition, distribution_report *report,
                                              void *context)
{
    struct counter counter = {.report = report, .context = context};
    if (!json_is_object(definition)) {
        fault(&counter, NULL, "a parameter is a map: write %s",
              json_is_array(definition) ? "values: [...]" : "value: ... for a constant");
        return NULL;
    }
    const struct distribution *kind = kind_of(definition, &counter);
    if (kind == NULL)
        return NULL;
    check_keys(kind, definition, &counter);
    if (counter.faults == 0)
        check_law(kind, definition, &counter);
    return kind;
}
