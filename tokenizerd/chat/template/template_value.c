#include "template_value.h"

#include <string.h>

#include "tokenizerd/chat/blanks.h"

static verdict verdict_of(bool holds) {
    return holds ? VERDICT_YES : VERDICT_NO;
}

static verdict opposite(verdict v) {
    return v == VERDICT_STRANGE ? v : verdict_of(v == VERDICT_NO);
}

static bool has_content(template_text text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.units[i] >= UNIT_CONTENT) return true;
    return false;
}

static bool text_equals(template_text a, template_text b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.units, b.units, a.n * sizeof *a.units) == 0);
}

static bool text_equals_word(template_text text, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i < text.n; i++)
        if (i == n || text.units[i] != (uint8_t)word[i]) return false;
    return text.n == n;
}

/* ---- numbers ---- */

static bool is_number(const template_value *v) {
    return v->kind == VALUE_INTEGER || v->kind == VALUE_POSITION || v->kind == VALUE_LENGTH;
}

static int32_t known_max(const template_value *v) {
    if (v->kind == VALUE_INTEGER) return INT32_MAX;
    return v->kind == VALUE_LENGTH ? v->known_max : KNOWN_COUNT_MAX;
}

/* A count is compared with a number up to which it is told apart. */
static verdict compare_numbers(template_comparison comparison, const template_value *a,
                               const template_value *b) {
    const template_value *constant = a->kind == VALUE_INTEGER ? a : b;
    const template_value *other = constant == a ? b : a;
    if (constant->kind != VALUE_INTEGER || constant->number > known_max(other))
        return VERDICT_STRANGE;
    switch (comparison) {
    case COMPARE_EQUAL: return verdict_of(a->number == b->number);
    case COMPARE_UNEQUAL: return verdict_of(a->number != b->number);
    case COMPARE_LESS: return verdict_of(a->number < b->number);
    case COMPARE_AT_MOST: return verdict_of(a->number <= b->number);
    case COMPARE_MORE: return verdict_of(a->number > b->number);
    case COMPARE_AT_LEAST: return verdict_of(a->number >= b->number);
    default: return VERDICT_STRANGE;
    }
}

/* ---- truth ---- */

/* A text with a byte is never empty; one of contents alone may be. */
static verdict text_truth(template_text text) {
    for (size_t i = 0; i < text.n; i++)
        if (text.units[i] < UNIT_CONTENT) return VERDICT_YES;
    return text.n == 0 ? VERDICT_NO : VERDICT_STRANGE;
}

verdict value_truth(const template_value *v) {
    switch (v->kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return VERDICT_NO;
    case VALUE_BOOL:
    case VALUE_INTEGER:
    case VALUE_POSITION: return verdict_of(v->number != 0);
    case VALUE_LENGTH: return v->known_max >= 0 ? verdict_of(v->number != 0) : VERDICT_STRANGE;
    case VALUE_TEXT: return text_truth(v->text);
    case VALUE_LIST: return verdict_of(v->list->right != NULL);
    case VALUE_MESSAGE: return VERDICT_YES;
    default: return VERDICT_STRANGE;
    }
}

/* ---- comparisons ---- */

static bool is_plain(const template_value *v) {
    return v->kind == VALUE_UNDEFINED || v->kind == VALUE_NONE || v->kind == VALUE_BOOL ||
           v->kind == VALUE_TEXT;
}

static verdict equal(const template_value *a, const template_value *b) {
    if (is_number(a) && is_number(b)) return compare_numbers(COMPARE_EQUAL, a, b);
    if (!is_plain(a) || !is_plain(b)) return VERDICT_STRANGE;
    if (a->kind != b->kind) return VERDICT_NO;
    if (a->kind != VALUE_TEXT) return verdict_of(a->number == b->number);
    if (has_content(a->text) || has_content(b->text)) return VERDICT_STRANGE;
    return verdict_of(text_equals(a->text, b->text));
}

static bool text_holds(template_text whole, template_text part) {
    for (size_t at = 0; part.n <= whole.n && at <= whole.n - part.n; at++)
        if (text_equals((template_text){whole.units + at, part.n}, part)) return true;
    return false;
}

static verdict contains(const template_value *whole, const template_value *part) {
    if (part->kind != VALUE_TEXT || has_content(part->text)) return VERDICT_STRANGE;
    if (whole->kind == VALUE_UNDEFINED) return VERDICT_NO;
    if (whole->kind == VALUE_MESSAGE)
        return verdict_of(text_equals_word(part->text, "role") ||
                          text_equals_word(part->text, "content"));
    if (whole->kind == VALUE_TEXT && !has_content(whole->text))
        return verdict_of(text_holds(whole->text, part->text));
    if (whole->kind != VALUE_LIST) return VERDICT_STRANGE;
    for (const template_node *n = whole->list->right; n; n = n->next)
        if (text_equals(n->text, part->text)) return VERDICT_YES;
    return VERDICT_NO;
}

verdict value_compare(template_comparison comparison, const template_value *left,
                      const template_value *right) {
    switch (comparison) {
    case COMPARE_EQUAL: return equal(left, right);
    case COMPARE_UNEQUAL: return opposite(equal(left, right));
    case COMPARE_IN: return contains(right, left);
    case COMPARE_NOT_IN: return opposite(contains(right, left));
    default:
        return is_number(left) && is_number(right) ? compare_numbers(comparison, left, right)
                                                   : VERDICT_STRANGE;
    }
}

/* ---- tests ---- */

verdict value_is(const template_value *v, template_name test) {
    bool is_scalar = v->kind == VALUE_NONE || v->kind == VALUE_BOOL || is_number(v);
    bool is_text = v->kind == VALUE_TEXT, is_message = v->kind == VALUE_MESSAGE;
    bool is_list = v->kind == VALUE_LIST || v->kind == VALUE_MESSAGES;
    if (v->kind == VALUE_STRANGE) return VERDICT_STRANGE;
    if (template_name_is(test, "defined")) return verdict_of(v->kind != VALUE_UNDEFINED);
    if (template_name_is(test, "undefined")) return verdict_of(v->kind == VALUE_UNDEFINED);
    if (template_name_is(test, "none")) return verdict_of(v->kind == VALUE_NONE);
    if (template_name_is(test, "string")) return verdict_of(is_text);
    if (!is_scalar && !is_text && !is_message && !is_list) return VERDICT_STRANGE;
    if (template_name_is(test, "mapping")) return verdict_of(is_message);
    if (template_name_is(test, "iterable") || template_name_is(test, "sequence"))
        return verdict_of(!is_scalar);
    return VERDICT_STRANGE;
}

/* ---- trimming ---- */

/* Bytes of the blanks at one end of a text; a character that a content follows is whole. */
static size_t blanks_at(template_text text, bool at_end) {
    size_t n_blanks = 0;
    while (n_blanks < text.n) {
        uint8_t window[4];
        size_t n = 0, n_left = text.n - n_blanks;
        for (; n < sizeof window && n < n_left; n++) {
            text_unit unit = at_end ? text.units[n_left - 1 - n] : text.units[n_blanks + n];
            if (unit >= UNIT_CONTENT) break;
            window[at_end ? sizeof window - 1 - n : n] = (uint8_t)unit;
        }
        size_t step = at_end ? blanks_at_end(window + sizeof window - n, n)
                             : blanks_at_start(window, n);
        if (step == 0) break;
        n_blanks += step;
    }
    return n_blanks;
}

template_value value_trimmed(const template_value *v, text_unit *unit) {
    template_value out = *v;
    if (v->kind != VALUE_TEXT) return (template_value){.kind = VALUE_STRANGE};
    out.text.n -= blanks_at(out.text, true);
    size_t before = blanks_at(out.text, false);
    out.text.units += before, out.text.n -= before;
    if (out.text.n == 0) return out;
    bool begins = out.text.units[0] >= UNIT_CONTENT;
    bool ends = out.text.units[out.text.n - 1] >= UNIT_CONTENT;
    if (!begins && !ends) return out;
    if (out.text.n > 1) return (template_value){.kind = VALUE_STRANGE};
    *unit = out.text.units[0] | UNIT_IS_TRIMMED;
    out.text.units = unit;
    return out;
}
