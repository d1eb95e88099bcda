/* What the files of the GGUF reader share; nobody else includes this. */
#ifndef TRIVIUM_GGUF_PARTS_H
#define TRIVIUM_GGUF_PARTS_H

#include "gguf.h"

/* A key and its value. */
typedef struct gguf_entry {
    gguf_view key;
    const uint8_t *raw;         /* type and value as they lie in the file */
    size_t raw_bytes;
    uint32_t type;
    uint32_t item_type;         /* of an array's items, else the same */
    uint64_t n_items;           /* 1 unless it is an array */
    const uint8_t *items;       /* numbers: the first one, not aligned */
    gguf_view *views;           /* texts: [n_items], owned */
    int32_t *ints;              /* an array of int32 or uint32: [n_items], owned and aligned */
} gguf_entry;

typedef struct gguf_record {
    gguf_tensor tensor;
    uint64_t offset;            /* from the start of the tensors' data */
    char name[GGUF_TENSOR_NAME_BYTES_MAX + 1];
} gguf_record;

struct gguf {
    char *path;
    const uint8_t *bytes;       /* the mapping */
    size_t n_bytes;
    size_t metadata_start, metadata_end;
    gguf_entry *entries;        /* [n_entries], by key */
    size_t n_entries;
    gguf_record *tensors;       /* [n_tensors], in the file's order */
    const gguf_record **by_name;    /* [n_tensors] */
    size_t n_tensors;
};

/* Reading goes from front to back. A function that returns bool returns false once it has filled `f`. */
typedef struct gguf_reader {
    gguf *g;
    size_t at;                  /* offset of the next byte, ≤ n_bytes */
    failure *f;
} gguf_reader;

/* gguf_refuse for a reader: fills its `f`, returns false. */
bool gguf_fails(const gguf_reader *r, status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool gguf_no_memory(const gguf_reader *r);

/* The next n_bytes, in the mapping; NULL when the file has fewer left. */
const uint8_t *gguf_take(gguf_reader *r, uint64_t n_bytes);
bool gguf_read_u32(gguf_reader *r, uint32_t *out);
bool gguf_read_u64(gguf_reader *r, uint64_t *out);
bool gguf_read_text(gguf_reader *r, gguf_view *out);
/* The name of the index-th key or tensor: visible ASCII, so that any message may show it. */
bool gguf_read_name(gguf_reader *r, const char *what, size_t index, size_t n_bytes_max, gguf_view *out);

/* Read n_entries keys with their values, sort them by key and refuse duplicates. */
bool gguf_read_entries(gguf_reader *r);
void gguf_free_entries(gguf *g);

#endif
