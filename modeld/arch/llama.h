/* Llama (Touvron et al. 2023) and its kin, SmolLM2 among them: RMSNorm, rotary positions on
 * adjacent pairs, grouped-query attention, SwiGLU, output head of its own or tied to the
 * embedding. */
#ifndef TRIVIUM_LLAMA_H
#define TRIVIUM_LLAMA_H

#include "architecture.h"

extern const architecture llama_architecture;

#endif
