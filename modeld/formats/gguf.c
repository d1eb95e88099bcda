#include "gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "gguf_parts.h"
#include "proto/base/text.h"

_Static_assert(GGUF_KEYS_MAX == GGUF_TENSORS_MAX, "one sentence tells both");

enum {
    VERSION_MIN = 2,
    VERSION_MAX = 3,
    ALIGNMENT_DEFAULT = 32,
};

/* ---- the file ---- */

static bool map_file(gguf_reader *r) {
    gguf *g = r->g;
    struct stat info;
    int fd = open(g->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);    /* a pipe must not hang us */
    if (fd < 0 || fstat(fd, &info) != 0) {
        gguf_fails(r, STATUS_IO, "%s", strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        gguf_fails(r, STATUS_IO, "this is not a regular file");
    } else if (info.st_size == 0) {
        gguf_fails(r, STATUS_IO, "the file is empty");
    } else {
        void *mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (mapping == MAP_FAILED) {
            gguf_fails(r, STATUS_IO, "the file cannot be mapped: %s", strerror(errno));
        } else {
            g->bytes = mapping;
            g->n_bytes = (size_t)info.st_size;
        }
    }
    if (fd >= 0) close(fd);
    return g->bytes != NULL;
}

static bool read_header(gguf_reader *r) {
    uint32_t version = 0;
    uint64_t n_tensors = 0, n_entries = 0;
    const uint8_t *magic = gguf_take(r, 4);
    if (!magic) return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "this is not a GGUF file: it begins with bytes %02x %02x %02x %02x, not "
                          "\"GGUF\"", magic[0], magic[1], magic[2], magic[3]);
    if (!gguf_read_u32(r, &version)) return false;
    uint32_t swapped = __builtin_bswap32(version);
    if (swapped >= 1 && swapped <= VERSION_MAX)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "this GGUF file is big-endian; only little-endian ones are supported");
    if (version < VERSION_MIN || version > VERSION_MAX)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "GGUF version %u is not supported, only %d and %d are", version,
                          VERSION_MIN, VERSION_MAX);
    if (!gguf_read_u64(r, &n_tensors) || !gguf_read_u64(r, &n_entries)) return false;
    if (n_tensors > GGUF_TENSORS_MAX || n_entries > GGUF_KEYS_MAX)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "%llu tensors and %llu keys are more than the %d of each that are "
                          "supported", (unsigned long long)n_tensors, (unsigned long long)n_entries,
                          GGUF_TENSORS_MAX);
    r->g->tensors = calloc(n_tensors + 1, sizeof *r->g->tensors);
    r->g->by_name = calloc(n_tensors + 1, sizeof *r->g->by_name);
    r->g->entries = calloc(n_entries + 1, sizeof *r->g->entries);
    if (!r->g->tensors || !r->g->by_name || !r->g->entries) return gguf_no_memory(r);
    r->g->n_tensors = n_tensors;
    r->g->n_entries = n_entries;
    return true;
}

/* ---- tensors ---- */

static bool size_tensor(gguf_reader *r, gguf_tensor *t) {
    const tensor_layout *layout = t->layout;
    uint64_t n_items = 1;
    if (t->dims[0] % layout->block_items != 0)
        return gguf_fails(r, STATUS_IO,
                          "tensor %s has rows of %llu values, which are no whole blocks of %u (%s)",
                          t->name, (unsigned long long)t->dims[0], layout->block_items,
                          layout->name);
    for (uint32_t i = 0; i < 4; i++)
        if (t->dims[i] == 0 || __builtin_mul_overflow(n_items, t->dims[i], &n_items))
            return gguf_fails(r, STATUS_IO,
                              "tensor %s has an impossible size: dimension %u is %llu", t->name, i,
                              (unsigned long long)t->dims[i]);
    if (__builtin_mul_overflow(n_items / layout->block_items, layout->block_bytes, &t->n_bytes))
        return gguf_fails(r, STATUS_IO, "tensor %s has an impossible size: %llu values", t->name,
                          (unsigned long long)n_items);
    return true;
}

static bool read_tensor(gguf_reader *r, size_t index, gguf_record *record) {
    gguf_tensor *t = &record->tensor;
    gguf_view name;
    if (!gguf_read_name(r, "tensor", index, GGUF_TENSOR_NAME_BYTES_MAX, &name)) return false;
    memcpy(record->name, name.bytes, name.n_bytes);
    t->name = record->name;
    if (!gguf_read_u32(r, &t->n_dims)) return false;
    if (t->n_dims < 1 || t->n_dims > 4)
        return gguf_fails(r, STATUS_IO, "tensor %s has %u dimensions, not 1 to 4", t->name,
                          t->n_dims);
    for (uint32_t i = 0; i < 4; i++) {
        t->dims[i] = 1;
        if (i < t->n_dims && !gguf_read_u64(r, &t->dims[i])) return false;
    }
    uint32_t type = 0;
    if (!gguf_read_u32(r, &type)) return false;
    t->layout = tensor_layout_of(type);
    if (!t->layout)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "tensor %s has type %u (%s), which is not supported; %s are", t->name,
                          type, tensor_type_name(type), TENSOR_TYPES_SUPPORTED);
    return gguf_read_u64(r, &record->offset) && size_tensor(r, t);
}

/* Give a tensor its place in the mapping: `data` is where offsets count from. */
static bool place_tensor(const gguf_reader *r, uint64_t data, uint64_t alignment,
                         gguf_record *record) {
    gguf_tensor *t = &record->tensor;
    if (record->offset % alignment != 0)
        return gguf_fails(r, STATUS_IO,
                          "tensor %s begins at offset %llu, which is no multiple of the alignment "
                          "%llu", t->name, (unsigned long long)record->offset,
                          (unsigned long long)alignment);
    if (data > r->g->n_bytes || record->offset > r->g->n_bytes - data
        || t->n_bytes > r->g->n_bytes - data - record->offset)
        return gguf_fails(r, STATUS_IO,
                          "the file is cut short or damaged: tensor %s wants %zu bytes at offset "
                          "%llu of its data and lies beyond the end", t->name, t->n_bytes,
                          (unsigned long long)record->offset);
    t->bytes = r->g->bytes + data + record->offset;
    return true;
}

static int offset_compare(const void *a, const void *b) {
    const gguf_record *x = *(const gguf_record *const *)a, *y = *(const gguf_record *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static int name_compare(const void *a, const void *b) {
    const gguf_record *x = *(const gguf_record *const *)a, *y = *(const gguf_record *const *)b;
    return strcmp(x->name, y->name);
}

static bool check_overlaps(const gguf_reader *r) {
    const gguf_record **order = r->g->by_name;
    qsort(order, r->g->n_tensors, sizeof *order, offset_compare);
    for (size_t i = 1; i < r->g->n_tensors; i++)
        if (order[i]->offset - order[i - 1]->offset < order[i - 1]->tensor.n_bytes)
            return gguf_fails(r, STATUS_IO, "tensors %s and %s overlap", order[i - 1]->name,
                              order[i]->name);
    return true;
}

static bool check_names(const gguf_reader *r) {
    const gguf_record **order = r->g->by_name;
    qsort(order, r->g->n_tensors, sizeof *order, name_compare);
    for (size_t i = 1; i < r->g->n_tensors; i++)
        if (name_compare(&order[i - 1], &order[i]) == 0)
            return gguf_fails(r, STATUS_IO, "tensor %s is there twice", order[i]->name);
    return true;
}

static bool read_tensors(gguf_reader *r) {
    gguf *g = r->g;
    uint64_t alignment = 0;
    if (gguf_uint_or(g, "general.alignment", GGUF_ALIGNMENT_MIN, GGUF_ALIGNMENT_MAX,
                     ALIGNMENT_DEFAULT, &alignment, r->f) != STATUS_OK)
        return false;
    if ((alignment & (alignment - 1)) != 0)
        return gguf_fails(r, STATUS_UNSUPPORTED,
                          "key general.alignment is %llu, not a power of two",
                          (unsigned long long)alignment);
    for (size_t i = 0; i < g->n_tensors; i++) {
        if (!read_tensor(r, i, &g->tensors[i])) return false;
        g->by_name[i] = &g->tensors[i];
    }
    uint64_t data = (r->at + alignment - 1) / alignment * alignment;
    for (size_t i = 0; i < g->n_tensors; i++)
        if (!place_tensor(r, data, alignment, &g->tensors[i])) return false;
    return check_overlaps(r) && check_names(r);
}

status gguf_open(gguf **out, const char *path, failure *f) {
    *out = NULL;
    gguf *g = calloc(1, sizeof *g);
    if (g) g->path = strdup(path);
    if (!g || !g->path) {
        gguf_close(&g);
        return fail(f, STATUS_NO_MEMORY, "no memory to open %s", path);
    }
    gguf_reader r = {g, 0, f};
    if (!map_file(&r) || !read_header(&r) || !gguf_read_entries(&r) || !read_tensors(&r)) {
        gguf_close(&g);
        return f->code;
    }
    *out = g;
    return STATUS_OK;
}

void gguf_close(gguf **g) {
    gguf *file = *g;
    if (!file) return;
    gguf_free_entries(file);
    free(file->tensors);
    free(file->by_name);
    if (file->bytes) munmap((void *)(uintptr_t)file->bytes, file->n_bytes);
    free(file->path);
    free(file);
    *g = NULL;
}

/* ---- what is in it ---- */

size_t gguf_n_tensors(const gguf *g) {
    return g->n_tensors;
}

const gguf_tensor *gguf_tensor_at(const gguf *g, size_t index) {
    return &g->tensors[index].tensor;
}

const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name) {
    size_t low = 0, high = g->n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, g->by_name[middle]->name);
        if (order == 0) return &g->by_name[middle]->tensor;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

void gguf_hash(const gguf *g, char out[33]) {
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(g->bytes, g->n_bytes));
    text_hex(digest.digest, sizeof digest.digest, out);
}

void gguf_forget_pages(const gguf *g) {
    /* Advice only: where the kernel does not take it, nothing is lost but memory. */
    madvise((void *)(uintptr_t)g->bytes, g->n_bytes, MADV_DONTNEED);
}
