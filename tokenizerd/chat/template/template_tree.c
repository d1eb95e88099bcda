#include "template_tree.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "template_parser.h"

bool template_name_is(template_name name, const char *word) {
    return name.n == strlen(word) && memcmp(name.bytes, word, name.n) == 0;
}

bool template_names_equal(template_name a, template_name b) {
    return a.n == b.n && memcmp(a.bytes, b.bytes, a.n) == 0;
}

status template_tree_read(template_tree *out, const uint8_t *text, size_t n_bytes) {
    size_t n_nodes_max = 2 * n_bytes + 1;
    if (n_nodes_max > TEMPLATE_NODES_MAX) n_nodes_max = TEMPLATE_NODES_MAX;
    *out = (template_tree){
        .source = malloc(n_bytes + 1),
        .units = malloc((n_bytes + 1) * sizeof *out->units),
        .nodes = calloc(n_nodes_max, sizeof *out->nodes),
        .n_nodes_max = n_nodes_max,
    };
    if (!out->source || !out->units || !out->nodes) {
        template_tree_free(out);
        return STATUS_NO_MEMORY;
    }
    if (text_is_utf8(text, n_bytes))
        template_parse(out, template_lines(text, n_bytes, out->source));
    return STATUS_OK;
}

void template_tree_free(template_tree *t) {
    free(t->source);
    free(t->units);
    free(t->nodes);
    *t = (template_tree){0};
}
