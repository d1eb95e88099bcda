/* What the text of a line goes on from: a text, ids, or a conversation. */
#ifndef TRIVIUM_LINE_PROMPT_H
#define TRIVIUM_LINE_PROMPT_H

#include "client/cli/batch/task.h"
#include "generate_flags.h"

typedef enum line_prompt_kind { PROMPT_TEXT, PROMPT_IDS, PROMPT_CONVERSATION } line_prompt_kind;

typedef struct line_prompt {
    line_prompt_kind kind;
    task task;                  /* ids, messages */
    union {
        generation_piece piece;         /* PROMPT_TEXT */
        conversation_prompt conversation;       /* PROMPT_CONVERSATION */
    };
} line_prompt;

void line_prompt_init(line_prompt *p);
void line_prompt_clear(line_prompt *p);

/* "prompt", "ids" or "messages" of the line, from which it borrows; `flags` are the line's. STATUS_BAD_REQUEST and whatever else
 * is wrong with it. */
status line_prompt_read(line_prompt *p, const json_t *line, const generate_flags *flags, failure *f);

/* Put the prompt, which lends it, into a request; of a conversation with room for as long a reply as that asks for. */
void line_prompt_put(line_prompt *p, const generate_flags *flags, generation_request *request);

#endif
