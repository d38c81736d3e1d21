// SPDX-License-Identifier: GPL-3.0-or-later
/* Whole files in a folder of their own: bounds, atomic replacement, folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dirent.h>

#include <cmocka.h>

#include "base/file.h"

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/besom-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int entries(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(listing);
    return count;
}

static void written_is_read_back(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char bytes[50000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    assert_int_equal(file_write_atomic(path, "old", 3, 0600, &err), STATUS_OK);
    assert_int_equal(file_write_atomic(path, bytes, sizeof bytes, 0600, &err), STATUS_OK);
    struct buffer read CLEANUP(buffer_free) = BUFFER_INIT;
    assert_int_equal(file_read(path, sizeof bytes, &read, &err), STATUS_OK);
    assert_int_equal(read.length, sizeof bytes);
    assert_memory_equal(read.data, bytes, sizeof bytes);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(entries(), 1);
}

static void limit_and_absence_have_their_codes(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buffer read CLEANUP(buffer_free) = BUFFER_INIT;
    assert_int_equal(file_read(path, 10, &read, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(file_write_atomic(path, "12345678901", 11, 0600, &err), STATUS_OK);
    assert_int_equal(file_read(path, 10, &read, &err), STATUS_INVALID);
    assert_int_equal(file_read(folder, 10, &read, &err), STATUS_IO);
}

static void secrets_are_for_their_owner_alone(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buffer read CLEANUP(buffer_free) = BUFFER_INIT;
    assert_int_equal(file_read_secret(path, 10, &read, &err), STATUS_NOT_FOUND);
    for (mode_t mode = 0600; mode <= 0666; mode++) {
        assert_int_equal(file_write_atomic(path, "x", 1, mode, &err), STATUS_OK);
        assert_int_equal(chmod(path, mode), 0);
        bool fits = (mode & 0077) == 0 || (geteuid() == 0 && (mode & 0027) == 0);
        assert_int_equal(file_read_secret(path, 10, &read, &err), fits ? STATUS_OK : STATUS_DENIED);
    }
    assert_non_null(strstr(err.text, "chmod 600"));
    int ends[2]; /* as in --token-file <(command) */
    char name[32];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "y", 1), 1);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    buffer_free(&read);
    assert_int_equal(file_read_secret(name, 10, &read, &err), STATUS_OK);
    assert_string_equal(buffer_text(&read), "y");
    close(ends[0]);
}

static void failed_write_leaves_the_old_content(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char inside[128];
    snprintf(inside, sizeof inside, "%s/absent/file", folder);
    assert_int_equal(file_write_atomic(inside, "x", 1, 0600, &err), STATUS_IO);
    assert_int_equal(file_write_atomic(folder, "x", 1, 0600, &err), STATUS_IO);
    assert_int_equal(entries(), 0);
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char deep[128], middle[128];
    snprintf(middle, sizeof middle, "%s/a", folder);
    snprintf(deep, sizeof deep, "%s/a//b", folder);
    assert_int_equal(file_make_dirs(deep, 0700, &err), STATUS_OK);
    assert_int_equal(file_make_dirs(deep, 0700, &err), STATUS_OK);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(middle), 0);
    assert_int_equal(file_write_atomic(path, "x", 1, 0600, &err), STATUS_OK);
    assert_int_equal(file_make_dirs(path, 0700, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "Not a directory"));
    assert_int_equal(file_make_dirs("", 0700, &err), STATUS_INVALID);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

static void folders_go_with_their_files(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char below[96], hidden[128], deep[128];
    snprintf(below, sizeof below, "%s/below", folder);
    snprintf(hidden, sizeof hidden, "%s/.hidden", below);
    snprintf(deep, sizeof deep, "%s/deep", below);
    assert_int_equal(file_make_dirs(deep, 0700, &err), STATUS_OK);
    assert_int_equal(file_write_atomic(hidden, "x", 1, 0600, &err), STATUS_OK);
    file_remove_folder(below);
    assert_int_not_equal(access(hidden, F_OK), 0);
    assert_int_equal(access(deep, F_OK), 0);
    assert_int_equal(rmdir(deep), 0);
    file_remove_folder(below);
    assert_int_not_equal(access(below, F_OK), 0);
    file_remove_folder(below);
    file_remove_folder("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(written_is_read_back),
        IN_FOLDER(limit_and_absence_have_their_codes),
        IN_FOLDER(secrets_are_for_their_owner_alone),
        IN_FOLDER(failed_write_leaves_the_old_content),
        IN_FOLDER(folders_are_made_with_parents),
        IN_FOLDER(folders_go_with_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
