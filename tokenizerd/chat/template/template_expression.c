/* Expressions, by precedence as Jinja has it: choices, or, and, not, comparisons, + and -, ~, the
 * other arithmetic, signs, and what stands after a value. */
#include "template_parser.h"

/* Jinja refuses a template with another filter or test, even where it is never used. */
static const char *const filters[] = {
    "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e",
    "escape", "filesizeformat", "first", "float", "forceescape", "format", "groupby", "indent",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "pprint",
    "random", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr",
    "slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim", "truncate", "unique",
    "upper", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr",
};
static const char *const tests[] = {
    "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "escaped", "even", "false",
    "filter", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan",
    "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence", "string", "test",
    "true", "undefined", "upper",
};

static template_node *parse_or(template_parser *p);

static template_name take_known_name(template_parser *p, const char *const *known, size_t n_known) {
    template_name name = parser_take_name(p);
    size_t i = 0;
    while (i < n_known && !template_name_is(name, known[i])) i++;
    if (i == n_known) parser_fail(p);
    return name;
}

static template_node *strange(template_parser *p, template_node *left, template_node *right) {
    return parser_node(p, NODE_STRANGE, left, right);
}

/* ---- values ---- */

static template_node *parse_number(template_parser *p) {
    template_node *node = strange(p, NULL, NULL);
    bool is_small = p->now.kind == LEX_INTEGER && p->now.n_bytes <= 6;
    if (node && is_small) {
        node->kind = NODE_INTEGER;
        for (size_t i = 0; i < p->now.n_bytes; i++)
            node->number = node->number * 10 + (p->now.bytes[i] - '0');
    }
    parser_step(p);
    return node;
}

/* Literals beside each other are one. */
static template_node *parse_string(template_parser *p) {
    template_node *whole = NULL;
    while (p->now.kind == LEX_STRING) {
        template_node *part = parser_text(p, p->now, true);
        if (whole && part) {
            whole->text.n += part->text.n;
            if (part->kind == NODE_STRANGE) whole->kind = NODE_STRANGE;
        } else {
            whole = part;
        }
        parser_step(p);
    }
    return whole;
}

static template_node *parse_name(template_parser *p) {
    static const struct {
        const char *word;
        template_node_kind kind;
    } constants[] = {
        {"true", NODE_TRUE}, {"True", NODE_TRUE}, {"false", NODE_FALSE}, {"False", NODE_FALSE},
        {"none", NODE_NONE}, {"None", NODE_NONE},
    };
    template_name name = parser_take_name(p);
    template_node *node = parser_node(p, NODE_NAME, NULL, NULL);
    if (!node) return NULL;
    node->name = name;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (template_name_is(name, constants[i].word)) node->kind = constants[i].kind;
    return node;
}

/* After the opening bracket. A list of texts is run, any other is strange. */
static template_node *parse_elements(template_parser *p, template_node *first, const char *closer) {
    template_node *list = parser_node(p, NODE_LIST, NULL, NULL), *element = first;
    bool of_texts = true;
    size_t n_elements = 0;
    template_node **link = list ? &list->right : NULL;
    while (link && (element || !parser_is(p, LEX_OPERATOR, closer))) {
        if (!element) element = parser_expression(p);
        if (!element) return NULL;
        of_texts = of_texts && element->kind == NODE_TEXT && n_elements++ < TEMPLATE_LIST_MAX;
        *link = element;
        link = &element->next;
        element = NULL;
        if (!parser_take(p, LEX_OPERATOR, ",")) break;
    }
    parser_want(p, LEX_OPERATOR, closer);
    if (list && !of_texts) list->kind = NODE_STRANGE;
    return list;
}

static template_node *parse_bracketed(template_parser *p) {
    if (parser_is(p, LEX_OPERATOR, ")")) return parse_elements(p, NULL, ")");
    template_node *first = parser_expression(p);
    if (parser_take(p, LEX_OPERATOR, ")")) return first;
    if (!parser_is(p, LEX_OPERATOR, ",")) parser_fail(p);
    return first ? parse_elements(p, first, ")") : NULL;
}

static template_node *parse_dictionary(template_parser *p) {
    while (!p->failed && !parser_is(p, LEX_OPERATOR, "}")) {
        parser_expression(p);
        parser_want(p, LEX_OPERATOR, ":");
        parser_expression(p);
        if (!parser_take(p, LEX_OPERATOR, ",")) break;
    }
    parser_want(p, LEX_OPERATOR, "}");
    return strange(p, NULL, NULL);
}

static template_node *parse_primary(template_parser *p) {
    if (p->now.kind == LEX_NAME) return parse_name(p);
    if (p->now.kind == LEX_STRING) return parse_string(p);
    if (p->now.kind == LEX_INTEGER || p->now.kind == LEX_FLOAT) return parse_number(p);
    if (parser_take(p, LEX_OPERATOR, "(")) return parse_bracketed(p);
    if (parser_take(p, LEX_OPERATOR, "[")) return parse_elements(p, NULL, "]");
    if (parser_take(p, LEX_OPERATOR, "{")) return parse_dictionary(p);
    parser_fail(p);
    return NULL;
}

/* ---- what stands after a value ---- */

static bool has_argument(const template_node *first, template_name name) {
    const template_node *n = first;
    while (n && (n->name.n == 0 || !template_names_equal(n->name, name))) n = n->next;
    return n != NULL;
}

/* After the opening bracket. Returns the first argument; NULL also where there is none. Those with
 * names come last, each once. */
static template_node *parse_arguments(template_parser *p) {
    template_node *first = NULL, **link = &first;
    size_t n_names = 0;
    while (!p->failed && !parser_is(p, LEX_OPERATOR, ")")) {
        template_name name = {0};
        if (p->now.kind == LEX_NAME && parser_is_followed(p, LEX_OPERATOR, "=")) {
            name = parser_take_name(p);
            parser_step(p);
            if (n_names++ == TEMPLATE_LIST_MAX || has_argument(first, name)) parser_fail(p);
        } else if (n_names > 0) {
            parser_fail(p);
        }
        template_node *value = parser_expression(p);
        template_node *argument = parser_node(p, NODE_ARGUMENT, value, NULL);
        if (!argument) return NULL;
        argument->name = name;
        *link = argument;
        link = &argument->next;
        if (!parser_take(p, LEX_OPERATOR, ",")) break;
    }
    parser_want(p, LEX_OPERATOR, ")");
    return first;
}

/* After `[`: an index, or a slice of which [from:] is run. */
static template_node *parse_subscript(template_parser *p, template_node *left) {
    template_node *from = NULL;
    if (!parser_is(p, LEX_OPERATOR, ":")) from = parser_expression(p);
    template_node_kind kind = NODE_ITEM;
    for (int n = 0; n < 2 && parser_take(p, LEX_OPERATOR, ":"); n++) {
        kind = from && n == 0 ? NODE_SLICE : NODE_STRANGE;
        if (parser_is(p, LEX_OPERATOR, ":") || parser_is(p, LEX_OPERATOR, "]")) continue;
        parser_expression(p);
        kind = NODE_STRANGE;
    }
    parser_want(p, LEX_OPERATOR, "]");
    return parser_node(p, kind, left, from);
}

static template_node *parse_dotted(template_parser *p, template_node *left) {
    if (p->now.kind == LEX_INTEGER) return parser_node(p, NODE_ITEM, left, parse_number(p));
    template_name name = parser_take_name(p);
    template_node *node = parser_node(p, NODE_FIELD, left, NULL);
    if (node) node->name = name;
    return node;
}

static template_node *parse_call(template_parser *p, template_node *left) {
    template_node *node = parser_node(p, NODE_CALL, left, NULL);
    template_node *arguments = parse_arguments(p);
    if (node) node->right = arguments;
    return node;
}

static template_node *parse_postfix(template_parser *p, template_node *node) {
    for (;;) {
        if (parser_take(p, LEX_OPERATOR, ".")) node = parse_dotted(p, node);
        else if (parser_take(p, LEX_OPERATOR, "[")) node = parse_subscript(p, node);
        else if (parser_take(p, LEX_OPERATOR, "(")) node = parse_call(p, node);
        else return node;
    }
}

static template_node *parse_filter(template_parser *p, template_node *left) {
    template_node *node = parser_node(p, NODE_FILTER, left, NULL);
    template_name name = take_known_name(p, filters, sizeof filters / sizeof *filters);
    template_node *arguments = parser_take(p, LEX_OPERATOR, "(") ? parse_arguments(p) : NULL;
    if (node) node->name = name, node->right = arguments;
    return node;
}

/* A test may have one argument without brackets. */
static bool is_at_bare_argument(const template_parser *p) {
    if (p->now.kind == LEX_NAME)
        return !parser_is(p, LEX_NAME, "else") && !parser_is(p, LEX_NAME, "or") &&
               !parser_is(p, LEX_NAME, "and");
    return p->now.kind == LEX_STRING || p->now.kind == LEX_INTEGER || p->now.kind == LEX_FLOAT ||
           parser_is(p, LEX_OPERATOR, "[") || parser_is(p, LEX_OPERATOR, "{");
}

static template_node *parse_test(template_parser *p, template_node *left) {
    bool is_negated = parser_take(p, LEX_NAME, "not");
    template_node *node = parser_node(p, NODE_TEST, left, NULL), *arguments = NULL;
    template_name name = take_known_name(p, tests, sizeof tests / sizeof *tests);
    if (parser_take(p, LEX_OPERATOR, "(")) {
        arguments = parse_arguments(p);
    } else if (is_at_bare_argument(p)) {
        if (parser_is(p, LEX_NAME, "is")) parser_fail(p);
        arguments = parse_postfix(p, parse_primary(p));
    }
    if (node) node->name = name, node->right = arguments;
    return is_negated ? parser_node(p, NODE_NOT, node, NULL) : node;
}

static template_node *parse_filters(template_parser *p, template_node *node) {
    for (;;) {
        if (parser_take(p, LEX_OPERATOR, "|")) node = parse_filter(p, node);
        else if (parser_take(p, LEX_NAME, "is")) node = parse_test(p, node);
        else if (parser_take(p, LEX_OPERATOR, "(")) node = parse_call(p, node);
        else return node;
    }
}

/* ---- operators ---- */

static template_node *parse_unary(template_parser *p, bool with_filters) {
    if (!parser_enter(p)) return NULL;
    template_node *node;
    if (parser_take(p, LEX_OPERATOR, "-") || parser_take(p, LEX_OPERATOR, "+"))
        node = strange(p, parse_unary(p, false), NULL);
    else
        node = parse_postfix(p, parse_primary(p));
    parser_leave(p);
    return with_filters ? parse_filters(p, node) : node;
}

static template_node *parse_power(template_parser *p) {
    template_node *node = parse_unary(p, true);
    while (parser_take(p, LEX_OPERATOR, "**")) node = strange(p, node, parse_unary(p, true));
    return node;
}

static template_node *parse_product(template_parser *p) {
    template_node *node = parse_power(p);
    for (;;) {
        if (parser_take(p, LEX_OPERATOR, "%"))
            node = parser_node(p, NODE_MODULO, node, parse_power(p));
        else if (parser_take(p, LEX_OPERATOR, "*") || parser_take(p, LEX_OPERATOR, "/") ||
                 parser_take(p, LEX_OPERATOR, "//"))
            node = strange(p, node, parse_power(p));
        else
            return node;
    }
}

static template_node *parse_joined(template_parser *p) {
    template_node *node = parse_product(p);
    while (parser_take(p, LEX_OPERATOR, "~"))
        node = parser_node(p, NODE_JOIN, node, parse_product(p));
    return node;
}

static template_node *parse_sum(template_parser *p) {
    template_node *node = parse_joined(p);
    for (;;) {
        if (parser_take(p, LEX_OPERATOR, "+"))
            node = parser_node(p, NODE_ADD, node, parse_joined(p));
        else if (parser_take(p, LEX_OPERATOR, "-"))
            node = strange(p, node, parse_joined(p));
        else
            return node;
    }
}

/* Read the comparison that stands here; COMPARISONS: there is none. */
static template_comparison take_comparison(template_parser *p) {
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">="};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (parser_take(p, LEX_OPERATOR, operators[i])) return (template_comparison)i;
    if (parser_take(p, LEX_NAME, "in")) return COMPARE_IN;
    if (!parser_is(p, LEX_NAME, "not") || !parser_is_followed(p, LEX_NAME, "in"))
        return COMPARISONS;
    parser_step(p);
    parser_step(p);
    return COMPARE_NOT_IN;
}

/* A chain of them (a < b < c) is strange. */
static template_node *parse_comparison(template_parser *p) {
    template_node *node = parse_sum(p);
    template_comparison comparison;
    for (bool is_first = true; (comparison = take_comparison(p)) != COMPARISONS; is_first = false) {
        node = parser_node(p, is_first ? NODE_COMPARE : NODE_STRANGE, node, parse_sum(p));
        if (node) node->comparison = comparison;
    }
    return node;
}

static template_node *parse_not(template_parser *p) {
    if (!parser_enter(p)) return NULL;
    template_node *node = parser_take(p, LEX_NAME, "not")
                              ? parser_node(p, NODE_NOT, parse_not(p), NULL)
                              : parse_comparison(p);
    parser_leave(p);
    return node;
}

static template_node *parse_and(template_parser *p) {
    template_node *node = parse_not(p);
    while (parser_take(p, LEX_NAME, "and")) node = parser_node(p, NODE_AND, node, parse_not(p));
    return node;
}

static template_node *parse_or(template_parser *p) {
    template_node *node = parse_and(p);
    while (parser_take(p, LEX_NAME, "or")) node = parser_node(p, NODE_OR, node, parse_and(p));
    return node;
}

template_node *parser_expression(template_parser *p) {
    if (!parser_enter(p)) return NULL;
    template_node *node = parse_or(p);
    while (parser_take(p, LEX_NAME, "if")) {
        template_node *test = parse_or(p), *other = NULL, *body = node;
        if (parser_take(p, LEX_NAME, "else")) other = parser_expression(p);
        node = parser_node(p, NODE_CHOICE, test, body);
        if (node) node->other = other;
    }
    parser_leave(p);
    return node;
}

template_node *parser_tuple(template_parser *p, bool with_choices) {
    template_node *node = with_choices ? parser_expression(p) : parse_or(p);
    while (parser_take(p, LEX_OPERATOR, ",")) {
        template_node *next = with_choices ? parser_expression(p) : parse_or(p);
        node = strange(p, node, next);
    }
    return node;
}
