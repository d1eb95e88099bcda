#include "architecture.h"

#include <stdio.h>
#include <string.h>

static const architecture *const ARCHITECTURES[] = {&llama_architecture, &gpt2_architecture};
enum { N_ARCHITECTURES = sizeof ARCHITECTURES / sizeof ARCHITECTURES[0] };

status architecture_find(const architecture **out, const gguf *file, failure *f) {
    const char *name;
    size_t n_bytes;
    status st = gguf_text(file, "general.architecture", &name, &n_bytes, f);
    if (st != STATUS_OK) return st;
    char supported[128] = "";
    for (size_t i = 0; i < N_ARCHITECTURES; i++) {
        const char *known = ARCHITECTURES[i]->name;
        if (strlen(known) == n_bytes && memcmp(known, name, n_bytes) == 0) {
            *out = ARCHITECTURES[i];
            return STATUS_OK;
        }
        size_t end = strlen(supported);
        snprintf(supported + end, sizeof supported - end, "%s%s", i ? ", " : "", known);
    }
    return gguf_refuse(file, f, STATUS_UNSUPPORTED,
                       "the architecture \"%.*s\" is not supported; supported: %s",
                       (int)(n_bytes < 64 ? n_bytes : 64), name, supported);
}

status architecture_read_shape(const architecture *a, const gguf *file, uint32_t n_ctx, model_shape *shape,
                               failure *f) {
    const model_keys keys = {file, a->name};
    *shape = (model_shape){.rotation.kind = a->rotation};
    return a->read_shape(&keys, n_ctx, shape, f);
}
