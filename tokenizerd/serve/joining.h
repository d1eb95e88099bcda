/* Modelds come and go: what they serve, which model is the default, and the vocabularies that they bring. */
#ifndef TRIVIUM_JOINING_H
#define TRIVIUM_JOINING_H

#include <stdbool.h>

#include "answering.h"
#include "generating.h"
#include "proto/net/loop.h"
#include "tokenizerd/links/modeld_link.h"
#include "tokenizerd/route/models.h"

typedef struct joining joining;

/* All borrowed. return_ms: until those who knew an earlier tokenizerd are back. NULL: no memory. */
joining *joining_new(loop *l, wakeup *turn, models *ms, modeld_link *modelds, uint32_t return_ms);
void joining_free(joining **j);     /* NULL is fine */

/* As modeld_link_events says. */
status joining_joined(joining *j, const modeld_hello *hello, void *record, modeld **out, failure *f);
void joining_left(joining *j, modeld *d);
void joining_samplers_changed(joining *j, modeld *d);
status joining_piece(joining *j, modeld *d, const vocab_piece *piece, failure *f);

void joining_ask(joining *j);       /* for vocabularies that are wanted: in each turn */
/* Those whose name another one has by now are to drain, once what waits for their model has gone on there: a modeld that drains
 * and has nothing leaves. */
void joining_tell(joining *j, const generating *g, const answering *a);

/* Models have come or gone, and nobody has taken that as news yet: those who wait may go on. */
bool joining_take_news(joining *j);

#endif
