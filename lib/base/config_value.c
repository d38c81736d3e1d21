// SPDX-License-Identifier: Apache-2.0
#include "base/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first within a family, so that a bound is printed in the largest unit that divides it. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000},
};

static const struct unit size_units[] = {
    {"T", INT64_C(1) << 40},
    {"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20},
    {"k", INT64_C(1) << 10},
    {"", 1},
    {"B", 1},
    {"K", INT64_C(1) << 10},
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
};

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

/* A number without sign or exponent and one of `units`, multiplied out and rounded. */
static bool parse_quantity(const char *text, const struct unit *units, size_t count, int64_t *out)
{
    size_t digits = strspn(text, "0123456789.");
    if (digits == 0)
        return false;
    char *end = NULL;
    double number = strtod(text, &end);
    const struct unit *unit = find_unit(units, count, text + digits);
    if (end != text + digits || unit == NULL)
        return false;
    double product = number * (double)unit->factor;
    if (!(product < 0x1p63))
        return false;
    *out = llround(product);
    return true;
}

enum status config_parse_duration(const char *text, int64_t *out_ms, struct err *err)
{
    if (!parse_quantity(text, duration_units, ARRAY_LEN(duration_units), out_ms))
        return err_set(err, STATUS_INVALID, "'%s' is not a duration (like 250ms, 10s, 5m, 2h or 1d)", text);
    return STATUS_OK;
}

enum status config_parse_size(const char *text, int64_t *out_bytes, struct err *err)
{
    if (!parse_quantity(text, size_units, ARRAY_LEN(size_units), out_bytes))
        return err_set(err, STATUS_INVALID, "'%s' is not a size (like 4096, 64k, 4M or 1G)", text);
    return STATUS_OK;
}

static enum status parse_int(const char *text, int64_t *out, struct err *err)
{
    char *end = NULL;
    size_t sign = text[0] == '-' || text[0] == '+' ? 1 : 0;
    size_t digits = strspn(text + sign, "0123456789");
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (digits == 0 || text[sign + digits] != '\0')
        return err_set(err, STATUS_INVALID, "'%s' is not a whole number", text);
    if (errno == ERANGE)
        return err_set(err, STATUS_INVALID, "'%s' is too large a number", text);
    *out = value;
    return STATUS_OK;
}

static enum status parse_real(const char *text, double *out, struct err *err)
{
    char *end = NULL;
    double value = strtod(text, &end);
    size_t length = strspn(text, "0123456789.+-eE");
    if (length == 0 || text[length] != '\0' || end != text + length)
        return err_set(err, STATUS_INVALID, "'%s' is not a number", text);
    if (!isfinite(value))
        return err_set(err, STATUS_INVALID, "'%s' is too large a number", text);
    *out = value;
    return STATUS_OK;
}

static enum status parse_bool(const char *text, bool *out, struct err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                 {"false", false}, {"no", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "'%s' is neither true nor false", text);
}

/* A bound in words of the key's type: "10s", "64k", "5". */
static void format_bound(const struct config_key *key, int64_t bound, char *out, size_t size)
{
    const struct unit *units = key->type == CONFIG_DURATION_MS ? duration_units : size_units;
    size_t count = key->type == CONFIG_DURATION_MS ? 5 : key->type == CONFIG_SIZE ? 4 : 0;
    for (size_t i = 0; i < count; i++)
        if (bound != 0 && bound % units[i].factor == 0) {
            snprintf(out, size, "%" PRId64 "%s", bound / units[i].factor, units[i].name);
            return;
        }
    snprintf(out, size, "%" PRId64, bound);
}

static enum status check_bounds(const struct config_key *key, const char *text, double value, struct err *err)
{
    if (key->min == 0 && key->max == 0)
        return STATUS_OK;
    bool open_above = key->max < key->min;
    if (value >= (double)key->min && (open_above || value <= (double)key->max))
        return STATUS_OK;
    char low[32], high[32];
    format_bound(key, key->min, low, sizeof low);
    format_bound(key, key->max, high, sizeof high);
    if (open_above)
        return err_set(err, STATUS_INVALID, "%s is out of range (at least %s)", text, low);
    return err_set(err, STATUS_INVALID, "%s is out of range (%s to %s)", text, low, high);
}

static enum status list_add(struct config_list *list, const char *text, struct arena *arena, struct err *err)
{
    bool full = (list->count & (list->count - 1)) == 0; /* room doubles at each power of two */
    if (full) {
        const char **items = arena_calloc(arena, list->count == 0 ? 1 : list->count * 2, sizeof *items);
        if (items == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
    }
    list->items[list->count++] = text;
    return STATUS_OK;
}

static enum status set_whole(const struct config_key *key, const char *text, int64_t *field, struct err *err)
{
    enum status (*parse)(const char *, int64_t *, struct err *) =
        key->type == CONFIG_DURATION_MS ? config_parse_duration
        : key->type == CONFIG_SIZE      ? config_parse_size
                                        : parse_int;
    int64_t value = 0;
    TRY(parse(text, &value, err));
    TRY(check_bounds(key, text, (double)value, err));
    *field = value;
    return STATUS_OK;
}

static enum status set_real(const struct config_key *key, const char *text, double *field, struct err *err)
{
    double value = 0;
    TRY(parse_real(text, &value, err));
    TRY(check_bounds(key, text, value, err));
    *field = value;
    return STATUS_OK;
}

static void *field_of(const struct config_key *key, void *out)
{
    return (char *)out + key->offset;
}

enum status config_value_set(const struct config_key *key, const char *text, struct arena *arena, void *out,
                             struct err *err)
{
    void *field = field_of(key, out);
    switch (key->type) {
    case CONFIG_TEXT: *(const char **)field = text; return STATUS_OK;
    case CONFIG_INT:
    case CONFIG_DURATION_MS:
    case CONFIG_SIZE: return set_whole(key, text, field, err);
    case CONFIG_REAL: return set_real(key, text, field, err);
    case CONFIG_BOOL: return parse_bool(text, field, err);
    case CONFIG_LIST: return list_add(field, text, arena, err);
    }
    return err_set(err, STATUS_INTERNAL, "key %s has an unknown type", key->name);
}

enum status config_value_set_all(const struct config_key *key, const char *text, struct arena *arena,
                                 void *out, struct err *err)
{
    if (key->type != CONFIG_LIST)
        return config_value_set(key, text, arena, out, err);
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        char *item = arena_strndup(arena, text, length);
        if (item == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        if (length > 0)
            TRY(list_add(field_of(key, out), item, arena, err));
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return STATUS_OK;
}

void config_value_clear(const struct config_key *key, void *out)
{
    void *field = field_of(key, out);
    switch (key->type) {
    case CONFIG_TEXT: *(const char **)field = NULL; break;
    case CONFIG_INT:
    case CONFIG_DURATION_MS:
    case CONFIG_SIZE: *(int64_t *)field = 0; break;
    case CONFIG_REAL: *(double *)field = 0; break;
    case CONFIG_BOOL: *(bool *)field = false; break;
    case CONFIG_LIST: *(struct config_list *)field = (struct config_list){.items = NULL, .count = 0}; break;
    }
}
