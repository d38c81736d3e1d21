// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "gpus.h"
#include "search_path.h"

#define RUN_DIR_TRIES 10

extern char **environ;

static bool is_named(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

bool command_hides_variable(const char *entry)
{
    static const char *const hidden[] = {"BESOM_TOKEN", "BESOM_DATABASE_URL", "WANDB_SERVICE"};
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (is_named(entry, hidden[i]))
            return true;
    const char *equals = strchr(entry, '=');
    return strncmp(entry, "BESOM_", 6) == 0 && equals != NULL && equals - entry > 5 &&
           strncmp(equals - 5, "_FILE", 5) == 0;
}

char **command_clean_environment(void)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **clean = calloc(count + 1, sizeof *clean);
    for (size_t i = 0, at = 0; clean != NULL && i < count; i++)
        if (!command_hides_variable(environ[i]))
            clean[at++] = environ[i];
    return clean;
}

static int set_texts(const struct attempt_spec *spec, const struct attempt_paths *paths)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        {"BESOM_RUN_ID", spec->run_id},       {"BESOM_SWEEP_ID", spec->sweep_id},
        {"BESOM_PROJECT", spec->project},     {"BESOM_RUN_SOCKET", paths->run_socket},
        {"BESOM_PARAMS_FILE", paths->params}, {"WANDB_RUN_ID", spec->run_id},
        {"WANDB_SWEEP_ID", spec->sweep_id},   {"WANDB_SWEEP_PARAM_PATH", paths->config},
    };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        failed |= setenv(rows[i].name, rows[i].value, 1);
    if (spec->project[0] != '\0')
        failed |= setenv("WANDB_PROJECT", spec->project, 1);
    return failed;
}

/* Sets it, or takes away what was inherited. */
static int set_or_unset(const char *name, const char *value)
{
    return value != NULL ? setenv(name, value, 1) : unsetenv(name);
}

static int set_number(const char *name, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, number);
    return setenv(name, text, 1);
}

/* A run is bound to its GPUs by what the libraries of both makers look at. */
static int set_gpus(const struct attempt_spec *spec)
{
    int failed = set_or_unset("BESOM_GPUS", spec->gpus);
    if (spec->gpus == NULL)
        return failed;
    char *cuda = gpus_for_cuda(spec->gpus, gpus_are_of_amd(""));
    failed |= cuda != NULL ? setenv("CUDA_VISIBLE_DEVICES", cuda, 1) : -1;
    failed |= setenv("ROCR_VISIBLE_DEVICES", spec->gpus, 1);
    free(cuda);
    return failed;
}

/* Python finds the package beside the agent, and what it prints is seen at once. */
static int set_python(const struct attempt_spec *spec)
{
    int failed = setenv("PYTHONUNBUFFERED", "1", 0);
    if (spec->python_path == NULL || spec->python_path[0] == '\0')
        return failed;
    const char *before = getenv("PYTHONPATH");
    bool has_before = before != NULL && *before != '\0';
    struct buffer path CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&path, "%s%s%s", spec->python_path, has_before ? ":" : "", has_before ? before : "");
    return failed | (path.failed ? -1 : setenv("PYTHONPATH", buffer_text(&path), 1));
}

static int set_place(const struct attempt_spec *spec)
{
    char number[32], folder[PATH_MAX];
    snprintf(number, sizeof number, "%" PRIu64, spec->seed);
    int failed = setenv("BESOM_RUN_SEED", number, 1);
    failed |= set_number("BESOM_ATTEMPT", spec->attempt);
    failed |= set_number("BESOM_NEXT_STEP", spec->next_step);
    failed |= set_or_unset("BESOM_RESUME", spec->attempt > 1 ? "1" : NULL);
    failed |= set_or_unset("BESOM_RUN_DIR", spec->run_dir);
    const char *wandb_dir = getenv("WANDB_DIR");
    if ((wandb_dir == NULL || *wandb_dir == '\0') && getcwd(folder, sizeof folder) != NULL)
        failed |= setenv("WANDB_DIR", folder, 1);
    return failed;
}

/* In the shim's own environment, which was clean from its start and which the command inherits. */
static enum status set_environment(const struct attempt_spec *spec, const struct attempt_paths *paths,
                                   struct err *err)
{
    int failed = set_texts(spec, paths) | set_place(spec) | set_gpus(spec) | set_python(spec);
    failed |= search_path_add_own_folder() != STATUS_OK;
    return failed == 0 ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

struct start_pipes {
    int output[2], error[2], report[2]; /* report: errno of a failed start, closed by a good one */
};

static void pipes_close(struct start_pipes *pipes)
{
    int *all[] = {pipes->output, pipes->error, pipes->report};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        file_close(&all[i][0]);
        file_close(&all[i][1]);
    }
}

static _Noreturn void report_and_exit(const struct start_pipes *pipes)
{
    int reason = errno;
    ssize_t written = write(pipes->report[1], &reason, sizeof reason);
    (void)written;
    _exit(127);
}

/* Between fork and exec. The command dies with the shim: PR_SET_PDEATHSIG, and the check for having missed
 * it. */
static _Noreturn void become_command(const struct attempt_spec *spec, const struct start_pipes *pipes,
                                     pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(pipes->output[1], 1) < 0 || dup2(pipes->error[1], 2) < 0)
        report_and_exit(pipes);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(spec->command[0], spec->command);
    report_and_exit(pipes);
}

static enum status read_report(const struct attempt_spec *spec, const struct start_pipes *pipes,
                               struct err *err)
{
    int reason = 0;
    ssize_t got;
    do
        got = read(pipes->report[0], &reason, sizeof reason);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return STATUS_OK;
    return err_set_errno(err, STATUS_IO, reason, "cannot start '%s'", spec->command[0]);
}

static enum status enter_workdir(const struct attempt_spec *spec, struct err *err)
{
    if (spec->workdir != NULL && chdir(spec->workdir) != 0)
        return err_set_errno(err, STATUS_UNAVAILABLE, errno, "cannot enter folder %s", spec->workdir);
    return STATUS_OK;
}

/* As a program of this user would make it. Not to be had, it is this machine's fault; but the end of another
 * run may take an empty parent away in between. */
static enum status make_run_dir(const struct attempt_spec *spec, struct err *err)
{
    struct err problem = ERR_INIT;
    for (int i = 0; i < RUN_DIR_TRIES; i++)
        if (spec->run_dir == NULL || file_make_dirs(spec->run_dir, 0777, &problem) == STATUS_OK)
            return STATUS_OK;
    return err_set(err, STATUS_UNAVAILABLE, "%s", problem.text);
}

void command_clean_up(const struct attempt_spec *spec)
{
    if (spec->run_dir != NULL)
        rmdir(spec->run_dir); /* fails when the run left something in it */
}

enum status command_start(const struct attempt_spec *spec, const struct attempt_paths *paths,
                          struct command_started *out, struct err *err)
{
    struct start_pipes pipes CLEANUP(pipes_close) = {{-1, -1}, {-1, -1}, {-1, -1}};
    *out = (struct command_started){.pid = -1, .output = {-1, -1}};
    if (spec->command[0] == NULL)
        return err_set(err, STATUS_IO, "the command is empty");
    TRY(enter_workdir(spec, err));
    TRY(make_run_dir(spec, err));
    TRY(set_environment(spec, paths, err));
    if (pipe2(pipes.output, O_CLOEXEC) != 0 || pipe2(pipes.error, O_CLOEXEC) != 0 ||
        pipe2(pipes.report, O_CLOEXEC) != 0)
        return err_set_errno(err, STATUS_UNAVAILABLE, errno, "cannot make pipes");
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return err_set_errno(err, STATUS_UNAVAILABLE, errno, "cannot fork");
    if (pid == 0)
        become_command(spec, &pipes, parent);
    setpgid(pid, pid); /* both sides do it, so that it holds whoever runs first */
    file_close(&pipes.report[1]);
    TRY(read_report(spec, &pipes, err));
    *out = (struct command_started){.pid = pid, .output = {pipes.output[0], pipes.error[0]}};
    pipes.output[0] = pipes.error[0] = -1;
    fcntl(out->output[0], F_SETFL, O_NONBLOCK);
    fcntl(out->output[1], F_SETFL, O_NONBLOCK);
    return STATUS_OK;
}
