// SPDX-License-Identifier: GPL-3.0-or-later
/* Messages from the network: refused, or unpacked within the memory bound into what packs again. */
#include <grpc/slice.h>
#include <stdint.h>
#include <stdlib.h>

#include "besom/v1/run_service.pb-c.h"
#include "besom/v1/sweep_service.pb-c.h"
#include "rpc/codec.h"

#define MESSAGE_MAX (1u << 20)

static void unpack_and_pack(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer)
{
    struct err err = ERR_INIT;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    ProtobufCMessage *message = NULL;
    if (codec_unpack_arena(type, buffer, MESSAGE_MAX, &arena, &message, &err) != STATUS_OK)
        return;
    grpc_byte_buffer *packed = NULL;
    if (codec_pack(message, SIZE_MAX / 2, &packed, &err) != STATUS_OK)
        abort();
    grpc_byte_buffer_destroy(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &besom__v1__create_sweep_request__descriptor,
        &besom__v1__track_run_request__descriptor,
    };
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)data, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        unpack_and_pack(types[i], buffer);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
    return 0;
}
