/*
 * `early_terminate`: which rule, and its bands. One table says which keys each
 * type takes; what the bands are is lib/stop's business.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "spec/schema.h"

#define MEDIAN_GROWTH 1.15

const char *const schema_stop_names[] = {"hyperband", "asha", "median", "hyperband_full", "bohb"};
const size_t schema_stop_count = ARRAY_LEN(schema_stop_names);

struct fields {
    bool typed;
    enum stop_type type;
    int64_t min_iter, max_iter, s, min_runs, grace, brackets; /* 0 = not given */
    double eta, max_stops;                                    /* 0 = not given */
    bool strict;
    const char *step_metric;
};

static void read_type(struct schema *schema, const struct node *value, void *field)
{
    struct fields *fields = field;
    size_t choice;
    if (schema_read_choice(schema, value, "type of early_terminate", schema_stop_names, schema_stop_count,
                           &choice))
        fields->type = (enum stop_type)choice;
    fields->typed = true;
}

static void read_eta(struct schema *schema, const struct node *value, void *field)
{
    double eta;
    if (!schema_number_of(schema, value, &eta) || !(eta > 1))
        schema_error(schema, value, "eta must be a number greater than 1");
    else
        *(double *)field = eta;
}

static void read_max_stops(struct schema *schema, const struct node *value, void *field)
{
    double share;
    if (!schema_number_of(schema, value, &share) || !(share > 0) || !(share <= 1))
        schema_error(schema, value, "max_stops must be a share of the runs: above 0 and at most 1");
    else
        *(double *)field = share;
}

static void read_step_metric(struct schema *schema, const struct node *value, void *field)
{
    if (value->kind == NODE_SCALAR && value->text[0] == '\0')
        schema_error(schema, value, "step_metric must name a logged value that counts up, such as epoch");
    else
        schema_read_text(schema, value, field);
}

#define OF(type) (1u << (type))
#define PAUSING (OF(STOP_HYPERBAND_FULL) | OF(STOP_BOHB))
#define AT_ONCE (OF(STOP_HYPERBAND) | OF(STOP_ASHA) | OF(STOP_MEDIAN))
#define ANY (AT_ONCE | PAUSING)

static const struct schema_key keys[] = {
    {"type", read_type, 0, true},
    {"min_iter", schema_read_count, offsetof(struct fields, min_iter), true},
    {"max_iter", schema_read_count, offsetof(struct fields, max_iter), true},
    {"s", schema_read_count, offsetof(struct fields, s), true},
    {"eta", read_eta, offsetof(struct fields, eta), true},
    {"strict", schema_read_bool, offsetof(struct fields, strict), true},
    {"min_runs", schema_read_count, offsetof(struct fields, min_runs), true},
    {"grace", schema_read_count, offsetof(struct fields, grace), true},
    {"max_stops", read_max_stops, offsetof(struct fields, max_stops), true},
    {"step_metric", read_step_metric, offsetof(struct fields, step_metric), true},
    {"brackets", schema_read_count, offsetof(struct fields, brackets), true},
};

/* The types that take keys[i]. */
static const unsigned types_of_keys[ARRAY_LEN(keys)] = {
    ANY,
    ANY,
    OF(STOP_HYPERBAND) | OF(STOP_ASHA) | PAUSING,
    OF(STOP_HYPERBAND),
    OF(STOP_HYPERBAND) | OF(STOP_ASHA) | PAUSING,
    OF(STOP_HYPERBAND) | OF(STOP_ASHA),
    OF(STOP_MEDIAN),
    AT_ONCE,
    AT_ONCE,
    ANY,
    PAUSING,
};

static const struct schema_section section = {"early_terminate", keys, ARRAY_LEN(keys), false};

static void check_keys(struct schema *schema, const struct node *map, enum stop_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct node_pair *pair = node_find(map, keys[i].name);
        if (pair != NULL && (types_of_keys[i] & OF(type)) == 0)
            schema_error(schema, pair->key, "%s is no key of type %s", keys[i].name, schema_stop_names[type]);
    }
}

static const struct node *key_node(const struct node *map, const char *key)
{
    const struct node_pair *pair = node_find(map, key);
    return pair != NULL ? pair->key : map;
}

/* max_iter with s wins over min_iter; max_iter without s says nothing by itself. */
static void choose_form(struct schema *schema, const struct node *map, const struct fields *given,
                        struct stop_config *out)
{
    bool from_max = given->max_iter > 0 && given->s > 0;
    out->form = from_max ? STOP_FORM_MAX_ITER : STOP_FORM_MIN_ITER;
    if (from_max) {
        out->max_iter = given->max_iter;
        out->s = given->s;
        out->min_iter = 0;
        if (given->min_iter > 0)
            schema_warning(schema, key_node(map, "min_iter"),
                           "min_iter is ignored: max_iter and s are given");
        return;
    }
    if (given->min_iter == 0)
        schema_error(schema, map,
                     given->max_iter > 0 ? "max_iter needs s, the number of bands below it"
                                         : "early_terminate needs min_iter, or max_iter and s");
    else if (given->max_iter > 0)
        schema_warning(schema, key_node(map, "max_iter"),
                       "max_iter is ignored without s: bands start at min_iter");
    else if (given->s > 0)
        schema_warning(schema, key_node(map, "s"), "s is ignored without max_iter: bands start at min_iter");
}

static void choose_asha(struct schema *schema, const struct node *map, const struct fields *given,
                        struct stop_config *out)
{
    out->min_iter = given->min_iter > 0 ? given->min_iter : 1;
    out->max_iter = given->max_iter;
    if (given->max_iter == 0)
        schema_error(schema, map, "type asha needs max_iter, the rows that a whole run logs");
}

static void choose_median(struct schema *schema, const struct node *map, const struct fields *given,
                          struct stop_config *out)
{
    (void)schema;
    (void)map;
    out->min_iter = given->min_iter > 0 ? given->min_iter : 1;
    out->eta = MEDIAN_GROWTH;
    out->min_runs = given->min_runs > 0 ? given->min_runs : 5;
}

static void choose_pausing(struct schema *schema, const struct node *map, const struct fields *given,
                           struct stop_config *out)
{
    out->min_iter = given->min_iter > 0 ? given->min_iter : 1;
    out->max_iter = given->max_iter;
    out->brackets = given->brackets;
    if (given->max_iter == 0)
        schema_error(schema, map, "type %s needs max_iter, the rows that a whole run logs",
                     schema_stop_names[given->type]);
}

static void choose(struct schema *schema, const struct node *map, const struct fields *given,
                   struct stop_config *out)
{
    static void (*const choices[])(struct schema *, const struct node *, const struct fields *,
                                   struct stop_config *) = {[STOP_HYPERBAND] = choose_form,
                                                            [STOP_ASHA] = choose_asha,
                                                            [STOP_MEDIAN] = choose_median,
                                                            [STOP_HYPERBAND_FULL] = choose_pausing,
                                                            [STOP_BOHB] = choose_pausing};
    *out = (struct stop_config){.type = given->type,
                                .min_iter = given->min_iter,
                                .eta = given->eta > 0 ? given->eta : 3,
                                .strict = given->strict,
                                .grace = given->grace,
                                .max_stops = given->max_stops};
    choices[given->type](schema, map, given, out);
}

/* Cut where a character begins, when it is too long. For people: no control characters. */
static void name_unit(const char *step_metric, struct stop_config *config)
{
    size_t length = step_metric != NULL ? strlen(step_metric) : 0;
    if (length >= sizeof config->unit)
        for (length = sizeof config->unit - 1; ((unsigned char)step_metric[length] & 0xc0) == 0x80;)
            length--;
    for (size_t i = 0; i < length; i++)
        config->unit[i] =
            (unsigned char)step_metric[i] < ' ' || step_metric[i] == 0x7f ? '?' : step_metric[i];
}

void schema_read_early_terminate(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    if (value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_NULL) {
        schema_error(schema, value,
                     "early_terminate is empty: give type: hyperband and min_iter, or leave it out");
        return;
    }
    struct fields given = {.strict = true};
    size_t before = schema->reader.problems->error_count;
    if (!schema_read_section(schema, &section, value, &given))
        return;
    if (!given.typed)
        schema_error(schema, value, "early_terminate needs type: hyperband");
    if (schema->reader.problems->error_count == before)
        check_keys(schema, value, given.type);
    if (schema->reader.problems->error_count == before)
        choose(schema, value, &given, &spec->early_terminate);
    spec->step_metric = given.step_metric;
    name_unit(given.step_metric, &spec->early_terminate);
    if (schema->reader.problems->error_count != before)
        return;
    int64_t bands[STOP_BANDS_MAX];
    size_t count;
    struct err err = ERR_INIT;
    if (stop_bands(&spec->early_terminate, bands, &count, &err) != STATUS_OK)
        schema_error(schema, value, "%s", err.text);
    spec->has_early_terminate = true;
}
