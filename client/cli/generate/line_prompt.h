/* What the text of a line goes on from: a text, ids, or a conversation, of which tokenizerd makes ids first. */
#ifndef TRIVIUM_LINE_PROMPT_H
#define TRIVIUM_LINE_PROMPT_H

#include "client/cli/batch/task.h"
#include "generate_flags.h"

typedef enum line_prompt_kind { PROMPT_TEXT, PROMPT_IDS, PROMPT_CONVERSATION } line_prompt_kind;

/* A conversation that tokenizerd has answered about. */
typedef struct rendered_conversation {
    bool is_there;
    char model[NAME_BYTES_MAX + 1];     /* that its ids are for */
    char **stops;               /* [n_stops], owned: the template's, then the line's */
    size_t n_stops;
    uint32_t n_dropped, n_cut;  /* messages, and ids of the last one, for which there was no room */
} rendered_conversation;

typedef struct line_prompt {
    line_prompt_kind kind;
    task task;                  /* ids; messages and the question about them */
    union {
        generation_piece piece;         /* PROMPT_TEXT */
        rendered_conversation rendered;       /* PROMPT_CONVERSATION */
    };
} line_prompt;

void line_prompt_init(line_prompt *p);
void line_prompt_clear(line_prompt *p);

/* "prompt", "ids" or "messages" of the line, from which it borrows; `flags` are the line's. STATUS_BAD_REQUEST and whatever else
 * is wrong with it. */
status line_prompt_read(line_prompt *p, const json_t *line, const generate_flags *flags, failure *f);

/* What tokenizerd is to be asked before there is a prompt, with room for a reply of n_reply ids; NULL: nothing (any more). */
const question *line_prompt_question(line_prompt *p, const generate_flags *flags, uint32_t n_reply);
/* Its answer. STATUS_BAD_REQUEST: too many stops. STATUS_NO_MEMORY. */
status line_prompt_take(line_prompt *p, const generate_flags *flags, const render_answer *a, failure *f);

/* Put the prompt, which lends it, into a request; of a conversation also its model and stops. */
void line_prompt_put(const line_prompt *p, generation_request *request);

#endif
