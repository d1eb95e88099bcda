#include "recall.h"

#include <stdlib.h>

#include "history_file.h"

struct recall {
    line_editor *editor;
    void (*tell)(void *context, const char *sentence);
    void *context;
    history_file *file;         /* NULL: nothing is kept */
};

static void on_entry(void *context, const char *text) {
    recall *r = context;
    line_editor_remember(r->editor, text);
}

static void keep_no_more(recall *r, const failure *f) {
    r->tell(r->context, f->message);
    history_file_close(&r->file);
}

recall *recall_new(line_editor *editor, void (*tell)(void *context, const char *sentence), void *context) {
    recall *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    *r = (recall){.editor = editor, .tell = tell, .context = context};
    failure f;
    status st = history_file_open(&r->file, &f);
    if (r->file) st = history_file_read(r->file, on_entry, r, &f);
    if (st != STATUS_OK) keep_no_more(r, &f);
    return r;
}

void recall_free(recall **r) {
    if (!*r) return;
    history_file_close(&(*r)->file);
    free(*r);
    *r = NULL;
}

void recall_add(recall *r, const char *text) {
    failure f;
    if (!*text) return;
    line_editor_remember(r->editor, text);
    if (r->file && history_file_add(r->file, text, &f) != STATUS_OK) keep_no_more(r, &f);
}
