/* The named tensors of a model's file, checked as to type and dimensions, in the form that the
 * kernels read. Every tensor of the file must be asked for: one that nobody uses would be a
 * computation left out. */
#ifndef TRIVIUM_WEIGHTS_H
#define TRIVIUM_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/formats/gguf.h"
#include "modeld/kernels/lookup.h"
#include "modeld/kernels/pack.h"

enum { WEIGHTS_PARTS_MAX = 3 };     /* query, key and value */

typedef struct weights weights;

/* `file` is borrowed for as long as the weights live. On failure (STATUS_NO_MEMORY) *out is NULL. */
status weights_new(weights **out, const gguf *file, failure *f);
void weights_free(weights **w);

const gguf *weights_file(const weights *w);     /* as borrowed */
bool weights_has(const weights *w, const char *name);
size_t weights_bytes(const weights *w);         /* that all tensors will take, at most */

/* Each failure is STATUS_UNSUPPORTED and names the tensor and what was expected. What is returned lives as
 * long as the weights. */

/* [n_outputs, n_inputs], packed. It is packed anew each time: ask once, and for a tied head use the lookup's
 * tensor once as matrix. */
status weights_matrix(weights *w, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                      matrix *out, failure *f);
/* The same of a tensor of n_parts · n_outputs outputs: a matrix for each part, at most
 * WEIGHTS_PARTS_MAX. */
status weights_parts(weights *w, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                     matrix *out, uint32_t n_parts, failure *f);
/* [n], of F32, F16 or BF16, as float32. */
status weights_vector(weights *w, const char *name, uint32_t n, const float **out, failure *f);
/* [n_rows, n_items], read where it lies in the file. */
status weights_lookup(weights *w, const char *name, uint32_t n_rows, uint32_t n_items, lookup *out,
                      failure *f);

/* After the last of these: refuses a file with tensors that were not asked for. */
status weights_finish(const weights *w, failure *f);

#endif
