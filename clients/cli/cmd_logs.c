// SPDX-License-Identifier: GPL-3.0-or-later
#include <poll.h>
#include <stdio.h>

#include "commands.h"
#include "connection.h"
#include "resolve.h"

#define REOPEN_MS 500

struct logs_options {
    struct connection_options connection;
    bool follow;
    int64_t attempt;
};

/* Written by the stream's thread, read after its end. */
struct output {
    int64_t next_offset;
    bool write_failed;
    besom_error end;
};

static void on_message(void *context, const void *message)
{
    struct output *output = context;
    const Besom__V1__ReadLogsResponse *response = message;
    if (response->part == NULL || output->write_failed)
        return;
    const ProtobufCBinaryData *text = &response->part->text;
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
        output->write_failed = true;
    output->next_offset = response->part->offset + (int64_t)text->len;
}

static void on_close(void *context, const besom_error *error)
{
    struct output *output = context;
    output->end = *error;
}

static besom_status read_once(besom_client *client, Besom__V1__ReadLogsRequest *request,
                              struct output *output)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    besom_stream *stream = NULL;
    output->end = (besom_error){.code = BESOM_OK};
    if (besom_run_logs(client, request, &handler, output, &stream, &output->end) != BESOM_OK)
        return output->end.code;
    besom_status waited = besom_stream_wait(stream, -1);
    besom_stream_free(stream);
    return waited != BESOM_OK ? waited : output->end.code;
}

static int run_logs(struct cli *cli, void *given)
{
    const struct logs_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetRunResponse *found CLEANUP(message_release) = NULL;
    Besom__V1__ReadLogsRequest request = BESOM__V1__READ_LOGS_REQUEST__INIT;
    struct output output = {.next_offset = 0};
    int code = resolve_run(&options->connection, cli->given->arguments[0], &client, &found);
    if (code != CLI_OK)
        return code;
    request.sweep_id = found->run->sweep_id;
    request.run_id = found->run->run_id;
    request.attempt = (int32_t)options->attempt;
    request.follow = options->follow;
    besom_status status = read_once(client, &request, &output);
    while (options->follow && status == BESOM_UNAVAILABLE && !output.write_failed) {
        poll(NULL, 0, REOPEN_MS);
        request.offset = output.next_offset;
        status = read_once(client, &request, &output);
    }
    if (status != BESOM_OK)
        return connection_fail(&output.end, "cannot read the log of run %s", request.run_id);
    return CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "follow",
     .letter = 'f',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct logs_options, follow),
     .help = "go on until the run has ended"},
    {.name = "attempt",
     .type = CONFIG_INT,
     .offset = offsetof(struct logs_options, attempt),
     .value_name = "N",
     .min = 0,
     .max = 1000000,
     .help = "which attempt of the run; 0 = the last"},
    CONNECTION_KEYS(struct logs_options),
};

const struct cli_command cmd_logs = {
    .name = "logs",
    .group = "Look",
    .usage = "besom logs [-f] RUN",
    .summary = "Print what a run's command has written",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct logs_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_logs,
};
