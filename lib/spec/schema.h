/*
 * Reading a tree against the schema: small typed readers that report what does
 * not fit, and one function per section of a file. Private to lib/spec.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_SCHEMA_H
#define BESOM_SPEC_SCHEMA_H

#include "spec/node.h"
#include "spec/spec.h"

struct schema {
    struct reader reader;
    struct spec *spec; /* being filled */
    const struct spec_options *options;
    const struct node *root;
    bool has_method;    /* a method that is known */
    json_t *parameters; /* owned; checked definitions, NULL while faulty */
};

/* One key of a section. `read` gets the value and `field`, a pointer `offset` bytes into the section's
 * struct. */
struct schema_key {
    const char *name;
    void (*read)(struct schema *schema, const struct node *value, void *field);
    size_t offset;
    bool decisive; /* changes what is searched, stopped or how much is run: a misspelling of it is an error */
};

struct schema_section {
    const char *name; /* "metric"; NULL for the file itself */
    const struct schema_key *keys;
    size_t key_count;
    bool lenient; /* unknown keys that resemble nothing decisive are ignored with a warning */
};

/* Reads each known key of `map` into `fields`, reports the unknown ones. False when `map` is no map. */
bool schema_read_section(struct schema *schema, const struct schema_section *section, const struct node *map,
                         void *fields);

void schema_error(struct schema *schema, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
void schema_warning(struct schema *schema, const struct node *node, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* In the spec's arena; NULL after a failure. */
const char *schema_keep_text(struct schema *schema, const char *text);

/* Readers for schema_key.read; `field` is of the type named. */
void schema_read_text(struct schema *schema, const struct node *value, void *field);   /* const char * */
void schema_read_count(struct schema *schema, const struct node *value, void *field);  /* int64_t, >= 1 */
void schema_read_bool(struct schema *schema, const struct node *value, void *field);   /* bool */
void schema_read_number(struct schema *schema, const struct node *value, void *field); /* double, finite */
void schema_read_duration(struct schema *schema, const struct node *value,
                          void *field); /* int64_t ms, >= 0 */

/* One of the names, as its index. False after a problem was reported; `what` is the key. */
bool schema_read_choice(struct schema *schema, const struct node *value, const char *what,
                        const char *const *names, size_t count, size_t *out);

/* As a finite number: text that reads as one is taken with a warning. False for anything else, unreported. */
bool schema_number_of(struct schema *schema, const struct node *value, double *out);
/* As an integer; a real without fraction counts. False for anything else, unreported. */
bool schema_integer_of(struct schema *schema, const struct node *value, int64_t *out);

/* Sections, each a schema_key.read of the file's table; `field` is the struct spec. */
void schema_read_metric(struct schema *schema, const struct node *value, void *field);
void schema_read_early_terminate(struct schema *schema, const struct node *value, void *field);
void schema_read_retry(struct schema *schema, const struct node *value, void *field);
void schema_read_controller(struct schema *schema, const struct node *value, void *field);
void schema_read_metrics_from(struct schema *schema, const struct node *value, void *field);
void schema_read_tags(struct schema *schema, const struct node *value, void *field);
void schema_read_command(struct schema *schema, const struct node *value, void *field);
void schema_read_parameters(struct schema *schema, const struct node *value, void *field);
/* After the space was built: its parameters are what the points of `enqueue` are checked by. */
void schema_read_enqueue(struct schema *schema);

/* A number where one is required; text that reads as one is taken with a warning. New reference; NULL after a
 * problem was reported. */
json_t *schema_number_to_json(struct schema *schema, const struct node *value);

/* The value of a `when` as lib/space takes it; NULL after a problem was reported. New reference. */
json_t *schema_when_to_json(struct schema *schema, const struct node *when);
/* A space_report whose context is the schema. */
void schema_report_condition(void *context, const struct space_fault *fault);

/* Whether the file itself has a key of that name. */
bool schema_is_file_key(const char *name);

/* Reads the whole file into schema->spec: the table of keys, then what spans several of them. */
void schema_read_file(struct schema *schema);

/* Names of enum values, in their order. */
extern const char *const schema_optimizer_names[]; /* gp, tpe, cmaes, sobol */
extern const char *const schema_method_names[];
extern const bool schema_method_learns[];
extern const size_t schema_method_count;
extern const char *const schema_goal_names[];
extern const size_t schema_goal_count;
extern const char *const schema_impute_names[]; /* worst, best, latest, false */
extern const size_t schema_impute_count;
extern const char *const schema_stop_names[]; /* of enum stop_type */
extern const size_t schema_stop_count;
extern const char *const schema_output_names[]; /* log, stdout, stderr, both */
extern const size_t schema_output_count;
extern const char *const schema_disconnect_names[];
extern const size_t schema_disconnect_count;
extern const char *const schema_retry_names[]; /* bit i of spec_retry.on */
extern const size_t schema_retry_count;

#endif
