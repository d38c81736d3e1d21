// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/common/service.h"

/* "besom-x" of "besom-x [options]". */
static int program_length(const struct config_command *command)
{
    return (int)strcspn(command->usage, " ");
}

/* One line, also of an error text that libpq broke into several. */
static void print_line(const char *text)
{
    bool blank = false;
    for (; *text != '\0'; text++) {
        bool space = *text == '\n' || *text == '\t' || *text == ' ';
        if (!space && blank)
            (void)fputc(' ', stderr);
        if (!space)
            (void)fputc(*text, stderr);
        blank = space;
    }
    (void)fputc('\n', stderr);
}

static int tell(const struct config_command *command, const struct err *err)
{
    (void)fprintf(stderr, "%.*s: ", program_length(command), command->usage);
    print_line(err->text);
    return status_info(err->code)->exit_code;
}

static enum status parse(const struct config_command *command, int argc, char *const argv[],
                         struct arena *arena, void *out, const struct service_options *options,
                         struct config_result *result, struct err *err)
{
    enum log_level level;
    TRY(config_parse(command, argc, argv, arena, out, result, err));
    if (result->help || result->version)
        return STATUS_OK;
    TRY(log_parse_level(options->log_level, &level, err));
    log_set_level(level);
    return log_set_format(options->log_format, err);
}

bool service_configure(const struct config_command *command, int argc, char *const argv[],
                       struct arena *arena, void *out, const struct service_options *options, int *exit_code)
{
    struct config_result result = {0};
    struct err err = ERR_INIT;
    *exit_code = 0;
    if (parse(command, argc, argv, arena, out, options, &result, &err) != STATUS_OK) {
        *exit_code = tell(command, &err);
        return false;
    }
    if (result.help) {
        config_print_help(command, stdout);
        return false;
    }
    if (result.version) {
        (void)printf("%.*s %s\n", program_length(command), command->usage, BESOM_VERSION);
        return false;
    }
    if (options->healthcheck) {
        if (service_check_health(options, &err) != STATUS_OK)
            *exit_code = tell(command, &err);
        return false;
    }
    return true;
}

int service_exit_code(const char *name, const struct err *err)
{
    if (err->code == STATUS_OK || err->code == STATUS_CANCELLED)
        return 0;
    (void)fprintf(stderr, "besom-%s: ", name);
    print_line(err->text);
    return status_info(err->code)->exit_code;
}
