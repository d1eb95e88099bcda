#include "generation_json.h"

#include "client/cli/candidates.h"
#include "client/cli/json.h"

json_t *generation_token_json(const generation_chunk *chunk, size_t i, bool has_candidates) {
    const generation_token *token = &chunk->tokens[i];
    bool is_last = i + 1 == chunk->n_tokens;
    json_t *line = json_pack("{s: i, s: i, s: o, s: o}",
                             "step", (int)token->step,
                             "id", (int)token->id,
                             "text", json_bytes(chunk->text, is_last ? chunk->n_bytes : 0),
                             "logprob", json_number(token->logprob));
    if (line && has_candidates)
        json_object_set_new(line, "candidates", candidates_json(token, chunk->chain));
    return line;
}

static double per_second(double n, double ms) {
    return ms > 0 ? n * 1000 / ms : 0;
}

double generation_decoded_per_second(const generation_done *done) {
    return per_second(done->n_tokens_timed > 1 ? done->n_tokens_timed - 1 : 0,
                      done->timings.decode_ms);
}

json_t *generation_timings_json(const generation_done *done, uint32_t n_prompt) {
    const generation_timings *t = &done->timings;
    double n_prefilled = n_prompt > t->n_cached ? n_prompt - t->n_cached : 0;
    return json_pack("{s: o, s: o, s: o, s: o, s: o, s: i, s: o, s: o}",
                     "queue_ms", json_number(t->queue_ms),
                     "prefill_ms", json_number(t->prefill_ms),
                     "decode_ms", json_number(t->decode_ms),
                     "forward_ms", json_number(t->forward_ms),
                     "sample_ms", json_number(t->sample_ms),
                     "n_cached", (int)t->n_cached,
                     "prefill_tok_s", json_number(per_second(n_prefilled, t->prefill_ms)),
                     "decode_tok_s", json_number(generation_decoded_per_second(done)));
}
