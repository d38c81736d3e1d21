// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sweep files: what parses has a canonical text, and that text parses to the same canonical text; draws and
 * grid points are configurations of the space, and neighbouring grid points differ.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

#define DRAWS 3

static const struct spec_options options = {.methods = ~0u};

static void check_round_trip(const struct spec *spec)
{
    struct err err = ERR_INIT;
    char *first = spec_to_canonical_json(spec);
    if (first == NULL)
        abort();
    struct spec *again CLEANUP(spec_free_at) = NULL;
    if (spec_from_canonical_json(first, strlen(first), &again, &err) != STATUS_OK)
        abort();
    char *second = spec_to_canonical_json(again);
    if (second == NULL || strcmp(first, second) != 0)
        abort();
    free(first);
    free(second);
}

/* What the space makes it also takes. */
static void check_config(const struct space *space, json_t *config)
{
    struct err err = ERR_INIT;
    double *units = calloc(space_parameter_count(space), sizeof *units);
    json_t *again = NULL;
    if (units == NULL)
        abort();
    if (space_to_unit(space, config, units, &err) != STATUS_OK ||
        space_from_unit(space, units, &again, &err) != STATUS_OK)
        abort();
    json_decref(again);
    free(units);
}

static void check_draws(const struct space *space)
{
    struct err err = ERR_INIT;
    for (uint64_t i = 0; i < DRAWS; i++) {
        json_t *config = NULL;
        if (space_random_point(space, 1, i, &config, &err) != STATUS_OK)
            abort();
        check_config(space, config);
        json_decref(config);
    }
}

/* New reference. */
static json_t *grid_point(const struct space *space, uint64_t index)
{
    struct err err = ERR_INIT;
    json_t *config = NULL;
    if (space_grid_point(space, index, &config, &err) != STATUS_OK)
        abort();
    return config;
}

static void check_grid(const struct space *space)
{
    struct err err = ERR_INIT;
    uint64_t count = 0;
    if (space_grid_count(space, &count, &err) != STATUS_OK)
        return;
    if (count == 0)
        abort();
    const uint64_t places[] = {0, count / 3, count - 1};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        unsigned char hash[2][SPACE_HASH_SIZE];
        json_t *config = grid_point(space, places[i]);
        json_t *next = grid_point(space, places[i] + 1 < count ? places[i] + 1 : 0);
        if (space_config_hash(config, hash[0], &err) != STATUS_OK ||
            space_config_hash(next, hash[1], &err) != STATUS_OK)
            abort();
        if (count > 1 && memcmp(hash[0], hash[1], SPACE_HASH_SIZE) == 0)
            abort();
        check_config(space, config);
        json_decref(config);
        json_decref(next);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spec_problems *problems = malloc(sizeof *problems);
    if (problems == NULL)
        return 0;
    spec_problems_init(problems);
    struct err err = ERR_INIT;
    struct spec *spec = NULL;
    enum status status = spec_parse((const char *)data, size, "fuzz.yaml", &options, &spec, problems, &err);
    if (status == STATUS_OK) {
        check_round_trip(spec);
        check_draws(spec->space);
        check_grid(spec->space);
    } else if (status == STATUS_INVALID && problems->error_count == 0)
        abort();
    spec_free(spec);
    spec_problems_free(problems);
    free(problems);
    return 0;
}
