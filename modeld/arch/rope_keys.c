#include "rope_keys.h"

#include <string.h>

#include "proto/numeric/fmath.h"

static status read_dims(const model_keys *k, model_shape *s, failure *f) {
    uint64_t dims;
    status st = model_keys_uint_or(k, "rope.dimension_count", 2, s->head_dim, s->head_dim, &dims, f);
    if (st != STATUS_OK) return st;
    s->rotation.n_dims = (uint32_t)dims;
    if (s->rotation.n_dims % 2 != 0 || s->rotation.n_dims == 0)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "rotary positions need pairs, not %u dimensions",
                           s->rotation.n_dims);
    st = model_keys_real_or(k, "rope.freq_base", 10000.0, &s->rotation.base, f);
    if (st != STATUS_OK) return st;
    if (!(s->rotation.base >= 1.0))
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.rope.freq_base is %g, must be at least 1", k->architecture,
                           s->rotation.base);
    return STATUS_OK;
}

typedef enum scaling_kind { KIND_NONE, KIND_LINEAR, KIND_YARN, KIND_LLAMA3, N_KINDS } scaling_kind;

/* Without a type a factor is linear. */
static status read_kind(const model_keys *k, scaling_kind *out, failure *f) {
    static const char key[] = "rope.scaling.type";
    static const char *const names[N_KINDS] = {"none", "linear", "yarn", "llama3"};
    const char *name;
    size_t n_bytes;
    *out = KIND_LINEAR;
    if (!model_keys_has(k, key)) return STATUS_OK;
    status st = model_keys_text(k, key, &name, &n_bytes, f);
    if (st != STATUS_OK) return st;
    for (int i = 0; i < N_KINDS; i++)
        if (strlen(names[i]) == n_bytes && memcmp(names[i], name, n_bytes) == 0) {
            *out = (scaling_kind)i;
            return STATUS_OK;
        }
    return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                       "%s.%s is \"%.*s\"; \"none\", \"linear\", \"yarn\" and \"llama3\" are supported",
                       k->architecture, key, (int)(n_bytes < 64 ? n_bytes : 64), name);
}

/* A factor above 0. */
static status read_factor(const model_keys *k, const char *key, double fallback, double *out, failure *f) {
    status st = model_keys_real_or(k, key, fallback, out, f);
    if (st == STATUS_OK && !(*out > 0.0))
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "%s.%s is %g, must be above 0",
                           k->architecture, key, *out);
    return st;
}

/* The old key counts where the new one is missing; converters write 0 for none. */
static status read_slowness(const model_keys *k, double *out, failure *f) {
    const char *key = "rope.scaling.factor";
    if (!model_keys_has(k, key)) key = "rope.scale_linear";
    status st = model_keys_real_or(k, key, 1.0, out, f);
    if (st != STATUS_OK) return st;
    if (*out < 0.0)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "%s.%s is %g, must not be below 0",
                           k->architecture, key, *out);
    if (*out == 0.0) *out = 1.0;
    return STATUS_OK;
}

/* By how much YaRN would have attention sharpened for texts that are `factor` times as long. */
static double sharpening(double factor, double weight) {
    return factor <= 1.0 ? 1.0 : 1.0 + 0.1 * weight * fmath_log(factor);
}

static status read_yarn(const model_keys *k, model_shape *s, failure *f) {
    rotation_scaling *r = &s->rotation.scaling;
    uint64_t n_ctx;
    double attention, log_weight;
    status st = model_keys_uint_or(k, "rope.scaling.original_context_length", 1, UINT32_MAX,
                             s->n_ctx_made, &n_ctx, f);
    if (st == STATUS_OK)
        st = model_keys_real_or(k, "rope.scaling.yarn_ext_factor", 1.0, &r->yarn_mix, f);
    if (st == STATUS_OK)
        st = read_factor(k, "rope.scaling.yarn_beta_fast", 32.0, &r->yarn_fast, f);
    if (st == STATUS_OK)
        st = read_factor(k, "rope.scaling.yarn_beta_slow", 1.0, &r->yarn_slow, f);
    if (st == STATUS_OK)
        st = model_keys_real_or(k, "rope.scaling.yarn_log_multiplier", 0.0, &log_weight, f);
    if (st == STATUS_OK)
        st = model_keys_real_or(k, "rope.scaling.yarn_attn_factor", 1.0, &attention, f);
    if (st != STATUS_OK) return st;
    if (attention != 1.0)   /* depending on the writer the whole magnitude, a part of it, or nothing */
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.rope.scaling.yarn_attn_factor is %g; only 1 is supported",
                           k->architecture, attention);
    if (!(s->rotation.base > 1.0 && log_weight >= 0.0))
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.rope.freq_base is %g and %s.rope.scaling.yarn_log_multiplier %g; "
                           "\"yarn\" wants them above 1 and not below 0", k->architecture,
                           s->rotation.base, k->architecture, log_weight);
    r->n_ctx_before = (uint32_t)n_ctx;
    if (r->yarn_mix < 0.0) r->yarn_mix = 1.0;   /* below 0: not set */
    if (r->yarn_mix == 0.0) return STATUS_OK;
    r->magnitude = sharpening(r->factor, 1.0);
    r->magnitude /= sharpening(r->factor, log_weight);
    return STATUS_OK;
}

status rope_keys_read(const model_keys *k, model_shape *s, failure *f) {
    rotation_scaling *r = &s->rotation.scaling;
    scaling_kind kind = KIND_NONE;
    double attention = 1.0;
    status st = read_dims(k, s, f);
    *r = (rotation_scaling){.factor = 1.0, .magnitude = 1.0};
    if (st == STATUS_OK) st = read_kind(k, &kind, f);
    if (st == STATUS_OK && (kind == KIND_LINEAR || kind == KIND_YARN))
        st = read_slowness(k, &r->factor, f);
    if (st == STATUS_OK && kind == KIND_YARN) st = read_yarn(k, s, f);
    if (st == STATUS_OK)
        st = read_factor(k, "rope.scaling.attn_factor", 1.0, &attention, f);
    if (st != STATUS_OK) return st;
    r->magnitude *= attention;
    r->by_pair = gguf_find_tensor(k->file, "rope_freqs.weight") != NULL;
    if (kind == KIND_LLAMA3 && !r->by_pair)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.rope.scaling.type is \"llama3\", but the tensor "
                           "\"rope_freqs.weight\" with its factors is missing: convert the model anew",
                           k->architecture);
    return STATUS_OK;
}
