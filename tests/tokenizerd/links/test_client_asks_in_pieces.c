/* client_link.h: what a client asks in pieces arrives as what it asks at once, and what never becomes whole is answered, once,
 * as any that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/wire_chain.h"
#include "tests/support/tokenizerd/client_scene.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static client_scene *const c = &clients;

static const uint64_t two_bytes = 2, too_many = (uint64_t)RAW_BYTES_MAX + 1;

#define HEARS(m, raw, n_raw, line) assert_string_equal(client_scene_hears(&(m), (raw), (n_raw)), (line))

static void begin(Trivium__TextRequest *m, const uint64_t *n_bytes) {
    fake_peer_begin(&c->client.peer, &m->base, n_bytes, 1);
}

static void say_piece(uint32_t index) {
    fake_peer_say_piece(&c->client.peer, index, "h", 1);
}

static void hears(const char *line) {
    asker_is_heard(&c->client);
    assert_string_equal(heard_all(), line);
}

static void failed(uint64_t number, Trivium__Code code, const char *sentence) {
    const Trivium__TextReply *m = client_scene_says(TRIVIUM__TEXT_REPLY__BODY_FAILED);
    assert_true(m->failed->call == number);
    assert_int_equal(m->failed->error->code, code);
    assert_string_equal(m->failed->error->message, sentence);
}

static void done(Trivium__Code code, const char *sentence) {
    const Trivium__Done *d = client_scene_says(TRIVIUM__TEXT_REPLY__BODY_DONE)->done;
    assert_memory_equal(d->request.data, wire_id_bytes, REQUEST_BYTES);
    assert_int_equal(d->attempt, 3);
    assert_int_equal(d->reason, TRIVIUM__FINISH_REASON__FINISH_ERROR);
    assert_int_equal(d->error->code, code);
    assert_string_equal(d->error->message, sentence);
}

static const char another_came[] = "its last pieces never came: another message came first";
static const char out_of_order[] = "piece 0 of a message was due, not piece 1 of 1 bytes";

static Trivium__Segment said = TRIVIUM__SEGMENT__INIT;
static Trivium__Segment *segments[] = {&said};

static Trivium__Generate a_text(void) {
    Trivium__Generate g = TRIVIUM__GENERATE__INIT;
    g.request = wire_id;
    g.attempt = 3;
    said.n_bytes = 2;
    g.segments = segments;
    g.n_segments = 1;
    return g;
}

/* ---- */

static void a_text_in_pieces_is_a_text(void **state) {
    (void)state;
    Trivium__Generate g = a_text();
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    begin(&m, &two_bytes);
    say_piece(0);
    say_piece(1);
    asker_is_heard(&c->client);
    const char *line = heard_all();
    assert_non_null(strstr(line, "generate id=16:ab..cd attempt=3 "));
    assert_non_null(strstr(line, " pieces='hh'"));
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    tokenize.call = 1;
    m = (Trivium__TextRequest)ASK(TOKENIZE, tokenize, &tokenize);
    begin(&m, &two_bytes);
    say_piece(0);
    say_piece(1);
    hears("tokenize bos=0 number=1 model= wait=0 pieces='hh'");
    assert_true(asker_is_silent(&c->client));
}

static void a_text_that_never_becomes_whole_is_done(void **state) {
    (void)state;
    Trivium__Generate g = a_text();
    Trivium__TextRequest m = ASK(GENERATE, generate, &g);
    begin(&m, &two_bytes);
    say_piece(1);
    hears("refused id=16:ab..cd attempt=3");
    done(TRIVIUM__CODE__BAD_MESSAGE, out_of_order);
    say_piece(0);                       /* of what was refused: passed over */
    begin(&m, &too_many);
    hears("refused id=16:ab..cd attempt=3");
    done(TRIVIUM__CODE__TOO_LONG, "16777217 bytes are more than a message holds, 16777216");
    begin(&m, &two_bytes);
    begin(&m, &two_bytes);              /* another message, before its pieces */
    hears("refused id=16:ab..cd attempt=3");
    done(TRIVIUM__CODE__BAD_MESSAGE, another_came);
    say_piece(0);
    say_piece(1);
    asker_is_heard(&c->client);
    assert_non_null(strstr(heard_all(), " pieces='hh'"));
}

static void calls_that_never_become_whole_fail(void **state) {
    (void)state;
    Trivium__Tokenize tokenize = TRIVIUM__TOKENIZE__INIT;
    Trivium__Detokenize detokenize = TRIVIUM__DETOKENIZE__INIT;
    Trivium__Score score = TRIVIUM__SCORE__INIT;
    Trivium__Probe probe = TRIVIUM__PROBE__INIT;
    Trivium__Render render = TRIVIUM__RENDER__INIT;
    Trivium__List list = TRIVIUM__LIST__INIT;
    tokenize.call = detokenize.call = score.call = probe.call = render.call = list.call = 8;
    Trivium__TextRequest with_frames[] = {
        ASK(TOKENIZE, tokenize, &tokenize), ASK(DETOKENIZE, detokenize, &detokenize), ASK(SCORE, score, &score),
        ASK(PROBE, probe, &probe), ASK(RENDER, render, &render), ASK(LIST, list, &list),
    };
    for (size_t i = 0; i < sizeof with_frames / sizeof *with_frames; i++) {
        begin(&with_frames[i], &two_bytes);
        say_piece(1);
        hears("");
        failed(8, TRIVIUM__CODE__BAD_MESSAGE, out_of_order);
    }
    Trivium__TextRequest m = ASK(LIST, list, &list);
    begin(&with_frames[0], &two_bytes);
    say_piece(0);
    HEARS(m, NULL, 0, "list 8");        /* another message comes first, and is taken */
    failed(8, TRIVIUM__CODE__BAD_MESSAGE, another_came);
}

/* It has no answer: nobody waits for one. */
static void what_has_no_answer_is_counted(void **state) {
    (void)state;
    Trivium__Acknowledge ack = TRIVIUM__ACKNOWLEDGE__INIT;
    Trivium__TextRequest m = ASK(ACKNOWLEDGE, acknowledge, &ack);
    begin(&m, &too_many);
    hears("");
    assert_true(asker_is_silent(&c->client));
    client_link_status(c->link, c->peer, 1, c->models, c->modelds, 0);
    assert_int_equal(client_scene_says(TRIVIUM__TEXT_REPLY__BODY_STATUS)->status->garbage, 1);
    assert_int_equal(c->n_left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_text_in_pieces_is_a_text),
        TEST(a_text_that_never_becomes_whole_is_done),
        TEST(calls_that_never_become_whole_fail),
        TEST(what_has_no_answer_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
