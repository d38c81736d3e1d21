// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "services/common/roles.h"
#include "services/controller/access.h"
#include "services/controller/controller.h"

static enum status add_tokens(struct service *service, const struct controller_options *options,
                              struct token_keys *keys, struct err *err)
{
    for (size_t i = 0; i < options->token_key_files.count; i++)
        TRY(token_keys_add_file(keys, options->token_key_files.items[i], err));
    for (size_t i = 0; i < options->token_files.count; i++) {
        TRY(token_set_add_file(service_tokens(service), options->token_files.items[i], ROLE_ADMIN, err));
        TRY(token_keys_derive(keys, options->token_files.items[i], err));
    }
    return STATUS_OK;
}

static enum status start_access(struct service *service, struct controller *controller, struct err *err)
{
    const struct controller_options *options = controller->options;
    const struct access_options access = {
        .store = controller->store,
        .gate = controller->gate,
        .server = service_server(service),
        .files = service_tokens(service),
        .keys = controller->token_keys,
        .rate = options->rate_limit,
        .burst = options->rate_burst > 0 ? options->rate_burst : options->rate_limit * 2,
        .open = options->token_calls > 0 ? options->token_calls
                                         : options->service.max_calls - options->service.max_calls / 10,
    };
    TRY(access_start(&access, &controller->access, err));
    rpc_server_set_check(service_server(service), access_check, access_release, controller->access);
    return STATUS_OK;
}

static enum status serve_calls(struct service *service, struct controller *controller, struct err *err)
{
    TRY(start_access(service, controller, err));
    service_add(service, "besom.v1.SweepService", sweep_service_methods, sweep_service_method_count,
                controller);
    service_add(service, "besom.v1.RunService", run_service_methods, run_service_method_count, controller);
    service_add(service, "besom.v1.TokenService", token_service_methods, token_service_method_count,
                controller);
    rpc_server_on_drain(service_server(service), controller_drain, controller);
    enum status status = service_run(service, err);
    access_stop(controller->access);
    return status;
}

static enum status run(struct service *service, const struct controller_options *options, struct err *err)
{
    struct controller controller = {
        .options = options, .store = service_store(service), .owner = service_owner(service)};
    enum status status = token_keys_new(&controller.token_keys, err);
    if (status == STATUS_OK)
        status = add_tokens(service, options, controller.token_keys, err);
    if (status == STATUS_OK)
        status = controller_start(&controller, err);
    if (status == STATUS_OK) {
        status = serve_calls(service, &controller, err);
        controller_stop(&controller);
    }
    token_keys_free(controller.token_keys);
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
