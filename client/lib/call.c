#include "call.h"

#include <assert.h>

static const answer *checked(const answer *a, question_kind kind) {
    assert(a->code == STATUS_OK && a->kind == kind);
    return a;
}

const tokenize_answer *answer_to_tokenize(const answer *a) {
    return &checked(a, ASK_TOKENIZE)->tokenize;
}

const detokenize_answer *answer_to_detokenize(const answer *a) {
    return &checked(a, ASK_DETOKENIZE)->detokenize;
}

const render_answer *answer_to_render(const answer *a) {
    return &checked(a, ASK_RENDER)->render;
}

const score_answer *answer_to_score(const answer *a) {
    return &checked(a, ASK_SCORE)->score;
}

const probe_answer *answer_to_probe(const answer *a) {
    return &checked(a, ASK_PROBE)->probe;
}

const list_answer *answer_to_list(const answer *a) {
    return &checked(a, ASK_LIST)->list;
}

const status_report *answer_to_status(const answer *a) {
    return &checked(a, ASK_STATUS)->status;
}

const cancel_answer *answer_to_cancel(const answer *a) {
    return &checked(a, ASK_CANCEL)->cancel;
}

const tune_answer *answer_to_tune(const answer *a) {
    return &checked(a, ASK_TUNE)->tune;
}

const drain_answer *answer_to_drain(const answer *a) {
    return &checked(a, ASK_DRAIN)->drain;
}
