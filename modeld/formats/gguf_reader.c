#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gguf_parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are read as they lie in the file");
_Static_assert(sizeof(size_t) == 8, "sizes of a file fit a size_t");

enum { PATH_BYTES_SHOWN = 160 };

__attribute__((format(printf, 4, 0)))
static status refuse_v(const gguf *g, failure *f, status code, const char *format, va_list arguments) {
    char sentence[sizeof f->message - PATH_BYTES_SHOWN - 16];
    vsnprintf(sentence, sizeof sentence, format, arguments);
    size_t path_bytes = strlen(g->path);
    bool cut = path_bytes > PATH_BYTES_SHOWN;
    return fail(f, code, "%s%s: %s", cut ? "..." : "",
                cut ? g->path + path_bytes - PATH_BYTES_SHOWN : g->path, sentence);
}

status gguf_refuse(const gguf *g, failure *f, status code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    refuse_v(g, f, code, format, arguments);
    va_end(arguments);
    return code;
}

bool gguf_fails(const gguf_reader *r, status code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    refuse_v(r->g, r->f, code, format, arguments);
    va_end(arguments);
    return false;
}

bool gguf_no_memory(const gguf_reader *r) {
    return gguf_fails(r, STATUS_NO_MEMORY, "no memory for what its header lists");
}

const uint8_t *gguf_take(gguf_reader *r, uint64_t n_bytes) {
    size_t left = r->g->n_bytes - r->at;
    if (n_bytes > left) {
        gguf_fails(r, STATUS_IO,
                   "the file is cut short or damaged: %llu bytes are wanted at byte %zu, where %zu "
                   "are left", (unsigned long long)n_bytes, r->at, left);
        return NULL;
    }
    const uint8_t *bytes = r->g->bytes + r->at;
    r->at += n_bytes;
    return bytes;
}

bool gguf_read_u32(gguf_reader *r, uint32_t *out) {
    const uint8_t *bytes = gguf_take(r, sizeof *out);
    if (bytes) memcpy(out, bytes, sizeof *out);
    return bytes != NULL;
}

bool gguf_read_u64(gguf_reader *r, uint64_t *out) {
    const uint8_t *bytes = gguf_take(r, sizeof *out);
    if (bytes) memcpy(out, bytes, sizeof *out);
    return bytes != NULL;
}

bool gguf_read_text(gguf_reader *r, gguf_view *out) {
    uint64_t n_bytes = 0;
    if (!gguf_read_u64(r, &n_bytes)) return false;
    const uint8_t *bytes = gguf_take(r, n_bytes);
    *out = (gguf_view){(const char *)bytes, n_bytes};
    return bytes != NULL;
}

bool gguf_read_name(gguf_reader *r, const char *what, size_t index, size_t n_bytes_max, gguf_view *out) {
    if (!gguf_read_text(r, out)) return false;
    if (out->n_bytes == 0 || out->n_bytes > n_bytes_max)
        return gguf_fails(r, STATUS_IO, "the name of %s %zu has %zu bytes, not 1 to %zu", what,
                          index, out->n_bytes, n_bytes_max);
    for (size_t i = 0; i < out->n_bytes; i++)
        if (out->bytes[i] <= ' ' || out->bytes[i] > '~')
            return gguf_fails(r, STATUS_IO,
                              "the name of %s %zu holds a byte that is no visible ASCII", what,
                              index);
    return true;
}
