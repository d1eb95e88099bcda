/* What stands for malloc and the like in the libraries under test. */
#include "nomem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *nomem_malloc(size_t n_bytes);
void *nomem_calloc(size_t n, size_t n_bytes);
void *nomem_realloc(void *old, size_t n_bytes);
void *nomem_aligned_alloc(size_t alignment, size_t n_bytes);
char *nomem_strdup(const char *text);
char *nomem_strndup(const char *text, size_t n_bytes);
int nomem_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int nomem_vasprintf(char **out, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
FILE *nomem_open_memstream(char **out, size_t *n_bytes);

#define REFUSED() (nomem_fails(__builtin_frame_address(0)) && (errno = ENOMEM))

void *nomem_malloc(size_t n_bytes) { return REFUSED() ? NULL : malloc(n_bytes); }

void *nomem_calloc(size_t n, size_t n_bytes) { return REFUSED() ? NULL : calloc(n, n_bytes); }

void *nomem_realloc(void *old, size_t n_bytes) { return REFUSED() ? NULL : realloc(old, n_bytes); }

void *nomem_aligned_alloc(size_t alignment, size_t n_bytes) {
    return REFUSED() ? NULL : aligned_alloc(alignment, n_bytes);
}

char *nomem_strdup(const char *text) { return REFUSED() ? NULL : strdup(text); }

char *nomem_strndup(const char *text, size_t n_bytes) { return REFUSED() ? NULL : strndup(text, n_bytes); }

int nomem_vasprintf(char **out, const char *format, va_list arguments) {
    return REFUSED() ? -1 : vasprintf(out, format, arguments);
}

int nomem_asprintf(char **out, const char *format, ...) {
    if (REFUSED()) return -1;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(out, format, arguments);
    va_end(arguments);
    return n;
}

FILE *nomem_open_memstream(char **out, size_t *n_bytes) { return REFUSED() ? NULL : open_memstream(out, n_bytes); }
