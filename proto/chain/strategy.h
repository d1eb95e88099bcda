/* A strategy: an ordered chain of sampling stages. This is what client, tokenizerd, modeld and samplerd
 * agree on; what each stage does to a row is in proto/draw/chain.h.
 *
 * One table of stages, stage_table.c (name, fields, ranges, default place), drives flags, JSON, --help, checks
 * and the wire. A new stage is one row there, its STAGE_ number here, and one function in samplerd's table. */
#ifndef TRIVIUM_STRATEGY_H
#define TRIVIUM_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

/* In default order: flags build the chain in the order of these numbers. */
typedef enum stage_kind {
    STAGE_LOGIT_BIAS,
    STAGE_REPETITION_PENALTY,
    STAGE_PRESENCE_PENALTY,
    STAGE_FREQUENCY_PENALTY,
    STAGE_DRY,
    STAGE_TEMPERATURE,
    STAGE_DYNATEMP,
    STAGE_TOP_N_SIGMA,
    STAGE_TOP_K,
    STAGE_TYPICAL_P,
    STAGE_TOP_P,
    STAGE_MIN_P,
    STAGE_XTC,
    STAGE_GREEDY,
    STAGE_MIROSTAT,
    STAGE_ADAPTIVE_P,
    STAGE_KINDS
} stage_kind;

typedef struct stage_field {
    const char *name;           /* NULL: the value itself ({"top_k": 40}); else an object's key */
    double min, max;
    bool above_min;             /* min itself is excluded */
    bool whole;                 /* an integer */
    const char *range;          /* in words, for messages: "above 0" */
} stage_field;

typedef enum stage_shape {
    SHAPE_NUMBER,               /* {"top_k": 40}            --top-k 40            */
    SHAPE_TRUE,                 /* {"greedy": true}         --greedy              */
    SHAPE_BIASES,               /* {"logit_bias": [[7, -1.5], [9, "-inf"]]}   --logit-bias 7=-1.5 */
    SHAPE_OBJECT,               /* {"xtc": {"probability": …, "threshold": …}}    */
} stage_shape;

typedef struct stage_row {
    const char *name;           /* JSON and wire; a flag is the same with hyphens */
    stage_shape shape;
    size_t n_fields;
    stage_field fields[STAGE_NUMBERS_MAX];
    const char *lists;          /* SHAPE_OBJECT: the key of an array of id lists, which may be left out */
    bool draws;                 /* it remembers what was drawn, so it comes last, and once */
    const char *help;
} stage_row;

extern const stage_row stage_table[STAGE_KINDS];

/* One stage of a chain. */
typedef struct stage {
    stage_kind kind;
    double numbers[STAGE_NUMBERS_MAX];
    int32_t *bias_ids;          /* SHAPE_BIASES: [n_biases], owned */
    double *biases;             /* finite or -inf: [n_biases], owned */
    size_t n_biases;
    int32_t *lists;             /* id lists one after the other, each ended by -1: [n_list_ids], owned */
    size_t n_list_ids;
} stage;

typedef struct strategy {
    stage stages[STAGES_MAX];
    size_t n_stages;
} strategy;

void strategy_init(strategy *s);                            /* an empty chain */
void strategy_clear(strategy *s);                           /* frees what it owns; empty afterwards */
/* In place of what `to` has. STATUS_NO_MEMORY: `to` is as it was. */
status strategy_copy(strategy *to, const strategy *from);

/* The memory that its biases and id lists take, beside its own size. */
size_t strategy_bytes(const strategy *s);

/* What holds when nothing is said: repetition_penalty 1.1, temperature 0.8, top_p 0.9. */
void strategy_defaults(strategy *s);

/* A preset's chain and its number of tokens; STATUS_NOT_FOUND names the presets there are. */
status strategy_preset(strategy *s, const char *name, uint32_t *max_new_tokens, failure *f);

/* Append. STATUS_BAD_REQUEST: a number out of range (the sentence names stage, value and range), or
 * STAGES_MAX is reached, or a stage that draws would not be the last. */
status strategy_append(strategy *s, stage_kind kind, const double *numbers, size_t n_numbers, failure *f);
/* The same with id lists, in the form in which a stage has them; ids are 0 or more. */
status strategy_append_lists(strategy *s, stage_kind kind, const double *numbers, size_t n_numbers,
                             const int32_t *lists, size_t n_list_ids, failure *f);
status strategy_append_biases(strategy *s, const int32_t *ids, const double *biases, size_t n, failure *f);

/* Put a stage where the default order has it, or in place of the stages of the same kind; logit_bias
 * entries add to those that are there. What a flag does. Fails like an append, and changes nothing. */
status strategy_set(strategy *s, const stage *one, failure *f);
/* Set each stage of `changes`: all of them, or on failure none. */
status strategy_merge(strategy *s, const strategy *changes, failure *f);
/* What becomes of `s` when somebody asks for a change: the chain that was asked for, as it stands, in place
 * of `s`, or what it makes of `s` when it is merged. On failure `s` is as it was. What tune and /set do. */
status strategy_change(strategy *s, const strategy *asked, bool replace, failure *f);
/* The same of a copy of `from`, in place of what `out` has; with n_vocab above 0, only if strategy_check_ids
 * allows it. On failure `out` is as it was. */
status strategy_changed(strategy *out, const strategy *from, const strategy *asked, bool replace,
                        uint32_t n_vocab, failure *f);

void strategy_remove(strategy *s, stage_kind kind);         /* every stage of this kind */

/* The kind named `name` (underscores or hyphens); STAGE_KINDS when there is none. */
stage_kind strategy_kind(const char *name);
/* The refusal of such a name, with the nearest one, or with all where none is near. Fills `f` and returns `code`. */
status strategy_unknown_stage(const char *name, status code, failure *f);
/* The same for a key of a stage's JSON object: STATUS_BAD_REQUEST. */
status stage_unknown_key(const stage_row *row, const char *key, failure *f);

/* Every id that a stage names lies in 0 … n_vocab-1, else STATUS_BAD_ID with a sentence. */
status strategy_check_ids(const strategy *s, uint32_t n_vocab, failure *f);

bool strategy_has(const strategy *s, stage_kind kind);      /* a stage of this kind */
bool strategy_equal(const strategy *a, const strategy *b);

#endif
