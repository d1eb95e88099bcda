/* libFuzzer: what a modeld says to a tokenizerd, the whole of which is there, with a client that has a text
 * written (input/link_input.h tells what an input is). */
#include "tests/support/tokenizerd/scene_texts.h"

#include "proto/base/log.h"
#include "tests/fuzz/input/link_input.h"
#include "tests/fuzz/input/target.h"

static link_speaker speaker;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    log_open("tokenizerd", LOG_QUIET);
    service_scene_begin(NULL);
    asks_for_a_text(600000);
    asker_is_heard(&tokenizerd.client);
    modeld_joins(first_modeld);
    modeld_reports(first_modeld, "");
    speaker = (link_speaker){tokenizerd.loop, 1, true, first_modeld->peer.from, first_modeld->peer.to,
                             first_modeld->hello};
    speaker.hello.heartbeat_ms = HEARTBEAT_MS_MAX;
    link_input_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_run(&speaker, bytes, n_bytes);
    return 0;
}
