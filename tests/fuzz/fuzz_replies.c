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
    static const generation_piece prompt = {(const uint8_t *)"Once", 4, true};
    static const conversation_message said = {"user", (const uint8_t *)"hi", 2};
    (void)argc, (void)argv;
    log_open("client", LOG_QUIET);
    strategy_init(&chain);
    strategy_defaults(&chain);
    questions[ASK_RENDER].render = (render_question){.messages = &said, .n_messages = 1};
    request = (generation_request){.pieces = &prompt, .n_pieces = 1, .chain = &chain, .max_new_tokens = 20, .n_candidates = 2};
    watched.n_candidates = 2;
    memcpy(request.id, id, sizeof request.id);
    memcpy(watched.id, id, sizeof watched.id);
    text_pair_begin(&pair, 3600000);
    text_pair_join(&pair);
    speaker = (link_speaker){client_loop(pair.client), 0, false, FAKE_INCARNATION,
                             peer_incarnation(pair.peer.client), fake_hello_of_the_silent(TRIVIUM__ROLE__TOKENIZERD)};
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
