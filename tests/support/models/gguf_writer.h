/* Writes GGUF files for tests: keys and tensors are declared, then the data streams out tensor by tensor,
 * so that a file may be larger than memory. Fields that a test may falsify are open: magic, version,
 * counts, alignment. No memory is the end of the program. */
#ifndef TRIVIUM_TESTS_GGUF_WRITER_H
#define TRIVIUM_TESTS_GGUF_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {      /* value types, numbers as in the file */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32,
    GGUF_BOOL, GGUF_TEXT, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
};

typedef struct gguf_buffer {
    uint8_t *bytes;
    size_t n_bytes, n_bytes_max;
} gguf_buffer;

typedef struct gguf_writer {
    char magic[4];
    uint32_t version;
    uint64_t n_keys, n_tensors;     /* what the header will say */
    uint64_t alignment;             /* of the data; declare general.alignment when it is not 32 */
    gguf_buffer keys, tensors;      /* as they will lie in the file */
    uint64_t data_bytes;            /* offset of the next tensor */
    uint64_t written_bytes;
    FILE *file;                     /* NULL until gguf_writer_open */
} gguf_writer;

void gguf_writer_init(gguf_writer *w);      /* an empty file, version 3 */
void gguf_writer_clear(gguf_writer *w);     /* frees; closes a file still open */

/* Keys. The first begins one whose value the caller appends with gguf_append. */
void gguf_writer_key(gguf_writer *w, const char *key, uint32_t type);
void gguf_append(gguf_buffer *b, const void *bytes, size_t n_bytes);
void gguf_writer_uint(gguf_writer *w, const char *key, uint32_t value);
void gguf_writer_real(gguf_writer *w, const char *key, float value);
void gguf_writer_bool(gguf_writer *w, const char *key, bool value);
void gguf_writer_text(gguf_writer *w, const char *key, const char *value);
void gguf_writer_texts(gguf_writer *w, const char *key, const char *const *values, size_t n);
void gguf_writer_ints(gguf_writer *w, const char *key, const int32_t *values, size_t n);

/* Declare a tensor of a supported type where the last one ends; or any tensor at any offset. */
void gguf_writer_tensor(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                        const uint64_t *dims);
void gguf_writer_tensor_at(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                           const uint64_t *dims, uint64_t offset);

/* Write all that was declared, then the tensors' bytes in their order, each ended by _end_tensor (which
 * pads). false: errno says why; the file is left as it is. */
bool gguf_writer_open(gguf_writer *w, const char *path);
bool gguf_writer_data(gguf_writer *w, const void *bytes, size_t n_bytes);
bool gguf_writer_end_tensor(gguf_writer *w);
bool gguf_writer_close(gguf_writer *w);     /* also clears `w` */

#endif
