/* The figure of `bench kv-cache`, and its file, which gets its name when it is whole. */
#ifndef TRIVIUM_KV_FIGURE_H
#define TRIVIUM_KV_FIGURE_H

#include <stddef.h>

#include "kv_times.h"

typedef struct kv_figure kv_figure;

/* Before minutes are spent: can it be written there? STATUS_IO, STATUS_NO_MEMORY. */
status kv_figure_begin(kv_figure **out, const char *path, failure *f);

/* Draw times[n_times], at most SVG_BARS_MAX, into it. STATUS_IO, STATUS_NO_MEMORY. */
status kv_figure_finish(kv_figure *figure, const char *model, const kv_times *times, size_t n_times, failure *f);

void kv_figure_free(kv_figure **figure);        /* one that is not whole leaves no file. NULL is fine */

#endif
