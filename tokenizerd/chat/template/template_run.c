/* Statements. */
#include "template_run.h"

#include <assert.h>

#include "template_machine.h"

static void run_body(template_machine *m, const template_node *first);

static void run_print(template_machine *m, const template_node *node) {
    template_value v = machine_evaluate(m, node->left);
    if (v.kind == VALUE_TEXT) machine_write(m, v.text);
    else if (v.kind != VALUE_UNDEFINED) machine_strange(m);
}

static void run_if(template_machine *m, const template_node *node) {
    verdict truth = machine_truth(m, node->left);
    if (truth == VERDICT_YES) run_body(m, node->body);
    if (truth == VERDICT_NO) run_body(m, node->other);
}

/* ---- variables ---- */

/* Jinja decides before it runs where a name is looked up: a name that it gives, if it is set after
 * a loop's body or `else`, is empty inside of that. */
static bool is_set_too_late(const template_machine *m, template_name name) {
    static const char *const given[] = {"messages", "add_generation_prompt", "bos_token",
                                        "eos_token", "tools", "documents", "raise_exception",
                                        "namespace"};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (m->had_frame && template_name_is(name, given[i])) return true;
    return false;
}

static void run_set(template_machine *m, const template_node *node) {
    bool is_macro = node->kind == NODE_MACRO;
    template_value v = is_macro ? (template_value){.kind = VALUE_STRANGE}
                                : machine_evaluate(m, node->left);
    if (v.kind == VALUE_LOOP || v.kind == VALUE_FUNCTION || is_set_too_late(m, node->name))
        machine_strange(m);
    machine_set(m, node->name, -1, v);
}

static void run_set_field(template_machine *m, const template_node *node) {
    const template_value *space = machine_find(m, node->name, -1);
    template_value v = machine_evaluate(m, node->left);
    if (!space || space->kind != VALUE_NAMESPACE) machine_strange(m);
    else machine_set(m, node->field, space->number, v);
}

/* ---- the loop ---- */

/* What the body sets is gone after it. */
static void run_framed(template_machine *m, const template_node *body) {
    m->had_frame = false;
    run_body(m, body);
    m->variables.n = m->frame;
    m->had_frame = true;
}

static void run_over_messages(template_machine *m, const template_node *node, int32_t from) {
    int32_t n_messages = (int32_t)m->talk->n_messages;
    size_t frame = m->frame;
    if (node->number != 0 || m->has_looped) machine_strange(m);
    m->in_loop = m->has_looped = true;
    m->loop_from = from;
    m->frame = m->variables.n;
    for (m->loop_at = 0; from + m->loop_at < n_messages; m->loop_at++) {
        if (m->outcome != TEMPLATE_WROTE) break;
        if (from + m->loop_at + 1 == n_messages) machine_keep_state(m);
        machine_set(m, node->name, -1,
                    (template_value){.kind = VALUE_MESSAGE, .number = from + m->loop_at});
        run_framed(m, node->body);
    }
    m->in_loop = false;
    m->frame = frame;
}

/* One loop goes over the messages, once; so each message is read in order, and what is known before
 * it is what the state says. */
static void run_for(template_machine *m, const template_node *node) {
    template_value v = machine_evaluate(m, node->left);
    bool is_empty = v.kind == VALUE_UNDEFINED || (v.kind == VALUE_LIST && !v.list->right) ||
                    (v.kind == VALUE_MESSAGES && v.number >= (int32_t)m->talk->n_messages);
    size_t frame = m->frame;
    if (is_empty && node->other) {
        m->frame = m->variables.n;
        run_framed(m, node->other);
        m->frame = frame;
    } else if (v.kind == VALUE_MESSAGES) {
        run_over_messages(m, node, v.number);
    } else if (!is_empty) {
        machine_strange(m);
    }
}

/* ---- all ---- */

static void run_statement(template_machine *m, const template_node *node) {
    switch (node->kind) {
    case NODE_PRINT: run_print(m, node); break;
    case NODE_IF: run_if(m, node); break;
    case NODE_FOR: run_for(m, node); break;
    case NODE_SET:
    case NODE_MACRO: run_set(m, node); break;
    case NODE_SET_FIELD: run_set_field(m, node); break;
    default: machine_strange(m);
    }
}

static void run_body(template_machine *m, const template_node *first) {
    if (!machine_enter(m)) return;
    for (const template_node *n = first; n && m->outcome == TEMPLATE_WROTE; n = n->next)
        run_statement(m, n);
    machine_leave(m);
}

template_outcome template_run(template_machine *m, const template_talk *talk) {
    assert(talk->n_messages > 0);
    machine_reset(m, talk);
    run_body(m, m->tree->body);
    return m->outcome;
}

template_text template_written(const template_machine *m) {
    return (template_text){m->written.units, m->written.n};
}

bool template_asked_for_tools(const template_machine *m) {
    return m->asked_for_tools;
}

template_state template_state_before_last(const template_machine *m) {
    return (template_state){m->state, m->n_state, m->n_written_before_last};
}
