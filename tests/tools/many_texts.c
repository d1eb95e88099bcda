/* many_texts PROMPT TOKENS CANCELLED SEED…: texts of one prompt, all under way at once over one
 * connection, one a seed. The text of the seed CANCELLED (none: -1) is cancelled at its first token.
 * Prints {"seed", "reason", "text"} a line, in the order in which they end; seeds that were refused
 * have the reason "refused". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/lib/random.h"
#include "proto/base/buffer.h"

typedef struct one_text {
    client *client;
    generation_request request;
    buffer text;
    bool cancelled_early;
    size_t *n_open;
} one_text;

static void tell(const one_text *t, const char *reason) {
    json_print(json_pack("{s: I, s: s, s: o}", "seed", (json_int_t)t->request.seed,
                         "reason", reason, "text", json_bytes(t->text.bytes, t->text.n_bytes)));
    fflush(stdout);
}

static void on_started(void *context, const generation_start *start) {
    (void)context;
    (void)start;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    one_text *t = context;
    if (buffer_add(&t->text, chunk->text, chunk->n_bytes) != STATUS_OK) die("many_texts", "no memory");
    if (t->cancelled_early) client_cancel(t->client, t->request.id);
}

static void on_done(void *context, const generation_done *done) {
    one_text *t = context;
    tell(t, done->reason == FINISHED_ERROR ? done->message : finish_reason_name(done->reason));
    if (--*t->n_open == 0) loop_stop(client_loop(t->client));
}

static void text_begin(one_text *t) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    failure f;
    if (random_bytes(t->request.id, REQUEST_BYTES, &f) != STATUS_OK) die("many_texts", "%s", f.message);
    if (client_generate(t->client, &t->request, &events, t, &f) == STATUS_OK) ++*t->n_open;
    else tell(t, "refused");
}

int main(int argc, char **argv) {
    if (argc < 5) die("many_texts", "usage: many_texts PROMPT TOKENS CANCELLED SEED…");
    size_t n_texts = (size_t)argc - 4, n_open = 0;
    common_flags flags;
    common_flags_init(&flags);
    client *c = NULL;
    if (ask_open(&c, &flags) != 0) return 1;
    strategy chain;
    strategy_init(&chain);
    strategy_defaults(&chain);
    const generation_piece prompt = {(const uint8_t *)argv[1], strlen(argv[1]), true};
    one_text *texts = calloc(n_texts, sizeof *texts);
    for (size_t i = 0; texts && i < n_texts; i++) {
        const char *seed = argv[4 + i];
        texts[i] = (one_text){.client = c, .n_open = &n_open};
        texts[i].cancelled_early = strcmp(seed, argv[3]) == 0;
        texts[i].request = (generation_request){
            .pieces = &prompt, .n_pieces = 1, .chain = &chain, .ignore_eos = true,
            .seed = strtoull(seed, NULL, 10), .max_new_tokens = (uint32_t)atoi(argv[2])};
        text_begin(&texts[i]);
    }
    if (n_open > 0) loop_run(client_loop(c));
    client_close(&c);
    for (size_t i = 0; texts && i < n_texts; i++) buffer_clear(&texts[i].text);
    free(texts);
    strategy_clear(&chain);
    return 0;
}
