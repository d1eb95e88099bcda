#include "paste.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"

static const char end_mark[] = "\033[201~";
enum { END_BYTES = sizeof end_mark - 1, PIECE_BYTES = 4096 };

struct paste {
    size_t text_bytes_max;
    buffer text;
    size_t n_lines_bytes;       /* up to the last newline of `text` */
    bool is_open, skipping;
    bool after_return;          /* a newline that comes now is part of the one before it */
    size_t n_matched;           /* bytes of end_mark that came and may be its beginning */
    char piece[PIECE_BYTES];    /* on its way into `text` */
    size_t n_piece;
};

paste_sign paste_sign_of(const char *bytes, size_t n_bytes) {
    size_t n = n_bytes < PASTE_BEGIN_BYTES ? n_bytes : PASTE_BEGIN_BYTES;
    if (memcmp(bytes, PASTE_BEGIN_MARK, n) != 0) return PASTE_NOT;
    return n == PASTE_BEGIN_BYTES ? PASTE_BEGINS : PASTE_PERHAPS;
}

paste *paste_new(size_t text_bytes_max) {
    paste *p = calloc(1, sizeof *p);
    if (p) p->text_bytes_max = text_bytes_max;
    return p;
}

void paste_free(paste **p) {
    if (!*p) return;
    buffer_clear(&(*p)->text);
    free(*p);
    *p = NULL;
}

void paste_take(paste *p, size_t n_bytes) {
    buffer_drop(&p->text, n_bytes);
    p->n_lines_bytes -= n_bytes < p->n_lines_bytes ? n_bytes : p->n_lines_bytes;
}

void paste_begin(paste *p) {
    paste_take(p, p->text.n_bytes);
    p->is_open = true;
    p->skipping = p->after_return = false;
    p->n_matched = 0;
}

bool paste_is_open(const paste *p) {
    return p->is_open;
}

bool paste_is_ending(const paste *p) {
    return p->is_open && p->n_matched > 0;
}

void paste_end(paste *p) {
    p->is_open = false;
}

void paste_skip(paste *p) {
    paste_take(p, p->text.n_bytes);
    p->n_piece = 0;
    p->skipping = true;
}

const char *paste_text(const paste *p, size_t *n_bytes, size_t *n_lines_bytes) {
    *n_bytes = p->text.n_bytes;
    *n_lines_bytes = p->n_lines_bytes;
    return p->text.bytes;
}

static status piece_end(paste *p) {
    if (p->skipping) p->n_piece = 0;
    status st = STATUS_OK;
    if (p->n_piece > p->text_bytes_max - p->text.n_bytes) st = STATUS_TOO_LONG;
    else if (p->n_piece > 0) st = buffer_add(&p->text, p->piece, p->n_piece);
    for (size_t i = p->n_piece; i-- > 0 && st == STATUS_OK;) {
        if (p->piece[i] != '\n') continue;
        p->n_lines_bytes = p->text.n_bytes - p->n_piece + i + 1;
        break;
    }
    p->n_piece = 0;
    if (st != STATUS_OK) paste_skip(p);
    return st;
}

static bool is_control(char byte) {
    return ((unsigned char)byte < ' ' && byte != '\t' && byte != '\n') || byte == '\177';
}

static void add_byte(paste *p, char byte) {
    bool is_second = byte == '\n' && p->after_return;
    p->after_return = byte == '\r';
    if (byte == '\r') byte = '\n';
    if (!is_second && !is_control(byte)) p->piece[p->n_piece++] = byte;
}

/* Whether it is the last of the mark that ends it all. */
static bool take_byte(paste *p, char byte) {
    if (byte != end_mark[p->n_matched]) {
        for (size_t i = 0; i < p->n_matched; i++) add_byte(p, end_mark[i]);
        p->n_matched = 0;
    }
    if (byte == end_mark[p->n_matched]) p->n_matched++;
    else add_byte(p, byte);
    return p->n_matched == END_BYTES;
}

status paste_add(paste *p, const char *bytes, size_t n_bytes, size_t *n_taken) {
    status st = STATUS_OK;
    size_t at = 0;
    while (at < n_bytes && p->is_open) {
        p->is_open = !take_byte(p, bytes[at++]);
        if (p->n_piece < PIECE_BYTES - END_BYTES) continue;
        status now = piece_end(p);
        if (st == STATUS_OK) st = now;
    }
    *n_taken = at;
    status now = piece_end(p);
    return st == STATUS_OK ? now : st;
}
