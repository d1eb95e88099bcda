/* A chat template as a tree, and how it is read. All of Jinja's expressions and the statements that
 * chat templates use are read, so that a branch which is never taken may hold any of them; what is
 * not run is one node, NODE_STRANGE. Pure; any bytes may come. */
#ifndef TRIVIUM_TEMPLATE_TREE_H
#define TRIVIUM_TEMPLATE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

typedef enum template_node_kind {
    NODE_STRANGE,               /* read, not run: a macro, a dictionary, … */
    /* statements; they follow each other by `next` */
    NODE_PRINT,                 /* left: what is written */
    NODE_IF,                    /* left: the test, body, other: else */
    NODE_FOR,                   /* name: the variable, left: what it goes over, body, other: else */
    NODE_SET,                   /* name, left: the value */
    NODE_SET_FIELD,             /* name: a namespace's, field, left: the value */
    NODE_MACRO,                 /* name; whoever uses it is strange */
    /* expressions */
    NODE_TEXT,                  /* text */
    NODE_INTEGER,               /* number */
    NODE_TRUE, NODE_FALSE, NODE_NONE,
    NODE_NAME,                  /* name */
    NODE_FIELD,                 /* left.name */
    NODE_ITEM,                  /* left[right] */
    NODE_SLICE,                 /* left[right:] */
    NODE_NOT,                   /* left */
    NODE_AND, NODE_OR,          /* left, right */
    NODE_COMPARE,               /* left, right, comparison */
    NODE_CHOICE,                /* right if left else other (NULL: undefined) */
    NODE_ADD,                   /* left + right */
    NODE_JOIN,                  /* left ~ right */
    NODE_MODULO,                /* left % right */
    NODE_FILTER,                /* left | name(right) */
    NODE_TEST,                  /* left is name(right) */
    NODE_CALL,                  /* left(right) */
    NODE_ARGUMENT,              /* of a call, by `next`: left, name or n_name = 0 */
    NODE_LIST,                  /* of texts alone: right, by `next` */
} template_node_kind;

typedef enum template_comparison {
    COMPARE_EQUAL, COMPARE_UNEQUAL, COMPARE_LESS, COMPARE_AT_MOST, COMPARE_MORE, COMPARE_AT_LEAST,
    COMPARE_IN, COMPARE_NOT_IN,
    COMPARISONS,
} template_comparison;

/* A text's units: its bytes, and numbers beyond them for what is not known (template_value.h). */
typedef uint16_t text_unit;

typedef struct template_text {
    const text_unit *units;     /* [n] */
    size_t n;
} template_text;

typedef struct template_name {
    const uint8_t *bytes;       /* [n] */
    size_t n;
} template_name;

typedef struct template_node template_node;
struct template_node {
    template_node_kind kind;
    template_comparison comparison;
    int32_t number;             /* of a loop: 1 when only going over nothing is run */
    template_name name, field;
    template_text text;
    template_node *left, *right, *body, *other, *next;
};

enum {
    TEMPLATE_DEPTH_MAX = 100,   /* of what is nested, in steps of the parser */
    TEMPLATE_NODES_MAX = 32768,
    TEMPLATE_NAME_BYTES_MAX = 64,
    TEMPLATE_LIST_MAX = 64,     /* texts in a list that is run, arguments with names */
};

typedef struct template_tree {
    uint8_t *source;            /* the template as Jinja takes it; names lie in it */
    text_unit *units;           /* [n_units], never more than its bytes; texts lie in them */
    size_t n_units;
    template_node *nodes;       /* [n_nodes] of n_nodes_max */
    size_t n_nodes, n_nodes_max;
    const template_node *body;  /* its first statement; NULL: there is none */
    bool is_read;               /* false: no template, or none that we read */
} template_tree;

/* STATUS_NO_MEMORY; then there is nothing to free. Nothing is borrowed after the call. */
status template_tree_read(template_tree *out, const uint8_t *text, size_t n_bytes);
void template_tree_free(template_tree *t);

bool template_name_is(template_name name, const char *word);
bool template_names_equal(template_name a, template_name b);

#endif
