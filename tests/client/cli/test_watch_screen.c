/* The newest step on a terminal: drawn again when that changes, though nothing new is seen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/watch/terminal_changes.h"
#include "client/cli/watch/watch_screen.h"
#include "client/terminal/term.h"
#include "tests/support/terminal/pseudo_terminal.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* What it points to is gone when this returns, as after a call of the link. */
static void see(watch_screen *s, uint32_t step, const char *text, bool follows) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    assert_int_equal(strategy_append(&chain, STAGE_TOP_K, (const double[]){4}, 1, &f), STATUS_OK);
    uint8_t *copy = (uint8_t *)strdup(text), *other = (uint8_t *)strdup("other");
    uint32_t *n_left = malloc(2 * sizeof *n_left);
    n_left[0] = 100;
    n_left[1] = 4;
    const candidate candidates[] = {
        {.id = 7, .logprob = -1, .text = copy, .n_bytes = strlen(text)},
        {.id = 8, .logprob = -2, .text = other, .n_bytes = strlen("other")},
    };
    const watch_trace trace = {
        .token = {.step = step, .id = 7, .logprob = -1, .text = copy, .n_bytes = strlen(text),
                  .candidates = candidates, .n_candidates = 2, .n_left = n_left, .n_left_items = 2},
        .chain = &chain,
    };
    assert_int_equal(watch_screen_add(s, &trace, follows), STATUS_OK);
    memset(copy, 'x', strlen(text));
    memset(other, 'x', strlen("other"));
    free(copy);
    free(other);
    free(n_left);
    strategy_clear(&chain);
}

static void assert_drawn(watch_screen *s, const char *expected) {
    char *drawn;
    size_t n_drawn;
    assert_true(watch_screen_is_due(s));
    FILE *to = open_memstream(&drawn, &n_drawn);
    assert_int_equal(watch_screen_draw(s, to), STATUS_OK);
    fclose(to);
    assert_string_equal(drawn, expected);
    free(drawn);
    assert_false(watch_screen_is_due(s));
}

#define BEGIN "\033[?7l\033[K"
#define NEXT "\n\033[K"
#define END "\n\033[J\033[?7h"

static void a_step_is_drawn_again_where_the_terminal_changes(void **state) {
    (void)state;
    pseudo_terminal_resize(24, 60);
    watch_screen *s = watch_screen_new(pseudo_terminal, false);
    assert_non_null(s);
    watch_screen_resized(s);
    assert_false(watch_screen_is_due(s));       /* nothing was seen yet */
    see(s, 5, " one", true);
    assert_drawn(s, BEGIN "\" one\"" NEXT "\" one\"             step 5  100 → top_k 4" NEXT
                    "  \" one\"             0.368 ███████ ← drawn" NEXT "  \"other\"            0.135 ██" END);
    pseudo_terminal_resize(24, 30);             /* the row of the drawn one is broken in two */
    watch_screen_resized(s);
    assert_drawn(s, "\033[6A" BEGIN "\" one\"" NEXT "\" one\"     step 5  100" NEXT "           → top_k 4" NEXT
                    "  \" one\"     0.368 ← drawn" NEXT "  \"other\"    0.135" END);
    watch_screen_left(s);                       /* below what was written since */
    assert_drawn(s, "\r" BEGIN "\" one\"" NEXT "\" one\"     step 5  100" NEXT "           → top_k 4" NEXT
                    "  \" one\"     0.368 ← drawn" NEXT "  \"other\"    0.135" END);
    see(s, 7, " 3", false);
    assert_drawn(s, "\033[5A" BEGIN "\" one… 3\"" NEXT "\" 3\"       step 7  100" NEXT "           → top_k 4" NEXT
                    "  \" 3\"       0.368 ← drawn" NEXT "  \"other\"    0.135" END);
    watch_screen_free(&s);
    assert_null(s);
}

/* ---- signals ---- */

typedef struct told {
    loop *loop;
    int n_resized, n_continued;
} told;

static void on_resized(void *context) {
    told *t = context;
    t->n_resized++;
    loop_stop(t->loop);
}

static void on_continued(void *context) {
    told *t = context;
    t->n_continued++;
    loop_stop(t->loop);
}

static void what_happens_to_the_terminal_is_told_from_the_loop(void **state) {
    (void)state;
    told t = {.loop = loop_new()};
    assert_non_null(t.loop);
    terminal_changes *changes = terminal_changes_new(t.loop, on_resized, on_continued, &t);
    assert_non_null(changes);
    raise(SIGWINCH);
    raise(SIGWINCH);
    assert_int_equal(t.n_resized, 0);
    assert_false(turns_to_the_end(t.loop));
    assert_int_equal(t.n_resized, 1);
    raise(SIGCONT);
    assert_false(turns_to_the_end(t.loop));
    assert_int_equal(t.n_continued, 1);
    assert_int_equal(t.n_resized, 1);
    raise(SIGCONT);
    terminal_changes_check(changes);            /* before the loop does */
    assert_int_equal(t.n_continued, 2);
    terminal_changes_free(&changes);
    assert_null(changes);
    raise(SIGWINCH);                            /* to nobody */
    changes = terminal_changes_new(t.loop, on_resized, on_continued, &t);
    assert_non_null(changes);
    terminal_changes_free(&changes);
    loop_free(&t.loop);
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_drawn_again_where_the_terminal_changes),
        cmocka_unit_test(what_happens_to_the_terminal_is_told_from_the_loop),
    };
    return cmocka_run_group_tests(tests, pseudo_terminal_open, pseudo_terminal_close);
}
