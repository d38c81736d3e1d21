/*
 * The table of a sweep file's keys, and the rules that span several of them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spec/schema.h"

const char *const schema_method_names[] = {"grid", "random", "bayes", "custom"};
const bool schema_method_learns[] = {false, false, true, false};
const size_t schema_method_count = ARRAY_LEN(schema_method_names);
const char *const schema_optimizer_names[] = {"gp", "tpe", "cmaes", "sobol"};
const char *const schema_disconnect_names[] = {"continue", "stop"};
const size_t schema_disconnect_count = ARRAY_LEN(schema_disconnect_names);

#define DEFAULT_METHODS ((1u << SPEC_METHOD_GRID) | (1u << SPEC_METHOD_RANDOM) | (1u << SPEC_METHOD_BAYES))

static void read_method(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    if (!schema_read_choice(schema, value, "method", schema_method_names, schema_method_count, &choice))
        return;
    *(enum spec_method *)field = (enum spec_method)choice;
    unsigned methods = schema->options->methods != 0 ? schema->options->methods : DEFAULT_METHODS;
    if (choice == SPEC_METHOD_CUSTOM)
        schema_error(schema, value, "method custom is not available: it needs a scheduler of your own");
    else if ((methods & (1u << choice)) == 0)
        schema_error(schema, value, "method %s is not available yet in this version",
                     schema_method_names[choice]);
}

/* Decimal digits for 2^63 to 2^64 - 1, which no integer of YAML or JSON holds here. */
static bool read_large_seed(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool digits = *text != '\0' && strspn(text, "0123456789") == strlen(text) && *text != '0';
    if (!digits || errno != 0 || *end != '\0' || number <= INT64_MAX)
        return false;
    *out = number;
    return true;
}

static void read_seed(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    int64_t seed;
    if (value->kind == NODE_SCALAR && read_large_seed(value->text, &spec->seed)) {
        spec->has_seed = true;
        return;
    }
    if (value->kind != NODE_SCALAR) {
        /* Unknown to W&B, which goes on without it. */
        schema_warning(
            schema, value,
            "seed is one number for the whole file, so this is ignored: move it under parameters to "
            "search over it");
        return;
    }
    if (!schema_integer_of(schema, value, &seed) || seed < 0) {
        schema_error(schema, value, "seed must be a whole number from 0 to 2^64 - 1");
        return;
    }
    spec->has_seed = true;
    spec->seed = (uint64_t)seed;
}

static void read_optimizer(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    size_t choice;
    if (schema_read_choice(schema, value, "optimizer", schema_optimizer_names,
                           ARRAY_LEN(schema_optimizer_names), &choice))
        spec->optimizer = (enum spec_optimizer)choice;
    if (schema->has_method && spec->method != SPEC_METHOD_BAYES)
        schema_error(schema, value, "optimizer is a key of method bayes: method %s has none",
                     schema_method_names[spec->method]);
}

/* Read once the space is there. */
static void read_later(struct schema *schema, const struct node *value, void *field)
{
    (void)schema;
    (void)value;
    (void)field;
}

static void read_on_disconnect(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    if (schema_read_choice(schema, value, "on_disconnect", schema_disconnect_names, schema_disconnect_count,
                           &choice))
        *(enum spec_on_disconnect *)field = (enum spec_on_disconnect)choice;
}

static void read_kind(struct schema *schema, const struct node *value, void *field)
{
    (void)field;
    if (value->kind != NODE_SCALAR || strcmp(value->text, "sweep") != 0)
        schema_error(schema, value, "kind must be sweep");
}

/* Known to W&B, no meaning here. */
static void read_version(struct schema *schema, const struct node *value, void *field)
{
    (void)field;
    if (value->kind != NODE_SCALAR)
        schema_error(schema, value, "must be text, not %s", node_describe(value));
}

static void refuse_metrics(struct schema *schema, const struct node *value, void *field)
{
    (void)field;
    schema_error(schema, value, "metrics (several objectives) is not available yet: give one under metric");
}

static void refuse_scheduler(struct schema *schema, const struct node *value, void *field)
{
    (void)field;
    schema_error(schema, value, "scheduler is not available yet: use method grid or random");
}

#define FIELD(name) offsetof(struct spec, name)

static const struct schema_key file_keys[] = {
    {"method", read_method, FIELD(method), true},
    {"optimizer", read_optimizer, 0, true},
    {"enqueue", read_later, 0, true},
    {"metric", schema_read_metric, 0, true},
    {"metrics", refuse_metrics, 0, false},
    {"parameters", schema_read_parameters, 0, true},
    {"early_terminate", schema_read_early_terminate, 0, true},
    {"run_cap", schema_read_count, FIELD(run_cap), true},
    {"command", schema_read_command, 0, true},
    {"program", schema_read_text, FIELD(program), true},
    {"controller", schema_read_controller, 0, false},
    {"scheduler", refuse_scheduler, 0, false},
    {"name", schema_read_text, FIELD(name), false},
    {"description", schema_read_text, FIELD(description), false},
    {"project", schema_read_text, FIELD(project), false},
    {"entity", schema_read_text, FIELD(entity), false},
    {"job", schema_read_text, FIELD(job), false},
    {"image_uri", schema_read_text, FIELD(image_uri), false},
    {"apiVersion", read_version, 0, false},
    {"kind", read_kind, 0, false},
    {"seed", read_seed, 0, true},
    {"retry", schema_read_retry, 0, true},
    {"tags", schema_read_tags, 0, false},
    {"notes", schema_read_text, FIELD(notes), false},
    {"metrics_from", schema_read_metrics_from, 0, true},
    {"on_disconnect", read_on_disconnect, FIELD(on_disconnect), true},
    {"stop_grace", schema_read_duration, FIELD(stop_grace_ms), true},
    {"lost_after", schema_read_duration, FIELD(lost_after_ms), true},
    {"concurrency", schema_read_count, FIELD(concurrency), true},
    {"resume", schema_read_bool, FIELD(resume), true},
};

bool schema_is_file_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(file_keys); i++)
        if (strcmp(file_keys[i].name, name) == 0)
            return true;
    return false;
}

static const struct schema_section file_section = {NULL, file_keys, ARRAY_LEN(file_keys), true};

/* The method stands first: what parameters may be depends on it. */
static void read_method_first(struct schema *schema)
{
    const struct node_pair *method = node_find(schema->root, "method");
    if (method == NULL || method->value->kind != NODE_SCALAR)
        return;
    for (size_t i = 0; i < schema_method_count; i++) {
        if (strcmp(schema_method_names[i], method->value->text) != 0)
            continue;
        schema->spec->method = (enum spec_method)i;
        schema->has_method = true;
    }
}

static bool uses_program(const struct spec *spec)
{
    for (size_t i = 0; i < spec->command_count; i++)
        if (spec->command[i] != NULL && strcmp(spec->command[i], "${program}") == 0)
            return true;
    return spec->command == NULL;
}

static void apply_options(struct schema *schema)
{
    struct spec *spec = schema->spec;
    const struct spec_options *options = schema->options;
    if (options->program != NULL)
        spec->program = schema_keep_text(schema, options->program);
    if (options->name != NULL)
        spec->name = schema_keep_text(schema, options->name);
    if (options->project != NULL)
        spec->project = schema_keep_text(schema, options->project);
    if (options->entity != NULL)
        spec->entity = schema_keep_text(schema, options->entity);
    if (options->has_seed) {
        spec->has_seed = true;
        spec->seed = options->seed;
    }
}

static void check_program(struct schema *schema)
{
    if (schema->spec->program != NULL || !uses_program(schema->spec))
        return;
    static const char *const text =
        "no program: the command needs one to start (add program: train.py, or --program)";
    if (schema->options->require_program)
        schema_error(schema, schema->root, "%s", text);
    else
        schema_warning(schema, schema->root, "%s", text);
}

static void check_presence(struct schema *schema)
{
    if (node_find(schema->root, "method") == NULL)
        schema_error(schema, schema->root, "no method: add method: grid, random or bayes");
    if (node_find(schema->root, "parameters") == NULL)
        schema_error(schema, schema->root, "no parameters: there is nothing to search");
}

static void check_metric(struct schema *schema)
{
    const struct node_pair *stopping = node_find(schema->root, "early_terminate");
    if (node_find(schema->root, "metric") != NULL)
        return;
    if (schema->spec->method == SPEC_METHOD_BAYES)
        schema_error(schema, schema->root, "method bayes needs a metric with a name and a goal");
    if (stopping != NULL)
        schema_error(schema, stopping->key, "early_terminate needs a metric to judge runs by");
}

/* What stands in the file and does nothing there. */
static void check_impute(struct schema *schema)
{
    const struct spec *spec = schema->spec;
    const struct node_pair *metric = node_find(schema->root, "metric");
    const struct node_pair *failed = metric != NULL ? node_find(metric->value, "impute") : NULL;
    const struct node_pair *running =
        metric != NULL ? node_find(metric->value, "impute_while_running") : NULL;
    bool sobol = spec->optimizer == SPEC_OPTIMIZER_SOBOL;
    bool blind = spec->method != SPEC_METHOD_BAYES || sobol;
    if (!schema->has_method)
        return;
    if (failed != NULL && blind)
        schema_warning(schema, failed->key, "impute has no effect: %s looks at no results",
                       sobol ? "optimizer sobol" : "only method bayes learns from failed runs, this method");
    if (running == NULL || spec->metric.impute_while_running == SPEC_IMPUTE_NONE)
        return;
    if (blind || spec->optimizer == SPEC_OPTIMIZER_CMAES)
        schema_warning(schema, running->key,
                       "impute_while_running has no effect: %s does not look at runs that have no result yet",
                       spec->method != SPEC_METHOD_BAYES ? "this method" : "this optimizer");
    else if (spec->metric.impute_while_running != SPEC_IMPUTE_WORST)
        schema_warning(schema, running->value,
                       "impute_while_running: %s has no effect: values of running runs change while one "
                       "looks, and a suggestion must be repeatable (running runs count as pending; worst "
                       "counts them as the worst result)",
                       schema_impute_names[spec->metric.impute_while_running]);
}

/* A name that lines of output have for their step is no metric: nothing of it would be logged. */
static void check_step_metric(struct schema *schema)
{
    const struct spec *spec = schema->spec;
    const char *step = spec->metrics_from.step;
    if (spec->step_metric == NULL || step == NULL || strcmp(spec->step_metric, step) != 0)
        return;
    schema_error(
        schema, node_find(schema->root, "early_terminate")->key,
        "step_metric: %s is never logged: metrics_from takes it as the step of a row, not as a metric "
        "(leave step out of metrics_from, or count rows)",
        step);
}

/* What hyperband_full and bohb need of the rest of the file. */
static void check_pausing(struct schema *schema)
{
    const struct spec *spec = schema->spec;
    const char *type = schema_stop_names[spec->early_terminate.type];
    if (!spec->has_early_terminate || !stop_type_pauses(spec->early_terminate.type))
        return;
    const struct node *place = node_find(schema->root, "early_terminate")->key;
    if (!spec->resume)
        schema_error(
            schema, place,
            "type %s stops runs and starts them again: add resume: true to the file when the program "
            "goes on from a checkpoint of its own",
            type);
    if (spec->early_terminate.type == STOP_BOHB && spec->method != SPEC_METHOD_BAYES)
        schema_error(schema, place, "type bohb needs method: bayes (hyperband_full takes any method)");
}

static void build_space(struct schema *schema)
{
    size_t before = schema->reader.problems->error_count;
    if (schema->parameters == NULL)
        return;
    struct err err = ERR_INIT;
    const struct node *place = node_find(schema->root, "parameters")->key;
    uint64_t count;
    enum status status =
        space_new_reporting(schema->parameters, schema_report_condition, schema, &schema->spec->space, &err);
    if (status == STATUS_OK && schema->has_method && schema->spec->method == SPEC_METHOD_GRID)
        status = space_grid_count(schema->spec->space, &count, &err);
    if (status == STATUS_NO_MEMORY)
        schema->reader.out_of_memory = true;
    else if (status != STATUS_OK && schema->reader.problems->error_count == before)
        schema_error(schema, place, "%s", err.text);
}

static bool searches_something(const struct space *space)
{
    for (size_t i = 0; i < space_parameter_count(space); i++)
        if (strcmp(space_parameter_kind(space, i)->name, "constant") != 0)
            return true;
    return false;
}

static void check_search(struct schema *schema)
{
    const struct spec *spec = schema->spec;
    if (spec->space == NULL || spec->method != SPEC_METHOD_BAYES)
        return;
    const struct node *place = node_find(schema->root, "parameters")->key;
    size_t searched = space_searched_count(spec->space);
    if (!searches_something(spec->space))
        schema_error(schema, place, "method bayes needs a parameter that is not constant");
    if (searched > SPEC_SEARCHED_MAX)
        schema_error(schema, place, "method bayes searches at most %d parameters, there are %zu",
                     SPEC_SEARCHED_MAX, searched);
}

void schema_read_file(struct schema *schema)
{
    read_method_first(schema);
    if (!schema_read_section(schema, &file_section, schema->root, schema->spec))
        return;
    apply_options(schema);
    check_presence(schema);
    check_metric(schema);
    check_step_metric(schema);
    check_pausing(schema);
    check_program(schema);
    check_impute(schema);
    build_space(schema);
    check_search(schema);
    schema_read_enqueue(schema);
}
