// SPDX-License-Identifier: Apache-2.0
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "syncer.h"

struct frame_head {
    uint32_t length;
    uint32_t crc;
    int64_t sequence;
};

struct segment {
    int64_t first, last;
    int64_t bytes;
};

struct spool_writer {
    char folder[PATH_MAX];
    struct segment *segments; /* owned; oldest first, the last is open */
    size_t count, capacity;
    int64_t segment_bytes, acknowledged;
    int fd;
    bool dirty;
    struct syncer *syncer; /* owned; NULL = nothing was synced yet */
};

struct spool_reader {
    char folder[PATH_MAX];
    int fd;          /* of the segment being read; -1 = none yet */
    int64_t offset;  /* of the next frame in it */
    int64_t skip_to; /* frames up to this number are passed over */
};

#define CRC_STRIDE 8

static uint32_t crc_tables[CRC_STRIDE][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

/* crc_tables[k][b]: what byte b does to the sum when k more bytes follow. */
static void make_crc_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320U : crc >> 1;
        crc_tables[0][b] = crc;
    }
    for (size_t k = 1; k < CRC_STRIDE; k++)
        for (size_t b = 0; b < 256; b++)
            crc_tables[k][b] = (crc_tables[k - 1][b] >> 8) ^ crc_tables[0][crc_tables[k - 1][b] & 255];
}

/* CRC-32 of IEEE 802.3, eight bytes at a time. */
static uint32_t crc32_add(uint32_t crc, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    (void)pthread_once(&crc_once, make_crc_tables);
    for (; length >= CRC_STRIDE; p += CRC_STRIDE, length -= CRC_STRIDE) {
        uint32_t sum = 0;
        for (size_t k = 0; k < CRC_STRIDE; k++)
            sum ^= crc_tables[CRC_STRIDE - 1 - k][(k < 4 ? p[k] ^ (crc >> (8 * k)) : p[k]) & 255];
        crc = sum;
    }
    for (; length > 0; p++, length--)
        crc = crc_tables[0][(crc ^ *p) & 255] ^ (crc >> 8);
    return crc;
}

static uint32_t frame_crc(int64_t sequence, const void *payload, size_t length)
{
    uint32_t crc = crc32_add(0xffffffffU, &sequence, sizeof sequence);
    return ~crc32_add(crc, payload, length);
}

static bool segment_path(const char *folder, int64_t first, char out[PATH_MAX])
{
    int printed = snprintf(out, PATH_MAX, "%s/%019lld", folder, (long long)first);
    return printed > 0 && printed < PATH_MAX;
}

enum status spool_writer_new(const char *folder, struct spool_writer **out, struct err *err)
{
    struct spool_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    writer->fd = -1;
    writer->segment_bytes = SPOOL_SEGMENT_BYTES;
    snprintf(writer->folder, sizeof writer->folder, "%s", folder);
    enum status status = file_make_dirs(folder, 0700, err);
    if (status != STATUS_OK) {
        free(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

void spool_writer_free(struct spool_writer *writer)
{
    if (writer == NULL)
        return;
    syncer_free(writer->syncer);
    file_close(&writer->fd);
    free(writer->segments);
    free(writer);
}

static enum status open_segment(struct spool_writer *writer, int64_t first, struct err *err)
{
    if (writer->count == writer->capacity) {
        size_t capacity = writer->capacity == 0 ? 8 : writer->capacity * 2;
        struct segment *grown = realloc(writer->segments, capacity * sizeof *grown);
        if (grown == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        writer->segments = grown;
        writer->capacity = capacity;
    }
    char path[PATH_MAX];
    if (!segment_path(writer->folder, first, path))
        return err_set(err, STATUS_INVALID, "path is too long: %s", writer->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot create %s", path);
    spool_sync(writer);
    file_close(&writer->fd);
    writer->fd = fd;
    writer->segments[writer->count++] = (struct segment){.first = first, .last = first - 1};
    return STATUS_OK;
}

static bool needs_segment(const struct spool_writer *writer)
{
    return writer->fd < 0 || writer->segments[writer->count - 1].bytes >= writer->segment_bytes;
}

void spool_set_segment_bytes(struct spool_writer *writer, int64_t bytes)
{
    writer->segment_bytes = bytes;
}

enum status spool_append(struct spool_writer *writer, int64_t sequence, const void *payload, size_t length,
                         struct err *err)
{
    if (length > SPOOL_FRAME_MAX)
        return err_set(err, STATUS_INVALID, "a batch of %zu bytes is too large", length);
    if (needs_segment(writer))
        TRY(open_segment(writer, sequence, err));
    struct segment *segment = &writer->segments[writer->count - 1];
    struct frame_head head = {
        .length = (uint32_t)length, .crc = frame_crc(sequence, payload, length), .sequence = sequence};
    struct iovec parts[2] = {{.iov_base = &head, .iov_len = sizeof head},
                             {.iov_base = (void *)(uintptr_t)payload, .iov_len = length}};
    ssize_t total = (ssize_t)(sizeof head + length);
    ssize_t written = pwritev(writer->fd, parts, 2, segment->bytes);
    if (written != total) {
        int reason = written < 0 ? errno : ENOSPC;
        int cut = ftruncate(writer->fd, segment->bytes);
        (void)cut; /* the next append overwrites what is left */
        return err_set_errno(err, STATUS_IO, reason, "cannot write the spool in %s", writer->folder);
    }
    segment->bytes += total;
    segment->last = sequence;
    writer->dirty = true;
    return STATUS_OK;
}

void spool_acknowledge(struct spool_writer *writer, int64_t sequence)
{
    size_t gone = 0;
    if (sequence > writer->acknowledged)
        writer->acknowledged = sequence;
    while (gone + 1 < writer->count && writer->segments[gone].last <= sequence) {
        char path[PATH_MAX];
        if (segment_path(writer->folder, writer->segments[gone].first, path))
            unlink(path);
        gone++;
    }
    writer->count -= gone;
    if (gone > 0)
        memmove(writer->segments, writer->segments + gone, writer->count * sizeof *writer->segments);
}

int64_t spool_bytes(const struct spool_writer *writer)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < writer->count; i++)
        bytes += writer->segments[i].last > writer->acknowledged ? writer->segments[i].bytes : 0;
    return bytes;
}

void spool_sync(struct spool_writer *writer)
{
    if (writer->fd < 0 || !writer->dirty)
        return;
    writer->dirty = false;
    if (writer->syncer == NULL && (writer->syncer = syncer_new()) == NULL)
        (void)fdatasync(writer->fd);
    else
        syncer_add(writer->syncer, writer->fd, writer->segments[writer->count - 1].first);
}

void spool_sync_wait(struct spool_writer *writer)
{
    spool_sync(writer);
    if (writer->syncer != NULL)
        syncer_wait(writer->syncer);
}

enum status spool_reader_new(const char *folder, struct spool_reader **out, struct err *err)
{
    struct spool_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    reader->fd = -1;
    snprintf(reader->folder, sizeof reader->folder, "%s", folder);
    *out = reader;
    return STATUS_OK;
}

void spool_reader_free(struct spool_reader *reader)
{
    if (reader == NULL)
        return;
    file_close(&reader->fd);
    free(reader);
}

void spool_reader_seek(struct spool_reader *reader, int64_t sequence)
{
    file_close(&reader->fd);
    reader->offset = 0;
    reader->skip_to = sequence;
}

/* The segment with the greatest first number <= `limit`, else the least above it; 0 = none. */
static int64_t find_segment(const char *folder, int64_t limit)
{
    DIR *listing = opendir(folder);
    if (listing == NULL)
        return 0;
    int64_t below = 0, above = 0;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        int64_t first = strtoll(entry->d_name, NULL, 10);
        if (first <= 0)
            continue;
        if (first <= limit && first > below)
            below = first;
        if (first > limit && (above == 0 || first < above))
            above = first;
    }
    closedir(listing);
    return below != 0 ? below : above;
}

static bool open_for_reading(struct spool_reader *reader, int64_t first)
{
    char path[PATH_MAX];
    if (first == 0 || !segment_path(reader->folder, first, path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    file_close(&reader->fd);
    reader->fd = fd;
    reader->offset = 0;
    return true;
}

static bool read_exactly(int fd, void *out, size_t length, int64_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fd, (char *)out + done, length - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool read_frame(struct spool_reader *reader, int64_t *sequence, struct buffer *payload)
{
    struct frame_head head;
    if (!read_exactly(reader->fd, &head, sizeof head, reader->offset) || head.length > SPOOL_FRAME_MAX)
        return false;
    char *bytes = malloc((size_t)head.length + 1);
    if (bytes == NULL)
        return false;
    bool whole = read_exactly(reader->fd, bytes, head.length, reader->offset + (int64_t)sizeof head) &&
                 frame_crc(head.sequence, bytes, head.length) == head.crc;
    if (whole) {
        buffer_clear(payload);
        buffer_append(payload, bytes, head.length);
        *sequence = head.sequence;
        reader->offset += (int64_t)(sizeof head + head.length);
    }
    free(bytes);
    return whole && !payload->failed;
}

bool spool_read(struct spool_reader *reader, int64_t *sequence, struct buffer *payload)
{
    if (reader->fd < 0 && !open_for_reading(reader, find_segment(reader->folder, reader->skip_to + 1)))
        return false;
    for (;;) {
        while (read_frame(reader, sequence, payload)) {
            if (*sequence <= reader->skip_to)
                continue;
            reader->skip_to = *sequence;
            return true;
        }
        /* The end of this segment: a next one starts right after the last number read. */
        char path[PATH_MAX];
        if (!segment_path(reader->folder, reader->skip_to + 1, path) || access(path, F_OK) != 0 ||
            reader->offset == 0 || !open_for_reading(reader, reader->skip_to + 1))
            return false;
    }
}

int64_t spool_last_sequence(const char *folder)
{
    struct spool_reader *reader = NULL;
    int64_t newest = find_segment(folder, INT64_MAX);
    if (newest == 0 || spool_reader_new(folder, &reader, NULL) != STATUS_OK)
        return 0;
    struct buffer payload CLEANUP(buffer_free) = BUFFER_INIT;
    int64_t sequence = 0, last = newest - 1;
    spool_reader_seek(reader, last);
    while (spool_read(reader, &sequence, &payload))
        last = sequence;
    spool_reader_free(reader);
    return last;
}
