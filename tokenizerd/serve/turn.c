#include "turn.h"

#include <stdlib.h>

struct turn {
    loop *loop;
    loop_handler *handler;
    void *context;
    int timer;                  /* -1: nobody has asked */
};

turn *turn_new(loop *l, loop_handler *handler, void *context) {
    turn *t = calloc(1, sizeof *t);
    if (t) *t = (turn){.loop = l, .handler = handler, .context = context, .timer = -1};
    return t;
}

void turn_free(turn **t) {
    if (!*t) return;
    if ((*t)->timer >= 0) loop_cancel((*t)->loop, (*t)->timer);
    free(*t);
    *t = NULL;
}

static void on_turn(void *context) {
    turn *t = context;
    t->timer = -1;
    t->handler(t->context);
}

void turn_ask(turn *t) {
    if (t->timer < 0) t->timer = loop_once(t->loop, 0, on_turn, t);
}
