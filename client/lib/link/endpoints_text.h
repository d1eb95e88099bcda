/* Several endpoints in a sentence. */
#ifndef TRIVIUM_ENDPOINTS_TEXT_H
#define TRIVIUM_ENDPOINTS_TEXT_H

#include <stddef.h>

#include "proto/net/endpoint/endpoint.h"

/* "A or B"; with what was reached there, [n], "A: why; nor at B: why". NULL: without. Cut where `out` ends. */
void endpoints_text(const char *const *endpoints, size_t n, const endpoint_reach *reached, char *out, size_t out_bytes);

#endif
