// SPDX-License-Identifier: Apache-2.0
// What the agent makes of PATH, with folders and programs of this test's own.
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

#include "clients/agent/search_path.h"

static char folder[64];

static void set_mode(const char *name, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void drop(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/besom-path-XXXXXX");
    return mkdtemp(folder) == NULL || setenv("PATH", folder, 1) != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    drop("python");
    drop("python3");
    return rmdir(folder);
}

static void python_comes_first_python3_stands_in(void **state)
{
    (void)state;
    assert_string_equal(search_path_python(), "python");
    set_mode("python3", 0755);
    assert_string_equal(search_path_python(), "python3");
    set_mode("python", 0755);
    assert_string_equal(search_path_python(), "python");
}

static void every_folder_is_searched(void **state)
{
    (void)state;
    char path[160];
    set_mode("python3", 0755);
    snprintf(path, sizeof path, "/nonexistent::%s", folder);
    setenv("PATH", path, 1);
    assert_true(search_path_has("python3"));
    assert_false(search_path_has("python"));
    unsetenv("PATH");
    assert_false(search_path_has("python3"));
}

static void own_folder_is_appended_once(void **state)
{
    (void)state;
    assert_int_equal(search_path_add_own_folder(), STATUS_OK);
    const char *path = getenv("PATH");
    assert_memory_equal(path, folder, strlen(folder));
    assert_int_equal(path[strlen(folder)], ':');
    assert_true(search_path_has("test_agent_search_path"));
    char *before = strdup(path);
    assert_int_equal(search_path_add_own_folder(), STATUS_OK);
    assert_string_equal(getenv("PATH"), before);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(python_comes_first_python3_stands_in, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(every_folder_is_searched, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(own_folder_is_appended_once, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
