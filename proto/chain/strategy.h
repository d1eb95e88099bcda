/* A strategy: an ordered chain of sampling steps. This is what client, tokenizerd, modeld and samplerd
 * agree on; what each step does to a row is in samplerd/chain/chain.h.
 *
 * One table of steps (name, fields, ranges, default place) drives flags, JSON, --help, checks and the
 * wire. A new sampler is one row here, its STEP_ number, and one function in samplerd's table. */
#ifndef TRIVIUM_STRATEGY_H
#define TRIVIUM_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

/* In default order: flags build the chain in the order of these numbers. */
typedef enum step_kind {
    STEP_LOGIT_BIAS,
    STEP_REPETITION_PENALTY,
    STEP_PRESENCE_PENALTY,
    STEP_FREQUENCY_PENALTY,
    STEP_DRY,
    STEP_TEMPERATURE,
    STEP_DYNATEMP,
    STEP_TOP_N_SIGMA,
    STEP_TOP_K,
    STEP_TYPICAL_P,
    STEP_TOP_P,
    STEP_MIN_P,
    STEP_XTC,
    STEP_GREEDY,
    STEP_MIROSTAT,
    STEP_ADAPTIVE_P,
    STEP_KINDS
} step_kind;

typedef struct step_field {
    const char *name;           /* NULL: the value itself ({"top_k": 40}); else an object's key */
    double min, max;
    bool above_min;             /* min itself is out */
    bool whole;                 /* an integer */
    const char *range;          /* in words, for messages: "above 0" */
} step_field;

typedef enum step_shape {
    SHAPE_NUMBER,               /* {"top_k": 40}            --top-k 40            */
    SHAPE_TRUE,                 /* {"greedy": true}         --greedy              */
    SHAPE_BIASES,               /* {"logit_bias": [[7, -1.5], [9, "-inf"]]}   --logit-bias 7=-1.5 */
    SHAPE_OBJECT,               /* {"xtc": {"probability": …, "threshold": …}}    */
} step_shape;

typedef struct step_row {
    const char *name;           /* JSON and wire; a flag is the same with hyphens */
    step_shape shape;
    size_t n_fields;
    step_field fields[STEP_NUMBERS_MAX];
    const char *lists;          /* SHAPE_OBJECT: the key of an array of id lists, which may be left out */
    bool draws;                 /* it remembers what was drawn, so it comes last, and once */
    const char *help;
} step_row;

extern const step_row step_table[STEP_KINDS];

/* One step of a chain. */
typedef struct step {
    step_kind kind;
    double numbers[STEP_NUMBERS_MAX];
    int32_t *bias_ids;          /* SHAPE_BIASES: [n_biases], owned */
    double *biases;             /* finite or -inf: [n_biases], owned */
    size_t n_biases;
    int32_t *lists;             /* id lists one after the other, each ended by -1: [n_list_ids], owned */
    size_t n_list_ids;
} step;

typedef struct strategy {
    step steps[STEPS_MAX];
    size_t n_steps;
} strategy;

void strategy_init(strategy *s);                            /* an empty chain */
void strategy_clear(strategy *s);                           /* frees what it owns; empty afterwards */
/* In place of what `to` has. STATUS_NO_MEMORY: `to` is as it was. */
status strategy_copy(strategy *to, const strategy *from);

/* What holds when nothing is said: repetition_penalty 1.1, temperature 0.8, top_p 0.9. */
void strategy_defaults(strategy *s);

/* A preset's chain and its number of tokens; STATUS_NOT_FOUND names the presets there are. */
status strategy_preset(strategy *s, const char *name, uint32_t *max_new_tokens, failure *f);

/* Append. STATUS_BAD_REQUEST: a number out of range (the sentence names step, value and range), or
 * STEPS_MAX is reached, or a step that draws would not be the last. */
status strategy_append(strategy *s, step_kind kind, const double *numbers, size_t n_numbers, failure *f);
/* The same with id lists, in the form that a step has them; ids are 0 or more. */
status strategy_append_lists(strategy *s, step_kind kind, const double *numbers, size_t n_numbers,
                             const int32_t *lists, size_t n_list_ids, failure *f);
status strategy_append_biases(strategy *s, const int32_t *ids, const double *biases, size_t n, failure *f);

/* Put a step where the default order has it, or in place of the steps of the same kind; logit_bias
 * entries add to those that are there. What a flag does. Fails like an append, and changes nothing. */
status strategy_set(strategy *s, const step *one, failure *f);
/* Set each step of `changes`: all of them, or on failure none. */
status strategy_merge(strategy *s, const strategy *changes, failure *f);
/* What becomes of `s` when somebody asks for a change: the chain that was asked for, as it stands, in place
 * of `s`, or what it makes of `s` when it is merged. On failure `s` is as it was. What tune and /set do. */
status strategy_change(strategy *s, const strategy *asked, bool replace, failure *f);
/* The same of a copy of `from`, in place of what `out` has; with n_vocab above 0, as strategy_check_ids
 * allows it. On failure `out` is as it was. */
status strategy_changed(strategy *out, const strategy *from, const strategy *asked, bool replace,
                        uint32_t n_vocab, failure *f);

void strategy_remove(strategy *s, step_kind kind);          /* every step of this kind */

/* The kind named `name` (underscores or hyphens); STEP_KINDS when there is none. */
step_kind strategy_kind(const char *name);
/* The refusal of such a name, with the names that there are. Fills `f` and returns `code`. */
status strategy_unknown_step(const char *name, status code, failure *f);

/* Every id that a step names lies in 0 … n_vocab-1, else STATUS_BAD_ID with a sentence. */
status strategy_check_ids(const strategy *s, uint32_t n_vocab, failure *f);

bool strategy_has(const strategy *s, step_kind kind);       /* a step of this kind */
bool strategy_equal(const strategy *a, const strategy *b);

#endif
