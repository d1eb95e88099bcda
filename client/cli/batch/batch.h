/* --input: JSON lines in, JSON lines out, with many under way at once. What a line stands for is its owner's matter; here
 * are the reading, the bounds, the order and the writing. */
#ifndef TRIVIUM_BATCH_H
#define TRIVIUM_BATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/client.h"

enum { BATCH_LINES_MAX = TINY_LIMITS ? 2 : GENERATIONS_MAX };   /* under way, unless less is asked for */

typedef struct batch batch;
typedef struct batch_line batch_line;   /* one that is under way: until it is answered */

typedef struct batch_options {
    const char *path;           /* of the lines; "-": stdin */
    size_t n_under_way_max;
    bool as_completed;          /* each result as it comes, not in the order of the lines */
} batch_options;

/* All of them get the owner's context, from the loop. */
typedef struct batch_events {
    /* Begin what a line asks for; `object` is borrowed until the line is answered, which happens now or later, once. On failure
     * it is answered with `f`. */
    status (*begin)(void *context, batch_line *line, const json_t *object, failure *f);
    /* NULL, or puts into `result`, which is empty, what belongs in front of every result of that line. `object` is NULL when
     * the line is none. */
    void (*mark)(void *context, const batch_line *line, const json_t *object, json_t *result);
    /* NULL, or called before results are written. */
    void (*write)(void *context);
    /* NULL, or called before a sentence is written to stderr. */
    void (*tell)(void *context);
    /* NULL, or ends the work of one line, after Ctrl-C: it is to be answered, now or later. Without this the batch is over at once. */
    void (*cancel)(void *context, void *work);
    /* Free what batch_line_keep had kept: the line is answered, or nobody waits any longer. */
    void (*drop)(void *context, void *work);
} batch_events;

/* Open the lines. NULL: see f. What it is given is borrowed for its life. */
batch *batch_new(client *c, const batch_options *how, const batch_events *events, void *context, failure *f);
void batch_free(batch **b);                     /* before its client is closed. NULL is fine */

/* Read them to their end on the client's loop, once. Returns an exit code: EXIT_FAILED when a line has failed. */
int batch_run(batch *b);

void batch_line_keep(batch_line *line, void *work);
uint64_t batch_line_number(const batch_line *line);     /* the first is 1 */

/* The result. Takes over `value`; NULL: no memory. The line is gone afterwards. */
void batch_line_answer(batch_line *line, json_t *value);
/* The same for one that has failed, with whatever its result says. */
void batch_line_answer_failed(batch_line *line, json_t *value);
/* {"error": {"code", "message"}} */
void batch_line_fail(batch_line *line, const failure *f);

typedef struct batch_counts {
    uint64_t n_done, n_failed;  /* answered; those of them that have failed */
    size_t n_under_way;
} batch_counts;
batch_counts batch_count(const batch *b);
size_t batch_pending_bytes(const batch *b);     /* of results, not yet written */

#endif
