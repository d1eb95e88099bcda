#include "reply_limit.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/limits.h"

static void bound(reply_limit *l, reply_limit_kind kind, uint64_t n_tokens, uint64_t n_whole) {
    if (n_tokens < 1) n_tokens = 1;
    if (n_tokens < l->n_tokens) *l = (reply_limit){kind, (uint32_t)n_tokens, n_whole};
}

static uint64_t rest_of(uint64_t n_whole, uint32_t n_prompt) {
    return n_whole > n_prompt ? n_whole - n_prompt : 0;
}

reply_limit reply_limit_of(uint32_t n_prompt, uint32_t n_ctx, uint64_t kv_tokens, uint32_t max_new_tokens) {
    reply_limit l = {LIMIT_MAX_NEW_TOKENS, MAX_NEW_TOKENS_MAX, 0};
    if (max_new_tokens > 0) bound(&l, LIMIT_MAX_NEW_TOKENS, max_new_tokens, 0);
    if (n_ctx > 0) bound(&l, LIMIT_CONTEXT, rest_of(n_ctx, n_prompt), n_ctx);
    if (kv_tokens > 0) {
        bound(&l, LIMIT_KV_QUARTER, kv_tokens / 4, kv_tokens);
        bound(&l, LIMIT_KV_CACHE, rest_of(kv_tokens, n_prompt), kv_tokens);
    }
    return l;
}

const char *reply_limit_name(const reply_limit *l) {
    static const char *const names[] = {
        [LIMIT_MAX_NEW_TOKENS] = "max_new_tokens",
        [LIMIT_CONTEXT] = "n_ctx",
        [LIMIT_KV_QUARTER] = "kv_quarter",
        [LIMIT_KV_CACHE] = "kv_cache",
    };
    return names[l->kind];
}

void reply_limit_sentence(const reply_limit *l, char out[REPLY_LIMIT_BYTES]) {
    const char *s = l->n_tokens == 1 ? "" : "s";
    switch (l->kind) {
    case LIMIT_MAX_NEW_TOKENS:
        snprintf(out, REPLY_LIMIT_BYTES, "cut at %u token%s: --max-new-tokens", l->n_tokens, s);
        break;
    case LIMIT_CONTEXT:
        snprintf(out, REPLY_LIMIT_BYTES, "cut at %u token%s: the context of %" PRIu64 " tokens is full", l->n_tokens, s,
                 l->n_whole);
        break;
    case LIMIT_KV_QUARTER:
        snprintf(out, REPLY_LIMIT_BYTES, "cut at %u token%s: a quarter of the KV-cache (--kv-memory of modeld)",
                 l->n_tokens, s);
        break;
    case LIMIT_KV_CACHE:
        snprintf(out, REPLY_LIMIT_BYTES, "cut at %u token%s: the KV-cache of %" PRIu64 " tokens is full (--kv-memory "
                 "of modeld)", l->n_tokens, s, l->n_whole);
        break;
    }
}
