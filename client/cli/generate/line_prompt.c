#include "line_prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void line_prompt_init(line_prompt *p) {
    memset(p, 0, sizeof *p);
    task_init(&p->task);
}

static void rendered_clear(rendered_conversation *r) {
    for (size_t i = 0; i < r->n_stops; i++) free(r->stops[i]);
    free(r->stops);
}

void line_prompt_clear(line_prompt *p) {
    if (p->kind == PROMPT_CONVERSATION) rendered_clear(&p->rendered);
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

/* ---- a conversation ---- */

const question *line_prompt_question(line_prompt *p, const generate_flags *flags, uint32_t n_reply) {
    if (p->kind != PROMPT_CONVERSATION || p->rendered.is_there) return NULL;
    p->task.question = (question){
        .kind = ASK_RENDER,
        .render = {.model = flags->model, .form = flags->form, .messages = p->task.messages,
                   .n_messages = p->task.n_messages, .n_reply = n_reply},
    };
    return &p->task.question;
}

static status stops_take(rendered_conversation *r, const generate_flags *flags, const render_answer *a, failure *f) {
    size_t n = a->n_stops + flags->n_stops;
    if (n > STOPS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "with the %zu of the chat template these are more than %d stops",
                    a->n_stops, STOPS_MAX);
    r->stops = calloc(n + 1, sizeof *r->stops);
    for (size_t i = 0; r->stops && i < n; i++) {
        r->stops[i] = strdup(i < a->n_stops ? a->stops[i] : flags->stops[i - a->n_stops]);
        if (!r->stops[i]) break;
        r->n_stops++;
    }
    return r->stops && r->n_stops == n ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for the prompt");
}

status line_prompt_take(line_prompt *p, const generate_flags *flags, const render_answer *a, failure *f) {
    rendered_conversation *r = &p->rendered;
    if (ids_add_all(&p->task.ids, a->ids, a->n_ids, f) != STATUS_OK) return f->code;
    r->is_there = true;
    r->n_dropped = a->n_dropped;
    r->n_cut = a->n_cut;
    snprintf(r->model, sizeof r->model, "%s", a->model);
    return stops_take(r, flags, a, f);
}

void line_prompt_put(const line_prompt *p, generation_request *request) {
    if (p->kind == PROMPT_TEXT) {
        request->pieces = &p->piece;
        request->n_pieces = 1;
        return;
    }
    request->ids = p->task.ids.ids;
    request->n_ids = p->task.ids.n_ids;
    if (p->kind == PROMPT_IDS) return;
    request->model = p->rendered.model;
    request->stops = (const char *const *)p->rendered.stops;
    request->n_stops = p->rendered.n_stops;
}
