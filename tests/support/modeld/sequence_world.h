/* A small table of sequences over a small cache, and what service and samplers do with it: for tests. */
#ifndef TRIVIUM_TESTS_SEQUENCE_WORLD_H
#define TRIVIUM_TESTS_SEQUENCE_WORLD_H

#include "modeld/sched/sequences.h"

enum { N_VOCAB = 40, N_PAGES = 4, N_CTX = 3 * PAGE_TOKENS, MS = 1000 };

typedef struct world {
    kv_cache *cache;
    sequences *table;
    sampler one;
    int32_t ids[N_CTX + 1];
    strategy warm, cold;
} world;

int world_begin(void **state); /* of cmocka: *state is a world */
int world_end(void **state);
/* Another table and cache in place of its own: `n_pages` pages, rows in `shared` if it is not NULL. */
void world_renew(world *w, uint32_t n_pages, shared_rows *shared);

/* A text of `n_ids` ids, `n_prompt` of them prompt, that nothing is wrong with. */
job a_text(world *w, uint8_t name, uint32_t n_ids, uint32_t n_prompt);
job a_score(world *w, uint64_t call, uint32_t n_ids);

sequence *open_job(world *w, const job *asked); /* at 0 ms */
sequence *open_text(world *w, uint8_t name, uint32_t n_prompt);
sequence *admit(world *w); /* at 5 ms; NULL: nobody */
/* What a forward pass over n_rows of its rows does, at 9 ms, of which 1 ms is its own. */
bool compute(world *w, sequence *s, uint32_t n_rows);
void draw(world *w, sequence *s, int32_t id); /* `one` draws it, by "rules/1" */
sequence *sampling_text(world *w, uint8_t name, uint32_t n_prompt); /* its row waits for a sampler */

#endif
