/* make_model OUT.gguf [flags]: a random model for tests, from a few kilobytes to many gigabytes. */
#include <stdio.h>
#include <string.h>

#include "proto/base/options.h"
#include "tests/support/models/tiny_model.h"

static status take_type(void *out, const char *name, const char *value, failure *f) {
    for (uint32_t type = 0; type <= TENSOR_BF16; type++)
        if (tensor_layout_of(type) && strcmp(tensor_type_name(type), value) == 0) {
            *(uint32_t *)out = type;
            return STATUS_OK;
        }
    return fail(f, STATUS_BAD_REQUEST, "--%s: %s is no type; there are %s", name, value, TENSOR_TYPES_SUPPORTED);
}

static status take_family(void *out, const char *name, const char *value, failure *f) {
    static const char *const names[] = {"llama", "chapter", "gpt2"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(names[i], value) != 0) continue;
        *(tiny_family *)out = (tiny_family)i;
        return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST, "--%s: llama, chapter or gpt2, not %s", name, value);
}

static status take_size(void *out, const char *name, const char *value, failure *f) {
    unsigned long long size = 0;
    if (!options_uint(value, &size) || size == 0 || size > 1 << 24)
        return fail(f, STATUS_BAD_REQUEST, "--%s: a whole number of 1 to %d is wanted", name, 1 << 24);
    *(uint32_t *)out = (uint32_t)size;
    return STATUS_OK;
}

typedef struct token_list {
    tiny_token items[16];
    size_t n_items;
} token_list;

/* TEXT=TYPE; the argument ends where its text does, and the text stays there. */
static status take_token(void *out, const char *name, const char *value, failure *f) {
    token_list *tokens = out;
    char *equals = strrchr(value, '=');
    unsigned long long type = 0;
    if (!equals || !options_uint(equals + 1, &type) || type < 1 || type > 6 || tokens->n_items == 16)
        return fail(f, STATUS_BAD_REQUEST, "--%s: TEXT=TYPE is wanted, TYPE 1 to 6, 16 times at most", name);
    *equals = '\0';
    tokens->items[tokens->n_items++] = (tiny_token){value, (int32_t)type};
    return STATUS_OK;
}

/* "none" is no such key. */
static status take_or_none(void *out, const char *name, const char *value, failure *f) {
    (void)name;
    (void)f;
    *(const char **)out = strcmp(value, "none") == 0 ? NULL : value;
    return STATUS_OK;
}

#define SIZE(flag, field, text) {flag, OPTION_CALL, "N", text, &field, 0, 0, take_size, 0, 0}

static void add_factors(option_row rows[N_TINY_ROPE_REALS], tiny_rope *rope) {
    for (size_t i = 0; i < N_TINY_ROPE_REALS; i++) {
        const tiny_rope_real *real = &TINY_ROPE_REALS[i];
        rows[i] = (option_row){real->flag, OPTION_REAL, "X", real->what, (char *)rope + real->offset,
                               1e-3, 1e3, NULL, 0, 0};
    }
}

int main(int argc, char **argv) {
    tiny_model_options o = tiny_model_defaults();
    uint32_t embedding_type = UINT32_MAX;
    bool untied = false;
    token_list tokens = {.n_items = 0};
    const option_row rows[] = {
        {"family", OPTION_CALL, "NAME", "llama, chapter (gpt2, few biases) or gpt2", &o.family, 0, 0, take_family, 0, 0},
        {"architecture", OPTION_TEXT, "NAME", "general.architecture, if another than the family's", &o.architecture, 0, 0,
         NULL, 0, 0},
        SIZE("experts", o.n_experts, "expert_count"),
        {"type", OPTION_CALL, "TYPE", "of the matrices: " TENSOR_TYPES_SUPPORTED, &o.type, 0, 0, take_type, 0, 0},
        {"embedding-type", OPTION_CALL, "TYPE", "of the embedding, if another", &embedding_type, 0, 0, take_type, 0, 0},
        {"seed", OPTION_UINT, "N", "another seed, other weights", &o.seed, 0, 9e15, NULL, 0, 0},
        SIZE("vocab", o.shape.n_vocab, "tokens"),
        SIZE("context", o.shape.n_ctx, "positions"),
        SIZE("layers", o.shape.n_layers, "layers"),
        SIZE("dim", o.shape.dim, "width of the residual stream"),
        SIZE("heads", o.shape.n_heads, "heads"),
        SIZE("kv-heads", o.shape.n_kv_heads, "heads of keys and values"),
        SIZE("head-dim", o.shape.head_dim, "width of a head (default dim / heads)"),
        SIZE("ffn", o.shape.ffn_dim, "width of the feed-forward part"),
        SIZE("rope-dims", o.shape.rotation.n_dims, "rotated dimensions of a head (default all)"),
        {"rope-base", OPTION_REAL, "X", "base of the rotation", &o.shape.rotation.base, 1, 1e9, NULL, 0, 0},
        {"rope-type", OPTION_TEXT, "NAME", "how the rotation is scaled: linear, yarn, …", &o.rope.type, 0, 0, NULL, 0, 0},
        {"rope-scale-linear", OPTION_REAL, "X", "by how much it is scaled, as the old key", &o.rope.scale_linear,
         1e-3, 1e3, NULL, 0, 0},
        SIZE("rope-original-context", o.rope.original_context, "positions before it was scaled"),
        SIZE("llama3-context", o.rope.llama3_context, "rope_freqs.weight, made for N positions before"),
        {"untied", OPTION_FLAG, NULL, "an output matrix of its own", &untied, 0, 0, NULL, 0, 0},
        {"tokenizer", OPTION_TEXT, "NAME", "tokenizer.ggml.model (gpt2)", &o.tokenizer, 0, 0, NULL, 0, 0},
        {"split", OPTION_CALL, "NAME", "tokenizer.ggml.pre, or none", &o.split, 0, 0, take_or_none, 0, 0},
        {"add-bos", OPTION_CALL, "BOOL", "tokenizer.ggml.add_bos_token, or none", &o.add_bos, 0, 0,
         take_or_none, 0, 0},
        {"token", OPTION_CALLS, "TEXT=TYPE", "one more (the last ids), or another type; repeatable", &tokens,
         0, 0, take_token, 0, 0},
        SIZE("bos", o.bos, "id of BOS"),
        SIZE("eos", o.eos, "id of EOS"),
        {"template", OPTION_CALL, "TEXT", "tokenizer.chat_template, or none", &o.chat_template, 0, 0, take_or_none, 0, 0},
        {"name", OPTION_TEXT, "NAME", "general.name", &o.name, 0, 0, NULL, 0, 0},
        {0},
    };
    option_row factors[N_TINY_ROPE_REALS + 1] = {0};
    add_factors(factors, &o.rope);
    const options command = {"make_model OUT.gguf [flags]",
                             "Writes a random model. Example: make_model tiny.gguf --type Q4_1 --layers 3",
                             {rows, factors}, 1};
    const char *path = NULL;
    size_t n_words = 0;
    failure f;
    status st = options_parse(&command, argc, argv, &path, &n_words, &f);
    if (st == STATUS_NOT_FOUND) return 0;
    if (st == STATUS_OK && n_words == 0) st = fail(&f, STATUS_BAD_REQUEST, "where to? %s", command.usage);
    o.embedding_type = embedding_type == UINT32_MAX ? o.type : embedding_type;
    o.tied = !untied;
    o.tokens = tokens.items;
    o.n_tokens = tokens.n_items;
    if (st == STATUS_OK) st = tiny_model_write(path, &o, &f);
    if (st == STATUS_OK) return 0;
    fprintf(stderr, "make_model: %s\n", f.message);
    return st == STATUS_BAD_REQUEST ? 2 : 1;
}
