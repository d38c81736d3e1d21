// SPDX-License-Identifier: Apache-2.0
#include "rpc/wire_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

#define RETRY_KEY "grpc-retry-pushback-ms"

static grpc_slice retry_value(int64_t retry_ms)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, retry_ms < 86400000 ? retry_ms : 86400000);
    return grpc_slice_from_copied_string(text);
}

void wire_status_send(struct wire_status *wire, enum status code, const char *text, int64_t retry_ms,
                      grpc_op *op)
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
    wire->trailers[0].key = grpc_slice_from_static_string("grpc-status-details-bin");
    wire->trailers[0].value = wire->details;
    wire->trailers[1].key = grpc_slice_from_static_string(RETRY_KEY);
    wire->trailers[1].value = retry_value(retry_ms);
    op->data.send_status_from_server.status_details = &wire->text;
    op->data.send_status_from_server.trailing_metadata_count = retry_ms > 0 ? 2 : 1;
    op->data.send_status_from_server.trailing_metadata = wire->trailers;
}

void wire_status_free(struct wire_status *wire)
{
    grpc_slice_unref(wire->text);
    grpc_slice_unref(wire->details);
    grpc_slice_unref(wire->trailers[1].value);
}

int64_t wire_status_retry_ms(const grpc_metadata_array *trailers)
{
    char text[16];
    for (size_t i = 0; i < trailers->count; i++) {
        grpc_slice value = trailers->metadata[i].value;
        size_t length = GRPC_SLICE_LENGTH(value);
        if (grpc_slice_str_cmp(trailers->metadata[i].key, RETRY_KEY) != 0 || length >= sizeof text)
            continue;
        memcpy(text, GRPC_SLICE_START_PTR(value), length);
        text[length] = '\0';
        int64_t retry_ms = strtoll(text, NULL, 10);
        return retry_ms > 0 ? retry_ms : 0;
    }
    return 0;
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
