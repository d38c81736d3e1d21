// SPDX-License-Identifier: Apache-2.0
#include "surroundings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "search_path.h"

#define MAKE_TRIES 20
#define STAND_IN "/besom/_compat"

/* ---- the run's folder ---- */

/* Relative to where the agent was started, not to the working folder of its runs. */
static enum status find_run_root(const struct agent_options *options, char out[PATH_MAX], struct err *err)
{
    char here[PATH_MAX];
    const char *given = options->run_dir;
    if (given == NULL)
        return STATUS_OK;
    if (given[0] != '/' && getcwd(here, sizeof here) == NULL)
        return err_set(err, STATUS_INVALID, "--run-dir: the current folder is gone");
    int printed = given[0] == '/' ? snprintf(out, PATH_MAX, "%s", given)
                                  : snprintf(out, PATH_MAX, "%s/%s", here, given);
    return printed < PATH_MAX ? STATUS_OK : err_set(err, STATUS_INVALID, "--run-dir: the path is too long");
}

/* ---- Python ---- */

/* `import besom` works in every run where there is a package; `import wandb` is taken over on demand alone.
 */
static enum status find_python(const struct agent_options *options, struct surroundings *out, struct err *err)
{
    char *package = search_path_package();
    char stand_in[PATH_MAX];
    out->python_path = package;
    if (!options->wandb)
        return STATUS_OK;
    snprintf(stand_in, sizeof stand_in, "%.*s" STAND_IN, PATH_MAX - 32, package != NULL ? package : "");
    if (package == NULL || access(stand_in, F_OK) != 0)
        return err_set(
            err, STATUS_INVALID,
            "--wandb: Besom's Python package is not beside this program (set BESOM_PYTHON_DIR to the "
            "folder that holds besom/)");
    size_t size = strlen(package) + strlen(stand_in) + 2;
    out->python_path = malloc(size);
    if (out->python_path != NULL)
        snprintf(out->python_path, size, "%s:%s", stand_in, package);
    free(package);
    return out->python_path != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* ---- GPUs ---- */

static enum status find_gpus(const struct agent_options *options, struct gpu_list *out, struct err *err)
{
    const struct gpu_sources sources = {.cuda_visible = getenv("CUDA_VISIBLE_DEVICES"),
                                        .root = "",
                                        .ask_nvidia_smi = true,
                                        .rocr_visible = getenv("ROCR_VISIBLE_DEVICES")};
    if (strcmp(options->gpus, "none") == 0)
        return STATUS_OK;
    if (strcmp(options->gpus, "auto") != 0)
        return gpu_list_parse(options->gpus, out, err) == STATUS_OK ? STATUS_OK : err_context(err, "--gpus");
    struct err problem = ERR_INIT;
    if (gpu_list_detect(&sources, out, &problem) == STATUS_OK)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "--gpus auto: %s (name them: --gpus 0-3)", problem.text);
}

static enum status count_slots(const struct agent_options *options, struct surroundings *out, struct err *err)
{
    int64_t per_run = options->gpus_per_run, gpus = (int64_t)out->gpus.count;
    out->slots = (int)(options->slots > 0 ? options->slots : 1);
    if (gpus == 0)
        return per_run == 1 ? STATUS_OK : err_set(err, STATUS_INVALID, "--gpus-per-run is for --gpus");
    if (gpus < per_run)
        return err_set(err, STATUS_INVALID, "%lld GPUs are too few for runs with %lld each", (long long)gpus,
                       (long long)per_run);
    if (options->slots > gpus / per_run)
        return err_set(err, STATUS_INVALID,
                       "-j %lld: %lld GPUs suffice for %lld runs at a time with %lld each (leave -j out)",
                       (long long)options->slots, (long long)gpus, (long long)(gpus / per_run),
                       (long long)per_run);
    if (options->slots == 0)
        out->slots = (int)(gpus / per_run);
    return STATUS_OK;
}

/* ---- all of it ---- */

enum status surroundings_open(const struct agent_options *options, struct surroundings *out, struct err *err)
{
    *out = (struct surroundings){.slots = 0};
    TRY(find_run_root(options, out->run_root, err));
    TRY(find_python(options, out, err));
    TRY(find_gpus(options, &out->gpus, err));
    return count_slots(options, out, err);
}

void surroundings_close(struct surroundings *surroundings)
{
    gpu_list_free(&surroundings->gpus);
    free(surroundings->python_path);
    *surroundings = (struct surroundings){.slots = 0};
}

enum status surroundings_run_dir(const struct surroundings *surroundings, const char *workdir,
                                 const char *run_id, char **out, struct err *err)
{
    char path[PATH_MAX];
    bool given = surroundings->run_root[0] != '\0';
    int printed = given ? snprintf(path, sizeof path, "%s/%s", surroundings->run_root, run_id)
                        : snprintf(path, sizeof path, "%s/" RUN_ROOT_NAME "/%s", workdir, run_id);
    *out = NULL;
    enum status status = STATUS_INVALID;
    if (printed >= (int)sizeof path)
        status = err_set(err, STATUS_INVALID, "the path of the run's folder is too long");
    /* another agent may delete the empty root between two steps of this one */
    for (int i = 0; printed < (int)sizeof path && i < MAKE_TRIES && status != STATUS_OK; i++)
        status = file_make_dirs(path, 0777, err);
    if (status == STATUS_OK && (*out = strdup(path)) == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return given ? status : STATUS_OK;
}
