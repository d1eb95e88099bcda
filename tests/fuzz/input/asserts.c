/* What tests/support asserts aborts a target and says what failed: outside a test of its own cmocka would only exit,
 * without a word. */
#include <stdlib.h>

__attribute__((constructor)) static void asserts_speak(void) {
    setenv("CMOCKA_TEST_ABORT", "1", 1);
}
