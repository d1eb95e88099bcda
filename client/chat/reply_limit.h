/* How long a reply may get, and what it is that says so. Pure. */
#ifndef TRIVIUM_REPLY_LIMIT_H
#define TRIVIUM_REPLY_LIMIT_H

#include <stddef.h>
#include <stdint.h>

/* With the model's context and its KV-cache (both hold prompt and reply together) and what was asked for. */
typedef enum reply_limit_kind {
    LIMIT_MAX_NEW_TOKENS,       /* asked for */
    LIMIT_CONTEXT,              /* what the prompt leaves of the context */
    LIMIT_KV_QUARTER,           /* a quarter of the KV-cache, so that one chat leaves room for others */
    LIMIT_KV_CACHE,             /* what the prompt leaves of the KV-cache */
} reply_limit_kind;

typedef struct reply_limit {
    reply_limit_kind kind;      /* the smallest; of equal ones the first above */
    uint32_t n_tokens;          /* of the reply, 1 or more */
    uint64_t n_whole;           /* of what it is a part: the context, the KV-cache */
} reply_limit;

/* max_new_tokens 0: not asked for; n_ctx or kv_tokens 0: not known. */
reply_limit reply_limit_of(uint32_t n_prompt, uint32_t n_ctx, uint64_t kv_tokens, uint32_t max_new_tokens);

const char *reply_limit_name(const reply_limit *l);     /* "max_new_tokens" */

enum { REPLY_LIMIT_BYTES = 160 };

/* For whoever reads a reply that ended there: "cut at 200 tokens: --max-new-tokens". */
void reply_limit_sentence(const reply_limit *l, char out[REPLY_LIMIT_BYTES]);

#endif
