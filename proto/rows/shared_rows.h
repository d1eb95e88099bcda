/* Rows of logits in memory that a modeld shares with the samplerds of its host: they need not be
 * sent.
 *
 * The memory is a file without a name (memfd), sealed: its size never changes, and nobody but its
 * maker writes to it. A samplerd of the same user opens it as /proc/PID/fd/FD. On another host, in
 * another PID namespace or as another user it finds something else there or nothing; the maker's
 * incarnation in the file tells it so. Then rows are sent.
 *
 * Layout, in lines of 64 bytes: a head (8 bytes "TRIVROWS", the maker's incarnation as uint64,
 * n_rows and n_vocab as uint32); then for each row a line that begins with its generation (uint64),
 * and its float32 [n_vocab], filled up to whole lines.
 *
 * A row's generation grows before anything is written into it. Whoever reads compares it before and
 * afterwards: when it has grown, what was read is worth nothing, and so is what was made of it. */
#ifndef TRIVIUM_SHARED_ROWS_H
#define TRIVIUM_SHARED_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"

/* ---- the maker's side ---- */

typedef struct shared_rows shared_rows;

/* 1 … SHARED_ROWS_MAX rows of 1 … N_VOCAB_MAX logits; memory is used when a row is first written.
 * STATUS_NO_MEMORY, or STATUS_IO where the system has no sealed files: *out is NULL. */
status shared_rows_new(shared_rows **out, uint64_t incarnation, uint32_t n_rows, uint32_t n_vocab,
                       failure *f);
void shared_rows_free(shared_rows **r); /* whoever has them mapped keeps them; NULL is fine */

int shared_rows_fd(const shared_rows *r);

bool shared_rows_take(shared_rows *r, uint32_t *index); /* false: none is free */
void shared_rows_give(shared_rows *r, uint32_t index);  /* it may be taken again at once */

float *shared_rows_at(shared_rows *r, uint32_t index); /* [n_vocab], beginning at a line */
/* To be called before the row is written. Returns its new generation, never 0. */
uint64_t shared_rows_renew(shared_rows *r, uint32_t index);

/* ---- the reader's side ---- */

typedef struct shared_view shared_view;

/* Map what process `pid` offers as its descriptor `fd`. Refused (STATUS_NOT_FOUND, with why) unless
 * it is a sealed file of our own user, made by that incarnation, and exactly as long as it says. */
status shared_view_open(shared_view **out, int32_t pid, int32_t fd, uint64_t incarnation,
                        failure *f);
void shared_view_close(shared_view **v); /* NULL is fine */

uint32_t shared_view_n_vocab(const shared_view *v);

/* The row [n_vocab] if it is of this generation; NULL: there is no such row, or it was written anew.
 * It may be written at any time: see shared_view_holds. */
const float *shared_view_row(const shared_view *v, uint32_t index, uint64_t generation);
/* After reading: is all that was read since shared_view_row of this generation? `index` is one that
 * shared_view_row knew. */
bool shared_view_holds(const shared_view *v, uint32_t index, uint64_t generation);

#endif
