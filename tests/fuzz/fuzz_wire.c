// SPDX-License-Identifier: GPL-3.0-or-later
/* Messages from the network: what the check lets pass, protobuf-c unpacks within its memory bound. */
#include <stdint.h>
#include <stdlib.h>

#include "besom/v1/run_service.pb-c.h"
#include "besom/v1/sweep_service.pb-c.h"
#include "rpc/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &besom__v1__create_sweep_request__descriptor,
        &besom__v1__track_run_request__descriptor,
    };
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (codec_check(types[i], data, size, &err) != STATUS_OK)
            continue;
        ProtobufCMessage *message = protobuf_c_message_unpack(types[i], NULL, size, data);
        if (message == NULL)
            abort();
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return 0;
}
