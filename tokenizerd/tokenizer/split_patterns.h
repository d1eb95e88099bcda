/* The split patterns that vocabulary files know by name (tokenizer.ggml.pre). */
#ifndef TRIVIUM_SPLIT_PATTERNS_H
#define TRIVIUM_SPLIT_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"

enum { SPLIT_NAMES_MAX = 16, SPLIT_PATTERNS_MAX = 6 };

typedef struct split_rule {
    const char *names[SPLIT_NAMES_MAX + 1];         /* NULL-terminated; the first stands for all */
    bool ignore_merges;         /* a piece that is a token is taken whole */
    const char *patterns[SPLIT_PATTERNS_MAX + 1];   /* PCRE2 with UTF and UCP; NULL-terminated */
} split_rule;

/* The rule of this name. STATUS_UNSUPPORTED: there is none; the sentence lists those there are. */
status split_rule_find(const split_rule **out, const char *name, failure *f);

/* Texts of vocabularies with this split begin with BOS where their files do not say whether they do. */
bool split_adds_bos(const char *name);

/* Rule `index`, to list them; NULL past the last. */
const split_rule *split_rule_at(size_t index);

#endif
