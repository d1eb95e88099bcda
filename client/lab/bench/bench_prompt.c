#include "bench_prompt.h"

#include <stdlib.h>

#include "client/lib/random.h"

_Static_assert((size_t)BENCH_PROMPT_IDS_MAX * BENCH_WORD_BYTES <= TEXT_BYTES_MAX,
               "a word for each id fits a text");

/* Words that can be said: consonants and vowels in turn, out of random bytes. */
static void words_spell(uint8_t *text, size_t n_bytes) {
    static const char consonants[] = "bdfghjklmnprstvz", vowels[] = "aeio";
    for (size_t i = 0; i < n_bytes; i++) {
        size_t in_word = i % BENCH_WORD_BYTES;
        if (in_word == 0) text[i] = ' ';
        else text[i] = (uint8_t)(in_word % 2 ? consonants[text[i] % 16] : vowels[text[i] % 4]);
    }
}

typedef struct wanted_ids {
    id_list *out;
    size_t n_wanted;
    status code;
    failure *f;
} wanted_ids;

static void on_ids(void *context, const answer *a) {
    wanted_ids *p = context;
    const tokenize_answer *said = answer_to_tokenize(a);
    p->code = said->n_ids >= p->n_wanted
                  ? ids_add_all(p->out, said->ids, p->n_wanted, p->f)
                  : fail(p->f, STATUS_UNSUPPORTED, "%zu words are only %zu tokens of this model", p->n_wanted,
                         said->n_ids);
}

status bench_prompt(client *c, const char *model, size_t n_ids, id_list *out, failure *f) {
    size_t n_bytes = n_ids * BENCH_WORD_BYTES;  /* a word is a token at least */
    uint8_t *text = malloc(n_bytes);
    if (!text) return fail(f, STATUS_NO_MEMORY, "no memory for a prompt");
    failure why;
    wanted_ids p = {.out = out, .n_wanted = n_ids, .f = &why};
    status st = random_bytes(text, n_bytes, f);
    if (st == STATUS_OK) {
        words_spell(text, n_bytes);
        const question tokenize = {
            .kind = ASK_TOKENIZE,
            .tokenize = {.model = model, .text = {.bytes = text, .n_bytes = n_bytes}},
        };
        st = client_ask(c, &tokenize, on_ids, &p, f);
    }
    free(text);
    if (st != STATUS_OK || p.code == STATUS_OK) return st;
    *f = why;
    return p.code;
}
