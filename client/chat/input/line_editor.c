#include "line_editor.h"

#include <assert.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "client/terminal/term.h"
#include "edited_line.h"
#include "history_file.h"
#include "key_bytes.h"
#include "paste.h"
#include "proto/base/buffer.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "terminal_jobs.h"

enum { HISTORY_LINES = HISTORY_ENTRIES_MAX, END_KEY = 4 };

struct line_editor {
    loop *loop;
    EditLine *edit;
    History *history;
    char prompt[128];
    size_t n_prompt;            /* cells */
    size_t n_columns;           /* of the terminal, when the line was last shown */
    line_events events;
    void *context;
    struct termios before;      /* as it was found */
    terminal_jobs *jobs;
    bool watching;              /* the loop watches stdin */
    timer turn;                 /* of keys that were read already */
    key_bytes *keys;
    paste *paste;
    buffer rest;                /* wchar_t: of the line, after the lines that were pasted into it */
    bool editing;
    bool hidden;                /* what is edited is not shown, nor does libedit know of it */
    bool typed;                 /* something of the line that is edited */
    bool is_pasted;             /* what was pasted is the last of it */
    bool broken_off;            /* no character came where libedit wanted one */
};

/* ---- the terminal ---- */

/* Keys come one by one, unseen; Ctrl-C is still a signal. */
static void terminal_quiet(const line_editor *e) {
    struct termios quiet = e->before;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    quiet.c_iflag &= ~(tcflag_t)ICRNL;
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}

static void terminal_obey(const char *sequence) {
    const char *kind = getenv("TERM");
    if (kind && strcmp(kind, "dumb") == 0) return;
    fputs(sequence, stdout);
    fflush(stdout);
}

static void editing_end(line_editor *e) {
    el_set(e->edit, EL_UNBUFFERED, 0);
    e->editing = e->hidden = false;
    terminal_quiet(e);
}

/* While others have the terminal, it is as it was found. */
static void on_give_back(void *context) {
    line_editor *e = context;
    terminal_obey(PASTE_MARKS_OFF);
    if (e->editing) el_set(e->edit, EL_PREP_TERM, 0);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
}

/* The line, from where the cursor stands. */
static void draw(line_editor *e) {
    el_resize(e->edit);
    e->n_columns = term_columns(stdout);
    el_set(e->edit, EL_REFRESH);
}

/* Whoever had the terminal in between left it as they liked. */
static void on_take(void *context) {
    line_editor *e = context;
    if (e->editing) el_set(e->edit, EL_PREP_TERM, 1);
    else terminal_quiet(e);
    terminal_obey(PASTE_MARKS_ON);
    if (line_editor_is_editing(e)) draw(e);
}

/* The cursor is at the beginning of the line then, and nothing is shown from there on. A terminal that changed its
 * size may have folded the line anew, or not: what was above it stays in either case. */
static void undraw(const line_editor *e) {
    size_t row = edited_line_row(e->edit, e->n_prompt, term_columns(stdout));
    size_t row_before = edited_line_row(e->edit, e->n_prompt, e->n_columns);
    if (row_before < row) row = row_before;
    if (row > 0) printf("\033[%zuA", row);
    fputs("\r\033[J", stdout);
    fflush(stdout);
}

static void on_resize(void *context) {
    line_editor *e = context;
    if (!line_editor_is_editing(e)) return;
    undraw(e);
    draw(e);
}

/* ---- keys ---- */

/* libedit asks for a character. 0: none comes, because the loop ends or the terminal is lost. */
static int next_character(EditLine *edit, wchar_t *out) {
    line_editor *e;
    el_get(edit, EL_CLIENTDATA, &e);
    mbstate_t so_far = {0};
    for (char byte; key_bytes_next(e->keys, &byte);) {
        size_t n = mbrtowc(out, &byte, 1, &so_far);
        e->typed = true;
        if (n == (size_t)-1) so_far = (mbstate_t){0};   /* no character: it is left out */
        else if (n != (size_t)-2) return 1;
    }
    e->broken_off = true;
    return 0;
}

/* ---- turns ---- */

static void on_readable(void *context);
static void on_turn(void *context);

static void watch_stop(line_editor *e) {
    if (e->watching) loop_remove_fd(e->loop, STDIN_FILENO);
    loop_cancel(e->loop, &e->turn);
    e->watching = false;
}

/* Without memory for it no key is heard; the next turn to ask tries again. */
static void watch_begin(line_editor *e) {
    if (!e->watching) e->watching = loop_add_reader(e->loop, STDIN_FILENO, on_readable, e) == 0;
}

/* The next key, which may have been read with those before it. */
static void wait_for_key(line_editor *e) {
    if (!key_bytes_wait(e->keys)) watch_begin(e);
    else if (!timer_is_set(&e->turn)) loop_once(e->loop, &e->turn, 0, on_turn, e);
}

/* ---- lines ---- */

/* The line is whole, or the end: NULL. */
static void line_done(line_editor *e, const char *line) {
    line_kind kind = e->is_pasted ? LINE_PASTED : LINE_TYPED;
    editing_end(e);
    e->events.line(e->context, kind, line);
}

/* What libedit calls a line may go on, end with a newline, or be the end key alone. */
static void edit_on(line_editor *e) {
    int n = 0;
    const size_t n_before = edited_line_n_characters(e->edit);
    e->broken_off = false;
    const char *line = el_gets(e->edit, &n);
    if (!line) n = 0;
    if (!e->broken_off) e->typed = n > 0;
    if (n > 0 && edited_line_is_sent(e->edit, n_before)) {
        char *copy = strndup(line, (size_t)n - 1);
        line_done(e, copy ? copy : "");
        free(copy);
    } else if (n == 1 && *line == END_KEY && !e->broken_off) {
        line_done(e, NULL);
    } else {
        e->is_pasted = false;
        wait_for_key(e);
    }
}

static void take_key(line_editor *e) {
    switch (key_bytes_look(e->keys)) {
    case KEY_BYTES_LOST: line_done(e, NULL); break;
    case KEY_BYTES_KEY: edit_on(e); break;
    case KEY_BYTES_NONE: watch_begin(e); break;
    case KEY_BYTES_PASTE: wait_for_key(e); break;
    }
}

/* ---- what is pasted ---- */

/* No line is shown any more. What stood before the cursor goes into `begun`, the rest of it waits. */
static status hide(line_editor *e, buffer *begun) {
    if (e->hidden) return STATUS_OK;
    undraw(e);
    e->hidden = true;
    return edited_line_cut(e->edit, begun, &e->rest);
}

/* The end of what was pasted, which has no newline, becomes part of the line that is edited. */
static void edit_last_line(line_editor *e) {
    size_t n_bytes, n_lines_bytes;
    const char *text = paste_text(e->paste, &n_bytes, &n_lines_bytes);
    if (!e->hidden) undraw(e);
    edited_line_insert(e->edit, text, n_bytes, &e->rest);
    paste_skip(e->paste);
    e->hidden = false;
    e->is_pasted = e->typed = true;
    draw(e);
    wait_for_key(e);
}

static void leave_out(line_editor *e, status why) {
    buffer begun = {0};
    hide(e, &begun);
    buffer_clear(&begun);
    buffer_clear(&e->rest);
    paste_skip(e->paste);
    e->events.left_out(e->context, why);
}

/* Whole lines, the first of them after what was typed. */
static void give_lines(line_editor *e) {
    buffer lines = {0};
    size_t n_bytes, n_lines_bytes;
    status st = hide(e, &lines);
    const char *text = paste_text(e->paste, &n_bytes, &n_lines_bytes);
    if (st == STATUS_OK) st = buffer_add(&lines, text, n_lines_bytes - 1);
    char *given = st == STATUS_OK ? text_replace_ill_formed((const uint8_t *)lines.bytes, lines.n_bytes, &n_bytes)
                                  : NULL;
    buffer_clear(&lines);
    paste_take(e->paste, n_lines_bytes);
    if (given) e->events.pasted(e->context, given, n_bytes);
    else leave_out(e, STATUS_NO_MEMORY);
    free(given);
}

static void take_paste(line_editor *e) {
    status st;
    if (!key_bytes_read_paste(e->keys, &st)) {
        line_done(e, NULL);
        return;
    }
    size_t n_bytes, n_lines_bytes;
    paste_text(e->paste, &n_bytes, &n_lines_bytes);
    if (st != STATUS_OK) leave_out(e, st);
    else if (n_lines_bytes > 0) give_lines(e);
    else if (!paste_is_open(e->paste)) edit_last_line(e);
    else wait_for_key(e);
}

static void on_turn(void *context) {
    line_editor *e = context;
    watch_stop(e);
    if (!e->editing) e->events.key(e->context);
    else if (paste_is_open(e->paste)) take_paste(e);
    else take_key(e);
}

static void on_readable(void *context) {
    line_editor *e = context;
    if (!key_bytes_terminal_is_lost()) {
        on_turn(e);
        return;
    }
    watch_stop(e);
    if (e->editing) line_done(e, NULL);
    else e->events.line(e->context, LINE_TYPED, NULL);
}

/* ---- its life ---- */

static char *prompt_of(EditLine *edit) {
    line_editor *e;
    el_get(edit, EL_CLIENTDATA, &e);
    return e->prompt;
}

/* The readline face of libedit is left alone: it writes past the end of a line of some 1,000 bytes. */
static bool libedit_begin(line_editor *e) {
    HistEvent unused;
    struct termios other = e->before;                   /* EL_SETTY counts when libedit sees that modes changed */
    other.c_iflag ^= (tcflag_t)IXANY;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &other);
    e->edit = el_init("trivium", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->edit || !e->history) return false;
    history(e->history, &unused, H_SETSIZE, HISTORY_LINES);
    el_set(e->edit, EL_CLIENTDATA, e);
    el_set(e->edit, EL_SIGNAL, 0);                      /* Ctrl-C is the loop's */
    el_set(e->edit, EL_GETCFN, next_character);
    el_set(e->edit, EL_PROMPT_ESC, prompt_of, '\1');
    el_set(e->edit, EL_HIST, history, e->history);
    el_set(e->edit, EL_EDITOR, "emacs");
    el_set(e->edit, EL_SETTY, "-d", "-intr", "-susp", "-quit", "-min",
           "-icrnl", "-inlcr", "-ixon", NULL);         /* key_bytes.h says why; what is pasted comes as it is */
    edited_line_set_up(e->edit);
    el_source(e->edit, NULL);                           /* ~/.editrc */
    return true;
}

static bool parts_begin(line_editor *e) {
    e->paste = paste_new(TEXT_BYTES_MAX);
    e->keys = e->paste ? key_bytes_new(e->loop, &e->before, e->paste) : NULL;
    return e->keys && libedit_begin(e);
}

static void parts_end(line_editor *e) {
    if (e->edit) el_end(e->edit);
    if (e->history) history_end(e->history);
    key_bytes_free(&e->keys);
    paste_free(&e->paste);
    buffer_clear(&e->rest);
    free(e);
}

line_editor *line_editor_new(loop *l, const line_events *events, void *context) {
    static const job_events jobs = {.give_back = on_give_back, .take = on_take, .resize = on_resize};
    line_editor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (line_editor){.loop = l, .events = *events, .context = context};
    tcgetattr(STDIN_FILENO, &e->before);
    if (!parts_begin(e)) {
        parts_end(e);
        return NULL;
    }
    terminal_quiet(e);
    terminal_obey(PASTE_MARKS_ON);
    e->jobs = terminal_jobs_new(l, &jobs, e);
    return e;
}

void line_editor_free(line_editor **out) {
    line_editor *e = *out;
    if (!e) return;
    *out = NULL;
    line_editor_drop(e);
    watch_stop(e);
    terminal_jobs_free(&e->jobs);
    terminal_obey(PASTE_MARKS_OFF);
    const struct termios before = e->before;
    parts_end(e);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

void line_editor_begin(line_editor *e, const char *prompt, bool colour) {
    assert(!line_editor_is_editing(e) && *prompt);
    /* \1 encloses what takes no columns, which libedit writes with the character after it. */
    const char *last = prompt + strlen(prompt) - 1;
    if (colour) snprintf(e->prompt, sizeof e->prompt, "\1\033[1m\1%.*s\1\033[0m\1%s",
                         (int)(last - prompt), prompt, last);
    else snprintf(e->prompt, sizeof e->prompt, "%s", prompt);
    e->n_prompt = term_width(prompt);
    if (e->editing && !paste_is_open(e->paste)) {
        edit_last_line(e);
        return;
    }
    if (!e->editing) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before); /* libedit learns from it which key is the end */
        e->editing = true;
        e->typed = e->is_pasted = false;
        e->n_columns = term_columns(stdout);
        el_set(e->edit, EL_UNBUFFERED, 1);              /* shows the prompt */
    }
    wait_for_key(e);
}

bool line_editor_is_editing(const line_editor *e) {
    return e->editing && !e->hidden;
}

bool line_editor_drop(line_editor *e) {
    if (!e->editing) return false;
    bool was_shown = !e->hidden;
    watch_stop(e);
    if (paste_is_open(e->paste)) paste_skip(e->paste);
    buffer_clear(&e->rest);
    editing_end(e);
    if (was_shown) fputs("\n", stdout);
    fflush(stdout);
    return e->typed;
}

void line_editor_skip_paste(line_editor *e) {
    paste_skip(e->paste);
    buffer_clear(&e->rest);
}

void line_editor_remember(line_editor *e, const char *text) {
    HistEvent unused;
    history(e->history, &unused, H_ENTER, text);
}

void line_editor_listen(line_editor *e) {
    if (!e->editing) wait_for_key(e);
}
