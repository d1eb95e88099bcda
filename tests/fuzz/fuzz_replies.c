/* libFuzzer: what a tokenizerd says to a client that has a text written, watches it and asks (input/link_input.h tells
 * what an input is). */
#include <string.h>

#include "proto/base/log.h"
#include "tests/fuzz/input/link_input.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/link/fake_peer.h"
#include "tests/support/link/text_pair.h"

static text_pair pair;
static link_speaker speaker;

static const uint8_t id[REQUEST_BYTES + 1] = "0123456789abcdef";
static const int32_t ids[] = {5, 6, 7};
static const float row[] = {0, 1, 2, 3};
static strategy chain;
static generation_request request;
static watch_request watched;
static bool is_written, is_watched;

static question questions[] = {
    {.kind = ASK_TOKENIZE, .tokenize = {.text = {(const uint8_t *)"hi", 2, false, false}}},
    {.kind = ASK_DETOKENIZE, .detokenize = {.ids = ids, .n_ids = 3}},
    {.kind = ASK_RENDER},
    {.kind = ASK_SCORE, .score = {.has_ids = true, .ids = ids, .n_ids = 3, .n_top = 2}},
    {.kind = ASK_PROBE, .probe = {.logits = row, .n_logits = 4, .history = ids, .n_history = 3, .chain = &chain}},
    {.kind = ASK_LIST},
    {.kind = ASK_STATUS},
    {.kind = ASK_CANCEL},
    {.kind = ASK_TUNE, .tune = {.chain = &chain}},
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };
static bool is_asked[N_QUESTIONS];

static void on_done(void *context, const generation_done *done) {
    (void)context, (void)done;
    is_written = false;
}

static void on_started(void *context, const generation_start *start) {
    (void)context, (void)start;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    (void)context, (void)chunk;
}

static const generation_events text_events = {on_started, on_chunk, on_done};

static void on_begun(void *context, const watch_start *start) {
    (void)context, (void)start;
}

static void on_seen(void *context, const watch_trace *trace) {
    (void)context, (void)trace;
}

static void on_over(void *context, const watch_end *end) {
    (void)context, (void)end;
    is_watched = false;
}

static const watch_events seen_events = {on_begun, on_seen, on_over};

static void on_answer(void *context, const answer *a) {
    bool *asked = context;
    (void)a;
    *asked = false;
}

/* ---- what it asked, by the kind of its message ---- */

enum { BODIES_MAX = 32 };
static uint64_t numbers[BODIES_MAX];    /* of the newest call of each */
static uint32_t attempt;                /* of the text */

static void on_asked(const ProtobufCMessage *message) {
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)message;
    uint64_t *number = &numbers[m->body_case];
    switch (m->body_case) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE: attempt = m->generate->attempt; return;
    case TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE: *number = m->tokenize->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE: *number = m->detokenize->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_RENDER: *number = m->render->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_SCORE: *number = m->score->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_PROBE: *number = m->probe->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_LIST: *number = m->list->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_STATUS: *number = m->status->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL: *number = m->cancel->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE: *number = m->tune->call; return;
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: *number = m->watch->call; return;
    default: return;
    }
}

/* What a reply of each kind answers; 0: a text, or a call of any kind. */
static const uint32_t answered[BODIES_MAX] = {
    [TRIVIUM__TEXT_REPLY__BODY_TOKENIZED] = TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE,
    [TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED] = TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE,
    [TRIVIUM__TEXT_REPLY__BODY_RENDERED] = TRIVIUM__TEXT_REQUEST__BODY_RENDER,
    [TRIVIUM__TEXT_REPLY__BODY_SCORED] = TRIVIUM__TEXT_REQUEST__BODY_SCORE,
    [TRIVIUM__TEXT_REPLY__BODY_PROBED] = TRIVIUM__TEXT_REQUEST__BODY_PROBE,
    [TRIVIUM__TEXT_REPLY__BODY_LISTED] = TRIVIUM__TEXT_REQUEST__BODY_LIST,
    [TRIVIUM__TEXT_REPLY__BODY_STATUS] = TRIVIUM__TEXT_REQUEST__BODY_STATUS,
    [TRIVIUM__TEXT_REPLY__BODY_CANCELLED] = TRIVIUM__TEXT_REQUEST__BODY_CANCEL,
    [TRIVIUM__TEXT_REPLY__BODY_TUNED] = TRIVIUM__TEXT_REQUEST__BODY_TUNE,
    [TRIVIUM__TEXT_REPLY__BODY_WATCHED] = TRIVIUM__TEXT_REQUEST__BODY_WATCH,
};

static size_t name_asked(uint32_t body, unsigned which, uint8_t *out) {
    Trivium__Done text = TRIVIUM__DONE__INIT;           /* as in all that is said of a text, */
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;  /* but for this, */
    Trivium__StatusQuery call = TRIVIUM__STATUS_QUERY__INIT;    /* and of a call */
    text.request = glimpse.request = (ProtobufCBinaryData){REQUEST_BYTES, request.id};
    text.attempt = glimpse.attempt = attempt;
    switch (body) {
    case TRIVIUM__TEXT_REPLY__BODY_STARTED:
    case TRIVIUM__TEXT_REPLY__BODY_CHUNK:
    case TRIVIUM__TEXT_REPLY__BODY_DONE: return trivium__done__pack(&text, out);
    case TRIVIUM__TEXT_REPLY__BODY_GLIMPSE: return trivium__glimpse__pack(&glimpse, out);
    case TRIVIUM__TEXT_REPLY__BODY_WAITING:
    case TRIVIUM__TEXT_REPLY__BODY_FAILED: call.call = numbers[TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE + which]; break;
    default: call.call = numbers[answered[body]];
    }
    return trivium__status_query__pack(&call, out);
}

/* ---- a run ---- */

/* Whatever is not under way is begun again. */
static void ask_all(void) {
    failure f;
    if (!is_written) is_written = client_generate(pair.client, &request, &text_events, NULL, &f) == STATUS_OK;
    if (!is_watched) is_watched = client_watch(pair.client, &watched, &seen_events, NULL, &f) == STATUS_OK;
    for (size_t i = 0; i < N_QUESTIONS; i++)
        if (!is_asked[i])
            is_asked[i] = client_call(pair.client, &questions[i], on_answer, &is_asked[i], &f) == STATUS_OK;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const conversation_message said = {"user", (const uint8_t *)"hi", 2};
    static const conversation_prompt talk = {.messages = &said, .n_messages = 1};
    (void)argc, (void)argv;
    log_open("client", LOG_QUIET);
    strategy_init(&chain);
    strategy_defaults(&chain);
    questions[ASK_RENDER].render.conversation = talk;
    request = (generation_request){.conversation = &talk, .chain = &chain, .max_new_tokens = 20, .n_candidates = 2};
    watched.n_candidates = 2;
    memcpy(request.id, id, sizeof request.id);
    memcpy(watched.id, id, sizeof watched.id);
    text_pair_begin(&pair, 3600000);
    link_input_removes(&pair.meeting);
    text_pair_join(&pair);
    speaker = (link_speaker){client_loop(pair.client), 0, false, FAKE_INCARNATION,
                             peer_incarnation(pair.peer.client), fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD),
                             name_asked};
    link_input_listen(&speaker, &trivium__text_request__descriptor, on_asked);
    link_input_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    link_input_joins(&speaker);
    ask_all();
    link_input_says(&speaker, bytes, n_bytes);
    link_input_leaves(&speaker);
    return 0;
}
