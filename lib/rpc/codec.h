/*
 * Messages to and from the core's byte buffers. Inbound bytes are checked
 * before anything is allocated (well-formed, UTF-8, nesting), and unpacking
 * has a memory bound. Pure; no state.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_CODEC_H
#define BESOM_RPC_CODEC_H

#include <grpc/byte_buffer.h>
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* Deepest nesting of messages that is accepted. */
#define CODEC_DEPTH_MAX 64u

/* Packs into a new buffer; destroy it with grpc_byte_buffer_destroy. EXHAUSTED when larger than `limit`. */
enum status codec_pack(const ProtobufCMessage *message, size_t limit, grpc_byte_buffer **out,
                       struct err *err) MUST_USE;

/*
 * Unpacks `buffer` (NULL counts as no message) into the arena, of a server that takes messages of at most
 * `limit` bytes. INVALID (malformed, bad text), EXHAUSTED (larger than the limit, or its memory bound).
 */
enum status codec_unpack_arena(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer, size_t limit,
                               struct arena *arena, ProtobufCMessage **out, struct err *err) MUST_USE;

/* As codec_unpack_arena, with malloc; free with protobuf_c_message_free_unpacked(*out, NULL). */
enum status codec_unpack_heap(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer, size_t limit,
                              ProtobufCMessage **out, struct err *err) MUST_USE;

/* Whether the bytes are a well-formed `type` with UTF-8 texts (without NUL) and bounded nesting. INVALID. */
enum status codec_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
                        struct err *err) MUST_USE;

/* Whether the bytes are UTF-8 as protobuf wants it: no overlong forms, no surrogates. */
bool codec_is_utf8(const uint8_t *bytes, size_t length);

#endif
