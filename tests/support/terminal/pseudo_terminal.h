/* A pseudo-terminal for the time of a test: a set-up and teardown of cmocka. */
#ifndef TRIVIUM_TESTS_PSEUDO_TERMINAL_H
#define TRIVIUM_TESTS_PSEUDO_TERMINAL_H

extern int pseudo_terminal;             /* the side that a program has */

int pseudo_terminal_open(void **state);
int pseudo_terminal_close(void **state);

/* Its size from now on, of which its program is not told. */
void pseudo_terminal_resize(unsigned short n_rows, unsigned short n_columns);

#endif
