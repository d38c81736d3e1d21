// SPDX-License-Identifier: Apache-2.0
// The shim with real processes: this program is its own shim, as besom-agent is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <besom/v1/run_service.pb-c.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "clients/agent/control.h"
#include "clients/agent/loop.h"
#include "clients/agent/shim.h"
#include "clients/agent/spool.h"
#include "clients/agent/tree.h"

#define PATIENCE_MS 20000

struct fixture {
    char root[64];
    struct attempt_paths paths;
    struct attempt_spec spec;
    char *command[4];
    pid_t shim;
    int control;
    struct attempt_exit end;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    snprintf(fixture->root, sizeof fixture->root, "/tmp/besom-shim-XXXXXX");
    assert_non_null(mkdtemp(fixture->root));
    fixture->control = -1;
    fixture->spec = (struct attempt_spec){.sweep_id = "sweep001",
                                          .run_id = "run00001",
                                          .attempt = 1,
                                          .project = "demo",
                                          .seed = UINT64_MAX,
                                          .params_json = "{\"lr\": 0.5}",
                                          .command = fixture->command,
                                          .workdir = fixture->root,
                                          .stop_grace_ms = 10000,
                                          .lost_after_ms = PATIENCE_MS,
                                          .lease_ms = PATIENCE_MS,
                                          .spool_limit_bytes = 1 << 30};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char entry[PATH_MAX + 32];
    file_close(&fixture->control);
    snprintf(entry, sizeof entry, "BESOM_RUN_SOCKET=%s", fixture->paths.run_socket);
    assert_int_equal(tree_kill_marked(entry), 0); /* no process is left */
    attempt_remove(&fixture->paths);
    int left = rmdir(fixture->root);
    free(fixture);
    return left; /* no file is left */
}

/* The shim starts with `script` for /bin/sh. */
static void start(struct fixture *fixture, const char *script)
{
    char folder[128];
    struct err err = ERR_INIT;
    fixture->command[0] = (char *)(uintptr_t) "/bin/sh";
    fixture->command[1] = (char *)(uintptr_t) "-c";
    fixture->command[2] = (char *)(uintptr_t)script;
    snprintf(folder, sizeof folder, "%s/run00001.1", fixture->root);
    assert_int_equal(attempt_paths_make(folder, &fixture->paths, &err), STATUS_OK);
    assert_int_equal(attempt_create(&fixture->paths, &fixture->spec, &err), STATUS_OK);
    int lock = attempt_lock(&fixture->paths);
    assert_true(lock >= 0);
    assert_int_equal(shim_spawn(&fixture->paths, lock, &fixture->shim, &err), STATUS_OK);
    close(lock);
}

static void put_mark(const struct fixture *fixture, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fixture->root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void remove_mark(const struct fixture *fixture, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fixture->root, name);
    assert_int_equal(unlink(path), 0);
}

static void tick(void)
{
    (void)poll(NULL, 0, 2);
}

static void connect_control(struct fixture *fixture)
{
    struct err err = ERR_INIT;
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    while (control_connect(fixture->paths.control_socket, &fixture->control, &err) != STATUS_OK) {
        assert_true(loop_now_ms() < end_ms);
        tick();
    }
}

/* Waits for the shim's end and reads exit.json. */
static void finish(struct fixture *fixture)
{
    struct err err = ERR_INIT;
    int status = 0;
    assert_int_equal(waitpid(fixture->shim, &status, 0), fixture->shim);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(attempt_exit_read(&fixture->paths, &fixture->end, &err), STATUS_OK);
}

/* All output in the spool, and how many points. The caller frees. */
static char *output_of(const struct fixture *fixture, size_t *points)
{
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT, text = BUFFER_INIT;
    int64_t sequence = 0;
    *points = 0;
    assert_int_equal(spool_reader_new(fixture->paths.spool, &reader, &err), STATUS_OK);
    while (spool_read(reader, &sequence, &payload)) {
        Besom__V1__TrackBatch *batch =
            besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
        assert_non_null(batch);
        assert_int_equal(batch->sequence, sequence);
        for (size_t i = 0; i < batch->n_logs; i++)
            buffer_append(&text, batch->logs[i]->text.data, batch->logs[i]->text.len);
        for (size_t i = 0; i < batch->n_series; i++)
            *points += batch->series[i]->n_values;
        besom__v1__track_batch__free_unpacked(batch, NULL);
    }
    spool_reader_free(reader);
    char *taken = strdup(buffer_text(&text));
    buffer_free(&text);
    return taken;
}

static void wait_for_output(const struct fixture *fixture, const char *wanted)
{
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    for (bool seen = false; !seen;) {
        size_t points;
        char *text = output_of(fixture, &points);
        seen = strstr(text, wanted) != NULL;
        free(text);
        assert_true(loop_now_ms() < end_ms);
        tick();
    }
}

static void expect_output(const struct fixture *fixture, const char *wanted)
{
    size_t points;
    char *text = output_of(fixture, &points);
    assert_non_null(strstr(text, wanted));
    free(text);
}

static void environment_is_set_and_clean(void **state)
{
    struct fixture *fixture = *state;
    static const char hidden[] = "nothing-for-a-run"; /* that no machine has in a variable of its own */
    setenv("BESOM_TOKEN", hidden, 1);
    setenv("BESOM_DATABASE_URL", hidden, 1);
    setenv("BESOM_KEY_FILE", hidden, 1);
    setenv("WANDB_SERVICE", hidden, 1);
    start(fixture, "env; cat \"$BESOM_PARAMS_FILE\"; echo to-stderr >&2; exit 3");
    finish(fixture);
    unsetenv("BESOM_TOKEN");
    unsetenv("BESOM_DATABASE_URL");
    unsetenv("BESOM_KEY_FILE");
    unsetenv("WANDB_SERVICE");
    assert_int_equal(fixture->end.end, ATTEMPT_EXITED);
    assert_int_equal(fixture->end.exit_code, 3);
    assert_string_equal(fixture->end.error_text, "to-stderr\n");
    const char *const wanted[] = {"BESOM_RUN_ID=run00001",   "BESOM_SWEEP_ID=sweep001",
                                  "BESOM_ATTEMPT=1",         "BESOM_PROJECT=demo",
                                  "WANDB_RUN_ID=run00001",   "WANDB_SWEEP_ID=sweep001",
                                  "WANDB_SWEEP_PARAM_PATH=", "WANDB_DIR=",
                                  "{\"lr\": 0.5}",           "BESOM_RUN_SEED=18446744073709551615"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        expect_output(fixture, wanted[i]);
    size_t points;
    char *text = output_of(fixture, &points);
    assert_null(strstr(text, hidden));
    free(text);
}

static void start_failure_is_told(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.workdir = (char *)(uintptr_t) "/no/such/folder";
    start(fixture, "exit 0");
    finish(fixture);
    assert_int_equal(fixture->end.end, ATTEMPT_NOT_STARTED); /* another machine may have the folder */
    assert_non_null(strstr(fixture->end.error_text, "/no/such/folder"));
}

static void signal_death_is_told(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "kill -9 $$");
    finish(fixture);
    assert_int_equal(fixture->end.end, ATTEMPT_SIGNALED);
    assert_int_equal(fixture->end.signal, SIGKILL);
    assert_int_equal(fixture->end.cause, END_CAUSE_NONE);
}

static void stop_is_heard_and_answered(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "trap 'echo stopped; exit 5' TERM; echo ready; while :; do sleep 0.02; done");
    connect_control(fixture);
    wait_for_output(fixture, "ready");
    assert_true(control_send(fixture->control, CONTROL_STOP, 42, END_CAUSE_DIRECTED, "too slow"));
    finish(fixture);
    expect_output(fixture, "stopped");
    assert_int_equal(fixture->end.exit_code, 5);
    assert_int_equal(fixture->end.cause, END_CAUSE_DIRECTED);
    assert_int_equal(fixture->end.generation, 42);
    struct control_message message;
    bool taken = false, exited = false;
    while (control_receive(fixture->control, &message) > 0) {
        taken = taken || (message.kind == CONTROL_TAKEN && message.a == 42);
        exited = exited || message.kind == CONTROL_EXITED;
    }
    assert_true(taken && exited);
}

/* Members that left the group, ignore SIGTERM and were orphaned. */
static void whole_tree_is_killed(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.stop_grace_ms = 200;
    start(fixture, "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 600' &) ; (sleep 600 &);"
                   " echo ready; while :; do sleep 0.02; done");
    connect_control(fixture);
    wait_for_output(fixture, "ready");
    assert_true(control_send(fixture->control, CONTROL_STOP, 1, END_CAUSE_USER, "stop"));
    finish(fixture);
    assert_int_equal(fixture->end.signal, SIGKILL);
}

static void leftovers_end_with_the_command(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "(setsid sleep 600 &); exit 0");
    finish(fixture);
    assert_int_equal(fixture->end.end, ATTEMPT_EXITED);
    assert_int_equal(fixture->end.exit_code, 0);
}

static void orphan_stops_its_command(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.lost_after_ms = 200;
    start(fixture, "while :; do sleep 0.02; done");
    finish(fixture);
    assert_int_equal(fixture->end.cause, END_CAUSE_ORPHANED);
}

static void lease_stops_its_command(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.stop_on_disconnect = true;
    fixture->spec.lease_ms = 200;
    start(fixture, "while :; do sleep 0.02; done");
    connect_control(fixture);
    finish(fixture);
    assert_int_equal(fixture->end.cause, END_CAUSE_LEASE);
}

static void second_agent_takes_over(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "echo ready; while :; do sleep 0.02; done");
    connect_control(fixture);
    wait_for_output(fixture, "ready");
    file_close(&fixture->control);
    connect_control(fixture);
    struct control_message message;
    struct pollfd ready = {.fd = fixture->control, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    assert_int_equal(control_receive(fixture->control, &message), 1);
    assert_int_equal(message.kind, CONTROL_SEQUENCE);
    assert_true(message.a >= 1);
    assert_true(control_send(fixture->control, CONTROL_KILL, 0, END_CAUSE_USER, "enough"));
    finish(fixture);
}

/* Waits for the file and reads the numbers in it. */
static size_t read_numbers(const struct fixture *fixture, const char *name, long *out, size_t most)
{
    char path[128];
    struct err err = ERR_INIT;
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s", fixture->root, name);
    assert_int_equal(file_read(path, 1 << 16, &text, &err), STATUS_OK);
    for (const char *p = buffer_text(&text); *p != '\0' && count < most;) {
        char *end;
        out[count++] = strtol(p, &end, 10);
        p = end + strspn(end, " \n");
    }
    return count;
}

/* A shell that starts a Python that starts workers: one hears SIGTERM, one does not, one became a daemon. */
static const char worker_script[] =
    "import os, signal, sys, time\n"
    "def note():\n"
    "    fd = os.open('pids', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)\n"
    "    os.write(fd, b'%d\\n' % os.getpid())\n"
    "def worker(deaf, daemon):\n"
    "    if os.fork():\n"
    "        return\n"
    "    if deaf:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "    if daemon:\n"
    "        os.setsid()\n"
    "        if os.fork():\n"
    "            os._exit(0)\n"
    "        os.closerange(0, 64)\n"
    "    note()\n"
    "    while True:\n"
    "        time.sleep(600)\n"
    "note()\n"
    "worker(False, False)\n"
    "worker(True, False)\n"
    "worker(True, True)\n"
    "time.sleep(600)\n";

static void write_script(const struct fixture *fixture, const char *name, const char *text)
{
    char path[128];
    struct err err = ERR_INIT;
    snprintf(path, sizeof path, "%s/%s", fixture->root, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), STATUS_OK);
}

static void grandchildren_go_within_the_grace_time(void **state)
{
    struct fixture *fixture = *state;
    long pids[8];
    size_t count = 0;
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    fixture->spec.stop_grace_ms = 500;
    write_script(fixture, "workers.py", worker_script);
    start(fixture, "/usr/bin/python3 workers.py; true");
    connect_control(fixture);
    while (count < 4) {
        assert_true(loop_now_ms() < end_ms);
        tick();
        char path[128];
        snprintf(path, sizeof path, "%s/pids", fixture->root);
        count = access(path, F_OK) == 0 ? read_numbers(fixture, "pids", pids, ARRAY_LEN(pids)) : 0;
    }
    int64_t start_ms = loop_now_ms();
    assert_true(control_send(fixture->control, CONTROL_STOP, 1, END_CAUSE_USER, "stop"));
    finish(fixture);
    assert_true(loop_now_ms() < start_ms + 500 + 1000);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(kill((pid_t)pids[i], 0), -1);
    remove_mark(fixture, "workers.py");
    remove_mark(fixture, "pids");
}

/* Each process lives for a moment only and leaves a child behind: no list of processes is ever right. */
static _Noreturn void run_away(void)
{
    signal(SIGTERM, SIG_IGN);
    setsid();
    assert_int_equal(write(STDOUT_FILENO, "ready\n", 6), 6);
    for (;;)
        if (fork() != 0)
            _exit(0);
}

static void what_forks_and_goes_is_caught(void **state)
{
    struct fixture *fixture = *state;
    char script[PATH_MAX + 64], self[PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    fixture->spec.stop_grace_ms = 100;
    snprintf(script, sizeof script, "'%s' --run-away & exec sleep 600", self);
    start(fixture, script);
    connect_control(fixture);
    wait_for_output(fixture, "ready");
    int64_t start_ms = loop_now_ms();
    assert_true(control_send(fixture->control, CONTROL_STOP, 1, END_CAUSE_USER, "stop"));
    finish(fixture);
    assert_true(loop_now_ms() < start_ms + 100 + 1000);
}

/* Killed in the middle of a line right after logging; others write through connections of their own. */
static void killed_program_loses_nothing(void **state)
{
    static const char script[] = "import json, os, signal, socket\n"
                                 "def connect():\n"
                                 "    s = socket.socket(socket.AF_UNIX)\n"
                                 "    s.connect(os.environ['BESOM_RUN_SOCKET'])\n"
                                 "    return s\n"
                                 "for i in range(20):\n"
                                 "    if os.fork() == 0:\n"
                                 "        connect().sendall(b'{\"log\": {\"child\": 1}}')\n"
                                 "        os.kill(os.getpid(), signal.SIGKILL)\n"
                                 "for i in range(20):\n"
                                 "    os.wait()\n"
                                 "s = connect()\n"
                                 "for i in range(2000):\n"
                                 "    s.sendall(b'{\"log\": {\"a\": %d, \"b\": 1}, \"commit\": %s}\\n' % (i, "
                                 "[b'false', b'true'][i % 2]))\n"
                                 "s.sendall(b'{\"log\": {\"c\": 1}, \"commit\": false}\\n{\"log\": {\"d')\n"
                                 "os.kill(os.getpid(), signal.SIGKILL)\n";
    struct fixture *fixture = *state;
    size_t points;
    write_script(fixture, "log.py", script);
    start(fixture, "exec /usr/bin/python3 log.py");
    finish(fixture);
    assert_int_equal(fixture->end.signal, SIGKILL);
    free(output_of(fixture, &points));
    assert_int_equal(points, 20 + 2 * 1000 + 1);
    remove_mark(fixture, "log.py");
}

static void metrics_are_read_from_output(void **state)
{
    struct fixture *fixture = *state;
    size_t points;
    fixture->spec.read_output[0] = true;
    fixture->spec.output_step = (char *)(uintptr_t) "epoch";
    start(fixture,
          "i=0; while [ $i -lt 100 ]; do echo \"epoch=$i loss=0.$i\"; echo 'no=1' >&2; i=$((i+1)); done; "
          "printf 'last=1'");
    finish(fixture);
    char *text = output_of(fixture, &points);
    assert_non_null(strstr(text, "epoch=99 loss=0.99\n"));
    assert_non_null(strstr(text, "last=1"));
    free(text);
    assert_int_equal(points, 101);
}

static void bad_pattern_is_told_in_the_output(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.read_output[0] = fixture->spec.read_output[1] = true;
    fixture->spec.output_pattern = (char *)(uintptr_t) "(";
    start(fixture, "echo a=1");
    finish(fixture);
    assert_int_equal(fixture->end.exit_code, 0);
    expect_output(fixture, "besom: output_metrics: pattern: ");
    expect_output(fixture, "a=1\n");
}

static void surroundings_are_in_the_environment(void **state)
{
    struct fixture *fixture = *state;
    char run_dir[128], line[200];
    struct stat info;
    snprintf(run_dir, sizeof run_dir, "%s/runs/run00001", fixture->root);
    fixture->spec.attempt = 2;
    fixture->spec.next_step = 120;
    fixture->spec.run_dir = run_dir;
    fixture->spec.gpus = (char *)(uintptr_t) "0,2";
    fixture->spec.python_path = (char *)(uintptr_t) "/opt/besom";
    setenv("PYTHONPATH", "/opt/mine", 1);
    mode_t before = umask(027);
    start(fixture, "env; : > $BESOM_RUN_DIR/kept");
    finish(fixture);
    umask(before);
    unsetenv("PYTHONPATH");
    const char *const wanted[] = {"BESOM_RESUME=1\n",           "BESOM_NEXT_STEP=120\n",
                                  "BESOM_GPUS=0,2\n",           "CUDA_VISIBLE_DEVICES=0,2\n",
                                  "ROCR_VISIBLE_DEVICES=0,2\n", "PYTHONPATH=/opt/besom:/opt/mine\n",
                                  "PYTHONUNBUFFERED=1\n"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        expect_output(fixture, wanted[i]);
    snprintf(line, sizeof line, "BESOM_RUN_DIR=%s\n", run_dir);
    expect_output(fixture, line);
    assert_int_equal(stat(run_dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
    remove_mark(fixture, "runs/run00001/kept");
    assert_int_equal(rmdir(run_dir), 0);
    snprintf(run_dir, sizeof run_dir, "%s/runs", fixture->root);
    assert_int_equal(rmdir(run_dir), 0);
}

/* What another run around this one had is not this one's. An empty folder goes. */
static void inherited_surroundings_are_taken_away(void **state)
{
    struct fixture *fixture = *state;
    char run_dir[128];
    size_t points;
    static const char *const names[] = {"BESOM_RESUME", "BESOM_GPUS", "PYTHONUNBUFFERED"};
    snprintf(run_dir, sizeof run_dir, "%s/run", fixture->root);
    fixture->spec.run_dir = run_dir;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        setenv(names[i], "7", 1);
    start(fixture, "env; ls -d $BESOM_RUN_DIR");
    finish(fixture);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    char *text = output_of(fixture, &points);
    assert_null(strstr(text, "BESOM_RESUME"));
    assert_null(strstr(text, "BESOM_GPUS"));
    assert_null(strstr(text, "CUDA_VISIBLE_DEVICES"));
    assert_non_null(strstr(text, "PYTHONUNBUFFERED=7\n"));
    assert_non_null(strstr(text, "BESOM_NEXT_STEP=0\n"));
    free(text);
    assert_int_equal(fixture->end.exit_code, 0);
    assert_int_equal(access(run_dir, F_OK), -1);
}

static void folder_of_the_run_that_cannot_be_made_is_told(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.run_dir = (char *)(uintptr_t) "/proc/no/such/folder";
    start(fixture, "exit 0");
    finish(fixture);
    assert_int_equal(fixture->end.end, ATTEMPT_NOT_STARTED);
    assert_non_null(strstr(fixture->end.error_text, "/proc/no"));
}

/* The lock goes, nothing says that it ended, and the command dies with the shim. */
static void killed_shim_takes_its_command_along(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    start(fixture, "echo ready; while :; do sleep 0.02; done");
    wait_for_output(fixture, "ready");
    assert_int_equal(attempt_lock(&fixture->paths), -1);
    kill(fixture->shim, SIGKILL);
    assert_int_equal(waitpid(fixture->shim, NULL, 0), fixture->shim);
    int lock = attempt_lock(&fixture->paths);
    assert_true(lock >= 0);
    close(lock);
    assert_true(attempt_was_started(&fixture->paths));
    assert_int_equal(attempt_exit_read(&fixture->paths, &fixture->end, &err), STATUS_NOT_FOUND);
    char entry[PATH_MAX + 32];
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    snprintf(entry, sizeof entry, "BESOM_RUN_SOCKET=%s", fixture->paths.run_socket);
    while (tree_kill_marked(entry) > 0)
        assert_true(loop_now_ms() < end_ms);
}

static void output_beyond_the_bound_is_counted(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.spool_limit_bytes = 1 << 20;
    start(fixture,
          "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero | tr '\\0' 'x'; echo; i=$((i+1)); done");
    finish(fixture);
    size_t points;
    char *text = output_of(fixture, &points);
    assert_true(strlen(text) < 3 << 20);
    assert_true(strlen(text) > 1 << 19);
    free(text);
}

static void missing_program_is_told(void **state)
{
    struct fixture *fixture = *state;
    char *missing[] = {(char *)(uintptr_t) "/no/such/program", NULL};
    fixture->spec.command = missing;
    start(fixture, "");
    finish(fixture);
    assert_int_equal(fixture->end.end, ATTEMPT_START_FAILED);
    assert_non_null(strstr(fixture->end.error_text, "/no/such/program"));
}

/* A lock or a pipe of whoever started the agent is not kept open by runs that outlive it. */
static void descriptors_are_not_passed_on(void **state)
{
    struct fixture *fixture = *state;
    size_t points;
    assert_int_equal(dup2(STDERR_FILENO, 77), 77);
    start(fixture, "ls /proc/$PPID/fd /proc/$$/fd");
    close(77);
    finish(fixture);
    char *text = output_of(fixture, &points);
    assert_null(strstr(text, "\n77\n"));
    free(text);
}

static void zeros_in_the_last_words_are_kept_apart(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "printf 'first\\0last' >&2; exit 3");
    finish(fixture);
    assert_string_equal(fixture->end.error_text, "first?last");
}

/* Where the output in the spool ends, counted from the run's first byte. */
static int64_t output_end(const struct fixture *fixture)
{
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0, end = 0;
    assert_int_equal(spool_reader_new(fixture->paths.spool, &reader, &err), STATUS_OK);
    while (spool_read(reader, &sequence, &payload)) {
        Besom__V1__TrackBatch *batch =
            besom__v1__track_batch__unpack(NULL, payload.length, (const uint8_t *)buffer_text(&payload));
        assert_non_null(batch);
        for (size_t i = 0; i < batch->n_logs; i++)
            end = batch->logs[i]->offset + (int64_t)batch->logs[i]->text.len;
        besom__v1__track_batch__free_unpacked(batch, NULL);
    }
    spool_reader_free(reader);
    return end;
}

/* Waits for a message of this kind. */
static void await_message(const struct fixture *fixture, enum control_kind kind, struct control_message *out)
{
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    for (;;) {
        int got = control_receive(fixture->control, out);
        assert_true(got >= 0 && loop_now_ms() < end_ms);
        if (got > 0 && out->kind == (uint32_t)kind)
            return;
        if (got == 0)
            tick();
    }
}

/* A bound on file sizes stands in for a full disk. Nothing gets lost, and the agent hears of it. */
static void full_disk_is_told_and_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct control_message message;
    struct rlimit before, none;
    size_t points;
    start(fixture,
          "while [ ! -e go ]; do sleep 0.01; done; echo words; while [ ! -e end ]; do sleep 0.01; done");
    connect_control(fixture);
    await_message(fixture, CONTROL_SEQUENCE, &message);
    assert_int_equal(prlimit(fixture->shim, RLIMIT_FSIZE, NULL, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(prlimit(fixture->shim, RLIMIT_FSIZE, &none, NULL), 0);
    put_mark(fixture, "go");
    await_message(fixture, CONTROL_TROUBLE, &message);
    assert_non_null(strstr(message.text, "cannot write the spool"));
    assert_int_equal(prlimit(fixture->shim, RLIMIT_FSIZE, &before, NULL), 0);
    await_message(fixture, CONTROL_TROUBLE, &message);
    assert_string_equal(message.text, "");
    put_mark(fixture, "end");
    finish(fixture);
    char *text = output_of(fixture, &points);
    assert_string_equal(text, "words\n");
    free(text);
    remove_mark(fixture, "go");
    remove_mark(fixture, "end");
}

/* Nothing can be reported from a deleted folder: the shim ends all the same. */
static void deleted_folder_ends_the_shim(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    start(fixture, "echo ready; exec sleep 600");
    connect_control(fixture);
    wait_for_output(fixture, "ready");
    attempt_remove(&fixture->paths);
    assert_true(attempt_is_gone(&fixture->paths));
    assert_true(control_send(fixture->control, CONTROL_KILL, 1, END_CAUSE_USER, "test"));
    int64_t end_ms = loop_now_ms() + PATIENCE_MS;
    while (waitpid(fixture->shim, &status, WNOHANG) == 0) {
        if (loop_now_ms() > end_ms)
            kill(fixture->shim, SIGKILL);
        tick();
    }
    assert_true(WIFEXITED(status));
}

/* An agent that hung for a while hears of the last batch, though there was no room to tell it. */
static void hanging_agent_hears_of_the_last_batch(void **state)
{
    struct fixture *fixture = *state;
    const int64_t bytes = 120000000;
    start(fixture, "head -c 120000000 /dev/zero | tr '\\0' '\\n'; while [ ! -e end ]; do sleep 0.01; done");
    connect_control(fixture);
    int64_t last = 0, heard = 0, end_ms = loop_now_ms() + 6 * PATIENCE_MS;
    while (output_end(fixture) < bytes) { /* reads all of it: not too often */
        const struct timespec pause = {.tv_nsec = 200000000};
        nanosleep(&pause, NULL);
        assert_true(loop_now_ms() < end_ms);
    }
    last = spool_last_sequence(fixture->paths.spool);
    while (heard < last) {
        struct control_message message;
        if (control_receive(fixture->control, &message) > 0 && message.kind == CONTROL_SEQUENCE)
            heard = message.a;
        else
            tick();
        assert_true(loop_now_ms() < end_ms);
    }
    put_mark(fixture, "end");
    finish(fixture);
    remove_mark(fixture, "end");
}

/* What the controller has does not count, however small the bound is. */
static void acknowledged_output_makes_room(void **state)
{
    struct fixture *fixture = *state;
    struct control_message message;
    size_t points;
    fixture->spec.spool_limit_bytes = 1 << 20;
    start(fixture, "i=0; while [ $i -lt 40 ]; do head -c 99999 /dev/zero | tr '\\0' 'x'; echo; "
                   "while [ ! -e $i ]; do sleep 0.005; done; i=$((i+1)); done");
    connect_control(fixture);
    for (int i = 0; i < 40; i++) {
        char mark[16];
        int64_t output = 0, end_ms = loop_now_ms() + PATIENCE_MS;
        while (output < (i + 1) * 100000) {
            assert_true(loop_now_ms() < end_ms);
            if (control_receive(fixture->control, &message) > 0 && message.kind == CONTROL_SEQUENCE)
                assert_true(control_send(fixture->control, CONTROL_ACKNOWLEDGED, message.a, 0, NULL));
            tick();
            output = output_end(fixture);
        }
        snprintf(mark, sizeof mark, "%d", i);
        put_mark(fixture, mark);
    }
    finish(fixture);
    for (int i = 0; i < 40; i++) {
        char mark[16];
        snprintf(mark, sizeof mark, "%d", i);
        remove_mark(fixture, mark);
    }
    char *text = output_of(fixture, &points);
    assert_true(strlen(text) < 1 << 20); /* the rest is acknowledged and gone */
    free(text);
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "--shim") == 0)
        return shim_main(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--run-away") == 0)
        run_away();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(environment_is_set_and_clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(start_failure_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_program_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_are_not_passed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zeros_in_the_last_words_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_disk_is_told_and_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deleted_folder_ends_the_shim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hanging_agent_hears_of_the_last_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(acknowledged_output_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signal_death_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stop_is_heard_and_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_tree_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grandchildren_go_within_the_grace_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_forks_and_goes_is_caught, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_program_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_are_read_from_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_pattern_is_told_in_the_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(surroundings_are_in_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inherited_surroundings_are_taken_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_of_the_run_that_cannot_be_made_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftovers_end_with_the_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orphan_stops_its_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lease_stops_its_command, set_up, tear_down),
        cmocka_unit_test_setup_teardown(second_agent_takes_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_shim_takes_its_command_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(output_beyond_the_bound_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
