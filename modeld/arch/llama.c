/* Llama (Touvron et al. 2023) and its kin, SmolLM2 among them: RMSNorm, rotary positions on adjacent pairs,
 * grouped-query attention, SwiGLU, output head of its own or tied to the embedding. */
#include "architecture.h"
#include "rope_keys.h"

/* Features that change the numbers and are not computed here. */
static status refuse_extras(const model_keys *k, failure *f) {
    static const char *const counts[] = {"expert_count", "attention.sliding_window"};
    for (int i = 0; i < 2; i++) {
        uint64_t count;
        status st = model_keys_uint_or(k, counts[i], 0, UINT64_MAX, 0, &count, f);
        if (st != STATUS_OK) return st;
        if (count > 0)
            return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "%s.%s is %llu; only 0 is supported",
                               k->architecture, counts[i], (unsigned long long)count);
    }
    double temperature;
    bool causal;
    status st = model_keys_real_or(k, "attention.temperature_scale", 0.0, &temperature, f);
    if (st == STATUS_OK) st = model_keys_bool_or(k, "attention.causal", true, &causal, f);
    if (st != STATUS_OK) return st;
    if (temperature != 0.0)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.attention.temperature_scale is %g; only 0 is supported", k->architecture,
                           temperature);
    if (!causal)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%s.attention.causal is false: models that do not write are not supported",
                           k->architecture);
    return STATUS_OK;
}

static status read_shape(const model_keys *k, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = refuse_extras(k, f);
    if (st == STATUS_OK) st = model_keys_context(k, n_ctx, s, f);
    if (st == STATUS_OK) st = model_keys_widths(k, s, f);
    if (st == STATUS_OK) st = model_keys_grouped_heads(k, s, f);
    if (st == STATUS_OK) st = rope_keys_read(k, s, f);
    if (st == STATUS_OK) st = model_keys_epsilon(k, "attention.layer_norm_rms_epsilon", s, f);
    return st == STATUS_OK ? model_keys_vocabulary(k, s, f) : st;
}

const architecture llama_architecture = {
    .name = "llama",
    .norm = NORM_RMS,
    .rotation = ROTATION_ADJACENT,
    .inputs = INPUTS_APART,
    .feed_forward = FEED_FORWARD_SWIGLU,
    .read_shape = read_shape,
};
