/*
 * GPUs by name: a list as it was given, or as this machine has it, and which
 * of them a run gets. Names are what CUDA_VISIBLE_DEVICES takes: indices or
 * identifiers such as GPU-8932f937.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_GPUS_H
#define BESOM_AGENT_GPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define GPU_MAX 1024

struct gpu_list {
    char **names; /* owned, as is each */
    size_t count;
};

/* Where gpu_list_detect looks, in this order. */
struct gpu_sources {
    const char *cuda_visible; /* CUDA_VISIBLE_DEVICES; NULL = unset */
    const char *root;         /* "" but in tests: proc/driver/nvidia/gpus and sys/class/kfd below it */
    bool ask_nvidia_smi;      /* `nvidia-smi -L`, when /proc has nothing */
    const char *rocr_visible; /* ROCR_VISIBLE_DEVICES; NULL = unset */
};

/* "0,1,2", "0-3", "GPU-8932f937,GPU-1ab4". INVALID. */
enum status gpu_list_parse(const char *text, struct gpu_list *out, struct err *err) MUST_USE;
/* NOT_FOUND when there is none. */
enum status gpu_list_detect(const struct gpu_sources *sources, struct gpu_list *out,
                            struct err *err) MUST_USE;
/* AMD's driver is there and NVIDIA's is not; `root` as above. */
bool gpus_are_of_amd(const char *root);
/* What CUDA_VISIBLE_DEVICES must be for a run bound to `gpus`. NVIDIA's libraries look at that alone. AMD's
 * take what ROCR_VISIBLE_DEVICES leaves, number it from 0, and then pick from that. Owned by the caller. */
char *gpus_for_cuda(const char *gpus, bool of_amd);
void gpu_list_free(struct gpu_list *list);

/* Names joined by commas, at most `count` from `first` on; owned by the caller. NULL without memory. */
char *gpu_list_join(const struct gpu_list *list, size_t first, size_t count);

/* May a run that has `taken` ("0,1"; NULL = it was not bound, so it may use any) use the GPU `name`? An index
 * and an identifier may mean the same GPU, and so may an identifier and its beginning. */
bool gpu_may_be_used(const char *taken, const char *name);

/* `wanted` GPUs that no holder may use, joined by commas: those of the slot's own block when they are free,
 * else the first ones. NULL when there are too few (or no memory). Owned by the caller. */
char *gpu_list_choose(const struct gpu_list *list, size_t slot, size_t wanted, const char *const *holders,
                      size_t holder_count);

#endif
