#include "sequence_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static const kv_shape shape = {.n_layers = 1, .n_kv_heads = 1, .head_dim = 2};

void world_renew(world *w, uint32_t n_pages, shared_rows *shared) {
    if (w->table) sequences_free(&w->table);
    kv_cache_free(&w->cache);
    w->cache = kv_cache_new(shape, n_pages, KV_SEQUENCES_MAX);
    assert_non_null(w->cache);
    w->table = sequences_new(w->cache, shared, N_VOCAB, N_CTX);
    assert_non_null(w->table);
}

int world_begin(void **state) {
    world *w = calloc(1, sizeof *w);
    world_renew(w, N_PAGES, NULL);
    for (int32_t i = 0; i <= N_CTX; i++) w->ids[i] = i * 7 % N_VOCAB;
    failure f;
    strategy_init(&w->warm);
    strategy_init(&w->cold);
    strategy_append(&w->warm, STAGE_TEMPERATURE, &(double){1.5}, 1, &f);
    strategy_append(&w->cold, STAGE_TEMPERATURE, &(double){0.5}, 1, &f);
    *state = w;
    return 0;
}

int world_end(void **state) {
    world *w = *state;
    sequences_free(&w->table);
    kv_cache_free(&w->cache);
    strategy_clear(&w->warm);
    strategy_clear(&w->cold);
    free(w);
    return 0;
}

job a_text(world *w, uint8_t name, uint32_t n_ids, uint32_t n_prompt) {
    static uint8_t requests[256][REQUEST_BYTES];
    memset(requests[name], name, REQUEST_BYTES);
    return (job){
        .kind = SEQUENCE_TEXT,
        .from = w,
        .ids = w->ids,
        .n_ids = n_ids,
        .pool = "",
        .text.request = requests[name],
        .text.attempt = 1,
        .text.n_prompt = n_prompt,
        .text.session = "",
        .text.semantics = "",
        .text.max_new_tokens = 3,
        .text.strategy = &w->warm,
    };
}

job a_score(world *w, uint64_t call, uint32_t n_ids) {
    return (job){
        .kind = SEQUENCE_SCORE,
        .from = w,
        .ids = w->ids,
        .n_ids = n_ids,
        .pool = "",
        .score.call = call,
    };
}

sequence *open_job(world *w, const job *asked) {
    sequence *s = NULL;
    failure f = {.message = ""};
    assert_int_equal(sequences_open(w->table, asked, 0, &s, &f), STATUS_OK);
    return s;
}

sequence *open_text(world *w, uint8_t name, uint32_t n_prompt) {
    job asked = a_text(w, name, n_prompt, n_prompt);
    return open_job(w, &asked);
}

sequence *admit(world *w) {
    sequence *s = NULL;
    status st = sequences_admit(w->table, 5 * MS, &s);
    return st == STATUS_OK ? s : NULL;
}

bool compute(world *w, sequence *s, uint32_t n_rows) {
    const sequence_pages *pages = sequence_pages_of(s);
    kv_cache_extend(w->cache, pages->kv, s->ids + pages->n_computed, n_rows);
    return sequence_computed(w->table, s, n_rows, 1.0, 9 * MS);
}

void draw(world *w, sequence *s, int32_t id) {
    sequence_sent(w->table, s, &w->one, 0, 0);
    sequence_drawn(s, id, NULL, 0, "rules/1", 0);
}

sequence *sampling_text(world *w, uint8_t name, uint32_t n_prompt) {
    sequence *s = open_text(w, name, n_prompt);
    assert_ptr_equal(admit(w), s);
    assert_true(compute(w, s, n_prompt));
    return s;
}
