/* GGUF v2 and v3 over a read-only mmap. Every length, offset, type and dimension is checked against the
 * file before it is used; after gguf_open has succeeded nothing in the file can make a read go astray.
 * Format: the GGUF specification in ggml's docs. Little-endian files only. */
#ifndef TRIVIUM_GGUF_H
#define TRIVIUM_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/tensors/tensor_type.h"
#include "proto/base/status.h"

enum {
    GGUF_KEYS_MAX = 65536,
    GGUF_TENSORS_MAX = 65536,
    GGUF_KEY_BYTES_MAX = 65535,
    GGUF_TENSOR_NAME_BYTES_MAX = 127,
    GGUF_ALIGNMENT_MIN = 8,
    GGUF_ALIGNMENT_MAX = 1 << 20,
};

typedef struct gguf_tensor {
    const char *name;           /* NUL-terminated, owned by the gguf */
    const tensor_layout *layout;
    uint32_t n_dims;            /* 1 … 4 */
    uint64_t dims[4];           /* dims[0] is the contiguous one; unused ones are 1 */
    const uint8_t *bytes;       /* in the mapping */
    size_t n_bytes;
} gguf_tensor;

typedef struct gguf gguf;

/* On failure *out is NULL; the sentence names file, what is wrong and what is supported. Refuses: wrong
 * magic or version, truncation, an unknown value or tensor type (named), an offset beyond the file or off
 * the alignment, overlapping or duplicate tensors, duplicate keys, products that overflow, a part of a
 * split model. STATUS_IO: it cannot be read, or is damaged; STATUS_UNSUPPORTED: another format, version
 * or type. The file must not be shortened while it is open: it is read where it lies. */
status gguf_open(gguf **out, const char *path, failure *f);
void gguf_close(gguf **g);

/* Fill `f` with "PATH: sentence" and return `code`; a long path is cut at its beginning, the sentence stays
 * whole. */
status gguf_refuse(const gguf *g, failure *f, status code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

size_t gguf_n_tensors(const gguf *g);
const gguf_tensor *gguf_tensor_at(const gguf *g, size_t index);
const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name);  /* NULL: none */

/* Metadata. `_or` returns the fallback when the key is absent, the others STATUS_NOT_FOUND; a key of the
 * wrong type or out of min … max (a real: not finite) is STATUS_BAD_REQUEST. Sentences name the key. */
bool gguf_has(const gguf *g, const char *key);
bool gguf_is_array(const gguf *g, const char *key);
status gguf_uint(const gguf *g, const char *key, uint64_t min, uint64_t max, uint64_t *out, failure *f);
status gguf_uint_or(const gguf *g, const char *key, uint64_t min, uint64_t max, uint64_t fallback,
                    uint64_t *out, failure *f);
status gguf_real_or(const gguf *g, const char *key, double fallback, double *out, failure *f);
status gguf_bool_or(const gguf *g, const char *key, bool fallback, bool *out, failure *f);
/* Pointer into the mapping, and length: not NUL-terminated. */
status gguf_text(const gguf *g, const char *key, const char **text, size_t *n_bytes, failure *f);

/* An array of texts: its views, [*n], owned by the gguf. */
typedef struct gguf_view {
    const char *bytes;
    size_t n_bytes;
} gguf_view;
status gguf_texts(const gguf *g, const char *key, const gguf_view **views, size_t *n, failure *f);
/* An array of int32 or uint32 (token types), [*n], owned by the gguf; an item above INT32_MAX is refused. */
status gguf_ints(const gguf *g, const char *key, const int32_t **items, size_t *n, failure *f);

/* All keys with their values as they lie in the file, for tools that copy them. */
const uint8_t *gguf_metadata(const gguf *g, size_t *n_bytes, size_t *n_keys);

/* Hashes (XXH3, 128 bits, 32 hexadecimal digits and a NUL): of the whole file's contents, and of the
 * keys that begin with "tokenizer." alone, in whatever order they stand. */
void gguf_hash(const gguf *g, char out[33]);
void gguf_tokenizer_hash(const gguf *g, char out[33]);

/* Give the pages of the mapping back to the kernel where a packed copy has replaced them. */
void gguf_forget_pages(const gguf *g);

#endif
