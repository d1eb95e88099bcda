#include "turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

uint32_t turns_soon_ms = SOON_MS;

typedef struct turns {
    loop *loop;
    turns_condition *holds;
    void *context;
    bool held;
} turns;

static void look(void *context) {
    turns *t = context;
    t->held = t->holds(t->context);
    if (t->held) loop_stop(t->loop);
}

static void stop(void *context) {
    loop_stop(context);
}

bool turns_until(loop *l, turns_condition *holds, void *context) {
    turns t = {l, holds, context, false};
    int guard = loop_once(l, turns_soon_ms, stop, l), each = loop_every(l, 1, look, &t);
    assert_true(guard >= 0 && each >= 0);
    loop_run(l);
    loop_cancel(l, guard);
    loop_cancel(l, each);
    return t.held;
}

typedef struct counted {
    const size_t *n;
    size_t wanted;
} counted;

static bool reached(void *context) {
    const counted *c = context;
    return *c->n >= c->wanted;
}

bool turns_until_count(loop *l, const size_t *n, size_t wanted) {
    return turns_until(l, reached, &(counted){n, wanted});
}

void turns_for_ms(loop *l, uint32_t ms) {
    assert_true(loop_once(l, ms, stop, l) >= 0);
    loop_run(l);
}
