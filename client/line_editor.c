#include "line_editor.h"

#include <assert.h>
#include <editline/readline.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct line_editor {
    loop *loop;
    line_events events;
    void *context;
    struct termios before;      /* as it was found */
    bool watching;              /* the loop watches stdin */
    bool editing;
    bool typed;                 /* something of the line that is edited */
    bool done;                  /* libedit has a line, or the end */
    char *line;                 /* owned; NULL with done: the end */
};

/* libedit calls back without a context. */
static line_editor *the_editor;

static void on_libedit_line(char *line) {
    the_editor->line = line;
    the_editor->done = true;
}

/* Keys come one by one, unseen; Ctrl-C is still a signal. */
static void terminal_quiet(const line_editor *e) {
    struct termios quiet = e->before;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}

static void editing_end(line_editor *e) {
    rl_callback_handler_remove();
    e->editing = false;
    terminal_quiet(e);
}

static bool terminal_is_lost(void) {
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, 0) == 1 && (item.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void watch_stop(line_editor *e) {
    if (e->watching) loop_remove_fd(e->loop, STDIN_FILENO);
    e->watching = false;
}

static void on_readable(void *context) {
    line_editor *e = context;
    if (!e->editing && !terminal_is_lost()) {
        watch_stop(e);
        e->events.key(e->context);
        return;
    }
    if (terminal_is_lost()) e->done = true;
    else rl_callback_read_char();
    e->typed = rl_line_buffer && *rl_line_buffer;
    if (!e->done) return;
    e->done = false;
    watch_stop(e);
    if (e->editing) editing_end(e);
    char *line = e->line;
    e->line = NULL;
    if (line && *line) add_history(line);
    e->events.line(e->context, line);
    free(line);
}

/* Without memory for it no key is heard; the next turn to ask tries again. */
static void watch_begin(line_editor *e) {
    if (!e->watching) e->watching = loop_add_reader(e->loop, STDIN_FILENO, on_readable, e) == 0;
}

line_editor *line_editor_new(loop *l, const line_events *events, void *context) {
    assert(!the_editor);
    line_editor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (line_editor){.loop = l, .events = *events, .context = context};
    tcgetattr(STDIN_FILENO, &e->before);
    the_editor = e;
    rl_readline_name = (char *)"trivium";
    rl_catch_signals = 0;       /* Ctrl-C is the loop's */
    rl_initialize();
    using_history();
    terminal_quiet(e);
    return e;
}

void line_editor_free(line_editor **out) {
    line_editor *e = *out;
    if (!e) return;
    *out = NULL;
    watch_stop(e);
    if (e->editing) rl_callback_handler_remove();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
    the_editor = NULL;
    free(e->line);
    free(e);
}

void line_editor_begin(line_editor *e, const char *prompt, bool colour) {
    char shown[128];
    assert(!e->editing);
    /* \1 and \2 enclose what takes no columns. */
    snprintf(shown, sizeof shown, colour ? "\1\033[1m\2%s\1\033[0m\2" : "%s", prompt);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);     /* libedit learns from it which key is the end */
    rl_resize_terminal();
    rl_callback_handler_install(shown, on_libedit_line);
    e->editing = true;
    e->typed = false;
    watch_begin(e);
}

bool line_editor_is_editing(const line_editor *e) {
    return e->editing;
}

bool line_editor_drop(line_editor *e) {
    if (!e->editing) return false;
    watch_stop(e);
    editing_end(e);
    return e->typed;
}

void line_editor_listen(line_editor *e) {
    if (!e->editing) watch_begin(e);
}
