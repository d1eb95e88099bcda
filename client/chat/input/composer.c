#include "composer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"

static const char quotes[] = "\"\"\"";
enum { N_QUOTES = sizeof quotes - 1 };

struct composer {
    size_t n_bytes_max;
    buffer text;                /* of the message so far, a newline after each line that is done */
    bool is_open, is_quoted;
    bool is_line;               /* one line and no marks so far */
    bool spoiled;               /* what is left of the message is not kept */
};

composer *composer_new(size_t n_bytes_max) {
    composer *c = calloc(1, sizeof *c);
    if (c) c->n_bytes_max = n_bytes_max;
    return c;
}

void composer_free(composer **c) {
    if (!*c) return;
    buffer_clear(&(*c)->text);
    free(*c);
    *c = NULL;
}

bool composer_is_open(const composer *c) {
    return c->is_open;
}

bool composer_is_quoted(const composer *c) {
    return c->is_open && c->is_quoted;
}

void composer_drop(composer *c) {
    *c = (composer){.n_bytes_max = c->n_bytes_max, .text = c->text};
    buffer_drop(&c->text, c->text.n_bytes);
}

void composer_close(composer *c) {
    c->is_open = false;
}

static void spoil(composer *c) {
    buffer_drop(&c->text, c->text.n_bytes);
    c->spoiled = true;
}

void composer_spoil(composer *c) {
    if (c->is_open) spoil(c);
}

static composer_outcome keep(composer *c, const char *text, size_t n_bytes) {
    if (c->spoiled) return COMPOSER_MORE;
    composer_outcome outcome = COMPOSER_MORE;
    if (n_bytes > c->n_bytes_max - c->text.n_bytes) outcome = COMPOSER_TOO_LONG;
    else if (buffer_add(&c->text, text, n_bytes) != STATUS_OK) outcome = COMPOSER_NO_MEMORY;
    if (outcome != COMPOSER_MORE) spoil(c);
    return outcome;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool ends_with(const char *text, size_t n_bytes, const char *mark, size_t n_mark) {
    return n_bytes >= n_mark && memcmp(text + n_bytes - n_mark, mark, n_mark) == 0;
}

static size_t blanks_at_beginning(const char *text, size_t n_bytes) {
    size_t n = 0;
    while (n < n_bytes && is_blank(text[n])) n++;
    return n;
}

static size_t without_blanks_at_end(const char *text, size_t n_bytes) {
    while (n_bytes > 0 && is_blank(text[n_bytes - 1])) n_bytes--;
    return n_bytes;
}

/* A line of a message in quotes; whether it is the last one. */
static bool cut_end_of_quotes(const char *text, size_t *n_bytes) {
    size_t n = without_blanks_at_end(text, *n_bytes);
    if (!ends_with(text, n, quotes, N_QUOTES)) return false;
    *n_bytes = n - N_QUOTES;
    return true;
}

/* Take the marks from a line that somebody typed; whether the message goes on after it. */
static bool cut_marks(composer *c, bool is_first, const char **text, size_t *n_bytes) {
    if (*n_bytes > 0 && (*text)[*n_bytes - 1] == '\r') --*n_bytes;
    size_t n_blanks = blanks_at_beginning(*text, *n_bytes);
    if (is_first && *n_bytes - n_blanks >= N_QUOTES &&
        memcmp(*text + n_blanks, quotes, N_QUOTES) == 0) {
        *text += n_blanks + N_QUOTES;
        *n_bytes -= n_blanks + N_QUOTES;
        c->is_quoted = true;
        c->is_line = false;
    }
    if (c->is_quoted) return !cut_end_of_quotes(*text, n_bytes);
    if (!ends_with(*text, *n_bytes, "\\", 1)) return false;
    --*n_bytes;
    return true;
}

composer_outcome composer_add(composer *c, line_kind kind, const char *text, size_t n_bytes) {
    const bool is_first = !c->is_open;
    if (is_first) composer_drop(c);
    const bool has_lines = n_bytes > 0 && memchr(text, '\n', n_bytes);
    c->is_line = is_first && !has_lines;
    bool goes_on = kind == LINE_GOES_ON || c->is_quoted;
    if (kind == LINE_TYPED && !has_lines) goes_on = cut_marks(c, is_first, &text, &n_bytes);
    if (goes_on) c->is_line = false;
    c->is_open = goes_on;
    composer_outcome outcome = keep(c, text, n_bytes);
    if (outcome == COMPOSER_MORE && goes_on) outcome = keep(c, "\n", 1);
    return outcome == COMPOSER_MORE && !goes_on ? COMPOSER_WHOLE : outcome;
}

composed composer_take(composer *c) {
    assert(!c->is_open);
    if (buffer_add(&c->text, "", 1) != STATUS_OK) return (composed){.text = ""};
    char *text = c->text.bytes;
    size_t n_bytes = c->text.n_bytes - 1;
    while (n_bytes > 0 && (is_blank(text[n_bytes - 1]) || text[n_bytes - 1] == '\n')) n_bytes--;
    size_t n_left_out = 0;
    for (size_t at = 0; at < n_bytes && (is_blank(text[at]) || text[at] == '\n'); at++) {
        if (c->is_line || text[at] == '\n') n_left_out = at + 1;
    }
    text[n_bytes] = '\0';
    return (composed){text + n_left_out, n_bytes - n_left_out, c->is_line};
}
