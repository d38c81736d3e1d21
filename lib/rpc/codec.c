// SPDX-License-Identifier: Apache-2.0
#include "rpc/codec.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stdlib.h>

/* An unpacked message may be this many times as large as its bytes ... */
#define GROWTH_SMALL 32u
/* ... but not larger than this many times the largest message. */
#define GROWTH_LARGE 8u

struct bounded {
    struct arena *arena; /* NULL = malloc */
    size_t left;
    bool refused;
};

static void *bounded_alloc(void *data, size_t size)
{
    struct bounded *bounded = data;
    if (size > bounded->left) {
        bounded->refused = true;
        return NULL;
    }
    bounded->left -= size;
    return bounded->arena != NULL ? arena_alloc(bounded->arena, size) : malloc(size);
}

static void bounded_free(void *data, void *memory)
{
    struct bounded *bounded = data;
    if (bounded->arena == NULL)
        free(memory);
}

static size_t memory_bound(size_t length, size_t limit)
{
    size_t small = length * GROWTH_SMALL + 64 * 1024;
    size_t large = limit * GROWTH_LARGE + 1024 * 1024;
    return small < large ? small : large;
}

enum status codec_pack(const ProtobufCMessage *message, size_t limit, grpc_byte_buffer **out, struct err *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > limit)
        return err_set(err, STATUS_EXHAUSTED, "%s of %zu bytes is larger than the limit of %zu",
                       message->descriptor->name, size, limit);
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    *out = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return STATUS_OK;
}

/* The message's bytes in one piece, without a copy when they are; unref the slice. */
static bool take_slice(grpc_byte_buffer *buffer, grpc_slice *out)
{
    if (buffer->type == GRPC_BB_RAW && buffer->data.raw.compression == GRPC_COMPRESS_NONE &&
        buffer->data.raw.slice_buffer.count == 1) {
        *out = grpc_slice_ref(buffer->data.raw.slice_buffer.slices[0]);
        return true;
    }
    if (buffer->type == GRPC_BB_RAW && buffer->data.raw.compression != GRPC_COMPRESS_NONE)
        return false;
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return false;
    *out = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return true;
}

static enum status unpack_slice(const ProtobufCMessageDescriptor *type, grpc_slice slice, size_t limit,
                                struct arena *arena, ProtobufCMessage **out, struct err *err)
{
    size_t length = GRPC_SLICE_LENGTH(slice);
    const uint8_t *bytes = GRPC_SLICE_START_PTR(slice);
    if (length > limit)
        return err_set(err, STATUS_EXHAUSTED, "message of %zu bytes is larger than the limit of %zu", length,
                       limit);
    TRY(codec_check(type, bytes, length, err));
    struct bounded bounded = {.arena = arena, .left = memory_bound(length, limit), .refused = false};
    ProtobufCAllocator allocator = {.alloc = bounded_alloc, .free = bounded_free, .allocator_data = &bounded};
    *out = protobuf_c_message_unpack(type, &allocator, length, bytes);
    if (*out != NULL)
        return STATUS_OK;
    if (bounded.refused)
        return err_set(err, STATUS_EXHAUSTED, "%s needs too much memory", type->name);
    return err_set(err, STATUS_INVALID, "not a valid %s", type->name);
}

static enum status unpack(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer, size_t limit,
                          struct arena *arena, ProtobufCMessage **out, struct err *err)
{
    grpc_slice slice;
    if (buffer == NULL)
        return err_set(err, STATUS_INVALID, "no message");
    if (!take_slice(buffer, &slice))
        return err_set(err, STATUS_INVALID, "compressed messages are not taken");
    enum status status = unpack_slice(type, slice, limit, arena, out, err);
    grpc_slice_unref(slice);
    return status;
}

enum status codec_unpack_arena(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer, size_t limit,
                               struct arena *arena, ProtobufCMessage **out, struct err *err)
{
    return unpack(type, buffer, limit, arena, out, err);
}

enum status codec_unpack_heap(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer, size_t limit,
                              ProtobufCMessage **out, struct err *err)
{
    return unpack(type, buffer, limit, NULL, out, err);
}
