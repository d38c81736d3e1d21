// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/common/roles.h"
#include "services/controller/controller.h"

static enum status add_tokens(struct service *service, const struct config_list *files, struct err *err)
{
    for (size_t i = 0; i < files->count; i++)
        TRY(token_set_add_file(service_tokens(service), files->items[i], ROLE_ADMIN, err));
    return STATUS_OK;
}

static enum status run(struct service *service, const struct controller_options *options, struct err *err)
{
    struct controller controller = {
        .options = options, .store = service_store(service), .owner = service_owner(service)};
    TRY(add_tokens(service, &options->token_files, err));
    TRY(controller_start(&controller, err));
    service_add(service, "besom.v1.SweepService", sweep_service_methods, sweep_service_method_count,
                &controller);
    service_add(service, "besom.v1.RunService", run_service_methods, run_service_method_count, &controller);
    rpc_server_on_drain(service_server(service), controller_drain, &controller);
    enum status status = service_run(service, err);
    controller_stop(&controller);
    return status;
}

static int serve(int argc, char *argv[])
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct controller_options options = {.ingest_workers = 0};
    struct service *service = NULL;
    struct err err = ERR_INIT;
    int exit_code = 0;
    if (!service_configure(&controller_command, argc, argv, &arena, &options, &options.service, &exit_code))
        return exit_code;
    enum status status = service_new("controller", &options.service, &service, &err);
    if (status == STATUS_OK)
        status = run(service, &options, &err);
    service_free(service);
    return status == STATUS_OK ? 0 : service_exit_code("controller", &err);
}

static enum status apply_migrations(const struct migrate_options *options, struct err *err)
{
    int applied = 0;
    if (options->database_url == NULL)
        return err_set(err, STATUS_INVALID,
                       "no database is named (set BESOM_DATABASE_URL or --database-url)");
    TRY(store_migrate(options->database_url, &applied, err));
    log_info(CONTROLLER_LOG, "schema_migrated", LOG_INT("applied", applied));
    return STATUS_OK;
}

static int migrate(int argc, char *argv[])
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct migrate_options options = {.database_url = NULL};
    struct config_result result = {.help = false};
    struct err err = ERR_INIT;
    enum status status = config_parse(&migrate_command, argc, argv, &arena, &options, &result, &err);
    if (status == STATUS_OK && result.help) {
        config_print_help(&migrate_command, stdout);
        return 0;
    }
    if (status == STATUS_OK)
        status = apply_migrations(&options, &err);
    return status == STATUS_OK ? 0 : service_exit_code("controller", &err);
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "migrate") == 0)
        return migrate(argc - 1, argv + 1);
    return serve(argc, argv);
}
