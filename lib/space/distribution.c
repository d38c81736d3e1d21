// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/distribution.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "space/canonical.h"
#include "space/law.h"
#include "space/parameter.h"
#include "space/stepped.h"

#define PROBABILITY_SUM_TOLERANCE 1.5e-6
#define EXACT_INTEGER_LIMIT 0x1p63
#define FAULT_MAX 400

/* ---- constant ---- */

static json_t *constant_value_at(const struct parameter *parameter, double u)
{
    (void)u;
    return json_incref(json_object_get(parameter->definition, "value"));
}

static bool constant_unit_of(const struct parameter *parameter, const json_t *value, double *out_u)
{
    (void)parameter;
    (void)value;
    *out_u = 0;
    return true;
}

static bool constant_grid_count(const struct parameter *parameter, uint64_t *out_count)
{
    (void)parameter;
    *out_count = 1;
    return true;
}

static json_t *constant_grid_value(const struct parameter *parameter, uint64_t index)
{
    (void)index;
    return constant_value_at(parameter, 0);
}

static bool constant_locate(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal)
{
    CLEANUP(buffer_free) struct buffer own = BUFFER_INIT;
    CLEANUP(buffer_free) struct buffer other = BUFFER_INIT;
    canonical_write_identity(&own, json_object_get(parameter->definition, "value"));
    canonical_write_identity(&other, value);
    *out_ordinal = 0;
    return !own.failed && !other.failed && strcmp(buffer_text(&own), buffer_text(&other)) == 0;
}

/* ---- categorical ---- */

static json_t *listed_value(const struct parameter *parameter, size_t index)
{
    return json_incref(json_array_get(parameter->values, index));
}

static bool listed_locate(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal)
{
    size_t place;
    if (!parameter_find_value(parameter, value, &place))
        return false;
    *out_ordinal = place;
    return true;
}

/* The index of the first value that equals this one. */
static bool find_value(const struct parameter *parameter, const json_t *value, size_t *out_index)
{
    size_t place;
    if (!parameter_find_value(parameter, value, &place))
        return false;
    *out_index = parameter->distinct[place];
    return true;
}

/* ceil(u * n) - 1, where u = 0 belongs to the first value */
static uint64_t cell(double u, uint64_t count)
{
    double above = ceil(u * (double)count);
    if (above < 1)
        return 0;
    return above >= (double)count ? count - 1 : (uint64_t)above - 1;
}

static json_t *categorical_value_at(const struct parameter *parameter, double u)
{
    return listed_value(parameter, cell(u, json_array_size(parameter->values)));
}

static bool categorical_unit_of(const struct parameter *parameter, const json_t *value, double *out_u)
{
    size_t index;
    if (!find_value(parameter, value, &index))
        return false;
    *out_u = ((double)index + 0.5) / (double)json_array_size(parameter->values);
    return true;
}

static bool categorical_grid_count(const struct parameter *parameter, uint64_t *out_count)
{
    *out_count = parameter->distinct_count;
    return true;
}

static json_t *categorical_grid_value(const struct parameter *parameter, uint64_t index)
{
    return listed_value(parameter, parameter->distinct[index]);
}

/* ---- categorical_w_probabilities ---- */

static void weighted_check(const struct parameter *parameter, distribution_report *report, void *context)
{
    const json_t *list = json_object_get(parameter->definition, "probabilities");
    size_t count = json_array_size(list);
    char text[FAULT_MAX];
    if (count != json_array_size(parameter->values)) {
        snprintf(text, sizeof text, "%zu probabilities for %zu values: there must be one for each", count,
                 json_array_size(parameter->values));
        report(context, "probabilities", text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double p = json_number_value(json_array_get(list, i));
        if (!(p >= 0 && p <= 1)) {
            snprintf(text, sizeof text, "probability %g is not between 0 and 1", p);
            report(context, "probabilities", text);
            return;
        }
    }
    if (fabs(parameter->cumulative[count - 1] - 1) > PROBABILITY_SUM_TOLERANCE) {
        snprintf(text, sizeof text, "probabilities add up to %.9g, not to 1",
                 parameter->cumulative[count - 1]);
        report(context, "probabilities", text);
    }
}

static json_t *weighted_value_at(const struct parameter *parameter, double u)
{
    for (size_t i = 0; i < json_array_size(parameter->values); i++)
        if (parameter->cumulative[i] > u)
            return listed_value(parameter, i);
    return listed_value(parameter, 0);
}

static bool weighted_unit_of(const struct parameter *parameter, const json_t *value, double *out_u)
{
    size_t index;
    if (!find_value(parameter, value, &index))
        return false;
    double low = index > 0 ? parameter->cumulative[index - 1] : 0;
    *out_u = fmin(low + (parameter->cumulative[index] - low) / 2, 1);
    return true;
}

/* ---- int_uniform ---- */

static void law_check(const struct parameter *parameter, distribution_report *report, void *context)
{
    const struct law *law = parameter->kind->law;
    int key_index = 0;
    const char *fault = law->fault(parameter->arguments, &key_index);
    if (fault != NULL)
        report(context, parameter->kind->keys[key_index].name, fault);
    if (!parameter->kind->quantised)
        return;
    double q = parameter->arguments[2];
    if (!(q > 0))
        report(context, "q", "q must be greater than 0");
}

static void integer_check(const struct parameter *parameter, distribution_report *report, void *context)
{
    if (parameter->low >= parameter->high)
        report(context, "min", "min must be less than max");
    else if ((uint64_t)parameter->high - (uint64_t)parameter->low == UINT64_MAX)
        report(context, "min", "the range has 2^64 values, which is too many");
}

static uint64_t integer_count(const struct parameter *parameter)
{
    return (uint64_t)parameter->high - (uint64_t)parameter->low + 1;
}

/* Modular arithmetic: the range may be wider than an int64_t. */
static json_t *integer_at(const struct parameter *parameter, uint64_t index)
{
    return json_integer((json_int_t)((uint64_t)parameter->low + index));
}

static json_t *integer_value_at(const struct parameter *parameter, double u)
{
    return integer_at(parameter, cell(u, integer_count(parameter)));
}

static bool integer_locate(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal)
{
    double x = json_number_value(value);
    if (!json_is_number(value) || x != floor(x))
        return false;
    if (!json_is_integer(value) && fabs(x) >= EXACT_INTEGER_LIMIT)
        return false;
    int64_t whole = json_is_integer(value) ? json_integer_value(value) : (int64_t)x;
    *out_ordinal = (uint64_t)whole - (uint64_t)parameter->low;
    return whole >= parameter->low && whole <= parameter->high;
}

static bool integer_unit_of(const struct parameter *parameter, const json_t *value, double *out_u)
{
    uint64_t offset;
    if (!integer_locate(parameter, value, &offset))
        return false;
    *out_u = ((double)offset + 0.5) / (double)integer_count(parameter);
    return true;
}

static bool integer_grid_count(const struct parameter *parameter, uint64_t *out_count)
{
    *out_count = integer_count(parameter);
    return true;
}

/* ---- numeric laws, plain and rounded to multiples of q ---- */

static json_t *quantised(const struct parameter *parameter, double x)
{
    double q = parameter->arguments[2];
    double rounded = nearbyint(x / q) * q;
    if (!isfinite(rounded))
        rounded = x;
    if (parameter->whole[2] && fabs(rounded) < EXACT_INTEGER_LIMIT)
        return json_integer((json_int_t)rounded);
    return json_real(rounded);
}

static json_t *numeric_value_at(const struct parameter *parameter, double u)
{
    double x = parameter->kind->law->quantile(parameter->arguments, u);
    return parameter->kind->quantised ? quantised(parameter, x) : json_real(x);
}

static bool numeric_unit_of(const struct parameter *parameter, const json_t *value, double *out_u)
{
    if (!json_is_number(value))
        return false;
    *out_u = parameter->kind->law->distribution(parameter->arguments, json_number_value(value));
    return isfinite(*out_u);
}

/* ---- the table ---- */

#define KEY_VALUE                              \
    {                                          \
        "value", DISTRIBUTION_KEY_ANY, true, 0 \
    }
#define KEY_VALUES                               \
    {                                            \
        "values", DISTRIBUTION_KEY_LIST, true, 0 \
    }
#define KEY_PROBABILITIES                                  \
    {                                                      \
        "probabilities", DISTRIBUTION_KEY_NUMBERS, true, 0 \
    }
#define KEYS_INTEGER                             \
    {"min", DISTRIBUTION_KEY_INTEGER, true, 0},  \
    {                                            \
        "max", DISTRIBUTION_KEY_INTEGER, true, 0 \
    }
#define KEYS_BOUNDS                             \
    {"min", DISTRIBUTION_KEY_NUMBER, true, 0},  \
    {                                           \
        "max", DISTRIBUTION_KEY_NUMBER, true, 0 \
    }
#define KEYS_NORMAL                                \
    {"mu", DISTRIBUTION_KEY_NUMBER, false, 0},     \
    {                                              \
        "sigma", DISTRIBUTION_KEY_NUMBER, false, 1 \
    }
#define KEYS_BETA                              \
    {"a", DISTRIBUTION_KEY_NUMBER, false, 1},  \
    {                                          \
        "b", DISTRIBUTION_KEY_NUMBER, false, 1 \
    }
#define KEY_Q                                  \
    {                                          \
        "q", DISTRIBUTION_KEY_NUMBER, false, 1 \
    }

#define NUMERIC(n, text, of_law, ...)                                                          \
    {                                                                                          \
        .name = n, .summary = text, .keys = {__VA_ARGS__}, .law = &of_law, .check = law_check, \
        .value_at = numeric_value_at, .unit_of = numeric_unit_of                               \
    }
#define QUANTISED(n, text, of_law, ...)                                                              \
    {                                                                                                \
        .name = n, .summary = text, .keys = {__VA_ARGS__, KEY_Q}, .law = &of_law, .quantised = true, \
        .check = law_check, .value_at = numeric_value_at, .unit_of = numeric_unit_of                 \
    }

const struct distribution distributions[] = {
    {.name = "constant",
     .summary = "always value",
     .keys = {KEY_VALUE},
     .value_at = constant_value_at,
     .unit_of = constant_unit_of,
     .grid_count = constant_grid_count,
     .grid_value = constant_grid_value,
     .locate = constant_locate},
    {.name = "categorical",
     .summary = "one of values, all equally likely",
     .keys = {KEY_VALUES},
     .value_at = categorical_value_at,
     .unit_of = categorical_unit_of,
     .grid_count = categorical_grid_count,
     .grid_value = categorical_grid_value,
     .locate = listed_locate},
    {.name = "categorical_w_probabilities",
     .summary = "one of values, with the given probabilities",
     .keys = {KEY_VALUES, KEY_PROBABILITIES},
     .check = weighted_check,
     .value_at = weighted_value_at,
     .unit_of = weighted_unit_of,
     .locate = listed_locate},
    {.name = "int_uniform",
     .summary = "a whole number from min to max, both included",
     .keys = {KEYS_INTEGER},
     .check = integer_check,
     .value_at = integer_value_at,
     .unit_of = integer_unit_of,
     .grid_count = integer_grid_count,
     .grid_value = integer_at,
     .locate = integer_locate},
    NUMERIC("uniform", "a number between min and max", law_uniform, KEYS_BOUNDS),
    {.name = "q_uniform",
     .summary = "a multiple of q between min and max",
     .keys = {KEYS_BOUNDS, KEY_Q},
     .law = &law_uniform,
     .quantised = true,
     .check = law_check,
     .value_at = numeric_value_at,
     .unit_of = numeric_unit_of,
     .grid_count = stepped_grid_count,
     .grid_value = stepped_grid_value,
     .locate = stepped_locate},
    NUMERIC("log_uniform", "e to the power of a number between min and max", law_exponent, KEYS_BOUNDS),
    NUMERIC("log_uniform_values", "between min and max, uniform in its logarithm", law_log, KEYS_BOUNDS),
    QUANTISED("q_log_uniform", "log_uniform rounded to a multiple of q", law_exponent, KEYS_BOUNDS),
    QUANTISED("q_log_uniform_values", "log_uniform_values rounded to a multiple of q", law_log, KEYS_BOUNDS),
    NUMERIC("inv_log_uniform", "e to the power of minus a number between min and max", law_inverse_exponent,
            KEYS_BOUNDS),
    NUMERIC("inv_log_uniform_values", "between min and max, uniform in its logarithm", law_log, KEYS_BOUNDS),
    NUMERIC("normal", "normal with mean mu and standard deviation sigma", law_normal, KEYS_NORMAL),
    QUANTISED("q_normal", "normal rounded to a multiple of q", law_normal, KEYS_NORMAL),
    NUMERIC("log_normal", "e to the power of a normal number", law_log_normal, KEYS_NORMAL),
    QUANTISED("q_log_normal", "log_normal rounded to a multiple of q", law_log_normal, KEYS_NORMAL),
    NUMERIC("beta", "beta with shapes a and b, between 0 and 1", law_beta, KEYS_BETA),
    QUANTISED("q_beta", "beta rounded to a multiple of q", law_beta, KEYS_BETA),
};

const size_t distribution_count = ARRAY_LEN(distributions);
