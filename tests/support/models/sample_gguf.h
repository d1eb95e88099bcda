/* A small GGUF file with a key of every type and a matrix of every tensor type, as the scratch file. */
#ifndef TRIVIUM_TESTS_SAMPLE_GGUF_H
#define TRIVIUM_TESTS_SAMPLE_GGUF_H

#include "gguf_writer.h"
#include "modeld/formats/gguf.h"

enum { SAMPLE_KEYS = 15, SAMPLE_TENSORS = 11, SAMPLE_COLUMNS = 256, GGUF_HEADER_BYTES = 24 };

extern const uint32_t sample_types[SAMPLE_TENSORS];

void sample_write(void);            /* the whole of it */
gguf *sample_open(void);            /* the scratch file, which must be right */

/* Its parts, for files that differ in one thing. */
void sample_add_number(gguf_writer *w, const char *key, uint32_t type, const void *value, size_t n_bytes);
void sample_add_keys(gguf_writer *w);
void sample_add_tensors(gguf_writer *w);    /* "blk.0.TYPE", SAMPLE_COLUMNS × 3 */
void sample_write_data(gguf_writer *w);     /* byte i of each tensor is i; closes the file */

#endif
