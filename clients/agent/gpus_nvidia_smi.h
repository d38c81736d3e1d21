/*
 * Asks NVIDIA's tool how many GPUs there are, for machines whose /proc does
 * not tell (containers, WSL).
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_GPUS_NVIDIA_SMI_H
#define BESOM_AGENT_GPUS_NVIDIA_SMI_H

/* Lines "GPU ..." that `nvidia-smi -L` prints; 0 when it is not there, fails or takes longer than 20 s. */
long gpus_count_by_nvidia_smi(void);

#endif
