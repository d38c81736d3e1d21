// SPDX-License-Identifier: GPL-3.0-or-later
/* Configuration: each type, where values come from and which wins, and the exact words of each refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"

struct settings {
    const char *file;
    const char *name;
    int64_t jobs;
    double rate;
    bool verbose;
    bool color;
    int64_t lease_ms;
    int64_t spool;
    struct config_list labels;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct config_key keys[] = {
    {"config", 'c', CONFIG_TEXT, FIELD(file), NULL, "BESOM_TEST_CONFIG", "FILE", "Settings file", 0, 0},
    {"name", 0, CONFIG_TEXT, FIELD(name), "besom", "BESOM_TEST_NAME", "NAME", "What it is called", 0, 0},
    {"jobs", 'j', CONFIG_INT, FIELD(jobs), "1", "BESOM_TEST_JOBS", "N", "Runs side by side", 1, 64},
    {"rate", 0, CONFIG_REAL, FIELD(rate), NULL, NULL, "X", "Rate", -1, 1},
    {"verbose", 'v', CONFIG_BOOL, FIELD(verbose), NULL, "BESOM_TEST_VERBOSE", NULL, "Say more", 0, 0},
    {"color", 'C', CONFIG_BOOL, FIELD(color), "true", NULL, NULL, "Use colours", 0, 0},
    {"lease-time", 0, CONFIG_DURATION_MS, FIELD(lease_ms), "60s", NULL, "TIME", "Lease", 1000, 3600000},
    {"spool", 0, CONFIG_SIZE, FIELD(spool), "1G", NULL, "SIZE", "Spool", 4096, 0},
    {"label", 'l', CONFIG_LIST, FIELD(labels), "a,b", "BESOM_TEST_LABELS", "LABEL", "Labels", 0, 0},
};

static const struct config_command command = {
    .usage = "besom-test [options] [FILE]",
    .summary = "Tests.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .footer = "Footer.",
    .arguments_min = 0,
    .arguments_max = 1,
    .config_flag = "config",
};

struct fixture {
    struct arena arena;
    struct settings settings;
    struct config_result result;
    struct err err;
    char path[64];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL)
        return -1;
    fixture->arena = arena_make(0);
    snprintf(fixture->path, sizeof fixture->path, "/tmp/besom-config-XXXXXX");
    int fd = mkstemp(fixture->path);
    file_close(&fd);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].environment != NULL)
            unsetenv(keys[i].environment);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

#define ARGV_MAX 16

static enum status parse(struct fixture *fixture, const struct config_command *with, ...)
{
    char *argv[ARGV_MAX] = {(char *)(uintptr_t) "besom-test"};
    int argc = 1;
    va_list args;
    va_start(args, with);
    for (char *next = va_arg(args, char *); next != NULL; next = va_arg(args, char *))
        argv[argc++] = next;
    va_end(args);
    arena_reset(&fixture->arena);
    memset(&fixture->settings, 0xa5, sizeof fixture->settings);
    fixture->err = (struct err)ERR_INIT;
    return config_parse(with, argc, argv, &fixture->arena, &fixture->settings, &fixture->result,
                        &fixture->err);
}

#define assert_parsed(...) assert_int_equal(parse(fixture, &command, __VA_ARGS__, (char *)NULL), STATUS_OK)
#define assert_refused(text_, ...)                                                             \
    do {                                                                                       \
        assert_int_equal(parse(fixture, &command, __VA_ARGS__, (char *)NULL), STATUS_INVALID); \
        assert_string_equal(fixture->err.text, text_);                                         \
    } while (0)

static void write_file(struct fixture *fixture, const char *text)
{
    assert_int_equal(file_write_atomic(fixture->path, text, strlen(text), 0600, &fixture->err), STATUS_OK);
}

static void defaults_fill_every_field(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(parse(fixture, &command, (char *)NULL), STATUS_OK);
    const struct settings *settings = &fixture->settings;
    assert_null(settings->file);
    assert_string_equal(settings->name, "besom");
    assert_int_equal(settings->jobs, 1);
    assert_true(settings->rate == 0);
    assert_false(settings->verbose);
    assert_true(settings->color);
    assert_int_equal(settings->lease_ms, 60000);
    assert_int_equal(settings->spool, INT64_C(1) << 30);
    assert_int_equal(settings->labels.count, 2);
    assert_string_equal(settings->labels.items[1], "b");
    assert_int_equal(fixture->result.argument_count, 0);
}

static void long_flags_take_both_forms(void **state)
{
    struct fixture *fixture = *state;
    assert_parsed("--name", "x", "--jobs=7", "--rate=-0.5", "--verbose", "--no-color", "--lease-time", "1.5s",
                  "--spool=64k", "--label=p,q", "--label", "r", "file");
    const struct settings *settings = &fixture->settings;
    assert_string_equal(settings->name, "x");
    assert_int_equal(settings->jobs, 7);
    assert_true(settings->rate == -0.5);
    assert_true(settings->verbose);
    assert_false(settings->color);
    assert_int_equal(settings->lease_ms, 1500);
    assert_int_equal(settings->spool, 65536);
    assert_int_equal(settings->labels.count, 2);
    assert_string_equal(settings->labels.items[0], "p,q");
    assert_string_equal(settings->labels.items[1], "r");
    assert_string_equal(fixture->result.arguments[0], "file");
    assert_parsed("--name=", "--verbose=no", "--color=true", "--jobs=2", "--jobs=3");
    assert_string_equal(fixture->settings.name, "");
    assert_false(fixture->settings.verbose);
    assert_int_equal(fixture->settings.jobs, 3);
}

static void short_flags_group_and_glue(void **state)
{
    struct fixture *fixture = *state;
    assert_parsed("-vCj4", "-l", "one", "-ltwo");
    assert_true(fixture->settings.verbose && fixture->settings.color);
    assert_int_equal(fixture->settings.jobs, 4);
    assert_int_equal(fixture->settings.labels.count, 2);
    assert_parsed("-");
    assert_string_equal(fixture->result.arguments[0], "-");
}

static void two_dashes_end_the_flags(void **state)
{
    struct fixture *fixture = *state;
    assert_parsed("-v", "--", "--name");
    assert_string_equal(fixture->result.arguments[0], "--name");
    struct config_command with_subcommand = command;
    with_subcommand.stop_at_argument = true;
    with_subcommand.arguments_max = SIZE_MAX;
    assert_int_equal(parse(fixture, &with_subcommand, "-j2", "run", "-x", "--help", (char *)NULL), STATUS_OK);
    assert_int_equal(fixture->result.argument_count, 3);
    assert_string_equal(fixture->result.arguments[1], "-x");
    assert_false(fixture->result.help);
}

static void help_and_version_win_over_errors(void **state)
{
    struct fixture *fixture = *state;
    assert_parsed("--nonsense", "--help");
    assert_true(fixture->result.help);
    assert_parsed("-x", "-h");
    assert_true(fixture->result.help);
    assert_parsed("--version");
    assert_true(fixture->result.version && !fixture->result.help);
    assert_parsed("--name", "--help");
    assert_false(fixture->result.help);
    assert_string_equal(fixture->settings.name, "--help");
}

static void flag_beats_environment_beats_file_beats_default(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture,
               "# settings\n\n  jobs = 3 # three\r\nname = \"two words # here\"\nlabel = x\nlabel = y\n"
               "verbose = true\nspool=8k");
    assert_parsed("-c", fixture->path);
    assert_int_equal(fixture->settings.jobs, 3);
    assert_string_equal(fixture->settings.name, "two words # here");
    assert_string_equal(fixture->settings.file, fixture->path);
    assert_true(fixture->settings.verbose);
    assert_int_equal(fixture->settings.spool, 8192);
    assert_int_equal(fixture->settings.labels.count, 2);
    assert_string_equal(fixture->settings.labels.items[0], "x");
    setenv("BESOM_TEST_JOBS", "4", 1);
    setenv("BESOM_TEST_LABELS", "p,,q", 1);
    setenv("BESOM_TEST_NAME", "", 1); /* empty counts as unset */
    setenv("BESOM_TEST_CONFIG", fixture->path, 1);
    assert_parsed("--no-verbose");
    assert_int_equal(fixture->settings.jobs, 4);
    assert_int_equal(fixture->settings.labels.count, 2);
    assert_string_equal(fixture->settings.labels.items[1], "q");
    assert_string_equal(fixture->settings.name, "two words # here");
    assert_false(fixture->settings.verbose);
    assert_parsed("--jobs", "5", "-l", "z");
    assert_int_equal(fixture->settings.jobs, 5);
    assert_int_equal(fixture->settings.labels.count, 1);
}

static void values_do_not_live_in_the_environment(void **state)
{
    struct fixture *fixture = *state;
    setenv("BESOM_TEST_NAME", "first", 1);
    assert_int_equal(parse(fixture, &command, (char *)NULL), STATUS_OK);
    setenv("BESOM_TEST_NAME", "other", 1);
    assert_string_equal(fixture->settings.name, "first");
}

static void wrong_flags_are_named(void **state)
{
    struct fixture *fixture = *state;
    assert_refused("unknown option '--lease-tme' (did you mean --lease-time?)", "--lease-tme=3s");
    assert_refused("unknown option '--hlep' (did you mean --help?)", "--hlep");
    assert_refused("unknown option '--quux'", "--quux");
    assert_refused("unknown option '--no-name' (did you mean --name?)", "--no-name");
    assert_refused("unknown option '-x'", "-vx");
    assert_refused("--jobs needs a value (N)", "--jobs");
    assert_refused("-j needs a value (N)", "-vj");
    assert_refused("--no-color takes no value", "--no-color=1");
    assert_refused("unexpected argument 'b' (usage: besom-test [options] [FILE])", "a", "b");
    struct config_command strict = command;
    strict.arguments_min = 1;
    assert_int_equal(parse(fixture, &strict, (char *)NULL), STATUS_INVALID);
    assert_string_equal(fixture->err.text, "missing argument (usage: besom-test [options] [FILE])");
}

static void wrong_values_are_explained(void **state)
{
    struct fixture *fixture = *state;
    assert_refused("--jobs: 'many' is not a whole number", "--jobs=many");
    assert_refused("-j: '' is not a whole number", "-j", "");
    assert_refused("--jobs: ' 1' is not a whole number", "--jobs= 1");
    assert_refused("--jobs: '99999999999999999999' is too large a number", "--jobs=99999999999999999999");
    assert_refused("--jobs: 0 is out of range (1 to 64)", "--jobs=0");
    assert_refused("--rate: 'nan' is not a number", "--rate=nan");
    assert_refused("--rate: '0x1p3' is not a number", "--rate=0x1p3");
    assert_refused("--rate: '1e999' is too large a number", "--rate=1e999");
    assert_refused("--rate: 1.5 is out of range (-1 to 1)", "--rate=1.5");
    assert_refused("--verbose: 'maybe' is neither true nor false", "--verbose=maybe");
    assert_refused("--lease-time: '5w' is not a duration (like 250ms, 10s, 5m, 2h or 1d)", "--lease-time=5w");
    assert_refused("--lease-time: 10ms is out of range (1s to 1h)", "--lease-time=10ms");
    assert_refused("--spool: '-1' is not a size (like 4096, 64k, 4M or 1G)", "--spool=-1");
    assert_refused("--spool: 1k is out of range (at least 4k)", "--spool=1k");
    setenv("BESOM_TEST_JOBS", "x", 1);
    assert_refused("BESOM_TEST_JOBS: 'x' is not a whole number", "-v");
}

static void wrong_file_lines_are_named(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text, *refusal;
    } rows[] = {
        {"# one\nlease_time = 3s\n", ":2: unknown key 'lease_time' (did you mean lease-time?)"},
        {"jobs\n", ":1: expected 'key = value'"},
        {"jobs = many", ":1: jobs: 'many' is not a whole number"},
        {"jobs = 1\njobs = 2\n", ":2: 'jobs' is set twice"},
        {"\n\nconfig = x\n", ":3: 'config' cannot be set in a file"},
        {"name = \"open\n", ":1: name: the quote is not closed, or text follows it"},
        {"name = \"a\" b\n", ":1: name: the quote is not closed, or text follows it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_file(fixture, rows[i].text);
        char expected[256];
        snprintf(expected, sizeof expected, "%s%s", fixture->path, rows[i].refusal);
        assert_refused(expected, "-c", fixture->path);
    }
}

static void only_a_default_file_may_be_absent(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    assert_int_equal(parse(fixture, &command, "-c", fixture->path, (char *)NULL), STATUS_NOT_FOUND);
    struct config_key with_default[ARRAY_LEN(keys)];
    memcpy(with_default, keys, sizeof keys);
    with_default[0].initial = fixture->path;
    struct config_command other = command;
    other.keys = with_default;
    assert_int_equal(parse(fixture, &other, (char *)NULL), STATUS_OK);
    assert_int_equal(fixture->err.code, STATUS_OK);
}

static void durations_and_sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } durations[] = {{"250ms", 250},   {"10s", 10000}, {"5m", 300000}, {"2h", 7200000},
                     {"1d", 86400000}, {"90", 90000},  {"0.5s", 500},  {"0", 0}};
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"4096", 4096},  {"64k", 65536},    {"1K", 1024},
                 {"4M", 4 << 20}, {"1.5G", 3 << 29}, {"2GiB", INT64_C(2) << 30}};
    static const char *const wrong[] = {
        "", "s", "-1s", "1 s", "1.2.3s", "1ss", ".", "1e3", "99999999999999999999d"};
    struct err err = ERR_INIT;
    int64_t value = 0;
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        assert_int_equal(config_parse_duration(durations[i].text, &value, &err), STATUS_OK);
        assert_int_equal(value, durations[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(config_parse_size(sizes[i].text, &value, &err), STATUS_OK);
        assert_int_equal(value, sizes[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(config_parse_duration(wrong[i], &value, &err), STATUS_INVALID);
        assert_int_equal(config_parse_size(wrong[i], &value, &err), STATUS_INVALID);
    }
}

static void suggestions_are_near(void **state)
{
    (void)state;
    static const char *const names[] = {"pause", "resume", "stop", "cancel", "status"};
    size_t count = ARRAY_LEN(names);
    assert_string_equal(config_suggest("puase", names, count), "pause");
    assert_string_equal(config_suggest("cancle", names, count), "cancel");
    assert_string_equal(config_suggest("stat", names, count), "status");
    assert_string_equal(config_suggest("stop", names, count), "stop");
    assert_null(config_suggest("launch", names, count));
    assert_null(config_suggest("x", names, count));
    assert_null(config_suggest("", names, count));
}

static void help_shows_each_key(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    config_print_help(&command, stream);
    fclose(stream);
    static const char *const parts[] = {
        "Usage: besom-test [options] [FILE]\n\nTests.\n\nOptions:\n",
        "  -j, --jobs N              Runs side by side (default: 1) [$BESOM_TEST_JOBS]\n",
        "  -C, --[no-]color          Use colours (default: true)\n",
        "      --lease-time TIME     Lease (default: 60s)\n",
        "  -l, --label LABEL         Labels (default: a,b) [$BESOM_TEST_LABELS] (may be repeated)\n",
        "  -h, --help                Show this help\n",
        "\nFooter.\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("help lacks '%s':\n%s", parts[i], text);
    free(text);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(defaults_fill_every_field),
        WITH_FIXTURE(long_flags_take_both_forms),
        WITH_FIXTURE(short_flags_group_and_glue),
        WITH_FIXTURE(two_dashes_end_the_flags),
        WITH_FIXTURE(help_and_version_win_over_errors),
        WITH_FIXTURE(flag_beats_environment_beats_file_beats_default),
        WITH_FIXTURE(values_do_not_live_in_the_environment),
        WITH_FIXTURE(wrong_flags_are_named),
        WITH_FIXTURE(wrong_values_are_explained),
        WITH_FIXTURE(wrong_file_lines_are_named),
        WITH_FIXTURE(only_a_default_file_may_be_absent),
        cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(suggestions_are_near),
        cmocka_unit_test(help_shows_each_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
