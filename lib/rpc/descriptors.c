// SPDX-License-Identifier: Apache-2.0
#include "rpc/descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "rpc/codec.h"

struct builder {
    struct descriptors *into;
    size_t file;
    bool failed;
};

static void *arena_allocate(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void arena_ignore(void *data, void *memory)
{
    (void)data;
    (void)memory;
}

/* Doubles an array that lives in the arena. */
static void *grown(struct arena *arena, const void *old, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 64 : *room * 2;
    void *fresh = arena_calloc(arena, wanted, size);
    if (fresh == NULL)
        return NULL;
    if (count > 0)
        memcpy(fresh, old, count * size);
    *room = wanted;
    return fresh;
}

/* Adds "scope.name" and returns it; NULL when memory is out. */
static const char *add_symbol(struct builder *builder, const char *scope, const char *name)
{
    struct descriptors *into = builder->into;
    if (into->symbol_count == into->symbol_room) {
        void *fresh =
            grown(&into->arena, into->symbols, into->symbol_count, &into->symbol_room, sizeof *into->symbols);
        if (fresh == NULL) {
            builder->failed = true;
            return NULL;
        }
        into->symbols = fresh;
    }
    const char *full = arena_printf(&into->arena, "%s%s%s", scope, *scope != '\0' ? "." : "", name);
    if (full == NULL)
        builder->failed = true;
    else
        into->symbols[into->symbol_count++] = (struct descriptor_symbol){full, builder->file};
    return full;
}

static void add_names(struct builder *builder, const char *scope, Besom__Rpc__Named *const *names,
                      size_t count)
{
    for (size_t i = 0; i < count && scope != NULL; i++)
        add_symbol(builder, scope, names[i]->name);
}

static void add_enums(struct builder *builder, const char *scope, Besom__Rpc__EnumType *const *enums,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_symbol(builder, scope, enums[i]->name);
        add_names(builder, scope, enums[i]->value, enums[i]->n_value); /* values belong to the enum's scope */
    }
}

static void add_types(struct builder *builder, const char *scope, Besom__Rpc__Type *const *types,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *full = add_symbol(builder, scope, types[i]->name);
        if (full == NULL)
            return;
        add_names(builder, full, types[i]->field, types[i]->n_field);
        add_enums(builder, full, types[i]->enum_type, types[i]->n_enum_type);
        add_types(builder, full, types[i]->nested_type, types[i]->n_nested_type);
    }
}

static void add_services(struct builder *builder, const char *scope, const Besom__Rpc__File *file)
{
    for (size_t i = 0; i < file->n_service; i++)
        add_names(builder, add_symbol(builder, scope, file->service[i]->name), file->service[i]->method,
                  file->service[i]->n_method);
}

static bool add_file(struct descriptors *into, const ProtobufCBinaryData *bytes, const Besom__Rpc__File *file)
{
    if (into->file_count == into->file_room) {
        void *fresh =
            grown(&into->arena, into->files, into->file_count, &into->file_room, sizeof *into->files);
        if (fresh == NULL)
            return false;
        into->files = fresh;
    }
    struct builder builder = {.into = into, .file = into->file_count};
    into->files[into->file_count++] = (struct descriptor_file){file->name, *bytes, file};
    add_enums(&builder, file->package, file->enum_type, file->n_enum_type);
    add_types(&builder, file->package, file->message_type, file->n_message_type);
    add_services(&builder, file->package, file);
    return !builder.failed;
}

static enum status unpack(struct arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                          size_t size, ProtobufCMessage **out, struct err *err)
{
    ProtobufCAllocator allocator = {arena_allocate, arena_ignore, arena};
    TRY(codec_check(type, bytes, size, err));
    *out = protobuf_c_message_unpack(type, &allocator, size, bytes);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_INVALID, "not a valid descriptor set");
}

enum status descriptors_add(struct descriptors *descriptors, const unsigned char *set, size_t size,
                            struct err *err)
{
    ProtobufCMessage *message;
    TRY(unpack(&descriptors->arena, &besom__rpc__file_set__descriptor, set, size, &message, err));
    const Besom__Rpc__FileSet *files = (const Besom__Rpc__FileSet *)message;
    for (size_t i = 0; i < files->n_file; i++) {
        const ProtobufCBinaryData *bytes = &files->file[i];
        TRY(unpack(&descriptors->arena, &besom__rpc__file__descriptor, bytes->data, bytes->len, &message,
                   err));
        const Besom__Rpc__File *file = (const Besom__Rpc__File *)message;
        if (descriptors_find_file(descriptors, file->name) < 0 && !add_file(descriptors, bytes, file))
            return err_set(err, STATUS_NO_MEMORY, "no memory for descriptors");
    }
    return STATUS_OK;
}

static int compare_symbols(const void *left, const void *right)
{
    const struct descriptor_symbol *a = left, *b = right;
    return strcmp(a->name, b->name);
}

void descriptors_sort(struct descriptors *descriptors)
{
    if (descriptors->symbol_count > 0)
        qsort(descriptors->symbols, descriptors->symbol_count, sizeof *descriptors->symbols, compare_symbols);
}

void descriptors_free(struct descriptors *descriptors)
{
    arena_free(&descriptors->arena);
}

long descriptors_find_file(const struct descriptors *descriptors, const char *name)
{
    for (size_t i = 0; i < descriptors->file_count; i++)
        if (strcmp(descriptors->files[i].name, name) == 0)
            return (long)i;
    return -1;
}

long descriptors_find_symbol(const struct descriptors *descriptors, const char *symbol)
{
    struct descriptor_symbol wanted = {.name = symbol};
    if (descriptors->symbol_count == 0)
        return -1;
    const struct descriptor_symbol *found = bsearch(&wanted, descriptors->symbols, descriptors->symbol_count,
                                                    sizeof *descriptors->symbols, compare_symbols);
    return found != NULL ? (long)found->file : -1;
}

static bool contains(const size_t *list, size_t count, size_t value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

size_t descriptors_closure(const struct descriptors *descriptors, size_t file, size_t *out)
{
    size_t count = 0;
    out[count++] = file;
    for (size_t next = 0; next < count; next++) {
        const Besom__Rpc__File *node = descriptors->files[out[next]].file;
        for (size_t d = 0; d < node->n_dependency; d++) {
            long index = descriptors_find_file(descriptors, node->dependency[d]);
            if (index >= 0 && !contains(out, count, (size_t)index))
                out[count++] = (size_t)index;
        }
    }
    return count;
}
