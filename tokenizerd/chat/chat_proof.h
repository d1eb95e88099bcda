/* Proves that a template writes what a form writes, in every conversation. The template is run over
 * conversations that grow message by message; one is grown no further when the template knows,
 * before its last message, what it knew before the same role in another one: from there on both go
 * on alike. When none is left to grow, all conversations are proved. Pure. */
#ifndef TRIVIUM_CHAT_PROOF_H
#define TRIVIUM_CHAT_PROOF_H

#include "chat.h"
#include "proto/base/limits.h"
#include "tokenizerd/chat/template/template_run.h"

enum {
    PROOF_WORDS_MAX = 256,              /* conversations that are run */
    PROOF_MESSAGES_MAX = 32,            /* of one of them */
    PROOF_SEEN_BYTES_MAX = 256 * 1024,  /* what was known before their last messages, in all */
};

typedef struct chat_word {              /* a conversation as far as a proof goes: its roles */
    uint8_t roles[PROOF_MESSAGES_MAX];  /* [n_messages] of chat_role */
    size_t n_messages;
} chat_word;

typedef struct chat_expected {          /* what a form writes of a word */
    text_unit units[TEMPLATE_TEXT_UNITS_MAX];       /* [n]; n = 0: too long */
    size_t n, content_at[PROOF_MESSAGES_MAX];       /* where the contents stand */
} chat_expected;

typedef struct chat_proof chat_proof;

/* NULL: no memory. The tree and the texts of the tokens are borrowed. */
chat_proof *chat_proof_new(const template_tree *tree, template_text bos, template_text eos);
void chat_proof_free(chat_proof **p);

/* What the claimed form writes of `word`, with the claimed texts and without BOS. Borrowed until
 * the next. STATUS_NO_MEMORY. */
status chat_proof_expect(chat_proof *p, const chat_template *claim, const chat_word *word,
                         const chat_expected **out);

/* What the template writes; borrowed until the next. */
template_outcome chat_proof_run(chat_proof *p, const chat_word *word, bool tools_are_none,
                                template_text *written);

/* Whether all that the template writes is what is claimed. It may refuse conversations, but none
 * whose roles take turns with a user first and last. STATUS_NO_MEMORY. */
status chat_proof_of(chat_proof *p, const chat_template *claim, bool *holds);

#endif
