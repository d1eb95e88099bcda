#include "endings.h"

#include <assert.h>

#include "modeld/links/tokenizerd_answer.h"

void endings_silent(const endings *e, sequence *q) {
    sequences_close(e->sequences, q);
    wakeup_set(e->turn, 0);
}

void endings_tell(const endings *e, sequence *q, sequence_end end, const failure *f) {
    assert(q->kind == SEQUENCE_TEXT || end == END_ERROR);
    if (q->kind == SEQUENCE_TEXT) {
        const text_sequence *text = sequence_text(q);
        told_end told = {
            .why = end,
            .failure = f,
            .queue_ms = text->timing.queue_ms,
            .prefill_ms = text->timing.prefill_ms,
            .n_cached = text->pages.n_cached,
        };
        tokenizerd_answer_closed(q->owner, (text_name){text->request, text->attempt}, &told);
    } else {
        tokenizerd_answer_failed(q->owner, sequence_call(q), f);
    }
    endings_silent(e, q);
}

void endings_scored(const endings *e, sequence *q, const sample_answer *last) {
    const score_sequence *score = sequence_score(q);
    tokenizerd_answer_scored(q->owner, score->call, score->logprobs, q->n_ids, sample_answer_last(last));
    endings_silent(e, q);
}

void endings_probed(const endings *e, sequence *q, const sample_answer *answer) {
    tokenizerd_answer_probed(q->owner, sequence_call(q), sample_answer_id(answer),
                         sample_answer_probabilities(answer, q->rows.width), q->rows.width);
    endings_silent(e, q);
}
