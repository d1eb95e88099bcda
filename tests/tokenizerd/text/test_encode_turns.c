/* encode_queue.h: turns go round by owner, and one owner's texts do not fill the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/text/encode_queue.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_ANNS = 6 };

typedef struct world {
    owners *all;
    owner *ann, *bob;
    encode_queue *queue;
    tokenizer *words;
} world;

static int begin(void **state) {
    static world w;
    w.all = holdings_new(NULL);
    w.queue = encode_queue_new();
    w.words = small_tokenizer_default();
    assert_true(w.all && w.queue);
    w.ann = owners_hold(w.all, "ann");
    w.bob = owners_hold(w.all, "bob");
    *state = &w;
    return 0;
}

static int end(void **state) {
    world *w = *state;
    encode_queue_free(&w->queue);
    owner_release(&w->ann);
    owner_release(&w->bob);
    owners_free(&w->all);
    tokenizer_free(&w->words);
    return 0;
}

typedef struct reader {
    queued_text *queued;
    int *n_encoded;             /* of all of one owner */
} reader;

static void on_encoded(void *context, void *of, const failure *why) {
    (void)context;
    reader *r = of;
    assert_null(why);
    ++*r->n_encoded;
    queued_text_free(&r->queued);
}

static void start(world *w, owner *whose, reader *r) {
    failure f;
    const prompt_piece piece = {(const uint8_t *)"hi", 2, false};
    assert_int_equal(encode_queue_add(w->queue, whose, &piece, 1, (queued_text_listener){on_encoded, NULL, r}, &r->queued, &f),
                     STATUS_OK);
    queued_text_start(r->queued, w->words, -1);
}

static void the_next_turn_is_the_owners_who_waits_longest(void **state) {
    world *w = *state;
    int n_anns = 0, n_bobs = 0;
    reader anns[N_ANNS], bobs[2];
    for (int i = 0; i < N_ANNS; i++) {
        anns[i].n_encoded = &n_anns;
        start(w, w->ann, &anns[i]);
    }
    for (int i = 0; i < 2; i++) {
        bobs[i].n_encoded = &n_bobs;
        start(w, w->bob, &bobs[i]);
    }
    for (int i = 0; i < 4; i++) assert_true(encode_queue_turn(w->queue));
    assert_int_equal(n_anns, 2);        /* a turn each, in turn, however many Ann has */
    assert_int_equal(n_bobs, 2);
    while (encode_queue_turn(w->queue)) {}
    assert_int_equal(n_anns, N_ANNS);
    assert_int_equal(owners_held(w->all, HOLDING_TEXT_BYTES), 0);
}

static void one_owner_does_not_fill_the_queue(void **state) {
    world *w = *state;
    static char text[BRIEF_BYTES_MAX];
    memset(text, 'b', sizeof text);
    const prompt_piece piece = {(const uint8_t *)text, sizeof text, false};
    queued_text *all[2 * TEXTS_BYTES_MAX / BRIEF_BYTES_MAX], *bobs;
    const queued_text_listener nobody = {on_encoded, NULL, NULL};
    failure f;
    size_t n = 0;
    while (encode_queue_add(w->queue, w->ann, &piece, 1, nobody, &all[n], &f) == STATUS_OK) n++;
    assert_int_equal(f.code, STATUS_BUSY);
    assert_non_null(strstr(f.message, "ann has its share"));
    assert_int_equal(encode_queue_add(w->queue, w->bob, &piece, 1, nobody, &bobs, &f), STATUS_OK);
    queued_text_free(&bobs);
    while (n > 0) queued_text_free(&all[--n]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_next_turn_is_the_owners_who_waits_longest),
        TEST(one_owner_does_not_fill_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
