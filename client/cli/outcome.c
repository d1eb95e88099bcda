#include "outcome.h"

#include <stdarg.h>
#include <stdio.h>

int outcome_failed(const failure *f) {
    fprintf(stderr, "trivium: %s\n", f->message);
    return EXIT_FAILED;
}

int outcome_wrong_use(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("trivium: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_WRONG_USE;
}
