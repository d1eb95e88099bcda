#include "heard.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char lines[8192], taken[sizeof lines];
static size_t n_bytes_heard;

void heard(const char *format, ...) {
    va_list arguments;
    size_t n_left = sizeof lines - n_bytes_heard;
    va_start(arguments, format);
    int n = vsnprintf(lines + n_bytes_heard, n_left, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= n_left) abort();
    n_bytes_heard += (size_t)n;
}

void heard_end(void) {
    heard("\n");
}

const char *heard_bytes(const uint8_t *bytes, size_t n_bytes) {
    static char quoted[4][256];
    static size_t next;
    char *to = quoted[next++ % 4];
    snprintf(to, sizeof quoted[0], "'%.*s'", (int)n_bytes, n_bytes > 0 ? (const char *)bytes : "");
    return to;
}

void heard_ids(const char *name, const int32_t *ids, size_t n_ids) {
    heard(" %s=%s", name, ids ? "[" : "-");
    for (size_t i = 0; ids && i < n_ids; i++) heard("%s%d", i > 0 ? "," : "", ids[i]);
    if (ids) heard("]");
}

const char *heard_all(void) {
    size_t n = n_bytes_heard > 0 ? n_bytes_heard - 1 : 0;
    memcpy(taken, lines, n);
    taken[n] = '\0';
    n_bytes_heard = 0;
    return taken;
}
