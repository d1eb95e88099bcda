/* GPT-2 (Radford et al. 2019) and the model of the chapter: LayerNorm before each block, learned
 * positions, a head for each key, GELU, output head tied to the embedding or of its own. Every bias is
 * optional: what the file has is used. */
#ifndef TRIVIUM_GPT2_H
#define TRIVIUM_GPT2_H

#include "architecture.h"

extern const architecture gpt2_architecture;

#endif
