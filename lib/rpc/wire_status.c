// SPDX-License-Identifier: Apache-2.0
#include "rpc/wire_status.h"

#include <string.h>

#include "besom/rpc/status.pb-c.h"
#include "rpc/codec.h"

/* Texts quote input, and may have been cut within a character: what is not UTF-8 becomes '?'. */
static void copy_as_utf8(char out[ERR_TEXT_MAX], const char *text)
{
    size_t length = strnlen(text, ERR_TEXT_MAX - 1);
    memcpy(out, text, length);
    out[length] = '\0';
    if (codec_is_utf8((const uint8_t *)out, length))
        return;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)out[i] >= 0x80)
            out[i] = '?';
}

static grpc_slice pack_details(int code, char *text)
{
    Besom__Rpc__Status details = BESOM__RPC__STATUS__INIT;
    details.code = code;
    details.message = text;
    grpc_slice slice = grpc_slice_malloc(besom__rpc__status__get_packed_size(&details));
    besom__rpc__status__pack(&details, GRPC_SLICE_START_PTR(slice));
    return slice;
}

void wire_status_send(struct wire_status *wire, enum status code, const char *text, grpc_op *op)
{
    *wire = (struct wire_status){.text = grpc_empty_slice(), .details = grpc_empty_slice()};
    *op = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op->data.send_status_from_server.status = (grpc_status_code)status_info(code)->grpc;
    if (code == STATUS_OK)
        return;
    char clean[ERR_TEXT_MAX];
    copy_as_utf8(clean, text);
    wire->text = grpc_slice_from_copied_string(clean);
    wire->details = pack_details(status_info(code)->grpc, clean);
    wire->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
    wire->trailer.value = wire->details;
    op->data.send_status_from_server.status_details = &wire->text;
    op->data.send_status_from_server.trailing_metadata_count = 1;
    op->data.send_status_from_server.trailing_metadata = &wire->trailer;
}

void wire_status_free(struct wire_status *wire)
{
    grpc_slice_unref(wire->text);
    grpc_slice_unref(wire->details);
}

enum status wire_status_read(grpc_status_code code, grpc_slice text, struct err *err)
{
    enum status status = status_from_grpc((int)code);
    if (err == NULL)
        return status;
    size_t length = GRPC_SLICE_LENGTH(text) < ERR_TEXT_MAX ? GRPC_SLICE_LENGTH(text) : ERR_TEXT_MAX - 1;
    err->code = status;
    memcpy(err->text, GRPC_SLICE_START_PTR(text), length);
    err->text[length] = '\0';
    if (length == 0 && status != STATUS_OK)
        err_set(err, status, "%s", status_info(status)->name);
    return status;
}
