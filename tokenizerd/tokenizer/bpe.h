/* Byte-pair merging (Sennrich et al. 2016) of one piece of text: begin with one id a byte; as long
 * as two neighbours have a merge rule, merge the pair whose rule has the lowest rank, the leftmost
 * of equals.
 *
 * A byte without an id is left out and its neighbours become neighbours, as Hugging Face tokenizers
 * do without an unknown token. */
#ifndef TRIVIUM_BPE_H
#define TRIVIUM_BPE_H

#include <stddef.h>
#include <stdint.h>

typedef struct bpe bpe;         /* the rules; read-only once they are all there */

/* byte_ids: the id of each byte, -1: none; copied. n_rules ≤ N_MERGES_MAX. NULL: no memory. */
bpe *bpe_new(const int32_t byte_ids[256], uint32_t n_rules);
void bpe_free(bpe **b);

/* The rule of the next rank (the first has rank 0, at most n_rules are added): left, right →
 * merged, ids below N_VOCAB_MAX. A pair that already has a rule keeps that one. */
void bpe_add(bpe *b, int32_t left, int32_t right, int32_t merged);

/* A short piece at once: n_bytes ≤ BPE_SHORT_BYTES. Writes up to n_bytes ids, returns how many. */
enum { BPE_SHORT_BYTES = 64 };
size_t bpe_short(const bpe *b, const uint8_t *piece, size_t n_bytes, int32_t *ids);

/* A piece of 1 … BPE_RUN_BYTES_MAX bytes, in bounded steps, O(n log n) in all; it takes
 * BPE_RUN_BYTES_A_BYTE of memory for each of its bytes. `b` and the piece are borrowed until it is freed.
 * NULL: no memory. */
enum { BPE_RUN_BYTES_MAX = 1 << 30, BPE_RUN_BYTES_A_BYTE = 5 };
typedef struct bpe_run bpe_run;
bpe_run *bpe_run_new(const bpe *b, const uint8_t *piece, size_t n_bytes);
void bpe_run_free(bpe_run **run);

/* Do about n_steps of the work, of which there are at most 4 a byte. Returns the steps done: fewer
 * than n_steps when that finished it. */
size_t bpe_run_advance(bpe_run *run, size_t n_steps);

/* The ids of a finished run: how many; and, call by call, up to n_ids_max more of them are written to `ids`.
 * Returns how many were; fewer than n_ids_max: they were the last. */
size_t bpe_run_count(const bpe_run *run);
size_t bpe_run_ids(bpe_run *run, int32_t *ids, size_t n_ids_max);

#endif
