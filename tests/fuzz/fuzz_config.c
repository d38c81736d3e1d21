// SPDX-License-Identifier: GPL-3.0-or-later
/* Command lines: the input's lines are the arguments; then each as a duration and as a size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

#define ARGUMENTS_MAX 64

struct settings {
    const char *name;
    int64_t jobs, lease_ms, spool;
    double rate;
    bool verbose;
    struct config_list labels;
};

static const struct config_key keys[] = {
    {"name", 0, CONFIG_TEXT, offsetof(struct settings, name), "besom", NULL, "NAME", "Name", 0, 0},
    {"jobs", 'j', CONFIG_INT, offsetof(struct settings, jobs), "1", NULL, "N", "Jobs", 1, 64},
    {"lease", 0, CONFIG_DURATION_MS, offsetof(struct settings, lease_ms), "1m", NULL, "TIME", "Lease", 1,
     99999999},
    {"spool", 's', CONFIG_SIZE, offsetof(struct settings, spool), "1G", NULL, "SIZE", "Spool", 1, 0},
    {"rate", 'r', CONFIG_REAL, offsetof(struct settings, rate), NULL, NULL, "X", "Rate", -1, 1},
    {"verbose", 'v', CONFIG_BOOL, offsetof(struct settings, verbose), NULL, NULL, NULL, "Talk", 0, 0},
    {"label", 'l', CONFIG_LIST, offsetof(struct settings, labels), "a,b", NULL, "LABEL", "Labels", 0, 0},
};

static const struct config_command command = {
    .usage = "fuzz [options]", .keys = keys, .key_count = ARRAY_LEN(keys), .arguments_max = SIZE_MAX};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena CLEANUP(arena_free) = arena_make(1u << 20);
    char *text = arena_strndup(&arena, (const char *)data, size < 65536 ? size : 65536);
    if (text == NULL)
        return 0;
    char *argv[ARGUMENTS_MAX] = {text};
    int argc = 1;
    struct err err = ERR_INIT;
    int64_t value;
    char *rest = NULL;
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && argc < ARGUMENTS_MAX;
         word = strtok_r(NULL, "\n", &rest)) {
        argv[argc++] = word;
        if (config_parse_duration(word, &value, &err) == STATUS_OK && value < 0)
            abort();
        if (config_parse_size(word, &value, &err) == STATUS_OK && value < 0)
            abort();
    }
    struct settings settings;
    struct config_result result;
    enum status status = config_parse(&command, argc, argv, &arena, &settings, &result, &err);
    bool checked = status == STATUS_OK && !result.help && !result.version;
    if (checked && (settings.jobs < 1 || settings.jobs > 64 || !(settings.rate >= -1 && settings.rate <= 1)))
        abort();
    return 0;
}
