/* libFuzzer: what a modeld says to a samplerd that draws as the real one (input/link_input.h tells what an input is). */
#include "logits.pb-c.h"
#include "proto/base/log.h"
#include "proto/net/peer.h"
#include "proto/numeric/cpu.h"
#include "proto/numeric/fmath.h"
#include "samplerd/links/logits_link.h"
#include "tests/fuzz/input/link_input.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/link/fake_peer.h"

#include <stdlib.h>

enum { N_DRAWERS = 2 };

static place meeting;
static fake_peer modeld;
static link_speaker speaker;

static row_sampler *samplers[N_DRAWERS];

static status draw(void *unused, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f) {
    (void)unused;
    return row_sampler_draw(samplers[drawer], rows, out, f);
}

static void pass_over(void *context) {
    (void)context;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static logits_link *link;
    failure f;
    (void)argc, (void)argv;
    log_open("samplerd", LOG_QUIET);
    place_make(&meeting);
    link_input_removes(&meeting);
    fake_peer_bind(&modeld, meeting.address, &trivium__logits_reply__descriptor);
    loop *l = loop_new();
    threads *draw_threads = threads_new(N_DRAWERS, fmath_thread_start);
    bool whole = l && draw_threads;
    for (size_t i = 0; i < N_DRAWERS; i++) whole = (samplers[i] = row_sampler_new(ISA_REF)) && whole;
    const logits_link_options options = {.address = meeting.address, .name = "sam", .pool = "",
                                         .incarnation = peers_incarnation(), .heartbeat_ms = HEARTBEAT_MS,
                                         .draw_threads = draw_threads, .calls = {.draw = draw, .drain = pass_over}};
    if (!whole || logits_link_join(&link, l, &options, &f) != STATUS_OK) abort();
    if (!fake_peer_hears(&modeld, l, TRIVIUM__CONTROL__WORD_HELLO)) abort();
    speaker = (link_speaker){l, 0, false, modeld.from, modeld.to, fake_hello_of_the_silent(TRIVIUM__ROLE__MODELD), NULL};
    link_input_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_run(&speaker, bytes, n_bytes);
    return 0;
}
