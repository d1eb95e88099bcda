#include "line_editor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "proto/base/process/signals.h"

enum { HISTORY_LINES = 1000, END_KEY = 4 };

struct line_editor {
    loop *loop;
    EditLine *edit;
    History *history;
    char prompt[128];
    line_events events;
    void *context;
    struct termios before;      /* as it was found */
    int signals;                /* the end of job_pipe that is read; -1: none */
    bool watching;              /* the loop watches stdin */
    bool editing;
    bool typed;                 /* something of the line that is edited */
    bool broken_off;            /* no character came where libedit wanted one */
};

/* Keys come one by one, unseen; Ctrl-C is still a signal. */
static void terminal_quiet(const line_editor *e) {
    struct termios quiet = e->before;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}

static void editing_end(line_editor *e) {
    el_set(e->edit, EL_UNBUFFERED, 0);
    e->editing = false;
    terminal_quiet(e);
}

/* ---- the terminal stops the program, goes on with it, changes its size ---- */

static const int job_signals[] = {SIGTSTP, SIGQUIT, SIGCONT, SIGWINCH};
enum { N_JOB_SIGNALS = sizeof job_signals / sizeof *job_signals };

static volatile sig_atomic_t job_pipe = -1;         /* the end that is written */

static void job_signal(int number) {
    int kept = errno;
    char byte = (char)number;
    ssize_t unused = write(job_pipe, &byte, 1);
    (void)unused;
    errno = kept;
}

/* A shell without jobs has it ignore them. */
static void signal_handle(int number, void (*handler)(int)) {
    const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (!signals_ignored(number)) sigaction(number, &action, NULL);
}

/* Whoever had the terminal in between left it as they liked. */
static void terminal_take_back(const line_editor *e) {
    if (!e->editing) {
        terminal_quiet(e);
        return;
    }
    el_set(e->edit, EL_PREP_TERM, 1);
    el_resize(e->edit);
    el_set(e->edit, EL_REFRESH);
}

/* While others have the terminal, it is as it was found. */
static void give_way(line_editor *e, int number) {
    if (e->editing) el_set(e->edit, EL_PREP_TERM, 0);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
    signal_handle(number, SIG_DFL);
    raise(number);                                  /* it stops here, or ends */
    signal_handle(number, job_signal);
    for (char going_on; read(e->signals, &going_on, 1) == 1;) {}
    terminal_take_back(e);
}

static void resize(const line_editor *e) {
    if (!e->editing) return;
    el_resize(e->edit);
    fputs("\r", stdout);
    el_set(e->edit, EL_REFRESH);
}

static void on_job_signal(void *context) {
    line_editor *e = context;
    char number;
    if (read(e->signals, &number, 1) != 1) return;
    if (number == SIGTSTP || number == SIGQUIT) give_way(e, number);
    else if (number == SIGCONT) terminal_take_back(e);
    else resize(e);
}

static void jobs_end(line_editor *e) {
    if (e->signals < 0) return;
    for (int i = 0; i < N_JOB_SIGNALS; i++) signal_handle(job_signals[i], SIG_DFL);
    loop_remove_fd(e->loop, e->signals);
    close(e->signals);
    close(job_pipe);
    e->signals = -1;
}

/* Where this is impossible, the signals do what they always do. */
static void jobs_begin(line_editor *e) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return;
    e->signals = ends[0];
    job_pipe = ends[1];
    if (loop_add_reader(e->loop, e->signals, on_job_signal, e) != 0) jobs_end(e);
    else for (int i = 0; i < N_JOB_SIGNALS; i++) signal_handle(job_signals[i], job_signal);
}

/* ---- keys ---- */

static bool terminal_is_lost(void) {
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, 0) == 1 && (item.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* While a line is edited Ctrl-C is a key among others, so that it comes between those before it and those
 * after it: a terminal that makes a signal of it throws away what is not read yet, and what is read next
 * may have come after it. All of the foreground hears of it, as from the terminal. */
static bool is_interrupt(const line_editor *e, char byte) {
    const cc_t key = e->before.c_cc[VINTR];
    return key != _POSIX_VDISABLE && (cc_t)byte == key && kill(0, SIGINT) == 0;
}

/* A character may need several bytes, a command of libedit several characters, and what they show may
 * find the terminal full: all of that is waited for in the loop. The read itself waits for nothing: what
 * was there may be gone after a Ctrl-Z. */
static bool next_byte(const line_editor *e, char *byte) {
    for (;;) {
        if (!loop_wait_readable(e->loop, STDIN_FILENO) || !loop_wait_writable(e->loop, STDOUT_FILENO))
            return false;
        ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n == 1 && !is_interrupt(e, *byte)) return true;
        if (n == 0 ? terminal_is_lost() : n < 0 && errno != EINTR && errno != EAGAIN) return false;
    }
}

/* libedit asks for a character. 0: none comes, because the loop ends or the terminal is lost. */
static int next_character(EditLine *edit, wchar_t *out) {
    line_editor *e;
    el_get(edit, EL_CLIENTDATA, &e);
    mbstate_t so_far = {0};
    for (char byte; next_byte(e, &byte);) {
        size_t n = mbrtowc(out, &byte, 1, &so_far);
        e->typed = true;
        if (n == (size_t)-1) so_far = (mbstate_t){0};   /* no character: it is left out */
        else if (n != (size_t)-2) return 1;
    }
    e->broken_off = true;
    return 0;
}

/* ---- lines ---- */

static void watch_stop(line_editor *e) {
    if (e->watching) loop_remove_fd(e->loop, STDIN_FILENO);
    e->watching = false;
}

static void on_readable(void *context);

/* Without memory for it no key is heard; the next turn to ask tries again. */
static void watch_begin(line_editor *e) {
    if (!e->watching) e->watching = loop_add_reader(e->loop, STDIN_FILENO, on_readable, e) == 0;
}

/* The line is whole, or the end: NULL. */
static void line_done(line_editor *e, const char *line) {
    editing_end(e);
    e->events.line(e->context, LINE_TYPED, line);
}

static size_t n_characters(const line_editor *e) {
    const LineInfoW *line = el_wline(e->edit);
    return (size_t)(line->lastchar - line->buffer);
}

/* The key that ends a line puts a newline after it, where the cursor is not. A recalled message may have
 * newlines of its own, at its end, too, when something of it was deleted. */
static bool is_sent(const line_editor *e, size_t n_characters_before) {
    const LineInfoW *line = el_wline(e->edit);
    return n_characters(e) == n_characters_before + 1 && line->lastchar[-1] == L'\n' &&
           line->cursor < line->lastchar;
}

/* What libedit calls a line may go on, end with a newline, or be the end key alone. */
static void take_key(line_editor *e) {
    int n = 0;
    const size_t n_before = n_characters(e);
    e->broken_off = false;
    const char *line = el_gets(e->edit, &n);
    if (!line) n = 0;
    if (!e->broken_off) e->typed = n > 0;
    if (n > 0 && is_sent(e, n_before)) {
        char *copy = strndup(line, (size_t)n - 1);
        line_done(e, copy ? copy : "");
        free(copy);
    } else if (n == 1 && *line == END_KEY && !e->broken_off) {
        line_done(e, NULL);
    } else {
        watch_begin(e);
    }
}

static void on_readable(void *context) {
    line_editor *e = context;
    watch_stop(e);
    if (!terminal_is_lost()) {
        if (e->editing) take_key(e);
        else e->events.key(e->context);
    } else if (e->editing) {
        line_done(e, NULL);
    } else {
        e->events.line(e->context, LINE_TYPED, NULL);
    }
}

/* ---- its life ---- */

static char *prompt_of(EditLine *edit) {
    line_editor *e;
    el_get(edit, EL_CLIENTDATA, &e);
    return e->prompt;
}

/* Beside what libedit binds by itself. */
static void keys_bind(EditLine *edit) {
    static const char *const keys[][2] = {
        {"^R", "em-inc-search-prev"},
        {"\\e[1~", "ed-move-to-beg"}, {"\\e[7~", "ed-move-to-beg"}, {"\\e[H", "ed-move-to-beg"},
        {"\\e[4~", "ed-move-to-end"}, {"\\e[8~", "ed-move-to-end"}, {"\\e[F", "ed-move-to-end"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[2~", "em-toggle-overwrite"},
        {"\\e[1;5C", "em-next-word"}, {"\\e[1;5D", "ed-prev-word"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        el_set(edit, EL_BIND, keys[i][0], keys[i][1], NULL);
}

/* The readline face of libedit is left alone: it writes past the end of a line of some 1,000 bytes. */
static bool libedit_begin(line_editor *e) {
    HistEvent unused;
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
    el_set(e->edit, EL_SETTY, "-d", "-intr", "-min", NULL); /* next_byte says why */
    keys_bind(e->edit);
    el_source(e->edit, NULL);                           /* ~/.editrc */
    return true;
}

static void libedit_end(line_editor *e) {
    if (e->edit) el_end(e->edit);
    if (e->history) history_end(e->history);
}

line_editor *line_editor_new(loop *l, const line_events *events, void *context) {
    line_editor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    *e = (line_editor){.loop = l, .events = *events, .context = context, .signals = -1};
    tcgetattr(STDIN_FILENO, &e->before);
    if (!libedit_begin(e)) {
        libedit_end(e);
        free(e);
        return NULL;
    }
    terminal_quiet(e);
    jobs_begin(e);
    return e;
}

void line_editor_free(line_editor **out) {
    line_editor *e = *out;
    if (!e) return;
    *out = NULL;
    line_editor_drop(e);
    watch_stop(e);
    jobs_end(e);
    libedit_end(e);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
    free(e);
}

void line_editor_begin(line_editor *e, const char *prompt, bool colour) {
    assert(!e->editing && *prompt);
    /* \1 encloses what takes no columns, which libedit writes with the character after it. */
    const char *last = prompt + strlen(prompt) - 1;
    if (colour) snprintf(e->prompt, sizeof e->prompt, "\1\033[1m\1%.*s\1\033[0m\1%s",
                         (int)(last - prompt), prompt, last);
    else snprintf(e->prompt, sizeof e->prompt, "%s", prompt);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);     /* libedit learns from it which key is the end */
    e->editing = true;
    e->typed = false;
    el_set(e->edit, EL_UNBUFFERED, 1);                  /* shows the prompt */
    watch_begin(e);
}

bool line_editor_is_editing(const line_editor *e) {
    return e->editing;
}

bool line_editor_drop(line_editor *e) {
    if (!e->editing) return false;
    watch_stop(e);
    editing_end(e);
    fputs("\n", stdout);
    fflush(stdout);
    return e->typed;
}

void line_editor_remember(line_editor *e, const char *text) {
    HistEvent unused;
    if (*text) history(e->history, &unused, H_ENTER, text);
}

void line_editor_listen(line_editor *e) {
    if (!e->editing) watch_begin(e);
}
