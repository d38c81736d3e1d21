// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "endpoint.h"
#include "internal.h"
#include "rpc/runtime.h"

static enum status open_client(const besom_client_options *options, besom_client *client, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct rpc_channel_options channel;
    enum status status = endpoint_resolve(options, &arena, &channel, err);
    client->files = channel.files;
    if (status != STATUS_OK)
        return status;
    client->address = strdup(channel.address);
    if (client->address == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    rpc_runtime_init();
    return rpc_channel_new(&channel, &client->channel, err);
}

static _Thread_local int callback_depth;

void callback_enter(void)
{
    callback_depth++;
}

void callback_leave(void)
{
    callback_depth--;
}

bool callback_is_running(void)
{
    return callback_depth > 0;
}

besom_status besom_client_new(const besom_client_options *options, besom_client **out, besom_error *error)
{
    static const besom_client_options defaults = BESOM_CLIENT_OPTIONS_INIT;
    *out = NULL;
    if (options == NULL)
        options = &defaults;
    if (options->version < 1 || options->version > BESOM_CLIENT_OPTIONS_VERSION)
        return error_set(error, STATUS_INVALID, "options of version %d are not known to this libbesom",
                         options->version);
    besom_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    client->timeout_ms = options->timeout_ms;
    struct err err = ERR_INIT;
    if (open_client(options, client, &err) != STATUS_OK) {
        besom_client_free(client);
        return error_export(error, &err);
    }
    *out = client;
    return BESOM_OK;
}

void besom_client_free(besom_client *client)
{
    if (client == NULL)
        return;
    rpc_channel_free(client->channel);
    tls_files_free(client->files);
    free(client->address);
    free(client);
}

const char *besom_client_address(const besom_client *client)
{
    return client->address;
}

void besom_message_free(void *message)
{
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}
