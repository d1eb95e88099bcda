#include "nearest.h"

#include <stdbool.h>
#include <string.h>

nearest nearest_begin(const char *word, size_t n_bytes) {
    return (nearest){.word = word, .n_bytes = n_bytes};
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* From a[n_a] to b[n_b]. Row i of the table has the distances of a's first i bytes to b's first j; only
 * three rows are needed at a time, as a swap looks two rows back. */
static size_t distance_of(const char *a, size_t n_a, const char *b, size_t n_b) {
    size_t rows[3][NEAREST_BYTES_MAX + 1];
    for (size_t j = 0; j <= n_b; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

void nearest_try(nearest *n, const char *name) {
    size_t n_name = strlen(name);
    if (n->n_bytes > NEAREST_BYTES_MAX || n_name > NEAREST_BYTES_MAX) return;
    size_t distance = distance_of(n->word, n->n_bytes, name, n_name);
    bool is_beginning = n->n_bytes >= BEGINNING_BYTES_MIN && strncmp(name, n->word, n->n_bytes) == 0;
    bool is_near = is_beginning || distance <= n_name / 3;
    if (!is_near || (n->name && distance >= n->distance)) return;
    n->name = name;
    n->distance = distance;
}
