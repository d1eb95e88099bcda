/* Expressions. */
#include <string.h>

#include "template_machine.h"

static template_value of_number(template_value_kind kind, int32_t number) {
    return (template_value){.kind = kind, .number = number};
}

static template_value undefined(void) {
    return of_number(VALUE_UNDEFINED, 0);
}

static template_value of_text(template_text text) {
    return (template_value){.kind = VALUE_TEXT, .text = text};
}

static template_value of_verdict(template_machine *m, verdict v) {
    return v == VERDICT_STRANGE ? machine_strange(m) : of_number(VALUE_BOOL, v == VERDICT_YES);
}

static bool is_one_of(template_name name, const char *const *words, size_t n_words) {
    for (size_t i = 0; i < n_words; i++)
        if (template_name_is(name, words[i])) return true;
    return false;
}

#define IS_ONE_OF(name, words) is_one_of(name, words, sizeof(words) / sizeof *(words))

static verdict truth_of(template_machine *m, const template_value *v) {
    machine_take_units(m, v->text.n);
    if (v->kind != VALUE_MESSAGES) return value_truth(v);
    return (size_t)v->number < m->talk->n_messages ? VERDICT_YES : VERDICT_NO;
}

verdict machine_truth(template_machine *m, const template_node *node) {
    template_value v = machine_evaluate(m, node);
    verdict truth = truth_of(m, &v);
    if (truth == VERDICT_STRANGE) machine_strange(m);
    return m->outcome == TEMPLATE_WROTE ? truth : VERDICT_STRANGE;
}

/* ---- names ---- */

/* strftime_now counts as undefined, so that a template which has a date of its own writes that. */
static template_value evaluate_name(template_machine *m, template_name name) {
    static const char *const tools[] = {"tools", "documents"};
    static const char *const functions[] = {"raise_exception", "namespace", "range", "dict",
                                            "lipsum", "cycler", "joiner"};
    static const char *const others[] = {"unk_token", "sep_token", "pad_token", "cls_token",
                                         "mask_token", "additional_special_tokens", "self"};
    const template_value *set = machine_find(m, name, -1);
    if (set) return set->kind == VALUE_STRANGE ? machine_strange(m) : *set;
    if (m->in_loop && template_name_is(name, "loop")) return of_number(VALUE_LOOP, 0);
    if (template_name_is(name, "messages")) return of_number(VALUE_MESSAGES, 0);
    if (template_name_is(name, "add_generation_prompt")) return of_number(VALUE_BOOL, 1);
    if (template_name_is(name, "bos_token")) return of_text(m->bos);
    if (template_name_is(name, "eos_token")) return of_text(m->eos);
    if (IS_ONE_OF(name, functions)) return of_number(VALUE_FUNCTION, 0);
    if (IS_ONE_OF(name, others)) return machine_strange(m);
    if (!IS_ONE_OF(name, tools)) return undefined();
    m->asked_for_tools = true;
    return m->talk->tools_are_none ? of_number(VALUE_NONE, 0) : undefined();
}

/* ---- parts of values ---- */

/* A message has a role and a content, and the methods of Python's dict. */
static template_value message_field(template_machine *m, int32_t message, template_name name) {
    static const char *const methods[] = {"clear", "copy", "fromkeys", "get", "items", "keys",
                                          "pop", "popitem", "setdefault", "update", "values"};
    if (template_name_is(name, "role")) return of_text(m->talk->roles[message]);
    if (template_name_is(name, "content")) {
        text_unit *unit = machine_unit(m);
        if (!unit) return machine_strange(m);
        *unit = (text_unit)(UNIT_CONTENT + UNITS_OF_CONTENT * message);
        return of_text((template_text){unit, 1});
    }
    if (IS_ONE_OF(name, methods) || (name.n > 0 && name.bytes[0] == '_')) return machine_strange(m);
    return undefined();
}

static template_value loop_field(template_machine *m, template_name name) {
    size_t message = (size_t)(m->loop_from + m->loop_at);
    if (template_name_is(name, "first")) return of_number(VALUE_BOOL, m->loop_at == 0);
    if (template_name_is(name, "last"))
        return of_number(VALUE_BOOL, message + 1 == m->talk->n_messages);
    if (template_name_is(name, "index0")) return of_number(VALUE_POSITION, m->loop_at);
    if (template_name_is(name, "index")) return of_number(VALUE_POSITION, m->loop_at + 1);
    return machine_strange(m);
}

static template_value field_of(template_machine *m, const template_value *v, template_name name) {
    if (v->kind == VALUE_MESSAGE) return message_field(m, v->number, name);
    if (v->kind == VALUE_LOOP) return loop_field(m, name);
    if (v->kind != VALUE_NAMESPACE) return machine_strange(m);
    const template_value *set = machine_find(m, name, v->number);
    if (!set) return undefined();
    return set->kind == VALUE_STRANGE ? machine_strange(m) : *set;
}

/* The number of a message that is counted from where the messages begin; -1: that is strange. */
static int32_t message_at(const template_value *messages, const template_value *index) {
    bool is_known = messages->kind == VALUE_MESSAGES && index->kind == VALUE_INTEGER &&
                    index->number >= 0 && index->number <= KNOWN_MESSAGES;
    return is_known ? messages->number + index->number : -1;
}

static template_value evaluate_item(template_machine *m, const template_node *node) {
    template_value whole = machine_evaluate(m, node->left);
    if (whole.kind == VALUE_MESSAGE && node->right->kind == NODE_TEXT) {
        uint8_t name[64];
        size_t n = node->right->text.n;
        if (n > sizeof name) return machine_strange(m);
        for (size_t i = 0; i < n; i++) name[i] = (uint8_t)node->right->text.units[i];
        return message_field(m, whole.number, (template_name){name, n});
    }
    template_value index = machine_evaluate(m, node->right);
    int32_t message = message_at(&whole, &index);
    if (message < 0 || message >= KNOWN_MESSAGES) return machine_strange(m);
    if ((size_t)message >= m->talk->n_messages) return undefined();
    return of_number(VALUE_MESSAGE, message);
}

static template_value evaluate_slice(template_machine *m, const template_node *node) {
    template_value whole = machine_evaluate(m, node->left), from = machine_evaluate(m, node->right);
    int32_t message = message_at(&whole, &from), n_messages = (int32_t)m->talk->n_messages;
    if (message < 0 || message > KNOWN_MESSAGES) return machine_strange(m);
    return of_number(VALUE_MESSAGES, message < n_messages ? message : n_messages);
}

/* ---- operators ---- */

static template_value evaluate_logic(template_machine *m, const template_node *node) {
    template_value left = machine_evaluate(m, node->left);
    verdict truth = truth_of(m, &left);
    if (truth == VERDICT_STRANGE) return machine_strange(m);
    bool decides = (truth == VERDICT_YES) == (node->kind == NODE_OR);
    return decides ? left : machine_evaluate(m, node->right);
}

static template_value evaluate_not(template_machine *m, const template_node *node) {
    verdict truth = machine_truth(m, node->left);
    return truth == VERDICT_STRANGE ? machine_strange(m)
                                    : of_number(VALUE_BOOL, truth == VERDICT_NO);
}

static template_value evaluate_comparison(template_machine *m, const template_node *node) {
    template_value left = machine_evaluate(m, node->left), right = machine_evaluate(m, node->right);
    bool searches = node->comparison == COMPARE_IN || node->comparison == COMPARE_NOT_IN;
    size_t n_places = right.kind == VALUE_TEXT ? right.text.n : TEMPLATE_LIST_MAX;
    machine_take_units(m, searches ? left.text.n * n_places : left.text.n + right.text.n);
    if (m->outcome != TEMPLATE_WROTE) return machine_strange(m);
    return of_verdict(m, value_compare(node->comparison, &left, &right));
}

static template_value evaluate_choice(template_machine *m, const template_node *node) {
    verdict truth = machine_truth(m, node->left);
    if (truth == VERDICT_STRANGE) return machine_strange(m);
    if (truth == VERDICT_YES) return machine_evaluate(m, node->right);
    return node->other ? machine_evaluate(m, node->other) : undefined();
}

/* What is undefined can be joined, not added. */
static template_value evaluate_sum(template_machine *m, const template_node *node) {
    template_value left = machine_evaluate(m, node->left), right = machine_evaluate(m, node->right);
    const template_value *both[] = {&left, &right};
    for (size_t i = 0; i < 2; i++) {
        bool is_nothing = both[i]->kind == VALUE_UNDEFINED && node->kind == NODE_JOIN;
        if (both[i]->kind != VALUE_TEXT && !is_nothing) return machine_strange(m);
    }
    return machine_join(m, left.text, right.text);
}

static template_value evaluate_modulo(template_machine *m, const template_node *node) {
    template_value left = machine_evaluate(m, node->left), right = machine_evaluate(m, node->right);
    bool is_known = left.kind == VALUE_POSITION && right.kind == VALUE_INTEGER && right.number == 2;
    return is_known ? of_number(VALUE_INTEGER, left.number % 2) : machine_strange(m);
}

/* ---- filters and calls ---- */

static template_value trimmed(template_machine *m, const template_value *v) {
    machine_take_units(m, v->text.n);
    text_unit *unit = machine_unit(m);
    if (!unit) return machine_strange(m);
    template_value out = value_trimmed(v, unit);
    return out.kind == VALUE_STRANGE ? machine_strange(m) : out;
}

static template_value length_of(template_machine *m, const template_value *v) {
    int32_t n = 0;
    if (v->kind == VALUE_LIST)
        for (const template_node *element = v->list->right; element; element = element->next) n++;
    if (v->kind == VALUE_LIST || v->kind == VALUE_UNDEFINED) return of_number(VALUE_INTEGER, n);
    if (v->kind != VALUE_MESSAGES) return machine_strange(m);
    int32_t known_max = KNOWN_COUNT_MAX - v->number;
    n = (int32_t)m->talk->n_messages - v->number;
    template_value length = of_number(VALUE_LENGTH, n <= known_max ? n : known_max + 1);
    length.known_max = known_max;
    return length;
}

static template_value evaluate_filter(template_machine *m, const template_node *node) {
    static const char *const lengths[] = {"length", "count"}, *const defaults[] = {"default", "d"};
    const template_node *argument = node->right;
    template_value v = machine_evaluate(m, node->left);
    if (argument && IS_ONE_OF(node->name, defaults)) {
        if (argument->kind != NODE_ARGUMENT || argument->name.n > 0 || argument->next)
            return machine_strange(m);
        template_value other = machine_evaluate(m, argument->left);
        return v.kind == VALUE_UNDEFINED ? other : v;
    }
    if (argument) return machine_strange(m);
    if (template_name_is(node->name, "trim")) return trimmed(m, &v);
    if (IS_ONE_OF(node->name, lengths)) return length_of(m, &v);
    if (template_name_is(node->name, "string") && v.kind == VALUE_TEXT) return v;
    return machine_strange(m);
}

static template_value make_namespace(template_machine *m, const template_node *argument) {
    int32_t space = m->n_namespaces++;
    for (; argument; argument = argument->next) {
        if (argument->kind != NODE_ARGUMENT || argument->name.n == 0) return machine_strange(m);
        machine_set(m, argument->name, space, machine_evaluate(m, argument->left));
    }
    return of_number(VALUE_NAMESPACE, space);
}

static template_value evaluate_call(template_machine *m, const template_node *node) {
    const template_node *callee = node->left;
    if (callee->kind == NODE_FIELD && template_name_is(callee->name, "strip") && !node->right) {
        template_value text = machine_evaluate(m, callee->left);
        return trimmed(m, &text);
    }
    template_value function = machine_evaluate(m, callee);
    if (function.kind != VALUE_FUNCTION || callee->kind != NODE_NAME) return machine_strange(m);
    if (template_name_is(callee->name, "namespace")) return make_namespace(m, node->right);
    bool has_reason = node->right && node->right->kind == NODE_ARGUMENT && !node->right->next;
    bool refuses = template_name_is(callee->name, "raise_exception") && has_reason;
    if (refuses && m->outcome == TEMPLATE_WROTE) m->outcome = TEMPLATE_REFUSED;
    return machine_strange(m);
}

static template_value evaluate_test(template_machine *m, const template_node *node) {
    if (node->right) return machine_strange(m);
    template_value v = machine_evaluate(m, node->left);
    return of_verdict(m, value_is(&v, node->name));
}

/* ---- all ---- */

static template_value evaluate(template_machine *m, const template_node *node) {
    switch (node->kind) {
    case NODE_TEXT: return of_text(node->text);
    case NODE_INTEGER: return of_number(VALUE_INTEGER, node->number);
    case NODE_TRUE: return of_number(VALUE_BOOL, 1);
    case NODE_FALSE: return of_number(VALUE_BOOL, 0);
    case NODE_NONE: return of_number(VALUE_NONE, 0);
    case NODE_LIST: return (template_value){.kind = VALUE_LIST, .list = node};
    case NODE_NAME: return evaluate_name(m, node->name);
    case NODE_FIELD: {
        template_value whole = machine_evaluate(m, node->left);
        return field_of(m, &whole, node->name);
    }
    case NODE_ITEM: return evaluate_item(m, node);
    case NODE_SLICE: return evaluate_slice(m, node);
    case NODE_NOT: return evaluate_not(m, node);
    case NODE_AND:
    case NODE_OR: return evaluate_logic(m, node);
    case NODE_COMPARE: return evaluate_comparison(m, node);
    case NODE_CHOICE: return evaluate_choice(m, node);
    case NODE_ADD:
    case NODE_JOIN: return evaluate_sum(m, node);
    case NODE_MODULO: return evaluate_modulo(m, node);
    case NODE_FILTER: return evaluate_filter(m, node);
    case NODE_TEST: return evaluate_test(m, node);
    case NODE_CALL: return evaluate_call(m, node);
    default: return machine_strange(m);
    }
}

template_value machine_evaluate(template_machine *m, const template_node *node) {
    if (!machine_enter(m)) return machine_strange(m);
    template_value v = evaluate(m, node);
    machine_leave(m);
    return m->outcome == TEMPLATE_WROTE ? v : machine_strange(m);
}
