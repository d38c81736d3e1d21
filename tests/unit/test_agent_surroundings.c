// SPDX-License-Identifier: Apache-2.0
// What options make of a machine: slots for GPUs, the folder of a run, where Python finds the package.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the ones above first */
#include <cmocka.h>

#include "base/file.h"
#include "clients/agent/surroundings.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/besom-around-XXXXXX");
    return mkdtemp(root) == NULL || chdir(root) != 0;
}

static int remove_root(void **state)
{
    (void)state;
    return chdir("/") != 0 || rmdir(root) != 0;
}

static struct agent_options plain(void)
{
    return (struct agent_options){.gpus = "none", .gpus_per_run = 1};
}

/* Slots, or -1 when the options were refused with a text that holds `word`. */
static int slots(const char *gpus, int64_t per_run, int64_t given, const char *word)
{
    struct agent_options options = plain();
    struct surroundings around;
    struct err err = ERR_INIT;
    options.gpus = gpus;
    options.gpus_per_run = per_run;
    options.slots = given;
    enum status status = surroundings_open(&options, &around, &err);
    int count = status == STATUS_OK ? around.slots : -1;
    if (status != STATUS_OK)
        assert_non_null(strstr(err.text, word));
    surroundings_close(&around);
    return count;
}

static void gpus_make_slots(void **state)
{
    (void)state;
    assert_int_equal(slots("none", 1, 0, ""), 1);
    assert_int_equal(slots("none", 1, 9, ""), 9);
    assert_int_equal(slots("0-3", 1, 0, ""), 4);
    assert_int_equal(slots("0-6", 2, 0, ""), 3);
    assert_int_equal(slots("0-3", 1, 2, ""), 2);
    assert_int_equal(slots("0-3", 1, 5, "suffice for 4 runs"), -1);
    assert_int_equal(slots("0-3", 3, 2, "suffice for 1 runs"), -1);
    assert_int_equal(slots("0", 2, 0, "too few"), -1);
    assert_int_equal(slots("none", 2, 0, "--gpus-per-run"), -1);
    assert_int_equal(slots("0,0", 1, 0, "twice"), -1);
    setenv("CUDA_VISIBLE_DEVICES", "4,5", 1);
    assert_int_equal(slots("auto", 1, 0, ""), 2);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    assert_int_equal(slots("auto", 1, 0, "CUDA_VISIBLE_DEVICES names none"), -1);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

static void make_run_dir(struct surroundings *around, const char *expected)
{
    struct err err = ERR_INIT;
    struct stat info;
    char *path = NULL;
    assert_int_equal(surroundings_run_dir(around, root, "run00001", &path, &err), STATUS_OK);
    assert_string_equal(path, expected);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(rmdir(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    free(path);
}

static void a_run_has_one_folder(void **state)
{
    (void)state;
    struct agent_options options = plain();
    struct surroundings around;
    struct err err = ERR_INIT;
    char expected[PATH_MAX];
    assert_int_equal(surroundings_open(&options, &around, &err), STATUS_OK);
    snprintf(expected, sizeof expected, "%s/" RUN_ROOT_NAME "/run00001", root);
    make_run_dir(&around, expected);
    surroundings_close(&around);
    options.run_dir = "kept";
    assert_int_equal(surroundings_open(&options, &around, &err), STATUS_OK);
    snprintf(expected, sizeof expected, "%s/kept/run00001", root);
    make_run_dir(&around, expected);
    surroundings_close(&around);
}

/* Only a folder that was asked for has to be there. */
static void a_run_goes_without_a_folder(void **state)
{
    (void)state;
    struct agent_options options = plain();
    struct surroundings around;
    struct err err = ERR_INIT;
    char *path = NULL;
    assert_int_equal(surroundings_open(&options, &around, &err), STATUS_OK);
    assert_int_equal(surroundings_run_dir(&around, "/proc", "run00001", &path, &err), STATUS_OK);
    assert_null(path);
    surroundings_close(&around);
    options.run_dir = "/proc/nothing";
    assert_int_equal(surroundings_open(&options, &around, &err), STATUS_OK);
    assert_int_equal(surroundings_run_dir(&around, "/tmp", "run00001", &path, &err), STATUS_IO);
    surroundings_close(&around);
}

static void python_path(bool wandb, const char *expected)
{
    struct agent_options options = plain();
    struct surroundings around;
    struct err err = ERR_INIT;
    options.wandb = wandb;
    enum status status = surroundings_open(&options, &around, &err);
    assert_int_equal(status, expected != NULL ? STATUS_OK : STATUS_INVALID);
    if (expected != NULL)
        assert_string_equal(around.python_path, expected);
    else
        assert_non_null(strstr(err.text, "BESOM_PYTHON_DIR"));
    surroundings_close(&around);
}

static void python_finds_the_package(void **state)
{
    (void)state;
    char expected[256], path[96];
    struct err err = ERR_INIT;
    setenv("BESOM_PYTHON_DIR", root, 1);
    assert_int_equal(mkdir("besom", 0700), 0);
    python_path(false, root);
    python_path(true, NULL);
    snprintf(path, sizeof path, "%s/besom/_compat", root);
    assert_int_equal(file_make_dirs(path, 0700, &err), STATUS_OK);
    snprintf(expected, sizeof expected, "%s:%s", path, root);
    python_path(true, expected);
    python_path(false, root);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir("besom"), 0);
    unsetenv("BESOM_PYTHON_DIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gpus_make_slots, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_run_has_one_folder, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_run_goes_without_a_folder, make_root, remove_root),
        cmocka_unit_test_setup_teardown(python_finds_the_package, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
