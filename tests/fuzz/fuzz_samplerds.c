/* libFuzzer: what a samplerd says to a modeld, the whole of which is there and has a text, a score and a probe at it
 * (input/link_input.h tells what an input is). */
#include "tests/fuzz/input/target.h"
#include "tests/fuzz/input/whole_modeld.h"

static link_speaker tokenizerd, samplerd;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    whole_modeld_begin(&tokenizerd, &samplerd);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(&tokenizerd);
    link_input_joins(&samplerd);
    whole_modeld_works();
    link_input_says(&samplerd, bytes, n_bytes);
    link_input_leaves(&samplerd);
    link_input_leaves(&tokenizerd);
    return 0;
}
