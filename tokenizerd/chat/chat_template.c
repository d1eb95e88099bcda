#include "chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "chat_proof.h"
#include "tokenizerd/chat/template/template_value.h"

static const chat_word user_alone = {{CHAT_USER}, 1};
static const chat_word with_system = {{CHAT_SYSTEM, CHAT_USER}, 2};

/* ---- texts ---- */

static status text_copy(chat_text *out, template_text text) {
    *out = (chat_text){malloc(text.n + 1), text.n};
    if (!out->bytes) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < text.n; i++) out->bytes[i] = (uint8_t)text.units[i];
    return STATUS_OK;
}

/* Up to the first content. */
static template_text bytes_of(template_text text) {
    size_t n = 0;
    while (n < text.n && text.units[n] < UNIT_CONTENT) n++;
    return (template_text){text.units, n};
}

static template_text after(template_text text, size_t n) {
    return n <= text.n ? (template_text){text.units + n, text.n - n}
                       : (template_text){text.units, 0};
}

static bool begins_with(template_text text, const uint8_t *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++)
        if (i == text.n || text.units[i] != bytes[i]) return false;
    return true;
}

static bool begins_with_word(template_text text, const char *word) {
    return begins_with(text, (const uint8_t *)word, strlen(word));
}

/* "Cutting Knowledge Date: …" and "Today Date: …", a line each, and an empty one. */
static bool are_dates(template_text text) {
    size_t at = 0;
    while (at < text.n && text.units[at] != '\n') at++;
    return begins_with_word(text, "Cutting Knowledge Date: ") &&
           begins_with_word(after(text, at), "\nToday Date: ");
}

/* ---- what a template writes of its own ---- */

/* Where its own texts stand, if it has any; the proof shows whether that is all. */
typedef struct own_texts {
    size_t n_before, n_after;  /* units that a system message has before and after its content */
    size_t n_rest;              /* and all that follows it, when that is a user's message */
} own_texts;

static status own_texts_find(own_texts *out, chat_proof *p, chat_form form) {
    const chat_template bare = {.form = form};
    const chat_expected *e;
    status st = chat_proof_expect(p, &bare, &user_alone, &e);
    if (st != STATUS_OK) return st;
    out->n_rest = e->n;
    st = chat_proof_expect(p, &bare, &with_system, &e);
    if (st != STATUS_OK) return st;
    out->n_before = e->content_at[0];
    out->n_after = e->n - out->n_before - 1 - out->n_rest;
    return STATUS_OK;
}

static status dates_read(chat_template *out, chat_proof *p, const own_texts *own, size_t n_bos) {
    template_text written;
    if (out->form != CHAT_LLAMA3) return STATUS_OK;
    if (chat_proof_run(p, &with_system, false, &written) != TEMPLATE_WROTE) return STATUS_OK;
    template_text dates = bytes_of(after(written, n_bos + own->n_before));
    return are_dates(dates) ? text_copy(&out->dates, dates) : STATUS_OK;
}

static status system_read(chat_template *out, chat_proof *p, const own_texts *own, size_t n_bos) {
    template_text written;
    if (chat_proof_run(p, &user_alone, false, &written) != TEMPLATE_WROTE) return STATUS_OK;
    size_t n_around = n_bos + own->n_before + own->n_after + own->n_rest;
    if (written.n < n_around) return STATUS_OK;
    template_text system = {written.units + n_bos + own->n_before, written.n - n_around};
    if (bytes_of(system).n < system.n) return STATUS_OK;
    if (out->dates.bytes) {
        if (system.n == out->dates.n_bytes ||
            !begins_with(system, out->dates.bytes, out->dates.n_bytes))
            return STATUS_OK;
        system = after(system, out->dates.n_bytes);
    }
    return text_copy(&out->system, system);
}

/* ---- recognition ---- */

static status try_form(chat_template *out, chat_proof *p, chat_form form, size_t n_bos) {
    chat_template tried = {.form = form, .writes_bos = n_bos > 0};
    own_texts own;
    bool holds = false;
    status st = own_texts_find(&own, p, form);
    if (st == STATUS_OK) st = dates_read(&tried, p, &own, n_bos);
    if (st == STATUS_OK) st = system_read(&tried, p, &own, n_bos);
    if (st == STATUS_OK) st = chat_proof_of(p, &tried, &holds);
    if (holds) *out = tried;
    else chat_template_clear(&tried);
    return st;
}

static status recognise(chat_template *out, chat_proof *p, size_t n_bos) {
    status st = STATUS_OK;
    for (chat_form form = CHAT_NO_FORM + 1; form < CHAT_FORMS; form++)
        for (int writes_bos = 0; writes_bos <= (n_bos > 0); writes_bos++)
            if (st == STATUS_OK && out->form == CHAT_NO_FORM)
                st = try_form(out, p, form, writes_bos ? n_bos : 0);
    return st;
}

/* ---- reading ---- */

static text_unit *units_of(const uint8_t *bytes, size_t n_bytes) {
    text_unit *units = malloc((n_bytes + 1) * sizeof *units);
    for (size_t i = 0; units && i < n_bytes; i++) units[i] = bytes[i];
    return units;
}

static status read_tree(chat_template *out, const template_tree *tree,
                        const chat_template_source *source) {
    text_unit *bos = units_of(source->bos, source->n_bos);
    text_unit *eos = units_of(source->eos, source->n_eos);
    chat_proof *p = NULL;
    if (bos && eos)
        p = chat_proof_new(tree, (template_text){bos, source->n_bos},
                           (template_text){eos, source->n_eos});
    status st = p ? recognise(out, p, source->n_bos) : STATUS_NO_MEMORY;
    if (p) chat_proof_free(&p);
    free(bos);
    free(eos);
    return st;
}

status chat_template_read(chat_template *out, const chat_template_source *source) {
    template_tree tree;
    *out = (chat_template){.form = CHAT_NO_FORM};
    if (source->n_text == 0) return STATUS_OK;
    status st = template_tree_read(&tree, source->text, source->n_text);
    if (st != STATUS_OK) return st;
    if (tree.is_read) st = read_tree(out, &tree, source);
    template_tree_free(&tree);
    return st;
}

void chat_template_clear(chat_template *t) {
    free(t->system.bytes);
    free(t->dates.bytes);
    t->system = t->dates = (chat_text){0};
}
