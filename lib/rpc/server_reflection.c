// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "rpc/descriptors.h"
#include "rpc/server_internal.h"

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse reflection_response;
typedef Grpc__Reflection__V1alpha__FileDescriptorResponse file_response;
typedef Grpc__Reflection__V1alpha__ListServiceResponse list_response;
typedef Grpc__Reflection__V1alpha__ServiceResponse service_response;
typedef Grpc__Reflection__V1alpha__ErrorResponse error_response;

#define ASKS(what) GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

extern const unsigned char rpc_proto_descriptor_set[];
extern const size_t rpc_proto_descriptor_set_size;

struct rpc_reflection {
    struct rpc_server *server; /* whose services are listed */
    struct descriptors descriptors;
};

/* One answer while it is built; everything it points to lives in the arena. */
struct answer {
    struct arena arena;
    reflection_response response;
    error_response error;
    file_response files;
    list_response services;
};

static void refuse(struct answer *answer, enum status code, const char *text)
{
    grpc__reflection__v1alpha__error_response__init(&answer->error);
    answer->error.error_code = status_info(code)->grpc;
    answer->error.error_message = (char *)(uintptr_t)text;
    answer->response.message_response_case = ANSWERS(ERROR_RESPONSE);
    answer->response.error_response = &answer->error;
}

static void answer_file(const struct rpc_reflection *reflection, long file, struct answer *answer)
{
    const struct descriptors *descriptors = &reflection->descriptors;
    if (file < 0) {
        refuse(answer, STATUS_NOT_FOUND, "no such file or symbol");
        return;
    }
    size_t *indexes = arena_calloc(&answer->arena, descriptors->file_count, sizeof *indexes);
    ProtobufCBinaryData *bytes = arena_calloc(&answer->arena, descriptors->file_count, sizeof *bytes);
    if (indexes == NULL || bytes == NULL) {
        refuse(answer, STATUS_NO_MEMORY, "out of memory");
        return;
    }
    grpc__reflection__v1alpha__file_descriptor_response__init(&answer->files);
    answer->files.n_file_descriptor_proto = descriptors_closure(descriptors, (size_t)file, indexes);
    for (size_t i = 0; i < answer->files.n_file_descriptor_proto; i++)
        bytes[i] = descriptors->files[indexes[i]].bytes;
    answer->files.file_descriptor_proto = bytes;
    answer->response.message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
    answer->response.file_descriptor_response = &answer->files;
}

/* "/package.Service/Method" names "package.Service". */
static char *service_name(struct arena *arena, const char *path)
{
    const char *slash = strchr(path + 1, '/');
    return slash != NULL ? arena_strndup(arena, path + 1, (size_t)(slash - path - 1)) : NULL;
}

static bool is_listed(const list_response *list, const char *name)
{
    for (size_t i = 0; i < list->n_service; i++)
        if (strcmp(list->service[i]->name, name) == 0)
            return true;
    return false;
}

static void list_method(const char *path, struct answer *answer)
{
    char *name = service_name(&answer->arena, path);
    service_response *row = arena_alloc(&answer->arena, sizeof *row);
    if (name == NULL || row == NULL || is_listed(&answer->services, name))
        return;
    grpc__reflection__v1alpha__service_response__init(row);
    row->name = name;
    answer->services.service[answer->services.n_service++] = row;
}

static void answer_services(const struct rpc_reflection *reflection, struct answer *answer)
{
    const struct rpc_server *server = reflection->server;
    grpc__reflection__v1alpha__list_service_response__init(&answer->services);
    answer->services.service = arena_calloc(&answer->arena, server->entry_count,
                                            sizeof(Grpc__Reflection__V1alpha__ServiceResponse *));
    if (answer->services.service == NULL) {
        refuse(answer, STATUS_NO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < server->entry_count; i++)
        if (server->entries[i].method != NULL)
            list_method(server->entries[i].method->path, answer);
    answer->response.message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
    answer->response.list_services_response = &answer->services;
}

static void fill_answer(const struct rpc_reflection *reflection, const reflection_request *request,
                        struct answer *answer)
{
    const struct descriptors *descriptors = &reflection->descriptors;
    switch (request->message_request_case) {
    case ASKS(FILE_BY_FILENAME):
        answer_file(reflection, descriptors_find_file(descriptors, request->file_by_filename), answer);
        return;
    case ASKS(FILE_CONTAINING_SYMBOL):
        answer_file(reflection, descriptors_find_symbol(descriptors, request->file_containing_symbol),
                    answer);
        return;
    case ASKS(LIST_SERVICES): answer_services(reflection, answer); return;
    case ASKS(FILE_CONTAINING_EXTENSION):
    case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
        refuse(answer, STATUS_NOT_FOUND, "there are no extensions");
        return;
    default: refuse(answer, STATUS_INVALID, "not a question that reflection knows"); return;
    }
}

static void on_question(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct answer answer = {.arena = arena_make(0)};
    grpc__reflection__v1alpha__server_reflection_response__init(&answer.response);
    const reflection_request *request = (const reflection_request *)message;
    answer.response.valid_host = request->host;
    answer.response.original_request = (reflection_request *)(uintptr_t)request;
    fill_answer(service, request, &answer);
    if (rpc_stream_send(stream, &answer.response.base) == STATUS_EXHAUSTED) {
        struct err err;
        err_set(&err, STATUS_EXHAUSTED, "too many questions without reading the answers");
        rpc_stream_finish(stream, &err);
    }
    arena_free(&answer.arena);
}

static const struct rpc_stream_handler handler = {.on_message = on_question};

#define REFLECTION_METHOD(version)                                                                         \
    {                                                                                                      \
        .path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo",                      \
        .kind = RPC_BIDI_STREAM,                                                                           \
        .request = &grpc__reflection__v1alpha__server_reflection_request__descriptor,                      \
        .response = &grpc__reflection__v1alpha__server_reflection_response__descriptor, .stream = &handler \
    }

/* Both versions have the same messages. */
static const struct rpc_method methods[] = {REFLECTION_METHOD("v1alpha"), REFLECTION_METHOD("v1")};

enum status reflection_new(const unsigned char *descriptor_set, size_t size, struct rpc_reflection **out,
                           struct err *err)
{
    struct rpc_reflection *reflection = calloc(1, sizeof *reflection);
    if (reflection == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for reflection");
    struct descriptors *descriptors = &reflection->descriptors;
    enum status status = descriptors_add(descriptors, descriptor_set, size, err);
    if (status == STATUS_OK)
        status = descriptors_add(descriptors, rpc_proto_descriptor_set, rpc_proto_descriptor_set_size, err);
    if (status != STATUS_OK) {
        reflection_free(reflection);
        return status;
    }
    descriptors_sort(descriptors);
    *out = reflection;
    return STATUS_OK;
}

void reflection_free(struct rpc_reflection *reflection)
{
    if (reflection == NULL)
        return;
    descriptors_free(&reflection->descriptors);
    free(reflection);
}

void reflection_add(struct rpc_reflection *reflection, struct rpc_server *server)
{
    reflection->server = server;
    rpc_server_add(server, methods, ARRAY_LEN(methods), reflection);
}
