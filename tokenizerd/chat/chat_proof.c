#include "chat_proof.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizerd/chat/template/template_value.h"

/* A word as short as this is grown whatever is known: a template can tell it from longer ones. */
enum { SHORT_MESSAGES = 2, KEY_BYTES_MAX = 2 * (TEMPLATE_STATE_BYTES_MAX + 64) };

typedef struct proof_key {              /* what is known before the last message, and its role */
    uint8_t bytes[KEY_BYTES_MAX];       /* [n_bytes] */
    size_t n_bytes;
    bool is_reached;                    /* by one run at least */
} proof_key;

struct chat_proof {
    template_machine *machine;
    template_text bos;
    text_unit role_units[CHAT_ROLES][16];
    template_text roles[CHAT_ROLES];
    chat_expected expected;
    chat_word words[PROOF_WORDS_MAX];   /* [n_words]: to be run, in this order */
    size_t n_words;
    proof_key key;
    uint8_t *seen;                      /* [n_seen_bytes]: keys, the length of each before it */
    size_t n_seen_bytes;
};

chat_proof *chat_proof_new(const template_tree *tree, template_text bos, template_text eos) {
    static const char *const names[CHAT_ROLES] = {"system", "user", "assistant"};
    chat_proof *p = malloc(sizeof *p);
    if (!p) return NULL;
    p->machine = template_machine_new(tree, bos, eos);
    p->seen = malloc(PROOF_SEEN_BYTES_MAX);
    p->bos = bos;
    if (!p->machine || !p->seen) chat_proof_free(&p);
    for (chat_role role = 0; p && role < CHAT_ROLES; role++) {
        size_t n = strlen(names[role]);
        for (size_t i = 0; i < n; i++) p->role_units[role][i] = (uint8_t)names[role][i];
        p->roles[role] = (template_text){p->role_units[role], n};
    }
    return p;
}

void chat_proof_free(chat_proof **p) {
    template_machine_free(&(*p)->machine);
    free((*p)->seen);
    free(*p);
    *p = NULL;
}

/* ---- what is expected ---- */

/* A content that shows whether the form trims: it is rendered with its blanks or without. */
static const uint8_t content[] = " x ";

static void expect_piece(chat_expected *e, const prompt_piece *s, size_t *n_contents) {
    if (!s->special) {
        size_t trimmed = s->n_bytes < sizeof content - 1 ? UNIT_IS_TRIMMED : 0;
        e->content_at[*n_contents] = e->n;
        e->units[e->n++] = (text_unit)(UNIT_CONTENT + UNITS_OF_CONTENT * (*n_contents)++ + trimmed);
        return;
    }
    for (size_t i = 0; i < s->n_bytes; i++) e->units[e->n++] = s->bytes[i];
}

status chat_proof_expect(chat_proof *p, const chat_template *claim, const chat_word *word,
                         const chat_expected **out) {
    failure f;
    const chat form = {.form = claim->form, .system = claim->system, .dates = claim->dates};
    chat_prompt prompt;
    chat_message messages[PROOF_MESSAGES_MAX];
    size_t n_units = 0, n_contents = 0;
    for (size_t i = 0; i < word->n_messages; i++)
        messages[i] = (chat_message){word->roles[i], content, sizeof content - 1};
    status st = chat_render(&form, messages, word->n_messages, 0, &prompt, &f);
    if (st != STATUS_OK) return st;
    for (size_t i = 0; i < prompt.n_pieces; i++) n_units += prompt.pieces[i].n_bytes;
    p->expected.n = 0;
    for (size_t i = 0; i < prompt.n_pieces && n_units <= TEMPLATE_TEXT_UNITS_MAX; i++)
        expect_piece(&p->expected, &prompt.pieces[i], &n_contents);
    free(prompt.pieces);
    *out = &p->expected;
    return STATUS_OK;
}

/* ---- what is written ---- */

template_outcome chat_proof_run(chat_proof *p, const chat_word *word, bool tools_are_none,
                                template_text *written) {
    template_text roles[PROOF_MESSAGES_MAX];
    for (size_t i = 0; i < word->n_messages; i++) roles[i] = p->roles[word->roles[i]];
    const template_talk talk = {roles, word->n_messages, tools_are_none};
    template_outcome outcome = template_run(p->machine, &talk);
    *written = template_written(p->machine);
    return outcome;
}

static bool is_expected(const chat_proof *p, template_text written, bool writes_bos) {
    const chat_expected *e = &p->expected;
    size_t n_bos = writes_bos ? p->bos.n : 0;
    return written.n == n_bos + e->n &&
           memcmp(written.units, p->bos.units, n_bos * sizeof *e->units) == 0 &&
           memcmp(written.units + n_bos, e->units, e->n * sizeof *e->units) == 0;
}

/* A user begins and ends, and the roles take turns. */
static bool may_not_be_refused(const chat_word *word) {
    for (size_t i = 0; i < word->n_messages; i++)
        if (word->roles[i] != (i % 2 == 0 ? CHAT_USER : CHAT_ASSISTANT)) return false;
    return word->n_messages % 2 == 1;
}

/* ---- what is known ---- */

static void key_put(proof_key *k, const void *bytes, size_t n_bytes) {
    assert(n_bytes <= sizeof k->bytes - k->n_bytes);
    memcpy(k->bytes + k->n_bytes, bytes, n_bytes);
    k->n_bytes += n_bytes;
}

/* Where the text ends that the run has written before the last message, counted from that message's
 * content. False: it lags by more than what stands between two contents. */
static bool key_add_run(chat_proof *p, const chat_word *word, size_t n_bos) {
    template_state s = template_state_before_last(p->machine);
    const size_t *content_at = p->expected.content_at, last = word->n_messages - 1;
    key_put(&p->key, &s.n_bytes, sizeof s.n_bytes);
    if (s.n_bytes == 0) return true;
    size_t ahead = s.n_written - n_bos - content_at[last];
    key_put(&p->key, s.bytes, s.n_bytes);
    key_put(&p->key, &ahead, sizeof ahead);
    key_put(&p->key, &word->roles[last], 1);
    p->key.is_reached = true;
    return last == 0 || s.n_written > n_bos + content_at[last - 1];
}

/* Whether the key is new; then it is seen from here on. */
static bool key_is_new(chat_proof *p, bool *has_room) {
    const proof_key *k = &p->key;
    size_t at = 0, n;
    for (; at < p->n_seen_bytes; at += sizeof n + n) {
        memcpy(&n, p->seen + at, sizeof n);
        if (n == k->n_bytes && memcmp(p->seen + at + sizeof n, k->bytes, n) == 0) return false;
    }
    n = k->n_bytes;
    *has_room = sizeof n + n <= PROOF_SEEN_BYTES_MAX - at;
    if (!*has_room) return true;
    memcpy(p->seen + at, &n, sizeof n);
    memcpy(p->seen + at + sizeof n, k->bytes, n);
    p->n_seen_bytes += sizeof n + n;
    return true;
}

/* ---- the proof ---- */

/* Tools are not given: they may be undefined or none, and the template must write the same. */
static bool word_holds(chat_proof *p, const chat_word *word, bool writes_bos) {
    p->key.n_bytes = 0, p->key.is_reached = false;
    for (int tools_are_none = 0; tools_are_none < 2; tools_are_none++) {
        template_text written;
        template_outcome outcome = chat_proof_run(p, word, tools_are_none, &written);
        if (outcome == TEMPLATE_STRANGE) return false;
        if (outcome == TEMPLATE_REFUSED && may_not_be_refused(word)) return false;
        if (outcome == TEMPLATE_WROTE && !is_expected(p, written, writes_bos)) return false;
        if (!key_add_run(p, word, writes_bos ? p->bos.n : 0)) return false;
        if (!template_asked_for_tools(p->machine)) break;
    }
    return true;
}

static bool add_word(chat_proof *p, const chat_word *begun, chat_role role) {
    if (p->n_words == PROOF_WORDS_MAX || begun->n_messages == PROOF_MESSAGES_MAX) return false;
    chat_word *word = &p->words[p->n_words++];
    *word = *begun;
    word->roles[word->n_messages++] = (uint8_t)role;
    return true;
}

/* A template that refuses a conversation before it comes to the last message refuses all that begin
 * like it. */
static bool grow(chat_proof *p, const chat_word *word) {
    bool has_room = true, is_short = word->n_messages <= SHORT_MESSAGES;
    bool is_new = p->key.is_reached && key_is_new(p, &has_room);
    if (!has_room) return false;
    if (!is_new && !is_short) return true;
    return add_word(p, word, CHAT_USER) && add_word(p, word, CHAT_ASSISTANT);
}

status chat_proof_of(chat_proof *p, const chat_template *claim, bool *holds) {
    static const chat_word nothing;
    status st = STATUS_OK;
    p->n_words = p->n_seen_bytes = 0;
    *holds = true;
    for (chat_role role = 0; role < CHAT_ROLES; role++) add_word(p, &nothing, role);
    for (size_t i = 0; i < p->n_words && st == STATUS_OK && *holds; i++) {
        const chat_expected *expected;
        const chat_word *word = &p->words[i];
        st = chat_proof_expect(p, claim, word, &expected);
        *holds = st == STATUS_OK && expected->n > 0 && word_holds(p, word, claim->writes_bos) &&
                 grow(p, word);
    }
    return st;
}
