#include "template_parser.h"

#include <string.h>

/* ---- tokens ---- */

void parser_fail(template_parser *p) {
    p->failed = true;
    p->now = (template_token){.kind = LEX_END};
}

void parser_step(template_parser *p) {
    if (p->failed) return;
    p->now = template_lexer_next(&p->lexer);
    if (p->now.kind == LEX_BAD) parser_fail(p);
}

static bool token_is(template_token t, template_token_kind kind, const char *word) {
    return t.kind == kind && template_name_is((template_name){t.bytes, t.n_bytes}, word);
}

bool parser_is(const template_parser *p, template_token_kind kind, const char *word) {
    return token_is(p->now, kind, word);
}

bool parser_is_followed(const template_parser *p, template_token_kind kind, const char *word) {
    template_lexer ahead = p->lexer;
    return token_is(template_lexer_next(&ahead), kind, word);
}

bool parser_take(template_parser *p, template_token_kind kind, const char *word) {
    if (!parser_is(p, kind, word)) return false;
    parser_step(p);
    return true;
}

void parser_want(template_parser *p, template_token_kind kind, const char *word) {
    if (!parser_take(p, kind, word)) parser_fail(p);
}

template_name parser_take_name(template_parser *p) {
    template_name name = {p->now.bytes, p->now.n_bytes};
    if (p->now.kind != LEX_NAME || name.n > TEMPLATE_NAME_BYTES_MAX) parser_fail(p);
    parser_step(p);
    return p->failed ? (template_name){0} : name;
}

static void want_kind(template_parser *p, template_token_kind kind) {
    if (p->now.kind != kind) parser_fail(p);
    parser_step(p);
}

bool parser_enter(template_parser *p) {
    if (p->depth == TEMPLATE_DEPTH_MAX) parser_fail(p);
    else p->depth++;
    return !p->failed;
}

void parser_leave(template_parser *p) {
    p->depth--;
}

/* ---- nodes ---- */

template_node *parser_node(template_parser *p, template_node_kind kind, template_node *left,
                           template_node *right) {
    template_tree *t = p->tree;
    if (t->n_nodes == t->n_nodes_max) parser_fail(p);
    if (p->failed) return NULL;
    template_node *node = &t->nodes[t->n_nodes++];
    node->kind = kind, node->left = left, node->right = right;
    return node;
}

static void put_unit(template_parser *p, template_node *node, uint8_t byte) {
    p->tree->units[p->tree->n_units++] = byte;
    node->text.n++;
}

/* Python's escapes of one letter. Those that spell a character by its number make the text strange, as
 * does a letter beyond ASCII, which Jinja spells so before it reads escapes; what is no escape stays
 * as it is. */
static void put_escape(template_parser *p, template_node *node, uint8_t letter) {
    static const char letters[] = "ntr\\'\"", bytes[] = "\n\t\r\\'\"";
    const char *known = letter ? strchr(letters, letter) : NULL;
    if (known) {
        put_unit(p, node, (uint8_t)bytes[known - letters]);
    } else if (letter >= 0x80 || (letter && strchr("abfvxuUN01234567", letter))) {
        node->kind = NODE_STRANGE;
    } else if (letter != '\n') {
        put_unit(p, node, '\\');
        put_unit(p, node, letter);
    }
}

template_node *parser_text(template_parser *p, template_token token, bool has_escapes) {
    template_node *node = parser_node(p, NODE_TEXT, NULL, NULL);
    if (!node) return NULL;
    node->text.units = p->tree->units + p->tree->n_units;
    for (size_t i = 0; i < token.n_bytes; i++) {
        if (has_escapes && token.bytes[i] == '\\') put_escape(p, node, token.bytes[++i]);
        else put_unit(p, node, token.bytes[i]);
    }
    return node;
}

/* ---- statements ---- */

static template_node *parse_body(template_parser *p);

/* The rest of {% endif %} and the like, which a body leaves for whoever opened it. */
static void end_tag(template_parser *p, const char *word) {
    parser_want(p, LEX_NAME, word);
    want_kind(p, LEX_BLOCK_END);
}

static template_node *adopt(template_parser *p, template_node *node, template_node *body,
                            template_node *other) {
    if (!node || p->failed) return NULL;
    node->body = body, node->other = other;
    return node;
}

/* After `if` or `elif`. */
static template_node *parse_if(template_parser *p) {
    template_node *node = parser_node(p, NODE_IF, parser_tuple(p, false), NULL), *other = NULL;
    want_kind(p, LEX_BLOCK_END);
    template_node *body = parse_body(p);
    if (!parser_enter(p)) return NULL;
    if (parser_take(p, LEX_NAME, "elif")) {
        other = parse_if(p);
    } else {
        if (parser_take(p, LEX_NAME, "else")) {
            want_kind(p, LEX_BLOCK_END);
            other = parse_body(p);
        }
        end_tag(p, "endif");
    }
    parser_leave(p);
    return adopt(p, node, body, other);
}

static template_name take_target(template_parser *p) {
    static const char *const others[] = {"true", "True", "false", "False", "none", "None", "loop"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (parser_is(p, LEX_NAME, others[i])) parser_fail(p);
    return parser_take_name(p);
}

/* Only one name, without brackets, is run. */
static template_name parse_targets(template_parser *p, bool *strange) {
    bool bracketed = parser_take(p, LEX_OPERATOR, "(");
    template_name first = take_target(p);
    *strange = bracketed;
    while (parser_take(p, LEX_OPERATOR, ",")) {
        take_target(p);
        *strange = true;
    }
    if (bracketed) parser_want(p, LEX_OPERATOR, ")");
    return first;
}

static template_node *parse_for(template_parser *p) {
    bool strange;
    template_name name = parse_targets(p, &strange);
    parser_want(p, LEX_NAME, "in");
    template_node *over = parser_tuple(p, false), *other = NULL;
    if (parser_take(p, LEX_NAME, "if")) {
        parser_tuple(p, true);
        strange = true;
    }
    if (parser_take(p, LEX_NAME, "recursive")) strange = true;
    want_kind(p, LEX_BLOCK_END);
    template_node *node = parser_node(p, NODE_FOR, over, NULL), *body = parse_body(p);
    if (parser_take(p, LEX_NAME, "else")) {
        want_kind(p, LEX_BLOCK_END);
        other = parse_body(p);
    }
    end_tag(p, "endfor");
    if (node) node->name = name;
    /* Over nothing, even a strange loop writes nothing. */
    if (node && strange) node->number = 1;
    return adopt(p, node, body, other);
}

static template_node *parse_set(template_parser *p) {
    bool strange, is_field = false;
    template_name name = parse_targets(p, &strange), field = {0};
    if (parser_take(p, LEX_OPERATOR, ".")) {
        field = parser_take_name(p);
        is_field = true;
    }
    template_node *node;
    if (parser_take(p, LEX_OPERATOR, "=")) {
        node = parser_node(p, is_field ? NODE_SET_FIELD : NODE_SET, parser_tuple(p, true), NULL);
        want_kind(p, LEX_BLOCK_END);
    } else {
        node = parser_node(p, NODE_STRANGE, NULL, NULL);
        if (parser_is(p, LEX_OPERATOR, "|")) parser_fail(p);
        want_kind(p, LEX_BLOCK_END);
        adopt(p, node, parse_body(p), NULL);
        end_tag(p, "endset");
    }
    if (!node) return NULL;
    if (strange) node->kind = NODE_STRANGE;
    node->name = name, node->field = field;
    return node;
}

/* After the opening bracket: names, all different, the last of which may have defaults. */
static void parse_parameters(template_parser *p) {
    template_name names[TEMPLATE_LIST_MAX];
    size_t n_names = 0;
    bool had_default = false;
    if (parser_take(p, LEX_OPERATOR, ")")) return;
    do {
        template_name name = take_target(p);
        for (size_t i = 0; i < n_names; i++)
            if (template_names_equal(names[i], name)) parser_fail(p);
        if (n_names == TEMPLATE_LIST_MAX) parser_fail(p);
        else names[n_names++] = name;
        bool has_default = parser_take(p, LEX_OPERATOR, "=");
        if (has_default) parser_expression(p);
        else if (had_default) parser_fail(p);
        had_default = has_default;
    } while (parser_take(p, LEX_OPERATOR, ","));
    parser_want(p, LEX_OPERATOR, ")");
}

static template_node *parse_macro(template_parser *p) {
    template_name name = take_target(p);
    parser_want(p, LEX_OPERATOR, "(");
    parse_parameters(p);
    want_kind(p, LEX_BLOCK_END);
    template_node *node = parser_node(p, NODE_MACRO, NULL, NULL);
    adopt(p, node, parse_body(p), NULL);
    end_tag(p, "endmacro");
    if (node) node->name = name;
    return node;
}

static template_node *parse_lone_word(template_parser *p) {
    want_kind(p, LEX_BLOCK_END);
    return parser_node(p, NODE_STRANGE, NULL, NULL);
}

static template_node *parse_statement(template_parser *p) {
    if (parser_take(p, LEX_NAME, "if")) return parse_if(p);
    if (parser_take(p, LEX_NAME, "for")) return parse_for(p);
    if (parser_take(p, LEX_NAME, "set")) return parse_set(p);
    if (parser_take(p, LEX_NAME, "macro")) return parse_macro(p);
    if (parser_take(p, LEX_NAME, "break")) return parse_lone_word(p);
    if (parser_take(p, LEX_NAME, "continue")) return parse_lone_word(p);
    parser_fail(p);
    return NULL;
}

static bool is_at_end_of_body(const template_parser *p) {
    static const char *const words[] = {"elif", "else", "endif", "endfor", "endset", "endmacro"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (parser_is(p, LEX_NAME, words[i])) return true;
    return false;
}

static template_node *parse_print(template_parser *p) {
    template_node *node = parser_node(p, NODE_PRINT, parser_tuple(p, true), NULL);
    want_kind(p, LEX_PRINT_END);
    return node;
}

/* Up to the end of the template, or to a word that the body's opener waits for and then looks at. */
static template_node *parse_body(template_parser *p) {
    template_node *first = NULL, **link = &first;
    if (!parser_enter(p)) return NULL;
    while (p->now.kind != LEX_END) {
        template_token token = p->now;
        template_node *node = NULL;
        parser_step(p);
        if (token.kind == LEX_DATA) {
            node = parser_node(p, NODE_PRINT, parser_text(p, token, false), NULL);
        } else if (token.kind == LEX_PRINT_BEGIN) {
            node = parse_print(p);
        } else {
            if (is_at_end_of_body(p)) break;
            node = parse_statement(p);
        }
        if (!node) break;
        *link = node;
        link = &node->next;
    }
    parser_leave(p);
    return p->failed ? NULL : first;
}

void template_parse(template_tree *t, size_t n_bytes) {
    template_parser p = {.tree = t, .lexer = {.text = t->source, .n_bytes = n_bytes}};
    parser_step(&p);
    t->body = parse_body(&p);
    t->is_read = !p.failed && p.now.kind == LEX_END;
}
