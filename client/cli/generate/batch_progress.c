#include "batch_progress.h"

#include <stdio.h>

#include "client/terminal/progress.h"

enum { LINE_BYTES = 160 };

static double tokens_per_s(batch_figures figures) {
    return figures.seconds > 0 ? (double)figures.n_tokens / figures.seconds : 0;
}

static void line_of(char out[LINE_BYTES], batch_figures figures) {
    char failed[40] = "";
    if (figures.counts.n_failed > 0)
        snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)figures.counts.n_failed);
    snprintf(out, LINE_BYTES, "%llu done%s, %zu under way, %.0f tok/s", (unsigned long long)figures.counts.n_done,
             failed, figures.counts.n_under_way, tokens_per_s(figures));
}

void batch_progress_show(batch_figures figures) {
    char line[LINE_BYTES];
    line_of(line, figures);
    progress_tell("%s", line);
}

void batch_progress_end(batch_figures figures) {
    batch_progress_show(figures);
    progress_leave();
}

void batch_progress_tell(batch_figures figures) {
    fprintf(stderr, "%llu texts, %llu tokens, %.1f tok/s\n", (unsigned long long)figures.counts.n_done,
            (unsigned long long)figures.n_tokens, tokens_per_s(figures));
}
