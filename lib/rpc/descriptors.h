/*
 * An index over FileDescriptorSets: files by name, files by the symbols that
 * they define, and their dependencies. Read-only once built.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_DESCRIPTORS_H
#define BESOM_RPC_DESCRIPTORS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "besom/rpc/descriptor.pb-c.h"

struct descriptor_file {
    const char *name;
    ProtobufCBinaryData bytes;    /* the serialised FileDescriptorProto */
    const Besom__Rpc__File *file; /* what was read of it */
};

struct descriptor_symbol {
    const char *name; /* "package.Message.field", without a leading dot */
    size_t file;
};

struct descriptors {
    struct arena arena; /* holds everything */
    struct descriptor_file *files;
    size_t file_count, file_room;
    struct descriptor_symbol *symbols; /* sorted by name */
    size_t symbol_count, symbol_room;
};

/* Copies a serialised FileDescriptorSet in; files that are there already are skipped. INVALID, NO_MEMORY. */
enum status descriptors_add(struct descriptors *descriptors, const unsigned char *set, size_t size,
                            struct err *err) MUST_USE;
/* After the last descriptors_add. */
void descriptors_sort(struct descriptors *descriptors);
void descriptors_free(struct descriptors *descriptors);

/* Index of a file, or -1. */
long descriptors_find_file(const struct descriptors *descriptors, const char *name);
long descriptors_find_symbol(const struct descriptors *descriptors, const char *symbol);

/* Writes the indexes of `file` and all that it needs into out[file_count]; returns how many. */
size_t descriptors_closure(const struct descriptors *descriptors, size_t file, size_t *out);

#endif
