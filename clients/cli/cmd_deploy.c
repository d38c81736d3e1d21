// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "commands.h"
#include "deploy.h"

static int check_options(const struct deploy_options *options)
{
    if (options->slurm == NULL)
        return cli_fail(CLI_USAGE,
                        "deploy: where to? (--slurm FILE names the template of the batch scripts)");
    if (options->hours_per_run < 0)
        return cli_fail(CLI_USAGE, "deploy: --hours-per-run is no negative number");
    if (options->out != NULL && *options->out == '\0')
        return cli_fail(CLI_USAGE, "deploy: --out is empty (give a folder, or leave it out)");
    return CLI_OK;
}

/* sbatch says nothing of them. */
static void warn_of_unread(const struct deploy *deploy)
{
    const struct deploy_template *template = &deploy->template;
    size_t at = template->directives_end;
    while (at < template->length) {
        const char *line = template->text + at, *end = memchr(line, '\n', template->length - at);
        if (strncmp(line, "#SBATCH", strlen("#SBATCH")) == 0)
            fprintf(stderr,
                    "%s:%zu:1: warning: sbatch reads no #SBATCH behind the first command (move this line "
                    "up)\n",
                    deploy->options->slurm, deploy_place_of(template->text, at).line);
        at = end != NULL ? (size_t)(end - template->text) + 1 : template->length;
    }
}

static int read_template(struct deploy *deploy)
{
    const struct deploy_options *options = deploy->options;
    struct deploy_place place = {.line = 0};
    struct err err = ERR_INIT;
    if (file_read(options->slurm, DEPLOY_TEMPLATE_MAX, &deploy->text, &err) != STATUS_OK)
        return cli_fail(CLI_USAGE, "%s", err.text);
    enum status status = deploy_template_read(buffer_text(&deploy->text), deploy->text.length,
                                              &deploy->template, &place, &err);
    if (status == STATUS_OK && options->nodes > 0 && deploy->template.array_line > 0) {
        place = (struct deploy_place){.line = deploy->template.array_line, .column = 1};
        status = err_set(&err, STATUS_INVALID,
                         "the template makes a job array already (leave out --nodes, or delete this line)");
    }
    if (status != STATUS_OK)
        fprintf(stderr, "%s:%zu:%zu: %s\n", options->slurm, place.line, place.column, err.text);
    else
        warn_of_unread(deploy);
    return status == STATUS_OK ? CLI_OK : CLI_USAGE;
}

/* Before anything is created. */
static int prepare_out(const struct deploy *deploy)
{
    const struct deploy_options *options = deploy->options;
    struct err err = ERR_INIT;
    if (options->out != NULL && file_make_dirs(options->out, 0777, &err) != STATUS_OK)
        return cli_fail_err(&err, "--out");
    const char *folder = options->out != NULL ? options->out : ".";
    if (access(folder, W_OK | X_OK) != 0)
        return cli_fail(CLI_FAILED, "cannot write into %s: %s (--out DIR is for the scripts)", folder,
                        strerror(errno));
    return options->submit ? deploy_find_sbatch(deploy) : CLI_OK;
}

static int create_all(struct deploy *deploy)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    int code = connection_open(&deploy->options->connection, &client);
    for (size_t i = 0; i < deploy->file.count && code == CLI_OK; i++) {
        struct deploy_sweep *sweep = &deploy->file.sweeps[i];
        Besom__V1__CreateSweepResponse *response CLEANUP(message_release) = NULL;
        code = sweep_file_create(client, &sweep->file, &deploy->options->flags, NULL, &response);
        if (code != CLI_OK)
            break;
        sweep_file_tell_warnings(&sweep->file, response->warnings, response->n_warnings);
        sweep->sweep_id = arena_strdup(&deploy->cli->arena, response->sweep->sweep_id);
        if (sweep->sweep_id == NULL)
            code = cli_fail(CLI_FAILED, "out of memory");
    }
    return code;
}

static const char *script_path(const struct deploy *deploy, const struct deploy_sweep *sweep)
{
    const char *folder = deploy->options->out;
    return arena_printf(&deploy->cli->arena, "%s%sbesom-%s.sbatch", folder != NULL ? folder : "",
                        folder != NULL ? "/" : "", sweep->sweep_id != NULL ? sweep->sweep_id : "SWEEP");
}

static int write_script(const struct deploy *deploy, struct deploy_sweep *sweep)
{
    struct buffer script CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    const char *path = script_path(deploy, sweep);
    deploy_template_write(&deploy->template, sweep->sweep_id, deploy->options->nodes, &script);
    if (script.failed || path == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (file_write_atomic(path, script.data, script.length, 0755, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot write the script of sweep %s", sweep->sweep_id);
    sweep->script = path;
    return CLI_OK;
}

static int make(struct deploy *deploy)
{
    int code = create_all(deploy);
    for (size_t i = 0; i < deploy->file.count && code == CLI_OK; i++)
        code = write_script(deploy, &deploy->file.sweeps[i]);
    if (code == CLI_OK && deploy->options->sync != NULL)
        code = deploy_sync(deploy);
    if (code == CLI_OK && deploy->options->submit)
        code = deploy_submit(deploy);
    if (code != CLI_OK && deploy->file.sweeps[0].sweep_id != NULL)
        deploy_report_rest(deploy);
    return code;
}

static int pretend(struct deploy *deploy)
{
    for (size_t i = 0; i < deploy->file.count; i++)
        if ((deploy->file.sweeps[i].script = script_path(deploy, &deploy->file.sweeps[i])) == NULL)
            return cli_fail(CLI_FAILED, "out of memory");
    return CLI_OK;
}

static void release(struct deploy *deploy)
{
    deploy_file_free(&deploy->file);
    buffer_free(&deploy->text);
}

static int run_deploy(struct cli *cli, void *given)
{
    const struct deploy_options *options = given;
    struct deploy deploy CLEANUP(release) = {.cli = cli, .options = options, .text = BUFFER_INIT};
    int code = check_options(options);
    if (code != CLI_OK)
        return code;
    code = deploy_file_load(cli, cli->given->arguments[0], &options->flags, &deploy.file);
    int template_code = read_template(&deploy); /* all problems are told at once */
    if (code == CLI_OK)
        code = template_code;
    if (code == CLI_OK && !options->dry_run)
        code = prepare_out(&deploy);
    if (code == CLI_OK)
        code = options->dry_run ? pretend(&deploy) : make(&deploy);
    return code == CLI_OK ? deploy_report(&deploy) : code;
}

static const struct config_key keys[] = {
    {.name = "slurm",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct deploy_options, slurm),
     .value_name = "FILE",
     .help = "batch script to make each sweep's from: its last line that runs besom agent or wandb agent, or "
             "the line '# besom: agent', becomes the sweep's agent"},
    {.name = "nodes",
     .type = CONFIG_INT,
     .offset = offsetof(struct deploy_options, nodes),
     .value_name = "N",
     .min = 1,
     .max = DEPLOY_NODES_MAX,
     .help = "make each script a job array of N agents; unset: the template says"},
    {.name = "hours-per-run",
     .type = CONFIG_REAL,
     .offset = offsetof(struct deploy_options, hours_per_run),
     .value_name = "X",
     .help = "how long a run takes, to tell the hours of a sweep: runs * X / agents, X at least"},
    {.name = "sync",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct deploy_options, sync),
     .value_name = "CMD",
     .help = "command for sh to run once the scripts are written, such as 'rsync -a . login:project'"},
    {.name = "submit",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct deploy_options, submit),
     .help = "submit the scripts with sbatch"},
    {.name = "out",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct deploy_options, out),
     .value_name = "DIR",
     .help = "folder for the scripts, besom-SWEEP.sbatch each; unset: this one"},
    {.name = "dry-run",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct deploy_options, dry_run),
     .help =
         "create, write and run nothing: check both files, without a server, and show what would be made"},
    SWEEP_FLAG_KEYS(struct deploy_options),
    JSON_KEY(struct deploy_options),
    CONNECTION_KEYS(struct deploy_options),
};

const struct cli_command cmd_deploy = {
    .name = "deploy",
    .group = "Sweep",
    .usage = "besom deploy FILE --slurm TEMPLATE [--nodes N] [--hours-per-run X] [--sync CMD] [--submit]",
    .summary =
        "Create the sweeps of a file and their SLURM scripts\n"
        "FILE holds one sweep file or several, parted by lines '---'. All of them and the template are\n"
        "checked before the first sweep is created.",
    .footer =
        "The jobs find the controller and the token as any agent does: by BESOM_ADDRESS and BESOM_TOKEN,\n"
        "which sbatch takes from the environment that it is called in.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct deploy_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_deploy,
};
