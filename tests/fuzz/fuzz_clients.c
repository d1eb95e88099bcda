/* libFuzzer: what a client says to a tokenizerd, the whole of which is there, with a modeld (input/link_input.h tells
 * what an input is). */
#include "tests/support/tokenizerd/service_scene.h"

#include "proto/base/log.h"
#include "tests/fuzz/input/link_input.h"
#include "tests/fuzz/input/target.h"

static link_speaker speaker;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    log_open("tokenizerd", LOG_QUIET);
    service_scene_begin(NULL);
    tokenizerd.modelds[0].hello.heartbeat_ms = HEARTBEAT_MS_MAX;
    modeld_joins(&tokenizerd.modelds[0]);
    modeld_reports(&tokenizerd.modelds[0], "");
    const fake_peer *client = &tokenizerd.client.peer;
    speaker = (link_speaker){tokenizerd.loop, 0, true, client->from, client->to,
                             fake_hello_of_the_silent(TRIVIUM__ROLE__CLIENT)};
    link_input_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_run(&speaker, bytes, n_bytes);
    return 0;
}
