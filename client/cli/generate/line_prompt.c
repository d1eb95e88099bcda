#include "line_prompt.h"

#include <string.h>

void line_prompt_init(line_prompt *p) {
    memset(p, 0, sizeof *p);
    task_init(&p->task);
}

void line_prompt_clear(line_prompt *p) {
    task_clear(&p->task);
    line_prompt_init(p);
}

/* ---- what a line says ---- */

static status text_read(line_prompt *p, const generate_flags *flags, failure *f) {
    question_text text = {0};
    status st = task_text(&p->task, "prompt", &text, f);
    p->piece = (generation_piece){text.bytes, text.n_bytes, !flags->no_special};
    return st;
}

status line_prompt_read(line_prompt *p, const json_t *line, const generate_flags *flags, failure *f) {
    static const char *const keys[] = {
        [PROMPT_TEXT] = "prompt", [PROMPT_IDS] = "ids", [PROMPT_CONVERSATION] = "messages"};
    size_t n_given = 0;
    for (line_prompt_kind kind = PROMPT_TEXT; kind <= PROMPT_CONVERSATION; kind++) {
        if (!json_object_get(line, keys[kind])) continue;
        p->kind = kind;
        n_given++;
    }
    if (n_given != 1)
        return fail(f, STATUS_BAD_REQUEST, "a line needs exactly one of \"prompt\", \"messages\" and \"ids\"");
    p->task.line = line;
    switch (p->kind) {
    case PROMPT_TEXT: return text_read(p, flags, f);
    case PROMPT_IDS: return task_ids(&p->task, keys[PROMPT_IDS], f);
    case PROMPT_CONVERSATION: return task_messages(&p->task, keys[PROMPT_CONVERSATION], f);
    }
    return STATUS_UNSUPPORTED;
}

void line_prompt_put(line_prompt *p, const generate_flags *flags, generation_request *request) {
    switch (p->kind) {
    case PROMPT_TEXT:
        request->pieces = &p->piece;
        request->n_pieces = 1;
        break;
    case PROMPT_IDS:
        request->ids = p->task.ids.ids;
        request->n_ids = p->task.ids.n_ids;
        break;
    case PROMPT_CONVERSATION:
        p->conversation = (conversation_prompt){.messages = p->task.messages, .n_messages = p->task.n_messages,
                                                .form = flags->form, .n_reply = request->max_new_tokens};
        request->conversation = &p->conversation;
        break;
    }
}
