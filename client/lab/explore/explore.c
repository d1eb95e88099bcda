#include "explore.h"

#include "client/terminal/columns.h"
#include "client/terminal/term.h"

status explore_set(strategy *s, stage_kind kind, double number, failure *f) {
    return strategy_set(s, &(stage){.kind = kind, .numbers = {number}}, f);
}

generation_request explore_request(const explore_flags *flags, const generation_piece *prompt,
                                   const strategy *chain, uint64_t seed) {
    return (generation_request){
        .pieces = prompt,
        .n_pieces = 1,
        .model = flags->model,
        .pool = flags->pool,
        .chain = chain,
        .seed = seed,
        .max_new_tokens = (uint32_t)flags->max_new_tokens,
    };
}

void explore_remark(const char *sentence) {
    columns_layout line = columns_fit(1, term_columns(stdout), 1);
    columns_print(stdout, &sentence, 1, line.n_cells, term_has_colour(stdout) ? "\033[2m" : NULL);
}
