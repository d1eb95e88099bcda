/* Runs a chat template over conversations whose roles are known and whose contents are not
 * (template_value.h), as HF and llama.cpp have Jinja run it: with add_generation_prompt, without
 * tools, and without a clock. Bounded in steps and memory; pure. */
#ifndef TRIVIUM_TEMPLATE_RUN_H
#define TRIVIUM_TEMPLATE_RUN_H

#include "template_tree.h"

typedef struct template_machine template_machine;

typedef struct template_talk {          /* a conversation; borrowed for the call */
    const template_text *roles;         /* [n_messages], one at least */
    size_t n_messages;
    bool tools_are_none;                /* tools and documents; else they are undefined */
} template_talk;

typedef enum template_outcome {
    TEMPLATE_WROTE,
    TEMPLATE_REFUSED,           /* by raise_exception */
    TEMPLATE_STRANGE,           /* it does what is not run, depends on contents, or is too big */
} template_outcome;

enum {
    TEMPLATE_STEPS_MAX = 400000,        /* of all runs of a machine */
    TEMPLATE_TEXT_UNITS_MAX = 65536,    /* of one run: what it writes, and again what it makes */
    TEMPLATE_STATE_BYTES_MAX = 8192,
    TEMPLATE_VARIABLES_MAX = 64,        /* and as many fields of namespaces */
};

/* The tree is borrowed, and so are the tokens' texts. NULL: no memory. */
template_machine *template_machine_new(const template_tree *tree, template_text bos,
                                       template_text eos);
void template_machine_free(template_machine **m);

template_outcome template_run(template_machine *m, const template_talk *talk);

/* ---- of the last run, until the next ---- */

template_text template_written(const template_machine *m);
bool template_asked_for_tools(const template_machine *m);

/* What the loop over messages knew before it came to the last message, and how much was written by
 * then. Runs that knew the same there, and have the same role next, go on alike whatever follows.
 * No bytes: the last message was not reached. */
typedef struct template_state {
    const uint8_t *bytes;       /* [n_bytes] */
    size_t n_bytes, n_written;
} template_state;

template_state template_state_before_last(const template_machine *m);

#endif
