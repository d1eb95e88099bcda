#include "template_lexer.h"

#include <string.h>

#include "tokenizerd/chat/blanks.h"

size_t template_lines(const uint8_t *text, size_t n_bytes, uint8_t *out) {
    size_t n = 0;
    for (size_t at = 0; at < n_bytes; at++) {
        out[n++] = text[at] == '\r' ? '\n' : text[at];
        if (text[at] == '\r' && at + 1 < n_bytes && text[at + 1] == '\n') at++;
    }
    return n > 0 && out[n - 1] == '\n' ? n - 1 : n;
}

static bool is_at(const template_lexer *l, size_t at, const char *what) {
    size_t n = strlen(what);
    return l->n_bytes - at >= n && memcmp(l->text + at, what, n) == 0;
}

static template_token token_to(template_lexer *l, template_token_kind kind, size_t end) {
    template_token t = {kind, l->text + l->at, end - l->at};
    l->at = end;
    return t;
}

static template_token bad(const template_lexer *l) {
    return (template_token){LEX_BAD, l->text + l->at, 0};
}

/* ---- outside of tags ---- */

static size_t tag_open(const template_lexer *l) {
    for (size_t at = l->at; at + 1 < l->n_bytes; at++) {
        uint8_t kind = l->text[at + 1];
        if (l->text[at] == '{' && (kind == '{' || kind == '%' || kind == '#')) return at;
    }
    return l->n_bytes;
}

/* Where the text before a tag ends, without what the tag strips. */
static size_t data_end(const template_lexer *l, size_t open) {
    const uint8_t *text = l->text + l->at;
    size_t n = open - l->at, line = n;
    uint8_t sign = open + 2 < l->n_bytes ? l->text[open + 2] : 0;
    if (sign == '-') return open - blanks_at_end(text, n);
    if (sign == '+' || l->text[open + 1] == '{') return open;
    while (line > 0 && text[line - 1] != '\n') line--;
    bool begins_line = line > 0 || l->at == 0 || l->text[l->at - 1] == '\n';
    return begins_line && blanks_at_start(text + line, n - line) == n - line ? l->at + line : open;
}

/* Past the tag end that begins at `at`, and past what it strips. */
static size_t after_tag(const template_lexer *l, size_t at, bool trims_newline) {
    uint8_t sign = l->text[at];
    at += sign == '-' || sign == '+' ? 3 : 2;
    if (sign == '-') return at + blanks_at_start(l->text + at, l->n_bytes - at);
    return trims_newline && sign != '+' && at < l->n_bytes && l->text[at] == '\n' ? at + 1 : at;
}

/* Past the comment whose inside begins at `at`; SIZE_MAX: it has no end. */
static size_t after_comment(const template_lexer *l, size_t at) {
    const uint8_t *end = memmem(l->text + at, l->n_bytes - at, "#}", 2);
    if (!end) return SIZE_MAX;
    size_t close = (size_t)(end - l->text);
    bool signed_close = close > at && (l->text[close - 1] == '-' || l->text[close - 1] == '+');
    return after_tag(l, signed_close ? close - 1 : close, true);
}

static size_t after_sign(const template_lexer *l, size_t at) {
    return at < l->n_bytes && (l->text[at] == '-' || l->text[at] == '+') ? at + 1 : at;
}

static template_token next_outside(template_lexer *l) {
    for (;;) {
        size_t open = tag_open(l), end = open < l->n_bytes ? data_end(l, open) : open;
        if (end > l->at) {
            template_token t = token_to(l, LEX_DATA, end);
            l->at = open;
            return t;
        }
        l->at = open;
        if (open == l->n_bytes) return token_to(l, LEX_END, open);
        uint8_t kind = l->text[open + 1];
        size_t inside = after_sign(l, open + 2);
        if (kind != '#') {
            l->tag = kind;
            return token_to(l, kind == '{' ? LEX_PRINT_BEGIN : LEX_BLOCK_BEGIN, inside);
        }
        size_t after = after_comment(l, inside);
        if (after == SIZE_MAX) return bad(l);
        l->at = after;
    }
}

/* ---- inside ---- */

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte) {
    return byte == '_' || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static size_t word_end(const template_lexer *l, size_t at) {
    while (at < l->n_bytes && (is_letter(l->text[at]) || is_digit(l->text[at]))) at++;
    return at;
}

/* Whole numbers in decimal, and fractions, which nobody reads; every other spelling is bad. */
static template_token next_number(template_lexer *l) {
    size_t end = l->at;
    bool after_dot = l->at > 0 && l->text[l->at - 1] == '.', is_whole = true;
    while (end < l->n_bytes && is_digit(l->text[end])) end++;
    if (!after_dot && end + 1 < l->n_bytes && l->text[end] == '.' && is_digit(l->text[end + 1])) {
        is_whole = false;
        for (end++; end < l->n_bytes && is_digit(l->text[end]);) end++;
    }
    bool leads_zero = l->text[l->at] == '0' && end > l->at + 1 && is_whole;
    if (leads_zero || word_end(l, end) > end) return bad(l);
    return token_to(l, is_whole ? LEX_INTEGER : LEX_FLOAT, end);
}

static template_token next_string(template_lexer *l) {
    uint8_t quote = l->text[l->at];
    size_t end = l->at + 1;
    while (end < l->n_bytes && l->text[end] != quote) end += l->text[end] == '\\' ? 2 : 1;
    if (end >= l->n_bytes) return bad(l);
    template_token t = {LEX_STRING, l->text + l->at + 1, end - l->at - 1};
    l->at = end + 1;
    return t;
}

static bool brackets_follow(template_lexer *l, uint8_t byte) {
    static const char openers[] = "([{", closers[] = ")]}";
    const char *opener = strchr(openers, byte);
    if (opener) {
        if (l->n_closers == TEMPLATE_BRACKETS_MAX) return false;
        l->closers[l->n_closers++] = (uint8_t)closers[opener - openers];
    } else if (strchr(closers, byte)) {
        return l->n_closers > 0 && l->closers[--l->n_closers] == byte;
    }
    return true;
}

static template_token next_operator(template_lexer *l) {
    static const char *const pairs[] = {"//", "**", "==", "!=", ">=", "<="};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (is_at(l, l->at, pairs[i])) return token_to(l, LEX_OPERATOR, l->at + 2);
    uint8_t byte = l->text[l->at];
    if (byte == 0 || !strchr("+-/*%~[](){}><=.:|,;", byte) || !brackets_follow(l, byte))
        return bad(l);
    return token_to(l, LEX_OPERATOR, l->at + 1);
}

/* Does the tag end here? An open bracket keeps it open. */
static bool ends_here(const template_lexer *l) {
    const char *const ends[] = {"}}", "-}}", "%}", "-%}", "+%}"};
    if (l->n_closers > 0) return false;
    for (size_t i = l->tag == '{' ? 0 : 2; i < (l->tag == '{' ? 2u : 5u); i++)
        if (is_at(l, l->at, ends[i])) return true;
    return false;
}

template_token template_lexer_next(template_lexer *l) {
    if (!l->tag) return next_outside(l);
    l->at += blanks_at_start(l->text + l->at, l->n_bytes - l->at);
    if (l->at == l->n_bytes) return bad(l);
    if (ends_here(l)) {
        template_token_kind kind = l->tag == '%' ? LEX_BLOCK_END : LEX_PRINT_END;
        l->tag = 0;
        return token_to(l, kind, after_tag(l, l->at, kind == LEX_BLOCK_END));
    }
    uint8_t byte = l->text[l->at];
    if (is_letter(byte)) return token_to(l, LEX_NAME, word_end(l, l->at));
    if (is_digit(byte)) return next_number(l);
    if (byte == '\'' || byte == '"') return next_string(l);
    return next_operator(l);
}
