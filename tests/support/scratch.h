/* One file for a test to write and read again, in $TMPDIR or /tmp; removed when the program ends. What
 * cannot be done to it is the end of the program. */
#ifndef TRIVIUM_TESTS_SCRATCH_H
#define TRIVIUM_TESTS_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

const char *scratch_path(void);                         /* made at the first call */
void scratch_write(const void *bytes, size_t n_bytes);  /* its whole contents */
uint8_t *scratch_read(size_t *n_bytes);                 /* all of it; the caller frees */

#endif
