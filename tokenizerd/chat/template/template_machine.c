#include "template_machine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS_OF_STEP = 8 };

template_machine *template_machine_new(const template_tree *tree, template_text bos,
                                       template_text eos) {
    assert(tree->is_read);
    template_machine *m = malloc(sizeof *m);
    if (!m) return NULL;
    m->tree = tree;
    m->bos = bos, m->eos = eos;
    m->n_steps_left = TEMPLATE_STEPS_MAX;
    return m;
}

void template_machine_free(template_machine **m) {
    free(*m);
    *m = NULL;
}

void machine_reset(template_machine *m, const template_talk *talk) {
    m->talk = talk;
    m->outcome = TEMPLATE_WROTE;
    m->depth = m->variables.n = m->fields.n = m->frame = 0;
    m->n_namespaces = m->loop_from = m->loop_at = 0;
    m->in_loop = m->has_looped = m->had_frame = m->asked_for_tools = false;
    m->written.n = m->made.n = m->n_state = m->n_written_before_last = 0;
}

template_value machine_strange(template_machine *m) {
    if (m->outcome == TEMPLATE_WROTE) m->outcome = TEMPLATE_STRANGE;
    return (template_value){.kind = VALUE_STRANGE};
}

static void take_steps(template_machine *m, size_t n) {
    if (n > m->n_steps_left) machine_strange(m);
    else m->n_steps_left -= n;
}

void machine_take_units(template_machine *m, size_t n) {
    take_steps(m, n / UNITS_OF_STEP);
}

bool machine_enter(template_machine *m) {
    take_steps(m, 1);
    if (m->depth == TEMPLATE_DEPTH_MAX) machine_strange(m);
    if (m->outcome != TEMPLATE_WROTE) return false;
    m->depth++;
    return true;
}

void machine_leave(template_machine *m) {
    m->depth--;
}

/* ---- variables ---- */

static template_variable *find_from(template_store *s, size_t first, template_name name,
                                    int32_t space) {
    for (size_t i = s->n; i > first; i--)
        if (s->items[i - 1].space == space && template_names_equal(s->items[i - 1].name, name))
            return &s->items[i - 1];
    return NULL;
}

const template_value *machine_find(const template_machine *m, template_name name, int32_t space) {
    const template_store *s = space < 0 ? &m->variables : &m->fields;
    const template_variable *found = find_from((template_store *)s, 0, name, space);
    return found ? &found->value : NULL;
}

/* What a loop's body sets is gone with its turn; a field stays. */
void machine_set(template_machine *m, template_name name, int32_t space, template_value value) {
    template_store *s = space < 0 ? &m->variables : &m->fields;
    template_variable *at = find_from(s, space < 0 ? m->frame : 0, name, space);
    if (m->outcome != TEMPLATE_WROTE) return;
    if (!at && s->n == TEMPLATE_VARIABLES_MAX) {
        machine_strange(m);
        return;
    }
    if (!at) at = &s->items[s->n++];
    *at = (template_variable){name, space, value};
}

/* ---- texts ---- */

/* n units more, not yet filled; NULL: no room. */
static text_unit *room(template_machine *m, template_texts *t, size_t n) {
    machine_take_units(m, n);
    if (n > TEMPLATE_TEXT_UNITS_MAX - t->n) machine_strange(m);
    if (m->outcome != TEMPLATE_WROTE) return NULL;
    t->n += n;
    return t->units + t->n - n;
}

static void copy(text_unit *out, template_text text) {
    if (text.n > 0) memcpy(out, text.units, text.n * sizeof *out);
}

void machine_write(template_machine *m, template_text text) {
    text_unit *out = room(m, &m->written, text.n);
    if (out) copy(out, text);
}

template_value machine_join(template_machine *m, template_text a, template_text b) {
    text_unit *out = room(m, &m->made, a.n + b.n);
    if (!out) return machine_strange(m);
    copy(out, a);
    copy(out + a.n, b);
    return (template_value){.kind = VALUE_TEXT, .text = {out, a.n + b.n}};
}

text_unit *machine_unit(template_machine *m) {
    return room(m, &m->made, 1);
}

/* ---- what is known ---- */

static void keep(template_machine *m, const void *bytes, size_t n_bytes) {
    machine_take_units(m, n_bytes);
    if (n_bytes > sizeof m->state - m->n_state) machine_strange(m);
    if (m->outcome != TEMPLATE_WROTE) return;
    if (n_bytes > 0) memcpy(m->state + m->n_state, bytes, n_bytes);
    m->n_state += n_bytes;
}

static void keep_number(template_machine *m, size_t number) {
    keep(m, &number, sizeof number);
}

static void keep_text(template_machine *m, template_text text) {
    keep_number(m, text.n);
    keep(m, text.units, text.n * sizeof *text.units);
}

static void keep_store(template_machine *m, const template_store *s) {
    keep_number(m, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const template_value *v = &s->items[i].value;
        keep_number(m, s->items[i].name.n);
        keep(m, s->items[i].name.bytes, s->items[i].name.n);
        keep_number(m, (size_t)s->items[i].space);
        keep_number(m, v->kind);
        keep_number(m, (size_t)v->number);
        keep_number(m, (size_t)v->known_max);
        keep_number(m, (size_t)(uintptr_t)v->list);
        keep_text(m, v->text);
    }
}

static size_t at_most(size_t number, size_t max) {
    return number < max ? number : max;
}

/* All that the rest of the run can depend on: what is known of the messages, of their number and of
 * the position, and all that was set. */
void machine_keep_state(template_machine *m) {
    const template_talk *t = m->talk;
    keep_number(m, at_most(t->n_messages, KNOWN_COUNT_MAX + 1));
    for (size_t i = 0; i < t->n_messages && i < KNOWN_MESSAGES; i++) keep_text(m, t->roles[i]);
    keep_number(m, (size_t)m->loop_from);
    keep_number(m, at_most((size_t)m->loop_at, KNOWN_COUNT_MAX + 1));
    keep_number(m, (size_t)m->loop_at % 2);
    keep_store(m, &m->variables);
    keep_store(m, &m->fields);
    m->n_written_before_last = m->written.n;
}
