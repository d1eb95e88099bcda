#include "noted_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

loop *noted_loop;
char events[256];

int loop_make(void **state) {
    (void)state;
    events[0] = 0;
    noted_loop = loop_new();
    return noted_loop ? 0 : -1;
}

int loop_end(void **state) {
    (void)state;
    loop_free(&noted_loop);
    return noted_loop ? -1 : 0;
}

void note(void *letter) {
    size_t n = strlen(events);
    assert_true(n + 1 < sizeof events);
    events[n] = *(const char *)letter;
    events[n + 1] = 0;
}

void note_and_stop(void *letter) {
    note(letter);
    loop_stop(noted_loop);
}

void stop(void *unused) {
    (void)unused;
    loop_stop(noted_loop);
}
