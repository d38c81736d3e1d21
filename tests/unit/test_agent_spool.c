// SPDX-License-Identifier: Apache-2.0
// Spool files: order, trimming, and what a reader makes of a torn or damaged end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "clients/agent/spool.h"

static atomic_bool disk_hangs;
static atomic_int synced;

/* Takes the C library's place. */
int fdatasync(int fd)
{
    for (int i = 0; i < 5000 && atomic_load(&disk_hangs); i++)
        (void)poll(NULL, 0, 2);
    atomic_fetch_add(&synced, 1);
    return (int)syscall(SYS_fdatasync, fd);
}

struct fixture {
    char folder[64];
    struct spool_writer *writer;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = ERR_INIT;
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/besom-spool-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(spool_writer_new(fixture->folder, &fixture->writer, &err), STATUS_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    spool_writer_free(fixture->writer);
    file_remove_folder(fixture->folder);
    assert_int_not_equal(access(fixture->folder, F_OK), 0);
    free(fixture);
    return 0;
}

static void append(struct fixture *fixture, int64_t sequence, size_t length)
{
    struct err err = ERR_INIT;
    char *payload = malloc(length);
    assert_non_null(payload);
    memset(payload, (int)('a' + sequence % 26), length);
    assert_int_equal(spool_append(fixture->writer, sequence, payload, length, &err), STATUS_OK);
    free(payload);
}

/* Reads everything above `from`; returns the last number, checks order and contents. */
static int64_t read_all(const char *folder, int64_t from)
{
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0, last = from;
    assert_int_equal(spool_reader_new(folder, &reader, &err), STATUS_OK);
    spool_reader_seek(reader, from);
    while (spool_read(reader, &sequence, &payload)) {
        assert_int_equal(sequence, last + 1);
        assert_int_equal(buffer_text(&payload)[0], 'a' + sequence % 26);
        last = sequence;
    }
    spool_reader_free(reader);
    return last;
}

static void reads_in_order_from_anywhere(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(spool_last_sequence(fixture->folder), 0);
    for (int64_t i = 1; i <= 12; i++)
        append(fixture, i, 1 << 20); /* several segments */
    assert_int_equal(spool_last_sequence(fixture->folder), 12);
    for (int64_t from = 0; from <= 12; from++)
        assert_int_equal(read_all(fixture->folder, from), 12);
}

static void reader_follows_the_writer(void **state)
{
    struct fixture *fixture = *state;
    struct spool_reader *reader = NULL;
    struct err err = ERR_INIT;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0;
    assert_int_equal(spool_reader_new(fixture->folder, &reader, &err), STATUS_OK);
    assert_false(spool_read(reader, &sequence, &payload));
    for (int64_t i = 1; i <= 10; i++) {
        append(fixture, i, 1 << 20);
        assert_true(spool_read(reader, &sequence, &payload));
        assert_int_equal(sequence, i);
        assert_false(spool_read(reader, &sequence, &payload));
    }
    spool_reader_free(reader);
}

static void acknowledged_segments_go(void **state)
{
    struct fixture *fixture = *state;
    for (int64_t i = 1; i <= 12; i++)
        append(fixture, i, 1 << 20);
    int64_t before = spool_bytes(fixture->writer);
    spool_acknowledge(fixture->writer, 3);
    assert_int_equal(spool_bytes(fixture->writer), before);
    spool_acknowledge(fixture->writer, 9);
    assert_true(spool_bytes(fixture->writer) < before / 2);
    assert_int_equal(read_all(fixture->folder, 9), 12);
    append(fixture, 13, 10);
    assert_int_equal(read_all(fixture->folder, 12), 13);
}

static void first_segment(const struct fixture *fixture, char out[128])
{
    snprintf(out, 128, "%s/%019d", fixture->folder, 1);
}

static void torn_end_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    for (int64_t i = 1; i <= 3; i++)
        append(fixture, i, 100);
    first_segment(fixture, path);
    for (int cut = 1; cut < 100 + 16; cut += 7) {
        assert_int_equal(truncate(path, 3 * 116 - cut), 0);
        assert_int_equal(read_all(fixture->folder, 0), 2);
    }
}

static void damaged_frame_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    for (int64_t i = 1; i <= 3; i++)
        append(fixture, i, 100);
    first_segment(fixture, path);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "X", 1, 116 + 50), 1);
    close(fd);
    assert_int_equal(read_all(fixture->folder, 0), 1);
}

/* However much there is: found without reading what comes before. */
static void last_number_is_of_the_newest_segment(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    for (int64_t i = 1; i <= 13; i++)
        append(fixture, i, 1 << 20);
    first_segment(fixture, path);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(spool_last_sequence(fixture->folder), 13);
    snprintf(path, sizeof path, "%s/%019d", fixture->folder, 13);
    assert_int_equal(truncate(path, (1 << 20) + 15), 0); /* its only batch is torn */
    assert_int_equal(spool_last_sequence(fixture->folder), 12);
    assert_int_equal(read_all(fixture->folder, 4), 12);
    assert_int_equal(read_all(fixture->folder, 0), 0);
}

/* Shims live through an upgrade of the agent, so the sum stays the one of IEEE 802.3, whatever the length. */
static void frames_carry_the_usual_sum(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    for (int64_t i = 1; i <= 20; i++)
        append(fixture, i, (size_t)i);
    first_segment(fixture, path);
    int fd CLEANUP(file_close) = open(path, O_RDONLY | O_CLOEXEC);
    int64_t offset = 0;
    for (int64_t i = 1; i <= 20; i++) {
        unsigned char frame[16 + 20];
        uint32_t expected = 0xffffffffU, found;
        assert_int_equal(pread(fd, frame, 16 + (size_t)i, offset), 16 + i);
        memcpy(&found, frame + 4, sizeof found);
        for (size_t k = 8; k < 16 + (size_t)i; k++) {
            expected ^= frame[k];
            for (int bit = 0; bit < 8; bit++)
                expected = (expected & 1) != 0 ? (expected >> 1) ^ 0xedb88320U : expected >> 1;
        }
        assert_int_equal(found, ~expected);
        offset += 16 + i;
    }
}

/* Who logs does not wait for a busy disk. The end waits for it. */
static void hanging_disk_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&disk_hangs, true);
    atomic_store(&synced, 0);
    for (int64_t i = 1; i <= 10; i++) {
        append(fixture, i, SPOOL_SEGMENT_BYTES / 4);
        spool_sync(fixture->writer);
        assert_int_equal(read_all(fixture->folder, 0), i);
    }
    assert_true(atomic_load(&disk_hangs));
    assert_int_equal(atomic_load(&synced), 0);
    atomic_store(&disk_hangs, false);
    spool_sync_wait(fixture->writer);
    assert_in_range(atomic_load(&synced), 3, 10); /* each of the segments */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_in_order_from_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_follows_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(acknowledged_segments_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(torn_end_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_carry_the_usual_sum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_frame_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(last_number_is_of_the_newest_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hanging_disk_holds_nobody_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
