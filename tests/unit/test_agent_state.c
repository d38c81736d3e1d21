// SPDX-License-Identifier: Apache-2.0
// The agent's state folder: who holds it, what it remembers, what it leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "clients/agent/attempt.h"
#include "clients/agent/state_dir.h"

static char root[64];
static bool types_are_unknown;

/* Takes the C library's place: a file system may not tell types. */
struct dirent *readdir(DIR *listing)
{
    static struct dirent *(*of_library)(DIR * listing);
    if (of_library == NULL)
        *(void **)&of_library = dlsym(RTLD_NEXT, "readdir");
    struct dirent *entry = of_library(listing);
    if (entry != NULL && types_are_unknown)
        entry->d_type = DT_UNKNOWN;
    return entry;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/besom-state-XXXXXX");
    return mkdtemp(root) == NULL;
}

/* Whatever a test made must be gone again. */
static int tear_down(void **state)
{
    (void)state;
    return rmdir(root);
}

static void open_dir(struct state_dir *dir)
{
    struct err err = ERR_INIT;
    assert_int_equal(state_dir_open(root, "host", "sweep001", false, dir, &err), STATUS_OK);
}

/* As a killed process does: the lock goes, the files stay. */
static void drop_dir(struct state_dir *dir)
{
    close(dir->lock_fd);
    dir->lock_fd = -1;
}

static void identity_survives(void **state)
{
    (void)state;
    struct state_dir first, second, again;
    struct stat info;
    open_dir(&first);
    assert_int_equal(strspn(first.agent_id, "0123456789abcdefghijklmnopqrstuvwxyz"), AGENT_ID_LENGTH);
    assert_int_equal(stat(first.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    open_dir(&second);
    assert_string_not_equal(first.agent_id, second.agent_id);
    drop_dir(&first);
    open_dir(&again);
    assert_string_equal(again.path, first.path);
    assert_string_equal(again.agent_id, first.agent_id);
    state_dir_close(&again);
    state_dir_close(&second);
}

/* What a killed agent left is for those that take runs up again. */
static void a_fresh_folder_is_nobodys(void **state)
{
    (void)state;
    struct state_dir first, fresh, again;
    struct err err = ERR_INIT;
    open_dir(&first);
    drop_dir(&first);
    assert_int_equal(state_dir_open(root, "host", "sweep001", true, &fresh, &err), STATUS_OK);
    assert_string_not_equal(fresh.path, first.path);
    open_dir(&again);
    assert_string_equal(again.path, first.path);
    state_dir_close(&again);
    state_dir_close(&fresh);
}

static void counters_are_kept(void **state)
{
    (void)state;
    struct state_dir dir;
    struct err err = ERR_INIT;
    int64_t counter = 0;
    open_dir(&dir);
    assert_int_equal(state_dir_counter(&dir, 3, &counter, &err), STATUS_OK);
    assert_int_equal(counter, 1);
    assert_int_equal(state_dir_set_counter(&dir, 3, 41, &err), STATUS_OK);
    drop_dir(&dir);
    open_dir(&dir);
    assert_int_equal(state_dir_counter(&dir, 3, &counter, &err), STATUS_OK);
    assert_int_equal(counter, 41);
    state_dir_close(&dir);
}

#define CONTENDERS 4
#define ROUNDS 400

/* Opens, marks and leaves the folder again and again. Returns how often somebody else was in it as well. */
static int contend(void)
{
    int collisions = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct state_dir dir;
        struct err err = ERR_INIT;
        char mark[PATH_MAX + 32], id[PATH_MAX + 32];
        if (state_dir_open(root, "host", "sweep001", false, &dir, &err) != STATUS_OK)
            return 100;
        snprintf(mark, sizeof mark, "%s/mark", dir.path);
        snprintf(id, sizeof id, "%s/agent_id", dir.path);
        collisions += mkdir(mark, 0700) != 0;
        collisions += access(id, F_OK) != 0;
        collisions += rmdir(mark) != 0;
        state_dir_close(&dir);
    }
    return collisions;
}

/* One agent ends while another starts: never are two in one folder. */
static void a_folder_has_one_holder(void **state)
{
    (void)state;
    pid_t contenders[CONTENDERS];
    int status = 0;
    for (int i = 0; i < CONTENDERS; i++) {
        contenders[i] = fork();
        assert_true(contenders[i] >= 0);
        if (contenders[i] == 0)
            _exit(contend() > 0);
    }
    for (int i = 0; i < CONTENDERS; i++) {
        assert_int_equal(waitpid(contenders[i], &status, 0), contenders[i]);
        assert_int_equal(status, 0);
    }
}

static struct attempt_spec sample_spec(void)
{
    static char *command[] = {"/bin/sh", "-c", "exit 0", NULL};
    return (struct attempt_spec){.sweep_id = "sweep001",
                                 .run_id = "run00001",
                                 .attempt = 2,
                                 .slot = 1,
                                 .counter = 7,
                                 .started_us = 1234567890123456,
                                 .project = "demo",
                                 .seed = UINT64_MAX - 1,
                                 .params_json = "{\"lr\": 1e-05, \"name\": \"\xc3\xa9\"}",
                                 .command = command,
                                 .workdir = "/",
                                 .stop_grace_ms = 1000,
                                 .lost_after_ms = 2000,
                                 .lease_ms = 3000,
                                 .spool_limit_bytes = 1 << 20,
                                 .stop_on_disconnect = true};
}

static void count_visit(void *context, const char *path)
{
    (void)path;
    ++*(int *)context;
}

static void attempts_are_found_again(void **state)
{
    (void)state;
    struct state_dir dir;
    struct attempt_paths paths, half;
    struct attempt_spec spec = sample_spec(), loaded;
    struct err err = ERR_INIT;
    char folder[PATH_MAX + 32];
    open_dir(&dir);
    snprintf(folder, sizeof folder, "%s/run00001.2", dir.path);
    assert_int_equal(attempt_paths_make(folder, &paths, &err), STATUS_OK);
    assert_int_equal(attempt_create(&paths, &spec, &err), STATUS_OK);
    snprintf(folder, sizeof folder, "%s/.new-run00009.1", dir.path);
    assert_int_equal(attempt_paths_make(folder, &half, &err), STATUS_OK);
    assert_int_equal(mkdir(folder, 0700), 0);
    state_dir_close(&dir);

    open_dir(&dir);
    int found = 0;
    state_dir_each_attempt(&dir, count_visit, &found);
    assert_int_equal(found, 1);
    assert_int_not_equal(access(half.folder, F_OK), 0);
    assert_int_equal(attempt_spec_read(&paths, &loaded, &err), STATUS_OK);
    assert_string_equal(loaded.run_id, spec.run_id);
    assert_string_equal(loaded.params_json, spec.params_json);
    assert_string_equal(loaded.command[2], "exit 0");
    assert_null(loaded.command[3]);
    assert_true(loaded.seed == spec.seed && loaded.counter == 7 && loaded.slot == 1);
    assert_true(loaded.stop_on_disconnect);
    attempt_spec_free(&loaded);

    struct buffer yaml CLEANUP(buffer_free) = BUFFER_INIT;
    assert_int_equal(file_read(paths.config, 4096, &yaml, &err), STATUS_OK);
    assert_string_equal(buffer_text(&yaml),
                        "wandb_version: 1\n\n\"lr\":\n  value: 1.0e-05\n\"name\":\n  value: \"\\u00E9\"\n");
    attempt_remove(&paths);
    state_dir_close(&dir);
}

/* An agent that is started from elsewhere finds the sockets of the shims that live. */
static void sockets_are_found_in_any_environment(void **state)
{
    (void)state;
    struct attempt_paths at_login, by_timer;
    struct err err = ERR_INIT;
    char folder[200];
    snprintf(folder, sizeof folder, "/%0150d/run00001.1", 0); /* too long for a socket's name */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", root, 1), 0);
    assert_int_equal(attempt_paths_make(folder, &at_login, &err), STATUS_OK);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    assert_int_equal(attempt_paths_make(folder, &by_timer, &err), STATUS_OK);
    assert_string_equal(at_login.control_socket, by_timer.control_socket);
    assert_true(strlen(by_timer.control_socket) < 100);
}

static void touch(const char *folder, const char *name)
{
    struct err err = ERR_INIT;
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_write_atomic(path, "", 0, 0600, &err), STATUS_OK);
}

/* Of a process that was killed while it wrote a file. */
static void interrupted_writes_leave_nothing(void **state)
{
    (void)state;
    struct state_dir dir;
    struct attempt_paths paths;
    struct attempt_spec spec = sample_spec();
    struct err err = ERR_INIT;
    char folder[PATH_MAX + 32];
    int found = 0;
    open_dir(&dir);
    touch(dir.path, "slot-1.4711.0.tmp");
    snprintf(folder, sizeof folder, "%s/run00001.2", dir.path);
    assert_int_equal(attempt_paths_make(folder, &paths, &err), STATUS_OK);
    assert_int_equal(attempt_create(&paths, &spec, &err), STATUS_OK);
    touch(paths.folder, "exit.json.4711.0.tmp");
    state_dir_each_attempt(&dir, count_visit, &found);
    assert_int_equal(found, 1);
    attempt_remove(&paths);
    assert_int_not_equal(access(paths.folder, F_OK), 0);
    state_dir_close(&dir);
}

static void names_without_types_are_looked_at(void **state)
{
    types_are_unknown = true;
    interrupted_writes_leave_nothing(state);
    types_are_unknown = false;
}

static void ends_are_kept(void **state)
{
    (void)state;
    struct attempt_paths paths;
    struct err err = ERR_INIT;
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/run.1", root);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(attempt_paths_make(folder, &paths, &err), STATUS_OK);
    struct attempt_exit end = {.end = ATTEMPT_SIGNALED,
                               .signal = 9,
                               .cause = END_CAUSE_USER,
                               .final_sequence = 12},
                        read;
    snprintf(end.error_text, sizeof end.error_text, "bad \xff\xc3(\xe2\x82\xac");
    attempt_clean_text(end.error_text);
    assert_string_equal(end.error_text, "bad ?"
                                        "?(\xe2\x82\xac");
    assert_int_equal(attempt_exit_read(&paths, &read, &err), STATUS_NOT_FOUND);
    assert_int_equal(attempt_exit_write(&paths, &end, &err), STATUS_OK);
    assert_int_equal(attempt_exit_read(&paths, &read, &err), STATUS_OK);
    assert_int_equal(read.signal, 9);
    assert_int_equal(read.cause, END_CAUSE_USER);
    assert_int_equal(read.final_sequence, 12);
    assert_string_equal(read.error_text, end.error_text);
    assert_false(attempt_was_started(&paths));
    assert_int_equal(attempt_mark_started(&paths, &err), STATUS_OK);
    assert_true(attempt_was_started(&paths));
    int lock = attempt_lock(&paths);
    assert_true(lock >= 0);
    assert_int_equal(attempt_lock(&paths), -1);
    close(lock);
    attempt_remove(&paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(identity_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_folder_is_nobodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counters_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_has_one_holder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attempts_are_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sockets_are_found_in_any_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupted_writes_leave_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_without_types_are_looked_at, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
