/* A chat template in Jinja as a row of tokens. Whitespace is controlled as Jinja does it with trim_blocks and
 * lstrip_blocks, which is how chat templates are meant: no newline after a statement, no indentation before
 * one. Pure; any bytes may come. */
#ifndef TRIVIUM_TEMPLATE_LEXER_H
#define TRIVIUM_TEMPLATE_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum template_token_kind {
    LEX_END,
    LEX_BAD,                    /* nothing that we read: Jinja may refuse it, too */
    LEX_DATA,                   /* text outside of tags, as it is written; never empty */
    LEX_PRINT_BEGIN,            /* {{ */
    LEX_PRINT_END,
    LEX_BLOCK_BEGIN,            /* {% */
    LEX_BLOCK_END,
    LEX_NAME,
    LEX_STRING,                 /* what stands between its quotes, escapes as they are */
    LEX_INTEGER,
    LEX_FLOAT,
    LEX_OPERATOR,
} template_token_kind;

typedef struct template_token {
    template_token_kind kind;
    const uint8_t *bytes;       /* [n_bytes] of the template */
    size_t n_bytes;
} template_token;

enum { TEMPLATE_BRACKETS_MAX = 64 };

typedef struct template_lexer {
    const uint8_t *text;        /* [n_bytes]; borrowed */
    size_t n_bytes, at;
    uint8_t tag;                /* '{' or '%': inside such a tag; 0: outside */
    uint8_t closers[TEMPLATE_BRACKETS_MAX];     /* [n_closers] that open brackets wait for */
    size_t n_closers;
} template_lexer;

/* Write `text` as Jinja takes it: each line ending a newline, the one at the very end left out.
 * `out` has room for n_bytes. Returns the bytes written. */
size_t template_lines(const uint8_t *text, size_t n_bytes, uint8_t *out);

/* The next token of a lexer that began as {.text, .n_bytes}, text from template_lines. LEX_END
 * and LEX_BAD are followed by themselves, for ever. */
template_token template_lexer_next(template_lexer *l);

#endif
