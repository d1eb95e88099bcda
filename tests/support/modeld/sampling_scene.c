#include "sampling_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "proto/net/peer.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

sampling_scene drawing;

static void take_turn(void *context) {
    assert_ptr_equal(context, &drawing);
    drawing.n_turns++;
    sampling_send(drawing.sampling);
}

void drawing_open(uint32_t step_deadline_ms) {
    failure f;
    static Trivium__Hello hello;
    hello = fake_hello(TRIVIUM__ROLE__MODELD);
    const sampling_options options = {
        .loop = tokens.loop,
        .sequences = drawing.world->table,
        .samplers = drawing.table,
        .tokenizerds = drawing.tokenizerds,
        .endings = &drawing.endings,
        .turn = &drawing.turn,
        .departing = drawing.departing,
        .step_deadline_ms = step_deadline_ms,
        .model_name = "tiny",
    };
    const samplerd_link_options link = {
        .address = drawing.meeting.address,
        .hello = &hello,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = HEARTBEAT_MS,
        .n_vocab = N_VOCAB,
        .garbage = &tokens.garbage,
    };
    assert_int_equal(sampling_new(&drawing.sampling, &options, link, &f), STATUS_OK);
    departing_wire(drawing.departing, drawing.tokenizerds, drawing.sampling);
}

int drawing_begin(void **state) {
    if (tokens_begin(state) != 0) return -1;
    tokens_accept();
    memset(&drawing, 0, sizeof drawing);
    world_begin((void **)&drawing.world);
    sequences *table = drawing.world->table;
    drawing.table = samplers_new();
    assert_non_null(drawing.table);
    drawing.turn = (wakeup){.loop = tokens.loop, .handler = take_turn, .context = &drawing};
    drawing.endings = (endings){table, &drawing.turn, &drawing.n_texts};
    drawing.departing = departing_new(&(departing_options){tokens.loop, DRAWING_PATIENCE_S, table, &drawing.n_texts});
    assert_non_null(drawing.departing);
    drawing.tokenizerds = tokenizerds_new(&(tokenizerds_options){
        .loop = tokens.loop, .sequences = table, .endings = &drawing.endings, .turn = &drawing.turn,
        .departing = drawing.departing, .garbage = &tokens.garbage});
    assert_non_null(drawing.tokenizerds);
    place_make(&drawing.meeting);
    drawing_open(LONG_MS);
    return 0;
}

int drawing_end(void **state) {
    for (size_t i = 0; i < sizeof drawing.fakes / sizeof *drawing.fakes; i++) fake_peer_close(&drawing.fakes[i]);
    sampling_free(&drawing.sampling);
    tokenizerds_free(&drawing.tokenizerds);
    departing_free(&drawing.departing);
    world_end((void **)&drawing.world);
    samplers_free(&drawing.table);
    bool removed = place_remove(&drawing.meeting);
    return tokens_end(state) == 0 && removed ? 0 : -1;
}

/* ---- asking and drawing ---- */

void drawing_join(size_t i) {
    fake_samplerd_join(&drawing.fakes[i], tokens.loop, drawing.meeting.address, "", "rules/1");
}

sequence *drawing_text(uint32_t wait_ms) {
    job asked = a_text(drawing.world, 1, 2, 2);
    asked.from = tokens.links[0];
    asked.wait_ms = wait_ms;
    sequence *s = open_job(drawing.world, &asked);
    assert_ptr_equal(admit(drawing.world), s);
    assert_true(compute(drawing.world, s, 2));
    sampling_send(drawing.sampling);
    return s;
}

uint64_t drawing_ticket(size_t i) {
    return fake_samplerd_hears(&drawing.fakes[i], tokens.loop)->ticket;
}

const Trivium__TokensReply *drawing_told(Trivium__TokensReply__BodyCase body) {
    const Trivium__TokensReply *m = tokenizerd_hears(&tokens.fakes[0]);
    assert_int_equal(m->body_case, body);
    return m;
}

void drawing_closed_by_error(Trivium__Code code, const char *word) {
    const Trivium__Closed *closed = TOLD(CLOSED)->closed;
    assert_int_equal(closed->reason, TRIVIUM__CLOSE_REASON__CLOSE_ERROR);
    assert_int_equal(closed->error->code, code);
    if (!strstr(closed->error->message, word)) fail_msg("%s: no %s", closed->error->message, word);
    assert_int_equal(sequences_count(drawing.world->table), 0);
}
