// SPDX-License-Identifier: Apache-2.0
/* Inbound bytes: malformed messages, texts, nesting, memory; the error on the wire. */
#include <grpc/grpc.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/codec.h"
#include "rpc/runtime.h"
#include "rpc/wire_status.h"
#include "rpc_fixture.h"

static const ProtobufCMessageDescriptor *const request_type = &besom__test__v1__echo_request__descriptor;

static enum status check(const char *bytes, size_t length)
{
    struct err err = ERR_INIT;
    return codec_check(request_type, (const uint8_t *)bytes, length, &err);
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa7\xb9", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc3",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xff",
                                      "a\xe2\x82",
                                      "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(codec_is_utf8((const uint8_t *)good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(codec_is_utf8((const uint8_t *)bad[i], strlen(bad[i])));
}

static void test_malformed(void **state)
{
    (void)state;
    assert_int_equal(check("", 0), STATUS_OK);
    assert_int_equal(check("\x0a\x01x", 3), STATUS_OK);
    assert_int_equal(check("\x0a\x05x", 3), STATUS_INVALID); /* shorter than it says */
    assert_int_equal(check("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), STATUS_INVALID);
    assert_int_equal(check("\x0b\x0c", 2), STATUS_INVALID);        /* a group */
    assert_int_equal(check("\x0f", 1), STATUS_INVALID);            /* no such wire type */
    assert_int_equal(check("\x00\x00", 2), STATUS_INVALID);        /* field 0 */
    assert_int_equal(check("\x18", 1), STATUS_INVALID);            /* a number that ends too early */
    assert_int_equal(check("\xfa\x7f\x02\x80\x80", 5), STATUS_OK); /* an unknown field may hold anything */
    assert_int_equal(check("\x2a\x02\xc3\xa9", 4), STATUS_OK);     /* repeated text */
    assert_int_equal(check("\x2a\x02\xc3\x28", 4), STATUS_INVALID);
    assert_int_equal(check("\x32\x04\x0a\x02\xff\xfe", 6), STATUS_INVALID); /* text of a nested message */
    assert_int_equal(check("\x0a\x03x\0y", 5), STATUS_INVALID);             /* a NUL would cut the text */
    assert_int_equal(check("\x12\x03x\0\xff", 5), STATUS_OK);               /* bytes are bytes */
}

/* What the check lets pass, the decoder takes, and the other way round it must not crash. */
static void test_random_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        uint8_t bytes[64];
        size_t length = (size_t)(random_draw_u64(seed, 0, "length", 0) % sizeof bytes);
        for (uint32_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)(random_draw_u64(seed, 0, "byte", i) & (seed % 2 == 0 ? 0xff : 0x3f));
        grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, length);
        grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        ProtobufCMessage *message;
        enum status status = codec_unpack_arena(request_type, buffer, 1000, &arena, &message, &err);
        assert_true(status == STATUS_OK || status == STATUS_INVALID);
        arena_free(&arena);
        grpc_byte_buffer_destroy(buffer);
        grpc_slice_unref(slice);
    }
}

/* A message of `depth` nested ones, each the only field of the one around it; returns its length. */
static size_t nest(uint8_t *bytes, size_t room, unsigned depth)
{
    size_t length = 0, start = room;
    for (unsigned i = 0; i < depth; i++) {
        size_t value = length;
        uint8_t head[6];
        size_t used = 0;
        head[used++] = 0x32;
        do {
            head[used++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
            value >>= 7;
        } while (value > 0);
        start -= used;
        memcpy(bytes + start, head, used);
        length += used;
    }
    memmove(bytes, bytes + start, length);
    return length;
}

static void test_nesting(void **state)
{
    (void)state;
    size_t room = 1u << 20;
    uint8_t *bytes = malloc(room);
    struct err err = ERR_INIT;
    size_t length = nest(bytes, room, CODEC_DEPTH_MAX - 1);
    assert_int_equal(codec_check(request_type, bytes, length, &err), STATUS_OK);
    length = nest(bytes, room, CODEC_DEPTH_MAX);
    assert_int_equal(codec_check(request_type, bytes, length, &err), STATUS_INVALID);
    length = nest(bytes, room, 200000);
    assert_int_equal(codec_check(request_type, bytes, length, &err), STATUS_INVALID);
    free(bytes);
}

/* Two bytes of input cost an empty text some sixty of memory: the bound holds. */
static void test_memory_bound(void **state)
{
    (void)state;
    size_t count = 500000;
    grpc_slice slice = grpc_slice_malloc(count * 2);
    for (size_t i = 0; i < count; i++)
        memcpy(GRPC_SLICE_START_PTR(slice) + i * 2, "\x2a\x00", 2);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    ProtobufCMessage *message;
    assert_int_equal(codec_unpack_arena(request_type, buffer, 1u << 20, &arena, &message, &err),
                     STATUS_EXHAUSTED);
    assert_true(arena.used <= 9u << 20);
    assert_int_equal(codec_unpack_heap(request_type, buffer, 1u << 20, &message, &err), STATUS_EXHAUSTED);
    assert_int_equal(codec_unpack_heap(request_type, buffer, 1000, &message, &err), STATUS_EXHAUSTED);
    assert_int_equal(codec_unpack_heap(request_type, NULL, 1000, &message, &err), STATUS_INVALID);
    arena_free(&arena);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
}

static void test_wire_status(void **state)
{
    (void)state;
    struct wire_status wire;
    struct err err = ERR_INIT;
    grpc_op op;
    wire_status_send(&wire, STATUS_CONFLICT, "cut \xc3", 0, &op);
    assert_int_equal(op.data.send_status_from_server.status, GRPC_STATUS_ABORTED);
    assert_int_equal(wire_status_read(GRPC_STATUS_ABORTED, wire.text, &err), STATUS_CONFLICT);
    assert_string_equal(err.text, "cut ?");
    assert_int_equal(op.data.send_status_from_server.trailing_metadata_count, 1);
    wire_status_free(&wire);
    wire_status_send(&wire, STATUS_EXHAUSTED, "later", 1500, &op);
    assert_int_equal(op.data.send_status_from_server.trailing_metadata_count, 2);
    const grpc_metadata_array trailers = {.count = 2, .metadata = wire.trailers};
    assert_int_equal(wire_status_retry_ms(&trailers), 1500);
    wire_status_free(&wire);
    assert_int_equal(wire_status_retry_ms(&(grpc_metadata_array){.count = 0}), 0);
    assert_int_equal(wire_status_read(GRPC_STATUS_DATA_LOSS, grpc_empty_slice(), &err), STATUS_INTERNAL);
    assert_string_equal(err.text, "internal");
}

static int begin(void **state)
{
    (void)state;
    rpc_runtime_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),         cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_memory_bound), cmocka_unit_test(test_wire_status),
    };
    return cmocka_run_group_tests(tests, begin, fixture_end_process);
}
