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

/* Not on the stack, which a failed assertion leaves. Some stay set by loops that are gone. */
static timer *timer_that_is_free(void) {
    static timer all[1024];
    size_t i = 0;
    while (timer_is_set(&all[i])) assert_true(++i < sizeof all / sizeof *all);
    return &all[i];
}

timer *turns_once(loop *l, uint32_t delay_ms, loop_handler *handler, void *context) {
    timer *t = timer_that_is_free();
    loop_once(l, t, delay_ms, handler, context);
    return t;
}

timer *turns_every(loop *l, uint32_t interval_ms, loop_handler *handler, void *context) {
    timer *t = timer_that_is_free();
    loop_every(l, t, interval_ms, handler, context);
    return t;
}

bool turns_until(loop *l, turns_condition *holds, void *context) {
    turns t = {l, holds, context, false};
    timer *guard = turns_once(l, turns_soon_ms, stop, l), *each = turns_every(l, 1, look, &t);
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
    turns_once(l, ms, stop, l);
    loop_run(l);
}

static void nobody_stopped_it(void *context) {
    (void)context;
    fail_msg("nobody stopped the loop");
}

bool turns_to_the_end(loop *l) {
    timer *guard = turns_once(l, turns_soon_ms, nobody_stopped_it, NULL);
    bool by_signal = loop_run(l);
    loop_cancel(l, guard);
    return by_signal;
}
