// SPDX-License-Identifier: Apache-2.0
// besom-agent: serves a sweep, or, as `besom-agent --shim FOLDER`, one attempt.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "base/log.h"
#include "options.h"
#include "say.h"
#include "shim.h"

static enum status open_log(const struct agent_options *options, struct err *err)
{
    enum log_level level;
    TRY(log_parse_level(options->log_level, &level, err));
    log_set_level(options->log_file != NULL ? level : LOG_LEVEL_OFF);
    if (options->log_file == NULL)
        return STATUS_OK;
    int fd = open(options->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot open %s", options->log_file);
    log_set_fd(fd);
    return STATUS_OK;
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "--shim") == 0)
        return shim_main(argv[2]);
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct agent_options options;
    struct err err = ERR_INIT;
    bool done = false;
    if (options_parse(argc, argv, &arena, &options, &done, &err) != STATUS_OK ||
        (!done && open_log(&options, &err) != STATUS_OK)) {
        say("%s", err.text);
        return status_info(err.code)->exit_code;
    }
    return done ? 0 : agent_run(&options);
}
