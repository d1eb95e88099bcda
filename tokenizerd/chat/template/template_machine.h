/* What runs a template: its memory and its bounds. Only template_machine.c, template_evaluate.c
 * (expressions) and template_run.c (statements) use it. */
#ifndef TRIVIUM_TEMPLATE_MACHINE_H
#define TRIVIUM_TEMPLATE_MACHINE_H

#include "template_run.h"
#include "template_value.h"

typedef struct template_variable {
    template_name name;
    int32_t space;              /* of a field: its namespace */
    template_value value;
} template_variable;

typedef struct template_store {
    template_variable items[TEMPLATE_VARIABLES_MAX];    /* [n] */
    size_t n;
} template_store;

typedef struct template_texts {
    text_unit units[TEMPLATE_TEXT_UNITS_MAX];           /* [n] */
    size_t n;
} template_texts;

struct template_machine {
    const template_tree *tree;
    const template_talk *talk;
    template_text bos, eos;
    template_outcome outcome;   /* once it is not WROTE, all that still runs ends at once */
    size_t n_steps_left, depth;
    template_store variables, fields;
    size_t frame;               /* variables from here on are those of the loop's body */
    int32_t n_namespaces;
    bool in_loop, has_looped, asked_for_tools;
    bool had_frame;             /* a loop's body or `else` has run in the body that runs */
    int32_t loop_from, loop_at; /* message loop_from + loop_at is the loop's */
    template_texts written, made;
    uint8_t state[TEMPLATE_STATE_BYTES_MAX];            /* [n_state] */
    size_t n_state, n_written_before_last;
};

void machine_reset(template_machine *m, const template_talk *talk);

/* The run becomes strange; the value is only there to be returned. */
template_value machine_strange(template_machine *m);

/* Work on n units of a text counts as steps, too. */
void machine_take_units(template_machine *m, size_t n);

/* One step deeper until machine_leave; false: the run has ended, or just did. */
bool machine_enter(template_machine *m);
void machine_leave(template_machine *m);

/* NULL: there is none. A field's namespace, or -1 for a variable. */
const template_value *machine_find(const template_machine *m, template_name name, int32_t space);
void machine_set(template_machine *m, template_name name, int32_t space, template_value value);

void machine_write(template_machine *m, template_text text);
template_value machine_join(template_machine *m, template_text a, template_text b);
text_unit *machine_unit(template_machine *m);           /* NULL: no room; then it is strange */

/* Keep what is known now (template_state_before_last). */
void machine_keep_state(template_machine *m);

template_value machine_evaluate(template_machine *m, const template_node *node);
verdict machine_truth(template_machine *m, const template_node *node);

#endif
