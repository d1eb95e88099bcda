#include "generation_json.h"

#include <math.h>

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

/* They come as sums and quotients of whole microseconds, whose further digits are no one's figure. */
static json_t *thousandths(double number) {
    return json_number(round(number * 1000) / 1000);
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
                     "queue_ms", thousandths(t->queue_ms),
                     "prefill_ms", thousandths(t->prefill_ms),
                     "decode_ms", thousandths(t->decode_ms),
                     "forward_ms", thousandths(t->forward_ms),
                     "sample_ms", thousandths(t->sample_ms),
                     "n_cached", (int)t->n_cached,
                     "prefill_tok_s", thousandths(per_second(n_prefilled, t->prefill_ms)),
                     "decode_tok_s", thousandths(generation_decoded_per_second(done)));
}
