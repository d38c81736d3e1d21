/*
 * Texts that have to be cut end at a character's end: half a character is refused by PostgreSQL and by
 * protobuf.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_UTF8_H
#define BESOM_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the longest beginning of a UTF-8 text that has at most `most` bytes and no half character; for
 * "%.*s". */
int utf8_fit(const char *text, size_t most);

#endif
