/* The queries that read the same keys, those of a kv head's group and of neighbouring rows of a
 * sequence, make up tiles of up to TILE_ROWS; both products are float_tile's. Positions come in
 * panels of 16. */
#include "attention_tiles.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"

enum { PAGE_PANELS = PAGE_TOKENS / PANEL };
_Static_assert((int)KV_PANEL == (int)PANEL, "keys of the cache are panels of the kernels");

/* Queries first … first + n − 1 of a sequence; query q is head q % group of row row + q / group. */
typedef struct query_tile {
    uint32_t row, first, n;
} query_tile;

/* One thread's work space. */
typedef struct tile_space {
    float *queries;             /* [TILE_ROWS, head_dim] */
    float *scores;              /* [TILE_ROWS, score_stride], then exponentials */
    float *slice, *total;       /* [TILE_ROWS, n_columns] */
    uint16_t *values;           /* [16, n_columns]: a panel whose width is not a multiple of 16 */
} tile_space;

struct attention_tiles {
    const backend *backend;
    model_shape shape;
    uint32_t group;             /* query heads of a kv head */
    uint32_t n_columns;         /* head_dim, rounded up to whole panels */
    size_t score_stride;        /* whole pages, and a panel so that rows do not share cache sets */
    uint32_t n_threads;
    tile_space *spaces;         /* [n_threads] */
    query_tile *tiles;          /* [n_tiles] of this batch */
    uint32_t n_tiles;
    uint64_t work;              /* multiply-adds of one layer */
    const kv_cache *cache;
    const batch_row *rows;
    uint32_t layer;
    const float *in;
    float *out;
};

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static bool space_init(tile_space *space, const attention_tiles *a) {
    size_t tile_items = (size_t)TILE_ROWS * a->n_columns;
    space->queries = malloc(tile_items * sizeof *space->queries);
    space->slice = malloc(tile_items * sizeof *space->slice);
    space->total = malloc(tile_items * sizeof *space->total);
    space->scores = malloc(TILE_ROWS * a->score_stride * sizeof *space->scores);
    space->values = calloc((size_t)PANEL * a->n_columns, sizeof *space->values);
    return space->queries && space->slice && space->total && space->scores && space->values;
}

attention_tiles *attention_tiles_new(const model_shape *shape, const backend *b, uint32_t n_rows_max) {
    attention_tiles *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->backend = b;
    a->shape = *shape;
    a->group = shape->n_heads / shape->n_kv_heads;
    a->n_columns = (shape->head_dim + PANEL - 1) / PANEL * PANEL;
    a->score_stride = ((size_t)shape->n_ctx + PAGE_TOKENS - 1) / PAGE_TOKENS * PAGE_TOKENS + PANEL;
    a->n_threads = threads_count(b->pool);
    a->tiles = malloc((size_t)n_rows_max * a->group * sizeof *a->tiles);
    a->spaces = calloc(a->n_threads, sizeof *a->spaces);
    bool ok = a->tiles && a->spaces;
    for (uint32_t i = 0; ok && i < a->n_threads; i++) ok = space_init(&a->spaces[i], a);
    if (!ok) attention_tiles_free(&a);
    return a;
}

void attention_tiles_free(attention_tiles **a) {
    if (!*a) return;
    for (uint32_t i = 0; (*a)->spaces && i < (*a)->n_threads; i++) {
        tile_space *space = &(*a)->spaces[i];
        free(space->queries);
        free(space->slice);
        free(space->total);
        free(space->scores);
        free(space->values);
    }
    free((*a)->spaces);
    free((*a)->tiles);
    free(*a);
    *a = NULL;
}

/* Tiles, in a batch ---------------------------------------------------------------------------- */

static void cut_tiles(attention_tiles *a, uint32_t n_rows, uint32_t tile_rows) {
    a->n_tiles = 0;
    for (uint32_t row = 0, end; row < n_rows; row = end) {
        for (end = row + 1; end < n_rows && a->rows[end].sequence == a->rows[row].sequence;) end++;
        uint32_t n_queries = (end - row) * a->group;
        for (uint32_t q = 0; q < n_queries; q += tile_rows)
            a->tiles[a->n_tiles++] = (query_tile){row, q, least(tile_rows, n_queries - q)};
    }
}

/* Whole tiles are fastest; but each thread should have several of them, or at least one. */
void attention_tiles_begin(attention_tiles *a, const kv_cache *cache, const batch_row *rows, uint32_t n_rows) {
    a->cache = cache;
    a->rows = rows;
    a->work = 0;
    for (uint32_t r = 0; r < n_rows; r++)
        a->work += (rows[r].pos + 1ull) * a->shape.n_heads * a->shape.head_dim * 2;
    cut_tiles(a, n_rows, TILE_ROWS);
    if (a->n_tiles * a->shape.n_kv_heads < 4 * a->n_threads) cut_tiles(a, n_rows, TILE_ROWS / 2);
    if (a->n_tiles * a->shape.n_kv_heads < a->n_threads) cut_tiles(a, n_rows, 1);
}

/* One tile and kv head ------------------------------------------------------------------------- */

typedef struct tile_job {
    const attention_tiles *a;
    tile_space *space;
    kv_sequence sequence;
    uint32_t kv_head, n;
    uint32_t n_positions[TILE_ROWS];    /* that each query sees: ascending */
    float sums[TILE_ROWS];              /* of its exponentials */
} tile_job;

static size_t query_offset(const attention_tiles *a, const query_tile *t, uint32_t i, uint32_t kv_head) {
    uint32_t q = t->first + i, row = t->row + q / a->group;
    uint32_t head = kv_head * a->group + q % a->group;
    return ((size_t)row * a->shape.n_heads + head) * a->shape.head_dim;
}

static void begin_tile(tile_job *j, const query_tile *t) {
    const attention_tiles *a = j->a;
    uint32_t head_dim = a->shape.head_dim;
    j->n = t->n;
    j->sequence = a->rows[t->row].sequence;
    for (uint32_t i = 0; i < t->n; i++) {
        j->n_positions[i] = a->rows[t->row + (t->first + i) / a->group].pos + 1;
        memcpy(j->space->queries + (size_t)i * head_dim, a->in + query_offset(a, t, i, j->kv_head),
               head_dim * sizeof(float));
    }
    assert(j->n_positions[t->n - 1] <= a->shape.n_ctx);
}

static const uint16_t *key_panel(const tile_job *j, uint32_t panel) {
    return kv_cache_keys(j->a->cache, j->sequence, j->a->layer, j->kv_head, panel);
}

/* Scores of all positions that the last query sees; what others do not see is never used. */
static void compute_scores(tile_job *j) {
    const attention_tiles *a = j->a;
    const model_shape *s = &a->shape;
    uint32_t n_panels = (j->n_positions[j->n - 1] + PANEL - 1) / PANEL;
    float_tile t = {.type = TENSOR_F16, .k_stride = PANEL, .x = j->space->queries,
                    .x_stride = s->head_dim, .n_rows = j->n, .y_stride = a->score_stride};
    for (uint32_t panel = 0; panel < n_panels; panel += t.n_panels) {
        t.n_panels = least(n_panels - panel, least(TILE_PANELS, PAGE_PANELS - panel % PAGE_PANELS));
        const uint16_t *keys = key_panel(j, panel);
        /* panels of a page lie at equal distances */
        t.panel_stride = t.n_panels > 1 ? (size_t)(key_panel(j, panel + 1) - keys) : 0;
        t.w = keys;
        t.y = j->space->scores + (size_t)panel * PANEL;
        slices_run(&a->backend->kernels, t, s->head_dim);
    }
    for (uint32_t i = 0; i < j->n; i++)
        j->sums[i] = a->backend->kernels.exponentials(j->space->scores + i * a->score_stride,
                                                     j->n_positions[i], s->score_scale);
}

/* A panel's values as [16][n_columns], filled with zeros where head_dim is not a multiple of 16. */
static const uint16_t *value_panel(const tile_job *j, uint32_t panel) {
    const attention_tiles *a = j->a;
    const uint16_t *values = kv_cache_values(a->cache, j->sequence, a->layer, j->kv_head, panel);
    if (a->n_columns == a->shape.head_dim) return values;
    for (uint32_t p = 0; p < PANEL; p++)
        memcpy(j->space->values + (size_t)p * a->n_columns, values + (size_t)p * a->shape.head_dim,
               a->shape.head_dim * sizeof *values);
    return j->space->values;
}

/* Queries `first` … go on with their chains over positions from … to − 1, all of one panel. */
static void extend_chains(const tile_job *j, const uint16_t *values, uint32_t first, uint32_t from,
                          uint32_t to) {
    const attention_tiles *a = j->a;
    uint32_t n_panels = a->n_columns / PANEL;
    float_tile t = {.type = TENSOR_F16, .k_stride = a->n_columns, .panel_stride = PANEL,
                    .n_k = to - from, .x = j->space->scores + first * a->score_stride + from,
                    .x_stride = a->score_stride, .n_rows = j->n - first, .y_stride = a->n_columns,
                    .resume = true};
    for (uint32_t p = 0; p < n_panels; p += TILE_PANELS) {
        t.n_panels = least(TILE_PANELS, n_panels - p);
        t.w = values + (from % PANEL) * a->n_columns + p * PANEL;
        t.y = j->space->slice + first * a->n_columns + p * PANEL;
        a->backend->kernels.float_tile(&t);
    }
}

/* One panel. A position that a query does not see must not enter its chain, not even times zero:
 * so the queries drop out as their positions end, the first ones first. */
static void add_values(const tile_job *j, uint32_t panel) {
    const uint16_t *values = value_panel(j, panel);
    uint32_t pos = panel * PANEL, end = least(pos + PANEL, j->n_positions[j->n - 1]), first = 0;
    while (pos < end) {
        while (j->n_positions[first] <= pos) first++;
        uint32_t stop = least(end, j->n_positions[first]);
        extend_chains(j, values, first, pos, stop);
        pos = stop;
    }
}

static void sum_values(const tile_job *j) {
    size_t n_items = (size_t)j->n * j->a->n_columns;
    uint32_t n_panels = (j->n_positions[j->n - 1] + PANEL - 1) / PANEL;
    float *total = j->space->total, *slice = j->space->slice;
    memset(total, 0, n_items * sizeof *total);
    for (uint32_t panel = 0; panel < n_panels;) {
        uint32_t end = least(panel + SLICE / PANEL, n_panels);
        memset(slice, 0, n_items * sizeof *slice);
        for (; panel < end; panel++) add_values(j, panel);
        for (size_t i = 0; i < n_items; i++) total[i] += slice[i];
    }
}

/* Items are pairs of tile and kv head. Later tiles see more positions, so tiles are taken from
 * both ends in turn: a thread's range then has cheap and dear ones alike. */
static void run_range(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    attention_tiles *a = context;
    uint32_t head_dim = a->shape.head_dim;
    for (uint32_t item = first; item < end; item++) {
        uint32_t turn = item / a->shape.n_kv_heads;
        const query_tile *t = &a->tiles[turn % 2 ? a->n_tiles - 1 - turn / 2 : turn / 2];
        tile_job j = {.a = a, .space = &a->spaces[thread], .kv_head = item % a->shape.n_kv_heads};
        begin_tile(&j, t);
        compute_scores(&j);
        sum_values(&j);
        for (uint32_t i = 0; i < j.n; i++)
            a->backend->kernels.divide(a->out + query_offset(a, t, i, j.kv_head),
                                      j.space->total + (size_t)i * a->n_columns, j.sums[i], head_dim);
    }
}

void attention_tiles_run(attention_tiles *a, uint32_t layer, const float *queries, float *out) {
    a->layer = layer;
    a->in = queries;
    a->out = out;
    threads_for(a->backend->pool, a->n_tiles * a->shape.n_kv_heads, a->work, run_range, a);
}
