/*
 * Numbered batches of one attempt on disk: what the controller has not
 * acknowledged. The shim writes, the agent reads the same files, also after
 * the shim has died.
 *
 * A spool is a folder of segments named by their first sequence number. A
 * frame is u32 length, u32 CRC-32 of number and payload, i64 number, payload,
 * in the machine's byte order. Frames go to the page cache with one write
 * each, so a killed process loses none; spool_sync makes them survive a power
 * cut. A reader stops at the first frame that is not whole. Not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SPOOL_H
#define BESOM_AGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

#define SPOOL_SEGMENT_BYTES (4 << 20)
#define SPOOL_FRAME_MAX (8 << 20)

struct spool_writer;
struct spool_reader;

/* An empty spool in `folder`, which is made. IO. */
enum status spool_writer_new(const char *folder, struct spool_writer **out, struct err *err) MUST_USE;
void spool_writer_free(struct spool_writer *writer);

/* Appends batch `sequence`, one more than the last. IO (disk full): nothing was written. */
enum status spool_append(struct spool_writer *writer, int64_t sequence, const void *payload, size_t length,
                         struct err *err) MUST_USE;

/* Everything up to `sequence` is stored elsewhere: segments that hold nothing else are deleted. */
void spool_acknowledge(struct spool_writer *writer, int64_t sequence);

/* Segments end at this size; at first SPOOL_SEGMENT_BYTES. What is acknowledged goes in whole segments, so a
 * small bound on the spool needs small ones. */
void spool_set_segment_bytes(struct spool_writer *writer, int64_t bytes);

/* Bytes of the segments that hold something that is not acknowledged. */
int64_t spool_bytes(const struct spool_writer *writer);

/* What is new is going to be written through to the disk: on a thread of the spool's, without waiting. */
void spool_sync(struct spool_writer *writer);

/* The same, until it is done. */
void spool_sync_wait(struct spool_writer *writer);

/* The folder need not exist: then the spool is empty. NO_MEMORY. */
enum status spool_reader_new(const char *folder, struct spool_reader **out, struct err *err) MUST_USE;
void spool_reader_free(struct spool_reader *reader);

/* The next batch read is the first one numbered above `sequence`. */
void spool_reader_seek(struct spool_reader *reader, int64_t sequence);

/* Replaces `payload`. False when there is no further whole batch now. */
bool spool_read(struct spool_reader *reader, int64_t *sequence, struct buffer *payload);

/* Number of the last whole batch, 0 = none. Looks at the newest segment alone, for there may be many: what a
 * disk has lost before it shows when that is read. */
int64_t spool_last_sequence(const char *folder);

#endif
