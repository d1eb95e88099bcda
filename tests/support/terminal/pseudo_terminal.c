#include "pseudo_terminal.h"

#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

int pseudo_terminal;

static int other_side;

int pseudo_terminal_open(void **state) {
    (void)state;
    return openpty(&other_side, &pseudo_terminal, NULL, NULL, NULL);
}

int pseudo_terminal_close(void **state) {
    (void)state;
    close(pseudo_terminal);
    close(other_side);
    return 0;
}

void pseudo_terminal_resize(unsigned short n_rows, unsigned short n_columns) {
    struct winsize size = {.ws_row = n_rows, .ws_col = n_columns};
    assert_int_equal(ioctl(pseudo_terminal, TIOCSWINSZ, &size), 0);
}
