/* What the two halves of the parser share; only template_tree.c, template_parser.c (statements) and
 * template_expression.c use it. */
#ifndef TRIVIUM_TEMPLATE_PARSER_H
#define TRIVIUM_TEMPLATE_PARSER_H

#include "template_lexer.h"
#include "template_tree.h"

typedef struct template_parser {
    template_tree *tree;
    template_lexer lexer;
    template_token now;         /* the one that is looked at */
    size_t depth;               /* of the calls that read what is nested */
    bool failed;                /* for ever: then all is the end, and all nodes are NULL */
} template_parser;

/* Fill units, nodes, body and is_read of a tree whose source has n_bytes. */
void template_parse(template_tree *t, size_t n_bytes);

/* NULL: failed; so a node is checked before it is used. */
template_node *parser_node(template_parser *p, template_node_kind kind, template_node *left,
                           template_node *right);
void parser_fail(template_parser *p);
void parser_step(template_parser *p);                       /* on to the next token */

bool parser_is(const template_parser *p, template_token_kind kind, const char *word);
bool parser_is_followed(const template_parser *p, template_token_kind kind, const char *word);
bool parser_take(template_parser *p, template_token_kind kind, const char *word);
void parser_want(template_parser *p, template_token_kind kind, const char *word);
template_name parser_take_name(template_parser *p);         /* fails where none stands */

/* Nested deeper by one until parser_leave; false: too deep, and failed. */
bool parser_enter(template_parser *p);
void parser_leave(template_parser *p);

/* A text as it stands outside of tags, or a literal whose escapes mean something. */
template_node *parser_text(template_parser *p, template_token token, bool has_escapes);

/* Expressions; a tuple is one or several with commas between. Without choices an `if` ends it. */
template_node *parser_expression(template_parser *p);
template_node *parser_tuple(template_parser *p, bool with_choices);

#endif
