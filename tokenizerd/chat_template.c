#include "chat_template.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/rt/text.h"

/* What stands in the outline of a template for all that is no text. */
enum { VALUE, IF, ELSE, ENDIF, OTHER, MARKS };

typedef struct range {          /* of the outline; empty: none */
    size_t begin, end;
} range;

/* A template becomes its outline: the texts that it writes as they would be written, VALUE for what
 * it computes, a mark for each statement. All that is looked for is looked for there. */
typedef struct outline {
    const uint8_t *text;        /* of the template */
    size_t n_text;
    uint8_t *bytes;             /* [n_bytes], never more than n_text */
    size_t n_bytes;
    range system, date;         /* texts that are set to variables of such a name */
} outline;

/* ---- values ---- */

static void put(outline *o, uint8_t byte) {
    assert(o->n_bytes < o->n_text);
    o->bytes[o->n_bytes++] = byte;
}

static void put_value_mark(outline *o) {
    if (o->n_bytes == 0 || o->bytes[o->n_bytes - 1] != VALUE) put(o, VALUE);
}

static void put_text_byte(outline *o, uint8_t byte) {
    if (byte < MARKS) put_value_mark(o);
    else put(o, byte);
}

static uint8_t unescaped(uint8_t letter) {
    return letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter;
}

/* The literal whose opening quote stands before `at`: what lies behind its closing one. */
static size_t read_literal(outline *o, size_t at, size_t end, uint8_t quote, bool is_written) {
    for (; at < end && o->text[at] != quote; at++) {
        uint8_t byte = o->text[at];
        if (byte == '\\' && at + 1 < end) byte = unescaped(o->text[++at]);
        if (is_written) put_text_byte(o, byte);
    }
    return at < end ? at + 1 : end;
}

/* Literals that are written one after the other are one text; what stands in brackets is
 * computed. */
static void put_expression(outline *o, size_t at, size_t end) {
    size_t depth = 0;
    while (at < end) {
        uint8_t byte = o->text[at++];
        if (byte == '\'' || byte == '"') {
            at = read_literal(o, at, end, byte, depth == 0);
            continue;
        }
        if (depth == 0 && (byte == '+' || byte == '~' || text_is_blank(byte))) continue;
        if (byte == '(' || byte == '[' || byte == '{') depth++;
        if ((byte == ')' || byte == ']' || byte == '}') && depth > 0) depth--;
        put_value_mark(o);
    }
}

/* ---- statements ---- */

static size_t skip_blanks(const outline *o, size_t at, size_t end) {
    while (at < end && text_is_blank(o->text[at])) at++;
    return at;
}

static size_t skip_word(const outline *o, size_t at, size_t end) {
    while (at < end && (o->text[at] == '_' || (o->text[at] >= '0' && o->text[at] <= '9') ||
                        ((o->text[at] | 0x20) >= 'a' && (o->text[at] | 0x20) <= 'z')))
        at++;
    return at;
}

static bool is_word(const outline *o, size_t begin, size_t end, const char *word) {
    return end - begin == strlen(word) && memcmp(o->text + begin, word, end - begin) == 0;
}

static void keep_first(const outline *o, range *kept, range value) {
    if (kept->end > kept->begin || value.begin == value.end) return;
    if (!memchr(o->bytes + value.begin, VALUE, value.end - value.begin)) *kept = value;
}

/* The texts that a variable is set to are written somewhere, too. */
static void put_assignment(outline *o, size_t at, size_t end) {
    size_t name = skip_blanks(o, at, end), name_end = skip_word(o, name, end);
    size_t equals = skip_blanks(o, name_end, end);
    put(o, OTHER);
    if (equals == end || o->text[equals] != '=') return;
    range value = {.begin = o->n_bytes};
    put_expression(o, equals + 1, end);
    value.end = o->n_bytes;
    put(o, OTHER);
    if (is_word(o, name, name_end, "date_string")) keep_first(o, &o->date, value);
    else if (is_word(o, name, name_end, "system_message") ||
             is_word(o, name, name_end, "default_system_message"))
        keep_first(o, &o->system, value);
}

static void put_statement(outline *o, size_t at, size_t end) {
    size_t word = skip_blanks(o, at, end), word_end = skip_word(o, word, end);
    if (is_word(o, word, word_end, "set")) put_assignment(o, word_end, end);
    else if (is_word(o, word, word_end, "if")) put(o, IF);
    else if (is_word(o, word, word_end, "else") || is_word(o, word, word_end, "elif")) put(o, ELSE);
    else put(o, is_word(o, word, word_end, "endif") ? ENDIF : OTHER);
}

/* ---- tags ---- */

typedef struct tag {
    size_t open, begin, end, close;     /* inside: begin … end; close: behind its last brace */
    uint8_t kind;               /* '{' an expression, '%' a statement, '#' a comment; 0: none */
    bool strips_before, keeps_before, strips_after;
} tag;

/* Behind the last byte of a tag's inside; braces in literals do not end it. */
static size_t tag_end(outline *o, size_t at, uint8_t kind) {
    uint8_t last = kind == '{' ? '}' : kind;
    while (at + 1 < o->n_text) {
        uint8_t byte = o->text[at];
        if (byte == last && o->text[at + 1] == '}') return at;
        at++;
        if (kind != '#' && (byte == '\'' || byte == '"'))
            at = read_literal(o, at, o->n_text, byte, false);
    }
    return o->n_text;
}

static tag next_tag(outline *o, size_t at) {
    for (; at + 1 < o->n_text; at++) {
        uint8_t kind = o->text[at + 1];
        if (o->text[at] == '{' && (kind == '{' || kind == '%' || kind == '#')) break;
    }
    if (at + 1 >= o->n_text) return (tag){.open = o->n_text, .close = o->n_text};
    tag t = {.open = at, .begin = at + 2, .kind = o->text[at + 1]};
    t.strips_before = t.begin < o->n_text && o->text[t.begin] == '-';
    t.keeps_before = t.begin < o->n_text && o->text[t.begin] == '+';
    if (t.strips_before || t.keeps_before) t.begin++;
    t.end = tag_end(o, t.begin, t.kind);
    t.close = t.end < o->n_text ? t.end + 2 : o->n_text;
    t.strips_after = t.end > t.begin && o->text[t.end - 1] == '-';
    if (t.strips_after) t.end--;
    return t;
}

/* The text between two tags as Jinja writes it with trim_blocks and lstrip_blocks, which is how
 * chat templates are meant: no newline after a statement, no indentation before one. */
static void put_text(outline *o, const tag *before, const tag *after) {
    size_t begin = before->close, end = after->open;
    if (before->strips_after) begin = skip_blanks(o, begin, end);
    else if ((before->kind == '%' || before->kind == '#') && begin < end && o->text[begin] == '\n')
        begin++;
    size_t kept = end;
    if (after->strips_before) {
        while (kept > begin && text_is_blank(o->text[kept - 1])) kept--;
    } else if ((after->kind == '%' || after->kind == '#') && !after->keeps_before) {
        while (kept > begin && (o->text[kept - 1] == ' ' || o->text[kept - 1] == '\t')) kept--;
        if (kept > 0 && o->text[kept - 1] != '\n') kept = end;
    }
    for (size_t at = begin; at < kept; at++) put_text_byte(o, o->text[at]);
}

static void outline_fill(outline *o) {
    tag before = {0};
    while (before.close < o->n_text) {
        tag next = next_tag(o, before.close);
        put_text(o, &before, &next);
        if (next.kind == '{') put_expression(o, next.begin, next.end);
        if (next.kind == '%') put_statement(o, next.begin, next.end);
        before = next;
    }
}

/* ---- what is looked for ---- */

#define NOWHERE SIZE_MAX

/* Where `what` begins at or behind `from`. */
static size_t find(const outline *o, const char *what, size_t n_bytes, size_t from) {
    const uint8_t *at = memmem(o->bytes + from, o->n_bytes - from, what, n_bytes);
    return at ? (size_t)(at - o->bytes) : NOWHERE;
}

static bool has(const outline *o, const char *what) {
    return find(o, what, strlen(what), 0) != NOWHERE;
}

static bool has_before_value(const outline *o, const char *what, const char *behind) {
    char whole[64];
    size_t n = strlen(what), m = strlen(behind);
    assert(n + 1 + m <= sizeof whole);
    memcpy(whole, what, n);
    whole[n] = VALUE;
    memcpy(whole + n + 1, behind, m);
    return find(o, whole, n + 1 + m, 0) != NOWHERE;
}

static bool mentions(const outline *o, const char *word) {
    return memmem(o->text, o->n_text, word, strlen(word)) != NULL;
}

static chat_form form_of(const outline *o) {
    if (has(o, "<|im_end|>") &&
        (has(o, "<|im_start|>assistant\n") || has_before_value(o, "<|im_start|>", "\n")))
        return CHAT_CHATML;
    if (has(o, "<|start_header_id|>") && has(o, "<|end_header_id|>\n\n") && has(o, "<|eot_id|>"))
        return CHAT_LLAMA3;
    bool is_marked = has(o, "<") || has(o, "[") || has(o, "\n\n") || mentions(o, "eos_token");
    bool is_plain = has_before_value(o, "User: ", "\n") && has(o, "Assistant:") && !is_marked;
    return is_plain ? CHAT_PLAIN : CHAT_NO_FORM;
}

static const char *const system_opens[CHAT_FORMS] = {
    [CHAT_CHATML] = "<|im_start|>system\n",
    [CHAT_LLAMA3] = "<|start_header_id|>system<|end_header_id|>\n\n",
};
static const char *const system_closes[CHAT_FORMS] = {
    [CHAT_CHATML] = "<|im_end|>",
    [CHAT_LLAMA3] = "<|eot_id|>",
};

/* The text from `begin` to the next mark or special token. */
static range text_at(const outline *o, size_t begin) {
    size_t end = begin;
    while (end < o->n_bytes && o->bytes[end] >= MARKS &&
           !(o->bytes[end] == '<' && end + 1 < o->n_bytes && o->bytes[end + 1] == '|'))
        end++;
    return (range){begin, end};
}

static bool is_at(const outline *o, size_t at, const char *what) {
    size_t n = strlen(what);
    return o->n_bytes - at >= n && memcmp(o->bytes + at, what, n) == 0;
}

/* Behind the header of a system message: if the conversation has one, its text, else another. */
static range text_of_branch(const outline *o, size_t at) {
    static const char branches[] = {IF, VALUE, ELSE};
    if (o->n_bytes - at < sizeof branches || memcmp(o->bytes + at, branches, sizeof branches) != 0)
        return (range){0};
    range text = text_at(o, at + sizeof branches);
    return text.end < o->n_bytes && o->bytes[text.end] == ENDIF ? text : (range){0};
}

/* A message that is written whole counts before one that is put together, and that before a
 * variable. */
static range system_of(const outline *o, chat_form form) {
    range found = {0};
    const char *open = system_opens[form];
    if (!open) return found;
    for (size_t at = 0; (at = find(o, open, strlen(open), at)) != NOWHERE;) {
        at += strlen(open);
        range text = text_at(o, at);
        if (text.end > text.begin && is_at(o, text.end, system_closes[form])) return text;
        if (found.end == found.begin) found = text_of_branch(o, at);
    }
    return found.end > found.begin ? found : o->system;
}

static status text_copy(chat_text *out, const outline *o, const range *ranges, size_t n_ranges,
                        const char *behind) {
    size_t n_bytes = strlen(behind), at = 0;
    for (size_t i = 0; i < n_ranges; i++) n_bytes += ranges[i].end - ranges[i].begin;
    out->bytes = malloc(n_bytes + 1);
    if (!out->bytes) return STATUS_NO_MEMORY;
    for (size_t i = 0; i < n_ranges; i++) {
        memcpy(out->bytes + at, o->bytes + ranges[i].begin, ranges[i].end - ranges[i].begin);
        at += ranges[i].end - ranges[i].begin;
    }
    memcpy(out->bytes + at, behind, strlen(behind));
    out->n_bytes = n_bytes;
    return STATUS_OK;
}

/* The lines "Cutting Knowledge Date: …" and "Today Date: …" with the date that the template itself
 * has, never a clock's: the same conversation gives the same ids for ever. */
static status dates_copy(chat_text *out, const outline *o) {
    static const char cutting[] = "Cutting Knowledge Date: ", today[] = "\nToday Date: ";
    size_t begin = find(o, cutting, sizeof cutting - 1, 0);
    if (begin == NOWHERE || o->date.end == o->date.begin) return STATUS_OK;
    size_t end = find(o, today, sizeof today - 1, begin);
    if (end == NOWHERE || text_at(o, begin).end < end) return STATUS_OK;
    const range parts[] = {{begin, end + sizeof today - 1}, o->date};
    return text_copy(out, o, parts, 2, "\n\n");
}

static status template_fill(chat_template *out, const outline *o) {
    status st = STATUS_OK;
    out->form = form_of(o);
    if (out->form == CHAT_NO_FORM) return st;
    out->writes_bos = mentions(o, "bos_token") || has(o, "<|begin_of_text|>");
    range system = system_of(o, out->form);
    if (system.end > system.begin) st = text_copy(&out->system, o, &system, 1, "");
    if (st == STATUS_OK && out->form == CHAT_LLAMA3) st = dates_copy(&out->dates, o);
    if (st != STATUS_OK) chat_template_clear(out);
    return st;
}

status chat_template_read(chat_template *out, const uint8_t *text, size_t n_bytes) {
    *out = (chat_template){.form = CHAT_NO_FORM};
    if (n_bytes == 0) return STATUS_OK;
    outline o = {.text = text, .n_text = n_bytes, .bytes = malloc(n_bytes)};
    if (!o.bytes) return STATUS_NO_MEMORY;
    outline_fill(&o);
    status st = template_fill(out, &o);
    free(o.bytes);
    return st;
}

void chat_template_clear(chat_template *t) {
    free(t->system.bytes);
    free(t->dates.bytes);
    t->system = t->dates = (chat_text){0};
}
