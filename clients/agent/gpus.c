// SPDX-License-Identifier: Apache-2.0
#include "gpus.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "gpus_nvidia_smi.h"

#define PROPERTIES_LIMIT 65536

/* ---- lists ---- */

static enum status add(struct gpu_list *list, const char *name, size_t length, struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->names[i]) == length && memcmp(list->names[i], name, length) == 0)
            return err_set(err, STATUS_INVALID, "GPU %s is named twice", list->names[i]);
    if (list->count >= GPU_MAX)
        return err_set(err, STATUS_INVALID, "more than %d GPUs", GPU_MAX);
    char **grown = realloc(list->names, (list->count + 1) * sizeof *grown);
    if (grown == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    list->names = grown;
    list->names[list->count] = strndup(name, length);
    if (list->names[list->count] == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    list->count++;
    return STATUS_OK;
}

static enum status add_numbers(struct gpu_list *list, long first, long last, struct err *err)
{
    char name[32];
    for (long number = first; number <= last; number++) {
        int length = snprintf(name, sizeof name, "%ld", number);
        TRY(add(list, name, (size_t)length, err));
    }
    return STATUS_OK;
}

/* "3" or "0-3". */
static bool read_range(const char *item, size_t length, long *first, long *last)
{
    char text[32], *end;
    if (length == 0 || length >= sizeof text || !isdigit((unsigned char)item[0]))
        return false;
    memcpy(text, item, length);
    text[length] = '\0';
    *first = *last = strtol(text, &end, 10);
    if (*end == '-' && isdigit((unsigned char)end[1]))
        *last = strtol(end + 1, &end, 10);
    return *end == '\0';
}

static bool is_name(const char *item, size_t length)
{
    if (length == 0 || !isalpha((unsigned char)item[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)item[i]) && strchr("-_.:/", item[i]) == NULL)
            return false;
    return true;
}

static enum status add_item(struct gpu_list *list, const char *item, size_t length, struct err *err)
{
    long first, last;
    if (read_range(item, length, &first, &last)) {
        if (first > last || last >= GPU_MAX)
            return err_set(err, STATUS_INVALID, "'%.*s' is no range of GPUs", (int)length, item);
        return add_numbers(list, first, last, err);
    }
    if (is_name(item, length))
        return add(list, item, length, err);
    return err_set(err, STATUS_INVALID, "'%.*s' is no GPU (0, 0-3 or an identifier such as GPU-8932f937)",
                   (int)length, item);
}

enum status gpu_list_parse(const char *text, struct gpu_list *out, struct err *err)
{
    *out = (struct gpu_list){.count = 0};
    enum status status = STATUS_OK;
    for (const char *item = text; item != NULL && status == STATUS_OK;) {
        size_t length = strcspn(item, ",");
        status = add_item(out, item, length, err);
        item = item[length] == ',' ? item + length + 1 : NULL;
    }
    if (status != STATUS_OK)
        gpu_list_free(out);
    return status;
}

void gpu_list_free(struct gpu_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct gpu_list){.count = 0};
}

static char *join_names(char *const *names, size_t count)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        buffer_printf(&text, "%s%s", i > 0 ? "," : "", names[i]);
    return text.failed ? NULL : strdup(buffer_text(&text));
}

char *gpu_list_join(const struct gpu_list *list, size_t first, size_t count)
{
    if (first > list->count)
        first = list->count;
    return join_names(list->names + first, count < list->count - first ? count : list->count - first);
}

/* ---- detection ---- */

/* What the libraries make of it: the first name that is none ends the list. */
static enum status read_visible(const char *text, const char *variable, struct gpu_list *out, struct err *err)
{
    size_t length = 0;
    while (text[length] != '\0') {
        const char *item = text + length + (length > 0);
        if (*item == '-' || *item == ',' || *item == '\0' || strncmp(item, "NoDevFiles", 10) == 0)
            break;
        length += (length > 0) + strcspn(item, ",");
    }
    char *usable = length > 0 ? strndup(text, length) : NULL;
    if (usable == NULL)
        return err_set(err, STATUS_NOT_FOUND, "%s names none", variable);
    enum status status = gpu_list_parse(usable, out, err);
    free(usable);
    return status == STATUS_OK ? status : err_context(err, "%s", variable);
}

static long count_entries(const char *path)
{
    long count = 0;
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    if (listing != NULL)
        closedir(listing);
    return count;
}

/* Processors are nodes too; they have no SIMD units. */
static bool is_gpu_node(const char *path)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    if (file_read(path, PROPERTIES_LIMIT, &text, NULL) != STATUS_OK || text.length == 0)
        return false;
    const char *line = strstr(buffer_text(&text), "simd_count ");
    return line != NULL && strtol(line + strlen("simd_count "), NULL, 10) > 0;
}

static long count_kfd(const char *root)
{
    char path[PATH_MAX], file[PATH_MAX + 512];
    long count = 0;
    snprintf(path, sizeof path, "%s/sys/class/kfd/kfd/topology/nodes", root);
    DIR *listing = opendir(path);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        snprintf(file, sizeof file, "%s/%s/properties", path, entry->d_name);
        count += entry->d_name[0] != '.' && is_gpu_node(file);
    }
    if (listing != NULL)
        closedir(listing);
    return count;
}

enum status gpu_list_detect(const struct gpu_sources *sources, struct gpu_list *out, struct err *err)
{
    char path[PATH_MAX];
    *out = (struct gpu_list){.count = 0};
    if (sources->cuda_visible != NULL)
        return read_visible(sources->cuda_visible, "CUDA_VISIBLE_DEVICES", out, err);
    snprintf(path, sizeof path, "%s/proc/driver/nvidia/gpus", sources->root);
    long count = count_entries(path);
    if (count == 0 && sources->ask_nvidia_smi)
        count = gpus_count_by_nvidia_smi();
    if (count == 0 && sources->rocr_visible != NULL)
        return read_visible(sources->rocr_visible, "ROCR_VISIBLE_DEVICES", out, err);
    if (count == 0)
        count = count_kfd(sources->root);
    if (count == 0)
        return err_set(err, STATUS_NOT_FOUND, "no GPU was found on this machine");
    enum status status = add_numbers(out, 0, count - 1, err);
    if (status != STATUS_OK)
        gpu_list_free(out);
    return status;
}

/* ---- what libraries look at ---- */

bool gpus_are_of_amd(const char *root)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/driver/nvidia/gpus", root);
    return count_entries(path) == 0 && count_kfd(root) > 0;
}

static long count_items(const char *text)
{
    long count = *text != '\0';
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

char *gpus_for_cuda(const char *gpus, bool of_amd)
{
    if (!of_amd)
        return strdup(gpus);
    struct buffer text = BUFFER_INIT;
    for (long i = 0; i < count_items(gpus); i++)
        buffer_printf(&text, "%s%ld", i > 0 ? "," : "", i);
    return buffer_take(&text);
}

/* ---- sharing ---- */

static bool is_index(const char *name, size_t length)
{
    return strspn(name, "0123456789") >= length;
}

bool gpu_may_be_used(const char *taken, const char *name)
{
    size_t name_length = strlen(name);
    if (taken == NULL)
        return true;
    for (const char *item = taken; *item != '\0';) {
        size_t length = strcspn(item, ",");
        bool index = is_index(name, name_length);
        if (is_index(item, length) != index)
            return true;
        size_t common = length < name_length ? length : name_length;
        if (memcmp(item, name, common) == 0 && (!index || length == name_length))
            return true;
        item += length + (item[length] == ',');
    }
    return false;
}

static bool is_free(const char *name, const char *const *holders, size_t holder_count)
{
    for (size_t i = 0; i < holder_count; i++)
        if (gpu_may_be_used(holders[i], name))
            return false;
    return true;
}

char *gpu_list_choose(const struct gpu_list *list, size_t slot, size_t wanted, const char *const *holders,
                      size_t holder_count)
{
    char *chosen[GPU_MAX];
    for (int anywhere = 0; anywhere < 2; anywhere++) {
        size_t count = 0, first = anywhere ? 0 : slot * wanted;
        size_t end = anywhere || first + wanted > list->count ? list->count : first + wanted;
        for (size_t i = first; i < end && count < wanted; i++)
            if (is_free(list->names[i], holders, holder_count))
                chosen[count++] = list->names[i];
        if (count == wanted)
            return join_names(chosen, count);
    }
    return NULL;
}
