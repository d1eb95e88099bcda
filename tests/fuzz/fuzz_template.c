/* Any bytes as a chat template: what is recognised writes what its form writes, also in
 * conversations beyond those that its proof went through. (libFuzzer; the last 64 bytes of the input are such
 * conversations, the rest is the template.) */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input/target.h"
#include "tokenizerd/chat/chat_proof.h"

enum { TALK_BYTES = 64 };

static const text_unit bos_units[] = {'<', 's', '>'}, eos_units[] = {'<', '/', 's', '>'};
static const template_text bos = {bos_units, 3}, eos = {eos_units, 4};

static void must(bool holds) {
    if (!holds) abort();
}

/* Eight bytes: the number of messages, and a bit each; the first one may be a system's. */
static void check_talk(chat_proof *p, const chat_template *t, const uint8_t *bytes) {
    const chat_expected *expected;
    template_text written;
    chat_word word = {.n_messages = 1 + bytes[0] % (PROOF_MESSAGES_MAX - 1)};
    for (size_t i = 0; i < word.n_messages; i++)
        word.roles[i] = (bytes[1 + i / 8] >> i % 8) & 1 ? CHAT_USER : CHAT_ASSISTANT;
    if (bytes[0] & 0x80) word.roles[0] = CHAT_SYSTEM;
    must(chat_proof_expect(p, t, &word, &expected) == STATUS_OK);
    template_outcome outcome = chat_proof_run(p, &word, bytes[0] & 0x40, &written);
    if (outcome != TEMPLATE_WROTE) return; /* refused, or too big for one run */
    size_t n_bos = t->writes_bos ? bos.n : 0;
    must(written.n == n_bos + expected->n);
    must(memcmp(written.units, bos.units, n_bos * sizeof *bos.units) == 0);
    must(memcmp(written.units + n_bos, expected->units, expected->n * sizeof *bos.units) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chat_template t;
    template_tree tree;
    if (size < TALK_BYTES) return 0;
    const chat_template_source source = {
        .text = data,
        .n_text = size - TALK_BYTES,
        .bos = (const uint8_t *)"<s>",
        .n_bos = bos.n,
        .eos = (const uint8_t *)"</s>",
        .n_eos = eos.n,
    };
    must(chat_template_read(&t, &source) == STATUS_OK);
    if (t.form == CHAT_NO_FORM) {
        must(!t.system.bytes && !t.dates.bytes && !t.writes_bos);
        return 0;
    }
    must(template_tree_read(&tree, source.text, source.n_text) == STATUS_OK && tree.is_read);
    chat_proof *p = chat_proof_new(&tree, bos, eos);
    must(p != NULL);
    for (size_t at = 0; at + 8 <= TALK_BYTES; at += 8)
        check_talk(p, &t, data + source.n_text + at);
    chat_proof_free(&p);
    template_tree_free(&tree);
    chat_template_clear(&t);
    return 0;
}
