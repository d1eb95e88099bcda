/* The next turn of the loop: whoever has something to do in it asks for it. */
#ifndef TRIVIUM_TURN_H
#define TRIVIUM_TURN_H

#include "proto/net/loop.h"

typedef struct turn turn;

turn *turn_new(loop *l, loop_handler *handler, void *context);  /* l: borrowed; NULL: no memory */
void turn_free(turn **t);       /* NULL is fine */

/* `handler` is called once, in the next turn of the loop, however often it is asked for. Without memory for that
 * it is not: ask again from a timer. */
void turn_ask(turn *t);

#endif
