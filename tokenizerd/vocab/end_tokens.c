/* The texts are those that llama.cpp goes by, and so are the exceptions. */
#include "end_tokens.h"

#include <stdbool.h>

/* Those that the exceptions speak of come first, in this order. */
enum { END, RETURN, CALL, CALLS, FLUSH, TAG_S, TOOL_RESPONSE, PLAMO_EOS };

static const char *const texts[] = {
    [END] = "<|end|>",
    [RETURN] = "<|return|>",
    [CALL] = "<|call|>",
    [CALLS] = "<|calls|>",
    [FLUSH] = "<|flush|>",
    [TAG_S] = "</s>",
    [TOOL_RESPONSE] = "<|tool_response>",
    [PLAMO_EOS] = "<|plamo:eos|>",      /* an end only where a key names it */
    "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>",
    "<end_of_turn>", "<turn|>", "<end_of_utterance>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
    "[e~[", "<｜end▁of▁sentence｜>",
    /* of code: a gap's filling ends, another file or repository begins */
    "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>",
    "<|file_sep|>",
};
enum { N_TEXTS = sizeof texts / sizeof texts[0] };

_Static_assert((int)N_TEXTS < (int)END_TOKENS_MAX && (int)END_TOKENS_MAX <= 64, "a text is a bit");

const char *end_token_text(size_t index) {
    return index < N_TEXTS ? texts[index] : NULL;
}

uint64_t end_tokens_ending(uint64_t present) {
    bool returns = present >> RETURN & 1, flushes = present >> FLUSH & 1;
    bool calls = (present >> CALL | present >> CALLS) & 1;
    bool is_html = (present >> TOOL_RESPONSE | present >> PLAMO_EOS) & 1;
    uint64_t ending = present & ~(UINT64_C(1) << PLAMO_EOS);
    if (calls && (returns || flushes)) ending &= ~(UINT64_C(1) << END);     /* ends one part of a reply */
    if (is_html) ending &= ~(UINT64_C(1) << TAG_S);     /* HTML's */
    return ending;
}
