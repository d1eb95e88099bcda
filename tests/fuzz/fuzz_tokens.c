/* libFuzzer: what a tokenizerd says to a modeld, the whole of which is there, with a samplerd (input/link_input.h tells
 * what an input is). */
#include "tests/fuzz/input/target.h"
#include "tests/fuzz/input/whole_modeld.h"

static link_speaker tokenizerd, samplerd;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    whole_modeld_begin(&tokenizerd, &samplerd);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(&samplerd);    /* again, so that it is never lost */
    link_input_run(&tokenizerd, bytes, n_bytes);
    return 0;
}
