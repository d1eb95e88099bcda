/* What a link has called of its interface, a line a call, for fakes of interfaces to write and tests to read. */
#ifndef TRIVIUM_TESTS_HEARD_H
#define TRIVIUM_TESTS_HEARD_H

#include <stddef.h>
#include <stdint.h>

__attribute__((format(printf, 1, 2))) void heard(const char *format, ...);  /* the line goes on */
void heard_end(void);                       /* here it ends */
const char *heard_bytes(const uint8_t *bytes, size_t n_bytes);  /* in quotes; valid for the next call of heard */
void heard_ids(const char *name, const int32_t *ids, size_t n_ids);     /* " name=[1,2]"; NULL: " name=-" */
/* All lines since the last call, without the last newline; valid until the next call. */
const char *heard_all(void);

#endif
