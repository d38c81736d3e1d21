/*
 * Whole small files: read with a bound, written so that a reader or a crash
 * sees the old or the new content, never a part.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_FILE_H
#define BESOM_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/err.h"

/* Appends the file's bytes to `out`. NOT_FOUND, INVALID (larger than limit), IO. */
enum status file_read(const char *path, size_t limit, struct buffer *out, struct err *err) MUST_USE;

/* The same for a secret. DENIED when others than its owner may read or write it (the group of a file of
 * root's may read: mounted secrets); pipes and the like are not looked at. */
enum status file_read_secret(const char *path, size_t limit, struct buffer *out, struct err *err) MUST_USE;

/* Replaces the file by temporary file, fsync and rename (and fsync of its folder). IO. */
enum status file_write_atomic(const char *path, const void *bytes, size_t length, mode_t mode,
                              struct err *err) MUST_USE;

/* Makes the folder and its parents. Existing ones are fine. IO. */
enum status file_make_dirs(const char *path, mode_t mode, struct err *err) MUST_USE;

/* Deletes the files in the folder, and the folder unless something is left: other folders are not entered. */
void file_remove_folder(const char *path);

/* Closes *fd when it is >= 0. Usable as CLEANUP(file_close). */
void file_close(int *fd);

#endif
