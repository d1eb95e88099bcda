#include "tiny_vocabulary.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizerd/vocab/byte_letters.h"

/* In order of rank; every side is a byte letter or made further up. */
static const char *const english[][2] = {
    {"Ġ", "t"}, {"Ġ", "a"}, {"h", "e"}, {"i", "n"}, {"r", "e"}, {"o", "n"}, {"Ġt", "he"},
    {"e", "r"}, {"Ġ", "s"}, {"a", "t"}, {"Ġ", "w"}, {"Ġ", "o"}, {"e", "n"}, {"Ġ", "c"}, {"i", "t"},
    {"i", "s"}, {"a", "n"}, {"o", "r"}, {"e", "s"}, {"Ġ", "b"}, {"e", "d"}, {"Ġ", "f"}, {"in", "g"},
    {"Ġ", "p"}, {"o", "u"}, {"Ġa", "n"}, {"a", "l"}, {"a", "r"}, {"Ġt", "o"}, {"Ġ", "m"},
    {"Ġo", "f"}, {"Ġ", "in"}, {"Ġ", "d"}, {"Ġ", "h"}, {"Ġan", "d"}, {"i", "c"}, {"a", "s"},
    {"l", "e"}, {"Ġt", "h"}, {"i", "on"}, {"o", "m"}, {"l", "l"}, {"en", "t"}, {"Ġ", "n"},
    {"Ġ", "l"}, {"s", "t"}, {"Ġ", "re"}, {"v", "e"}, {"Ġ", "e"}, {"r", "o"}, {"l", "y"},
    {"Ġb", "e"}, {"Ġ", "g"}, {"Ġ", "is"}, {"Ġw", "as"}, {"Ġth", "at"}, {"Ċ", "Ċ"}, {"Ġ", "Ġ"},
    {"Ġs", "he"}, {"Ġ", "it"}, {"Ġh", "e"}, {"Ġf", "or"}, {"Ġw", "it"}, {"Ġwit", "h"},
};
enum { N_ENGLISH = sizeof english / sizeof english[0] };

static char *copy(const char *text) {
    char *own = strdup(text);
    if (!own) abort();
    return own;
}

static void add_token(tiny_vocabulary *v, const char *text, int32_t type) {
    v->types[v->n_tokens] = type;
    v->tokens[v->n_tokens++] = copy(text);
}

static void add_bytes(tiny_vocabulary *v) {
    for (int byte = 0; byte < 256; byte++) {
        uint32_t letter = byte_letter((uint8_t)byte);
        char text[3] = {(char)letter, 0, 0};
        if (letter >= 0x80) {
            text[0] = (char)(0xc0 | letter >> 6);
            text[1] = (char)(0x80 | (letter & 0x3f));
        }
        add_token(v, text, 1);
    }
}

static bool is_english(const tiny_vocabulary *v, const char *text) {
    for (size_t i = TINY_FIRST_MERGE; i < TINY_FIRST_MERGE + N_ENGLISH && i < v->n_tokens; i++)
        if (strcmp(v->tokens[i], text) == 0) return true;
    return false;
}

/* Unless its token is there already. */
static void add_merge(tiny_vocabulary *v, const char *left, const char *right) {
    char merge[64], token[64];
    snprintf(merge, sizeof merge, "%s %s", left, right);
    snprintf(token, sizeof token, "%s%s", left, right);
    if (is_english(v, token)) return;
    v->merges[v->n_merges++] = copy(merge);
    add_token(v, token, 1);
}

/* Lengthen each letter, then each token made so far, by each letter: no text comes twice, because it
 * can be cut before its last letter only. */
static void add_words(tiny_vocabulary *v, size_t n_tokens) {
    for (size_t i = TINY_FIRST_BYTE + 'a'; v->n_tokens < n_tokens; i++) {
        if (i == TINY_FIRST_BYTE + 'z' + 1) i = TINY_FIRST_MERGE;
        for (char letter = 'a'; letter <= 'z' && v->n_tokens < n_tokens; letter++) {
            const char right[2] = {letter, '\0'};
            add_merge(v, v->tokens[i], right);
        }
    }
}

static bool retype(tiny_vocabulary *v, const tiny_token *token) {
    for (size_t i = 0; i < TINY_FIRST_MERGE; i++) {
        if (strcmp(v->tokens[i], token->text) != 0) continue;
        v->types[i] = token->type;
        return true;
    }
    return false;
}

void tiny_vocabulary_make(tiny_vocabulary *v, size_t n_tokens, const tiny_token *others, size_t n_others) {
    assert(n_tokens >= TINY_FIRST_MERGE + n_others);
    *v = (tiny_vocabulary){0};
    v->tokens = calloc(n_tokens, sizeof *v->tokens);
    v->types = calloc(n_tokens, sizeof *v->types);
    v->merges = calloc(n_tokens, sizeof *v->merges);
    if (!v->tokens || !v->types || !v->merges) abort();
    add_token(v, "<|endoftext|>", 3);
    add_token(v, "<|im_start|>", 3);
    add_token(v, "<|im_end|>", 3);
    add_bytes(v);
    size_t n_own = n_tokens;
    for (size_t i = 0; i < n_others; i++) n_own -= !retype(v, &others[i]);
    for (size_t i = 0; i < N_ENGLISH && v->n_tokens < n_own; i++)
        add_merge(v, english[i][0], english[i][1]);
    add_words(v, n_own);
    for (size_t i = 0; i < n_others; i++)
        if (!retype(v, &others[i])) add_token(v, others[i].text, others[i].type);
}

void tiny_vocabulary_free(tiny_vocabulary *v) {
    for (size_t i = 0; i < v->n_tokens; i++) free(v->tokens[i]);
    for (size_t i = 0; i < v->n_merges; i++) free(v->merges[i]);
    free(v->tokens);
    free(v->types);
    free(v->merges);
    *v = (tiny_vocabulary){0};
}
