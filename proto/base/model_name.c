#include "model_name.h"

#include <string.h>

#include "text.h"

status model_name_check(const char *name, failure *f) {
    if (name[0] && text_is_printable(name, NAME_BYTES_MAX)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST,
                "a model's --name must be UTF-8 of 1 to %d bytes without control characters",
                NAME_BYTES_MAX);
}

static const char suffix[] = ".gguf";

static bool has_suffix(const char *name) {
    size_t n_bytes = strlen(name);
    return n_bytes > strlen(suffix) && strcmp(name + n_bytes - strlen(suffix), suffix) == 0;
}

bool model_name_is_file(const char *name_or_path) {
    return strchr(name_or_path, '/') || has_suffix(name_or_path);
}

status model_name_of_file(const char *path, char out[NAME_BYTES_MAX + 1], failure *f) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n_bytes = strlen(base);
    if (has_suffix(base)) n_bytes -= strlen(suffix);
    if (n_bytes <= NAME_BYTES_MAX) {
        memcpy(out, base, n_bytes);
        out[n_bytes] = '\0';
        if (model_name_check(out, f) == STATUS_OK) return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST,
                "the file's name is no name for a model: give one with --name");
}
