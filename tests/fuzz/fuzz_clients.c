/* libFuzzer: what a client says to a tokenizerd, the whole of which is there, with a modeld (input/link_input.h tells
 * what an input is). */
#include "tests/fuzz/input/target.h"
#include "tests/fuzz/input/whole_tokenizerd.h"

static link_speaker client, modeld;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    whole_tokenizerd_begin(&client, &modeld);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    whole_tokenizerd_has_modeld();
    link_input_run(&client, bytes, n_bytes);
    link_input_leaves(&modeld);
    return 0;
}
