/* libFuzzer: what a modeld says to a tokenizerd, the whole of which is there, with a client that has it work
 * (input/link_input.h tells what an input is). */
#include "tests/fuzz/input/target.h"
#include "tests/fuzz/input/whole_tokenizerd.h"

static link_speaker client, modeld;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    whole_tokenizerd_begin(&client, &modeld);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(&client);
    whole_tokenizerd_has_modeld();
    whole_tokenizerd_works();
    link_input_says(&modeld, bytes, n_bytes);
    whole_tokenizerd_is_seen();
    link_input_leaves(&modeld);
    link_input_leaves(&client);
    return 0;
}
