#include "endings.h"

#include <assert.h>

#include "modeld/links/tokenizerd_answer.h"
#include "proto/base/carried/traceparent.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

static void log_end(const sequence *q, const char *reason, const char *why) {
    char digits[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES];
    if (q->kind != SEQUENCE_TEXT) return;
    text_hex(sequence_text(q)->request, REQUEST_BYTES, digits);
    log_event(LOG_DEBUG, "closed", "request=%s%s attempt=%u step=%u reason=%s why=\"%s\"", digits,
              traceparent_word(q->traceparent, trace), sequence_text(q)->attempt, sequence_step(q), reason, why);
}

static const char *reason_name(sequence_end end) {
    static const char *const names[] = {[END_NONE] = "none", [END_ID] = "end_id", [END_LENGTH] = "length",
                                        [END_ASKED] = "asked", [END_SUPERSEDED] = "superseded", [END_ERROR] = "error"};
    return names[end];
}

static void sequence_drop(const endings *e, sequence *q) {
    sequences_close(e->sequences, q);
    wakeup_set(e->turn, 0);
}

void endings_untold(const endings *e, sequence *q) {
    log_end(q, "lost", "its tokenizerd is gone");
    sequence_drop(e, q);
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
        log_end(q, reason_name(end), end == END_ERROR ? f->message : "");
        (*e->n_texts)++;
        tokenizerd_answer_closed(q->from, (text_name){text->request, text->attempt, text->number}, &told);
    } else {
        tokenizerd_answer_failed(q->from, sequence_call(q), f);
    }
    sequence_drop(e, q);
}

void endings_scored(const endings *e, sequence *q, const sample_answer *last) {
    const score_sequence *score = sequence_score(q);
    tokenizerd_answer_scored(q->from, score->call, score->logprobs, q->n_ids, sample_answer_last(last));
    sequence_drop(e, q);
}

void endings_probed(const endings *e, sequence *q, const sample_answer *answer) {
    tokenizerd_answer_probed(q->from, sequence_call(q), sample_answer_id(answer),
                         sample_answer_probabilities(answer, q->rows.width), q->rows.width);
    sequence_drop(e, q);
}
