/* The C library's getaddrinfo, as a test wants it: whatever name is asked for has the same addresses. For tests that the
 * Makefile links so. */
#ifndef TRIVIUM_TESTS_NAME_SERVER_H
#define TRIVIUM_TESTS_NAME_SERVER_H

#include <stdbool.h>
#include <stddef.h>

void name_server_begin(void);               /* before each test: not mute, nothing was asked */

/* 0 and the addresses, [n], "10.0.0.1", "fe80::2%lo", borrowed; or a failure (EAI_…) and none. */
void name_server_says(int code, size_t n, const char *const *addresses);
/* Two arguments of it: how many, and these. */
#define LIST(...) sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), (const char *[]){__VA_ARGS__}

/* Nobody is answered, but whoever asks for "quick", until it is not any more. */
void name_server_mute(bool whether);

size_t name_server_questions(void);         /* so far */

#endif
