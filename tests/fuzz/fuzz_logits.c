/* libFuzzer: what a modeld says to a samplerd that draws as the real one (input/link_input.h tells what an input is). */
#include "logits.pb-c.h"
#include "proto/base/log.h"
#include "proto/net/peer.h"
#include "proto/numeric/cpu.h"
#include "samplerd/links/logits_link.h"
#include "tests/fuzz/input/link_input.h"
#include "tests/support/link/fake_peer.h"
#include "tests/support/link/place.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static place meeting;
static fake_peer modeld;
static link_speaker speaker;

static status draw(void *context, const sample_rows *rows, sampled_rows *out, failure *f) {
    return row_sampler_draw(context, rows, out, f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static logits_link *link;
    static row_sampler *sampler;
    failure f;
    (void)argc, (void)argv;
    log_open("samplerd", LOG_QUIET);
    place_make(&meeting);
    fake_peer_bind(&modeld, meeting.address, &trivium__logits_reply__descriptor);
    loop *l = loop_new();
    sampler = row_sampler_new(ISA_REF);
    const logits_link_options options = {.address = meeting.address, .name = "sam", .pool = "",
                                         .incarnation = peers_incarnation(), .heartbeat_ms = HEARTBEAT_MS,
                                         .calls = {.draw = draw}, .context = sampler};
    if (!l || !sampler || logits_link_join(&link, l, &options, &f) != STATUS_OK) abort();
    if (!fake_peer_hears(&modeld, l, TRIVIUM__CONTROL__WORD_HELLO)) abort();
    speaker = (link_speaker){l, 0, false, modeld.from, modeld.to, fake_hello_of_the_silent(TRIVIUM__ROLE__MODELD)};
    link_input_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(&speaker);
    link_input_says(&speaker, bytes, n_bytes);
    link_input_leaves(&speaker);
    return 0;
}
