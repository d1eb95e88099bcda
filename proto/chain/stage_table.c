/* The table of stages: the names, fields and ranges that flags, JSON, --help, checks and the wire follow. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/nearest.h"
#include "strategy.h"

const stage_row stage_table[STAGE_KINDS] = {
    [STAGE_LOGIT_BIAS] = {
        .name = "logit_bias", .shape = SHAPE_BIASES, .n_fields = 1,     /* the field is one bias */
        .fields = {{.min = -INFINITY, .max = DBL_MAX, .range = "finite or -inf"}},
        .help = "add X to the logit of token ID; -inf bans it; biases for the same id add",
    },
    [STAGE_REPETITION_PENALTY] = {
        .name = "repetition_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "for each id so far: divide its logit when positive, else multiply it; 1 is off",
    },
    [STAGE_PRESENCE_PENALTY] = {
        .name = "presence_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.min = -DBL_MAX, .max = DBL_MAX, .range = "finite"}},
        .help = "subtract once from the logit of each id so far",
    },
    [STAGE_FREQUENCY_PENALTY] = {
        .name = "frequency_penalty", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.min = -DBL_MAX, .max = DBL_MAX, .range = "finite"}},
        .help = "subtract from the logit of each id so far, for each time it occurs",
    },
    [STAGE_DRY] = {
        .name = "dry", .shape = SHAPE_OBJECT, .n_fields = 4, .lists = "breakers",
        .fields = {{.name = "multiplier", .max = DBL_MAX, .range = "0 or more and finite"},
                   {.name = "base", .min = 1, .max = DBL_MAX, .range = "1 or more and finite"},
                   {.name = "allowed_length", .max = UINT32_MAX, .whole = true,
                    .range = "a whole number, 0 or more"},
                   {.name = "last_n", .min = -1, .max = UINT32_MAX, .whole = true,
                    .range = "a whole number, 0 or more, or -1 for all"}},
        .help = "lower what would go on with a repetition: multiplier * base^(length - allowed_length)",
    },
    [STAGE_TEMPERATURE] = {
        .name = "temperature", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "divide all logits: lower is surer, higher is more varied; 1 is off",
    },
    [STAGE_DYNATEMP] = {
        .name = "dynatemp", .shape = SHAPE_OBJECT, .n_fields = 3,
        .fields = {{.name = "low", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"},
                   {.name = "high", .max = DBL_MAX, .above_min = true, .range = "low or more and finite"},
                   {.name = "exponent", .max = DBL_MAX, .range = "0 or more and finite"}},
        .help = "a temperature from low to high, by how undecided the model is",
    },
    [STAGE_TOP_N_SIGMA] = {
        .name = "top_n_sigma", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "keep logits within n standard deviations of the largest",
    },
    [STAGE_TOP_K] = {
        .name = "top_k", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = DBL_MAX, .whole = true, .range = "a whole number, 0 or more"}},
        .help = "keep the k largest logits, and what equals the last of them; 0 is off",
    },
    [STAGE_TYPICAL_P] = {
        .name = "typical_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .above_min = true, .range = "above 0 and at most 1"}},
        .help = "keep what is about as surprising as expected, until it reaches probability p; 1 is off",
    },
    [STAGE_TOP_P] = {
        .name = "top_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .above_min = true, .range = "above 0 and at most 1"}},
        .help = "keep the likeliest tokens that together reach probability p; 1 is off",
    },
    [STAGE_MIN_P] = {
        .name = "min_p", .shape = SHAPE_NUMBER, .n_fields = 1,
        .fields = {{.max = 1, .range = "from 0 to 1"}},
        .help = "keep tokens at least p times as likely as the likeliest; 0 is off",
    },
    [STAGE_XTC] = {
        .name = "xtc", .shape = SHAPE_OBJECT, .n_fields = 2,
        .fields = {{.name = "probability", .max = 1, .range = "from 0 to 1"},
                   {.name = "threshold", .max = 1, .range = "from 0 to 1"}},
        .help = "by chance, drop all of the likely tokens but the least likely of them",
    },
    [STAGE_GREEDY] = {
        .name = "greedy", .shape = SHAPE_TRUE,
        .help = "always take the largest logit",
    },
    [STAGE_MIROSTAT] = {
        .name = "mirostat", .shape = SHAPE_OBJECT, .n_fields = 2, .draws = true,
        .fields = {{.name = "tau", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"},
                   {.name = "eta", .max = DBL_MAX, .above_min = true, .range = "above 0 and finite"}},
        .help = "version 2: keep the surprise of what is drawn near tau bits; the last step; without "
                "the penalty and the top-p that hold by default",
    },
    [STAGE_ADAPTIVE_P] = {
        .name = "adaptive_p", .shape = SHAPE_OBJECT, .n_fields = 2, .draws = true,
        .fields = {{.name = "target", .max = 1, .range = "from 0 to 1"},
                   {.name = "decay", .max = 1, .range = "from 0 to 1"}},
        .help = "prefer tokens near a probability that keeps the average at target; the last step",
    },
};

stage_kind strategy_kind(const char *name) {
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        const char *known = stage_table[kind].name, *asked = name;
        while (*known && (*asked == *known || (*asked == '-' && *known == '_'))) known++, asked++;
        if (!*known && !*asked) return (stage_kind)kind;
    }
    return STAGE_KINDS;
}

/* A name that came from elsewhere, fit for a sentence. */
static void name_show(const char *name, char out[41]) {
    size_t n = 0;
    for (; name[n] && n < 40; n++) out[n] = name[n] > ' ' && name[n] <= '~' ? name[n] : '?';
    out[n] = '\0';
}

status strategy_unknown_stage(const char *name, status code, failure *f) {
    char shown[41], known[512];
    size_t n_known = 0;
    nearest meant = nearest_begin(name, strlen(name));
    name_show(name, shown);
    for (int kind = 0; kind < STAGE_KINDS; kind++) nearest_try(&meant, stage_table[kind].name);
    if (meant.name) return fail(f, code, "there is no step named %s: did you mean %s?", shown, meant.name);
    for (int kind = 0; kind < STAGE_KINDS && n_known < sizeof known; kind++) {
        n_known += (size_t)snprintf(known + n_known, sizeof known - n_known, "%s%s",
                                    kind ? ", " : "", stage_table[kind].name);
    }
    return fail(f, code, "there is no step named %s: the steps are %s", shown, known);
}

status stage_unknown_key(const stage_row *row, const char *key, failure *f) {
    char shown[41], known[256] = "";
    size_t n_known = 0, n_keys = row->n_fields + (row->lists != NULL);
    nearest meant = nearest_begin(key, strlen(key));
    name_show(key, shown);
    for (size_t i = 0; i < n_keys && n_known < sizeof known; i++) {
        const char *name = i < row->n_fields ? row->fields[i].name : row->lists;
        nearest_try(&meant, name);
        n_known += (size_t)snprintf(known + n_known, sizeof known - n_known, "%s%s", i ? ", " : "", name);
    }
    if (meant.name)
        return fail(f, STATUS_BAD_REQUEST, "%s has no key %s: did you mean %s?", row->name, shown, meant.name);
    return fail(f, STATUS_BAD_REQUEST, "%s has no key %s: its keys are %s", row->name, shown, known);
}
