/*
 * `metrics_from`: metrics out of the output of a program that cannot log. A
 * name, or a section with a pattern and the name that holds the step.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <regex.h>
#include <string.h>

#include "base/pattern.h"
#include "spec/schema.h"

#define PATTERN_MAX 1024

const char *const schema_output_names[] = {"log", "stdout", "stderr", "both"};
const size_t schema_output_count = ARRAY_LEN(schema_output_names);

static void read_source(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    if (schema_read_choice(schema, value, "source of metrics", schema_output_names, schema_output_count,
                           &choice))
        *(enum spec_output *)field = (enum spec_output)choice;
}

static void check_pattern(struct schema *schema, const struct node *value, const char *pattern)
{
    const struct pattern_cost cost = pattern_reckon(pattern);
    regex_t compiled;
    if (strlen(pattern) > PATTERN_MAX) {
        schema_error(schema, value, "a pattern may have %d bytes", PATTERN_MAX);
        return;
    }
    if (cost.counts) {
        schema_error(schema, value,
                     "a pattern takes no counts in braces: use +, * or ? (or \\{ for a brace)");
        return;
    }
    if (cost.refers) {
        schema_error(schema, value, "a pattern takes no references to groups such as \\1");
        return;
    }
    if (cost.too_large) {
        schema_error(schema, value, "the pattern is too large: it repeats what repeats itself");
        return;
    }
    int failure = regcomp(&compiled, pattern, REG_EXTENDED);
    if (failure != 0) {
        char text[128];
        regerror(failure, &compiled, text, sizeof text);
        schema_error(schema, value, "the pattern is no POSIX extended regular expression: %s", text);
        return;
    }
    if (compiled.re_nsub != 2)
        schema_error(schema, value,
                     "the pattern needs two groups, for the name and for the value, not %zu: such as "
                     "'([a-z_]+): ([-+.0-9e]+)'",
                     compiled.re_nsub);
    regfree(&compiled);
}

static void read_pattern(struct schema *schema, const struct node *value, void *field)
{
    const char *pattern = NULL;
    schema_read_text(schema, value, &pattern);
    if (pattern == NULL)
        return;
    check_pattern(schema, value, pattern);
    *(const char **)field = pattern;
}

static const struct schema_key output_keys[] = {
    {"source", read_source, offsetof(struct spec_metrics_from, source), true},
    {"pattern", read_pattern, offsetof(struct spec_metrics_from, pattern), true},
    {"step", schema_read_text, offsetof(struct spec_metrics_from, step), true},
};

static const struct schema_section output_section = {"metrics_from", output_keys, ARRAY_LEN(output_keys),
                                                     false};

void schema_read_metrics_from(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    if (value->kind == NODE_SCALAR) {
        read_source(schema, value, &spec->metrics_from.source);
        return;
    }
    spec->metrics_from.source = SPEC_OUTPUT_STDOUT;
    if (!schema_read_section(schema, &output_section, value, &spec->metrics_from))
        return;
    if (spec->metrics_from.source == SPEC_OUTPUT_NONE)
        schema_error(schema, value, "source: log reads no output: name stdout, stderr or both");
}
