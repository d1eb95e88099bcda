/* What a samplerd answered to one sending of rows, checked against what it was asked. */
#ifndef TRIVIUM_MODELD_SAMPLE_ANSWER_H
#define TRIVIUM_MODELD_SAMPLE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "logits.pb-c.h"
#include "proto/net/wire.h"

/* Made by the samplerd_link, borrowed for the event; read by the functions below. */
typedef struct sample_answer {
    const Trivium__SampleReply *reply;
    const wire_message *message;
} sample_answer;

uint64_t sample_answer_ticket(const sample_answer *a); /* of the sending that it answers */

/* True: it says that it could not, and `f` is why. */
bool sample_answer_failed(const sample_answer *a, failure *f);

typedef struct sample_expected {
    uint32_t n_rows, row_width;
    const int32_t *given;    /* [n_rows] ids to be scored, -1: none; NULL: ids are drawn */
    bool with_probabilities; /* of the only row, after the chain */
} sample_expected;

/* What is wrong with it, in words for a person; NULL: nothing, and only then the rest may be asked. */
const char *sample_answer_fault(const sample_answer *a, const sample_expected *expected);

int32_t sample_answer_id(const sample_answer *a); /* of the first row */
double sample_answer_logprob(const sample_answer *a, uint32_t row);
const uint8_t *sample_answer_state(const sample_answer *a, size_t *n_bytes); /* sampler_state */
const double *sample_answer_probabilities(const sample_answer *a, uint32_t row_width);
double sample_answer_ms(const sample_answer *a); /* that it took in the samplerd; never below 0 */
/* All of the first or last row's answer, to be passed on. */
Trivium__Drawn *sample_answer_first(const sample_answer *a);
const Trivium__Drawn *sample_answer_last(const sample_answer *a);

/* Are the candidates of a step, sent after its answer, fit to be passed on? */
bool sample_trace_is_sound(const Trivium__Glimpse *g, uint32_t n_vocab);

#endif
