// SPDX-License-Identifier: GPL-3.0-or-later
/* Sweep files: what parses has a canonical text, and that text parses to the same canonical text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spec_problems *problems = malloc(sizeof *problems);
    if (problems == NULL)
        return 0;
    spec_problems_init(problems);
    struct err err = ERR_INIT;
    struct spec *spec = NULL;
    enum status status = spec_parse((const char *)data, size, "fuzz.yaml", NULL, &spec, problems, &err);
    if (status == STATUS_OK)
        check_round_trip(spec);
    else if (status == STATUS_INVALID && problems->error_count == 0)
        abort();
    spec_free(spec);
    spec_problems_free(problems);
    free(problems);
    return 0;
}
