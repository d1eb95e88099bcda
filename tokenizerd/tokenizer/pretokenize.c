#include "pretokenize.h"

#include <assert.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "split_patterns.h"

enum {
    JIT_STACK_BYTES_MIN = 32 * 1024,
    JIT_STACK_BYTES_MAX = 1024 * 1024,
    LOOK_BYTES_MAX = 256 * 1024,    /* that patterns look through before the next one waits for another call */
};

struct pretokenizer {
    const split_rule *rule;
    pcre2_code *codes[SPLIT_PATTERNS_MAX];
    size_t n_codes;
};

static status compile(pretokenizer *p, const char *pattern, failure *f) {
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP, &error, &offset, NULL);
    if (!code) {
        assert(error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED);
        return fail(f, STATUS_NO_MEMORY, "no memory to compile a split pattern");
    }
    p->codes[p->n_codes++] = code;
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  /* else it is interpreted */
    return STATUS_OK;
}

status pretokenizer_new(pretokenizer **out, const char *name, failure *f) {
    *out = NULL;
    const split_rule *rule;
    status st = split_rule_find(&rule, name, f);
    if (st != STATUS_OK) return st;
    pretokenizer *p = calloc(1, sizeof *p);
    if (!p) return fail(f, STATUS_NO_MEMORY, "no memory for split patterns");
    p->rule = rule;
    for (const char *const *pattern = rule->patterns; *pattern && st == STATUS_OK; pattern++)
        st = compile(p, *pattern, f);
    if (st != STATUS_OK) pretokenizer_free(&p);
    *out = p;
    return st;
}

void pretokenizer_free(pretokenizer **p) {
    if (!*p) return;
    for (size_t i = 0; i < (*p)->n_codes; i++) pcre2_code_free((*p)->codes[i]);
    free(*p);
    *p = NULL;
}

bool pretokenizer_ignores_merges(const pretokenizer *p) {
    return p->rule->ignore_merges;
}

/* ---- a text, cut by one pattern after the other ---- */

/* Pattern number i cuts the pieces of level i - 1; level 0 is the text itself. */
typedef struct level {
    const uint8_t *text;        /* the piece that is being cut */
    size_t n_bytes, pos;        /* what lies before pos was handed out */
    size_t match_begin, match_end;  /* the first match at or after pos, when match_end > pos */
} level;

struct splitter {
    const pretokenizer *patterns;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    pcre2_match_data *match;
    level levels[SPLIT_PATTERNS_MAX + 1];
    size_t n_looked;            /* bytes, in this call */
    bool paused;
};

splitter *splitter_new(const pretokenizer *p) {
    splitter *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->patterns = p;
    s->context = pcre2_match_context_create(NULL);
    s->stack = pcre2_jit_stack_create(JIT_STACK_BYTES_MIN, JIT_STACK_BYTES_MAX, NULL);
    s->match = pcre2_match_data_create(1, NULL);
    if (!s->context || !s->stack || !s->match) {
        splitter_free(&s);
        return NULL;
    }
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    /* the patterns are linear in the text, whose length is bounded; the default is too low */
    pcre2_set_match_limit(s->context, UINT32_MAX);
    return s;
}

void splitter_free(splitter **s) {
    if (!*s) return;
    pcre2_match_data_free((*s)->match);
    pcre2_jit_stack_free((*s)->stack);
    pcre2_match_context_free((*s)->context);
    free(*s);
    *s = NULL;
}

void splitter_start(splitter *s, const uint8_t *text, size_t n_bytes) {
    for (size_t i = 0; i <= s->patterns->n_codes; i++) s->levels[i] = (level){0};
    s->paused = false;
    s->levels[0] = (level){.text = text, .n_bytes = n_bytes};
}

/* Look for the pattern from `pos` on; without a match the rest is one piece. */
static status search(splitter *s, size_t depth, failure *f) {
    level *at = &s->levels[depth];
    int found = pcre2_match(s->patterns->codes[depth - 1], at->text, at->n_bytes, at->pos,
                            PCRE2_NO_UTF_CHECK, s->match, s->context);
    if (found == PCRE2_ERROR_NOMATCH) {
        at->match_begin = at->match_end = at->n_bytes;
        return STATUS_OK;
    }
    if (found < 0) {
        char message[128];
        pcre2_get_error_message(found, (PCRE2_UCHAR *)message, sizeof message);
        return fail(f, found == PCRE2_ERROR_NOMEMORY ? STATUS_NO_MEMORY : STATUS_TOO_LONG,
                    "the text cannot be split into words: %s", message);
    }
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(s->match);
    assert(bounds[0] >= at->pos && bounds[1] > bounds[0]);  /* no pattern of ours matches nothing */
    at->match_begin = bounds[0];
    at->match_end = bounds[1];
    return STATUS_OK;
}

static status next_piece(splitter *s, size_t depth, const uint8_t **piece, size_t *n_bytes,
                         failure *f) {
    level *at = &s->levels[depth];
    status st = STATUS_OK;
    if (depth > 0 && at->pos == at->n_bytes) {
        *at = (level){0};
        st = next_piece(s, depth - 1, &at->text, &at->n_bytes, f);
    }
    bool cut = depth > 0 && at->n_bytes > 0;
    if (st == STATUS_OK && cut && at->match_end <= at->pos) {
        st = search(s, depth, f);
        if (st == STATUS_OK) s->n_looked += at->match_end - at->pos;
        s->paused = s->n_looked >= LOOK_BYTES_MAX && depth < s->patterns->n_codes;
    }
    *n_bytes = 0;
    if (st != STATUS_OK || s->paused) return st;
    size_t end = !cut ? at->n_bytes : at->pos < at->match_begin ? at->match_begin : at->match_end;
    *piece = at->text ? at->text + at->pos : NULL;
    *n_bytes = end - at->pos;
    at->pos = end;
    return STATUS_OK;
}

bool splitter_paused(const splitter *s) {
    return s->paused;
}

status splitter_next(splitter *s, const uint8_t **piece, size_t *n_bytes, failure *f) {
    s->n_looked = 0;
    s->paused = false;
    return next_piece(s, s->patterns->n_codes, piece, n_bytes, f);
}
