/* What libFuzzer calls. A target has the second, and the first where something is to be set up. */
#ifndef TRIVIUM_TESTS_TARGET_H
#define TRIVIUM_TESTS_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

#endif
