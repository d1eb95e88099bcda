#include "batch_progress.h"

#include <unistd.h>

static double tokens_per_s(batch_figures figures) {
    return figures.seconds > 0 ? (double)figures.n_tokens / figures.seconds : 0;
}

void batch_progress_begin(batch_progress *p) {
    *p = (batch_progress){.place = {.fd = STDERR_FILENO}, .is_shown = in_place_works(STDERR_FILENO),
                          .gives_way = isatty(STDOUT_FILENO)};
}

static void line_print(batch_progress *p, const char *line) {
    fputc('\r', stderr);        /* what was typed, as ^C, has moved the cursor */
    in_place_print(&p->place, stderr, line);
    fflush(stderr);
}

void batch_progress_draw(batch_progress *p, batch_figures figures) {
    char line[160], failed[40] = "";
    if (!p->is_shown) return;
    if (figures.counts.n_failed > 0)
        snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)figures.counts.n_failed);
    snprintf(line, sizeof line, "%llu done%s, %zu under way, %.0f tok/s\n",
             (unsigned long long)figures.counts.n_done, failed, figures.counts.n_under_way,
             tokens_per_s(figures));
    line_print(p, line);
}

void batch_progress_hide(batch_progress *p) {
    if (p->is_shown && p->place.n_lines > 0) line_print(p, "");
}

void batch_progress_hide_from_results(batch_progress *p) {
    if (p->gives_way) batch_progress_hide(p);
}

void batch_progress_tell(batch_figures figures) {
    fprintf(stderr, "%llu texts, %llu tokens, %.1f tok/s\n", (unsigned long long)figures.counts.n_done,
            (unsigned long long)figures.n_tokens, tokens_per_s(figures));
}
