/* A file that is no model we can compute rightly is refused when it is opened, with one sentence
 * that names what is wrong: the key, the tensor, the sizes. Each case is a good model with one
 * thing changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "modeld/engine/model.h"
#include "modeld/formats/gguf.h"
#include "proto/base/limits.h"
#include "tests/support/models/gguf_writer.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

typedef struct refusal {
    const char *what;
    void (*add_key)(gguf_writer *w);
    const char *omit_tensor;    /* left out */
    const char *transpose_tensor;       /* its dimensions change places */
    const char *add_tensor;     /* one more of this name */
    const char *replace, *by;   /* in the metadata: texts of one length */
    const char *words[3];       /* that the sentence has */
} refusal;

static void longrope(gguf_writer *w) {
    gguf_writer_text(w, "llama.rope.scaling.type", "longrope");
}
static void llama3(gguf_writer *w) {
    gguf_writer_text(w, "llama.rope.scaling.type", "llama3");
}
static void backwards(gguf_writer *w) {
    gguf_writer_real(w, "llama.rope.scale_linear", -2.0f);
}
static void far_too_fast(gguf_writer *w) {
    gguf_writer_real(w, "llama.rope.scaling.factor", 1e-6f);
}
static void no_attention(gguf_writer *w) {
    gguf_writer_real(w, "llama.rope.scaling.attn_factor", 0.0f);
}
static void yarn_attention(gguf_writer *w) {
    gguf_writer_text(w, "llama.rope.scaling.type", "yarn");
    gguf_writer_real(w, "llama.rope.scaling.yarn_attn_factor", 1.5f);
}
static void yarn_defaults(gguf_writer *w) {
    gguf_writer_text(w, "llama.rope.scaling.type", "yarn");
    gguf_writer_real(w, "llama.rope.scaling.yarn_attn_factor", 1.0f);
    gguf_writer_real(w, "llama.rope.scaling.yarn_ext_factor", -1.0f);
    gguf_writer_real(w, "llama.rope.scaling.yarn_log_multiplier", 0.0f);
}
static void no_linear(gguf_writer *w) {
    gguf_writer_real(w, "llama.rope.scale_linear", 0.0f);
}
static void temperature(gguf_writer *w) {
    gguf_writer_real(w, "llama.attention.temperature_scale", 0.1f);
}
static void embeds(gguf_writer *w) {
    gguf_writer_bool(w, "llama.attention.causal", false);
}
static void layers_alike(gguf_writer *w) {
    gguf_writer_ints(w, "llama.feed_forward_length", (int32_t[]){96, 96}, 2);
}
static void layers_that_differ(gguf_writer *w) {
    gguf_writer_ints(w, "llama.feed_forward_length", (int32_t[]){96, 64}, 2);
}
static void a_layer_too_many(gguf_writer *w) {
    gguf_writer_ints(w, "llama.feed_forward_length", (int32_t[]){96, 96, 96}, 3);
}
static void layers_below_zero(gguf_writer *w) {
    gguf_writer_ints(w, "llama.feed_forward_length", (int32_t[]){-96, -96}, 2);
}
static void linear_one(gguf_writer *w) {
    gguf_writer_text(w, "llama.rope.scaling.type", "linear");
    gguf_writer_real(w, "llama.rope.scaling.factor", 1.0f);
}
static void experts(gguf_writer *w) {
    gguf_writer_uint(w, "llama.expert_count", 8);
}
static void no_experts(gguf_writer *w) {
    gguf_writer_uint(w, "llama.expert_count", 0);
}
static void window(gguf_writer *w) {
    gguf_writer_uint(w, "llama.attention.sliding_window", 4096);
}
static void wide_values(gguf_writer *w) {
    gguf_writer_uint(w, "llama.attention.value_length", 32);
}
static void wide_keys(gguf_writer *w) {
    gguf_writer_uint(w, "llama.attention.key_length", 32);
}

static const refusal REFUSALS[] = {
    {.what = "architecture", .replace = "\x05\0\0\0\0\0\0\0llama", .by = "\x05\0\0\0\0\0\0\0mamba",
     .words = {"mamba", "supported: llama"}},
    {.what = "rope scaling", .add_key = longrope,
     .words = {"llama.rope.scaling.type", "longrope", "\"linear\", \"yarn\""}},
    {.what = "llama3 without factors", .add_key = llama3,
     .words = {"llama.rope.scaling.type", "rope_freqs.weight", "missing"}},
    {.what = "rope factor", .add_key = backwards, .words = {"llama.rope.scale_linear is -2"}},
    {.what = "fast rotation", .add_key = far_too_fast, .words = {"llama.rope", "1e+06 radians"}},
    {.what = "attention factor", .add_key = no_attention,
     .words = {"llama.rope.scaling.attn_factor is 0"}},
    {.what = "yarn's attention", .add_key = yarn_attention,
     .words = {"llama.rope.scaling.yarn_attn_factor is 1.5"}},
    {.what = "temperature", .add_key = temperature,
     .words = {"llama.attention.temperature_scale is 0.1"}},
    {.what = "not causal", .add_key = embeds, .words = {"llama.attention.causal"}},
    {.what = "layers that differ", .add_key = layers_that_differ, .replace = "llama.feed_forward_length",
     .by = "llama.feed_forward_rength", .words = {"llama.feed_forward_length", "96", "64"}},
    {.what = "too many layers", .add_key = a_layer_too_many, .replace = "llama.feed_forward_length",
     .by = "llama.feed_forward_rength", .words = {"llama.feed_forward_length", "3 items", "2 layers"}},
    {.what = "layers below 0", .add_key = layers_below_zero, .replace = "llama.feed_forward_length",
     .by = "llama.feed_forward_rength", .words = {"llama.feed_forward_length is -96"}},
    {.what = "experts", .add_key = experts, .words = {"llama.expert_count is 8"}},
    {.what = "window", .add_key = window, .words = {"llama.attention.sliding_window is 4096"}},
    {.what = "value width", .add_key = wide_values, .words = {"values of 32", "keys of 16"}},
    {.what = "key width", .add_key = wide_keys,
     .words = {"blk.0.attn_q.weight", "64 × 64", "64 × 128"}},
    {.what = "no block count", .replace = "llama.block_count", .by = "llama.block_rount",
     .words = {"llama.block_count"}},
    {.what = "no epsilon", .replace = "layer_norm_rms_epsilon", .by = "layer_norm_rms_epsilot",
     .words = {"llama.attention.layer_norm_rms_epsilon"}},
    {.what = "no embedding", .omit_tensor = "token_embd.weight",
     .words = {"token_embd.weight", "missing"}},
    {.what = "no matrix", .omit_tensor = "blk.1.ffn_up.weight",
     .words = {"blk.1.ffn_up.weight", "missing"}},
    {.what = "no vector", .omit_tensor = "output_norm.weight",
     .words = {"output_norm.weight", "missing"}},
    {.what = "transposed", .transpose_tensor = "blk.0.ffn_down.weight",
     .words = {"blk.0.ffn_down.weight", "64 × 96", "96 × 64"}},
    {.what = "bias", .add_tensor = "blk.0.attn_q.bias", .words = {"blk.0.attn_q.bias", "8 × 1"}},
    {.what = "norm's bias", .add_tensor = "blk.0.ffn_norm.bias",
     .words = {"blk.0.ffn_norm.bias", "no part"}},
    {.what = "factors of 0", .add_tensor = "rope_freqs.weight",
     .words = {"rope_freqs.weight", "a factor of 0"}},
    {.what = "longrope's factors", .add_tensor = "rope_factors_long.weight",
     .words = {"rope_factors_long.weight", "no part"}},
};
enum { N_REFUSALS = sizeof REFUSALS / sizeof REFUSALS[0] };

/* Replace the first occurrence of r->replace (it may hold zeros before its letters) by r->by. */
static void patch(gguf_buffer *keys, const refusal *r) {
    size_t n = r->replace[0] == '\x05' ? 13 : strlen(r->replace);
    uint8_t *at = memmem(keys->bytes, keys->n_bytes, r->replace, n);
    assert_non_null(at);
    memcpy(at, r->by, n);
}

static bool is(const char *name, const char *other) {
    return other && strcmp(name, other) == 0;
}

/* Tensors without data: where one lies does not matter, so all may be zeros. */
static void write_changed(const gguf *good, const char *path, const refusal *r) {
    static const uint8_t zeros[64 * 1024];
    gguf_writer w;
    gguf_writer_init(&w);
    size_t n_bytes, n_keys;
    const uint8_t *keys = gguf_metadata(good, &n_bytes, &n_keys);
    w.n_keys = n_keys;
    gguf_append(&w.keys, keys, n_bytes);
    if (r->replace) patch(&w.keys, r);
    if (r->add_key) r->add_key(&w);
    size_t sizes[64], n_sizes = 0;
    for (size_t i = 0; i < gguf_n_tensors(good); i++) {
        const gguf_tensor *t = gguf_tensor_at(good, i);
        uint64_t dims[4] = {t->dims[0], t->dims[1], 1, 1};
        if (is(t->name, r->omit_tensor)) continue;
        if (is(t->name, r->transpose_tensor)) dims[0] = t->dims[1], dims[1] = t->dims[0];
        gguf_writer_tensor(&w, t->name, t->layout->type, t->n_dims, dims);
        sizes[n_sizes++] = t->n_bytes;
    }
    if (r->add_tensor) {
        gguf_writer_tensor(&w, r->add_tensor, TENSOR_F32, 1, (uint64_t[]){8, 1, 1, 1});
        sizes[n_sizes++] = 8 * sizeof(float);
    }
    assert_true(gguf_writer_open(&w, path));
    for (size_t i = 0; i < n_sizes; i++) {
        for (size_t left = sizes[i], part; left > 0; left -= part) {
            part = left < sizeof zeros ? left : sizeof zeros;
            assert_true(gguf_writer_data(&w, zeros, part));
        }
        assert_true(gguf_writer_end_tensor(&w));
    }
    assert_true(gguf_writer_close(&w));
}

static status open_changed(const refusal *r, model **m, failure *f) {
    char good_path[512];
    gguf *good;
    tiny_model_options o = tiny_model_defaults();
    snprintf(good_path, sizeof good_path, "%s.good", scratch_path());
    assert_int_equal(tiny_model_write(good_path, &o, f), STATUS_OK);
    assert_int_equal(gguf_open(&good, good_path, f), STATUS_OK);
    write_changed(good, scratch_path(), r);
    gguf_close(&good);
    remove(good_path);
    model_options options = {.n_threads = 1, .isa = "ref", .n_rows_max = BATCH_ROWS_MAX};
    return model_open(m, scratch_path(), &options, f);
}

static void what_cannot_be_computed_is_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < N_REFUSALS; i++) {
        const refusal *r = &REFUSALS[i];
        failure f = {0};
        model *m = NULL;
        status st = open_changed(r, &m, &f);
        if (st == STATUS_OK || m) fail_msg("%s was not refused", r->what);
        assert_int_equal(st, f.code);
        if (!strstr(f.message, scratch_path())) fail_msg("%s: no file in: %s", r->what, f.message);
        for (int w = 0; w < 3 && r->words[w]; w++)
            if (!strstr(f.message, r->words[w]))
                fail_msg("%s: no \"%s\" in: %s", r->what, r->words[w], f.message);
    }
}

static void what_changes_nothing_is_taken(void **state) {
    (void)state;
    const refusal harmless[] = {
        {.what = "nothing"}, {.add_key = linear_one}, {.add_key = no_experts},
        {.add_key = no_linear}, {.add_key = yarn_defaults},
        {.add_key = layers_alike, .replace = "llama.feed_forward_length", .by = "llama.feed_forward_rength"}};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        failure f = {0};
        model *m = NULL;
        if (open_changed(&harmless[i], &m, &f) != STATUS_OK) fail_msg("%s", f.message);
        assert_int_equal(model_shape_of(m)->dim, 64);
        model_close(&m);
    }
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    failure f = {0};
    model *m = NULL;
    tiny_model_options o = tiny_model_defaults();
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_OK);
    model_options options = {.n_threads = 1, .isa = "sse9", .n_rows_max = 1};
    assert_int_equal(model_open(&m, scratch_path(), &options, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "sse9"));
    assert_null(m);
    options.isa = "ref";
    assert_int_equal(model_open(&m, "/nonexistent/model.gguf", &options, &f), STATUS_IO);
    assert_non_null(strstr(f.message, "/nonexistent/model.gguf"));
    assert_null(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_computed_is_refused_by_name),
        cmocka_unit_test(what_changes_nothing_is_taken),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
