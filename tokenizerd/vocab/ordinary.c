#include "ordinary.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static const char pattern[] = "\\A(?:\\P{C}|[\\p{L}\\p{M}\\p{N}\\p{Z}\\t-\\r\\x{85}]*+)\\z";

struct ordinary {
    pcre2_code *code;
    pcre2_match_data *match;
};

ordinary *ordinary_new(void) {
    ordinary *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    int error;
    PCRE2_SIZE offset;
    o->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                            &error, &offset, NULL);
    o->match = pcre2_match_data_create(1, NULL);
    if (!o->code || !o->match) ordinary_free(&o);
    return o;
}

void ordinary_free(ordinary **o) {
    if (!*o) return;
    pcre2_match_data_free((*o)->match);
    pcre2_code_free((*o)->code);
    free(*o);
    *o = NULL;
}

bool ordinary_has(const ordinary *o, const uint8_t *text, size_t n_bytes) {
    return pcre2_match(o->code, text, n_bytes, 0, 0, o->match, NULL) >= 0;
}
