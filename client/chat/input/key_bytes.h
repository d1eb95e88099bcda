/* The bytes that a terminal's keys send, one by one for libedit, and apart from them what is pasted. Keys that mean a
 * signal (Ctrl-C, Ctrl-Z, Ctrl-\) are bytes here, too, so that each comes between those before it and those after it:
 * a terminal that makes signals of them throws away what is not read yet, and what is read next may have come after
 * them. All of the foreground hears of them, as from the terminal. */
#ifndef TRIVIUM_KEY_BYTES_H
#define TRIVIUM_KEY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "paste.h"
#include "proto/net/loop.h"

typedef struct key_bytes key_bytes;

/* Of stdin, a terminal that makes no signals, and whose read() waits for nothing. Its signal keys are those of
 * `keys`. `p` is borrowed. NULL: no memory. */
key_bytes *key_bytes_new(loop *l, const struct termios *keys, paste *p);
void key_bytes_free(key_bytes **k);             /* NULL is fine */

bool key_bytes_terminal_is_lost(void);
bool key_bytes_wait(const key_bytes *k);        /* some were read with those before them */

typedef enum key_bytes_sign {
    KEY_BYTES_LOST,             /* the terminal is, or there is no memory */
    KEY_BYTES_NONE,             /* nothing yet, or what may be the beginning of a paste */
    KEY_BYTES_KEY,              /* take it with key_bytes_next */
    KEY_BYTES_PASTE,            /* one begins */
} key_bytes_sign;

/* While nothing is pasted: what is next? */
key_bytes_sign key_bytes_look(key_bytes *k);

/* The next one; until it comes the loop serves the others, and so it does until stdout can be written. A paste that
 * begins between the bytes of a key is an escape to it, and the end. False: there is none, because of a paste, because
 * the loop is to end, or KEY_BYTES_LOST. */
bool key_bytes_next(key_bytes *k, char *byte);

/* While something is pasted: read what is there of it. A lone byte after a long silence is a key: the end of the
 * paste was lost, unless it had begun. False: KEY_BYTES_LOST. *st: what paste_add says. */
bool key_bytes_read_paste(key_bytes *k, status *st);

#endif
