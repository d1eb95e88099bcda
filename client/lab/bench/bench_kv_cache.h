/* The chapter's exercise 3: how much faster is a text with the KV-cache, and how does that change
 * with the length of its prompt? */
#ifndef TRIVIUM_BENCH_KV_CACHE_H
#define TRIVIUM_BENCH_KV_CACHE_H

#include "bench.h"

enum { KV_CACHE_PROMPTS_MAX = 8 };      /* bars that have room beside each other */

/* Write a text after a prompt of each length, with the cache and without it; show times, and draw
 * them into a file when one was named. Texts that differ are an error. An exit code. */
int bench_kv_cache(const bench_flags *flags);

#endif
