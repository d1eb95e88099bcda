#include "line_editor.h"

#include <assert.h>
#include <editline/readline.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

struct line_editor {
    loop *loop;
    line_events events;
    void *context;
    struct termios before;      /* as it was found */
    int signals;                /* a signalfd of job_signals; -1: none */
    bool watching;              /* the loop watches stdin */
    bool editing;
    bool typed;                 /* something of the line that is edited */
    bool broken_off;            /* no character came where libedit wanted one */
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

/* ---- the terminal stops the program, goes on with it, changes its size ---- */

static sigset_t set_of(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

/* Whoever had the terminal in between left it as it liked. */
static void terminal_take_back(const line_editor *e) {
    if (!e->editing) {
        terminal_quiet(e);
        return;
    }
    rl_prep_terminal(0);
    rl_resize_terminal();
    rl_forced_update_display();
}

/* The terminal is as it was while others have it. */
static void give_way(line_editor *e, int number) {
    const sigset_t stop = set_of(number), go_on = set_of(SIGCONT);
    if (e->editing) rl_deprep_terminal();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &stop, NULL);          /* it stops here, or ends */
    sigprocmask(SIG_BLOCK, &stop, NULL);
    sigtimedwait(&go_on, NULL, &(struct timespec){0});
    terminal_take_back(e);
}

static void resize(const line_editor *e) {
    if (!e->editing) return;
    rl_resize_terminal();
    fputs("\r", stdout);
    rl_forced_update_display();
}

static void on_job_signal(void *context) {
    line_editor *e = context;
    struct signalfd_siginfo came;
    if (read(e->signals, &came, sizeof came) != sizeof came) return;
    if (came.ssi_signo == SIGTSTP || came.ssi_signo == SIGQUIT) give_way(e, (int)came.ssi_signo);
    else if (came.ssi_signo == SIGCONT) terminal_take_back(e);
    else resize(e);
}

static sigset_t job_signals(void) {
    sigset_t set = set_of(SIGTSTP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGCONT);
    sigaddset(&set, SIGWINCH);
    return set;
}

/* Without memory for it they do what they always do. */
static void jobs_begin(line_editor *e) {
    const sigset_t set = job_signals();
    e->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (e->signals >= 0 && loop_add_reader(e->loop, e->signals, on_job_signal, e) == 0)
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static void jobs_end(line_editor *e) {
    const sigset_t set = job_signals();
    if (e->signals < 0) return;
    loop_remove_fd(e->loop, e->signals);
    close(e->signals);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- keys ---- */

static bool terminal_is_lost(void) {
    struct pollfd item = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&item, 1, 0) == 1 && (item.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* A character may need several bytes, a command of libedit several characters, and what they show may
 * find the terminal full: all of that is waited for in the loop. */
static bool next_byte(loop *l, char *byte) {
    for (;;) {
        if (!loop_wait_readable(l, STDIN_FILENO) || !loop_wait_writable(l, STDOUT_FILENO))
            return false;
        ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n == 1) return true;
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) return false;
    }
}

/* libedit asks for a character; EOF: none comes, because the loop ends or the terminal is lost. */
static int next_character(FILE *unused) {
    (void)unused;
    mbstate_t so_far = {0};
    wchar_t character;
    for (char byte; next_byte(the_editor->loop, &byte);) {
        size_t n = mbrtowc(&character, &byte, 1, &so_far);
        if (n == (size_t)-1) so_far = (mbstate_t){0};   /* no character: it is left out */
        else if (n != (size_t)-2) return (int)character;
    }
    the_editor->broken_off = true;
    return EOF;
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

static void on_readable(void *context) {
    line_editor *e = context;
    watch_stop(e);
    if (!e->editing && !terminal_is_lost()) {
        e->events.key(e->context);
        return;
    }
    e->broken_off = false;
    if (terminal_is_lost()) e->done = true;
    else rl_callback_read_char();
    e->typed = e->broken_off || (rl_line_buffer && *rl_line_buffer);
    if (!e->done) {
        watch_begin(e);
        return;
    }
    e->done = false;
    if (e->editing) editing_end(e);
    char *line = e->line;
    e->line = NULL;
    if (line && *line) add_history(line);
    e->events.line(e->context, line);
    free(line);
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
    rl_getc_function = next_character;
    rl_initialize();
    using_history();
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
    tcsetattr(STDIN_FILENO, TCSADRAIN, &e->before);
    the_editor = NULL;
    free(e->line);
    free(e);
}

void line_editor_begin(line_editor *e, const char *prompt, bool colour) {
    char shown[128];
    assert(!e->editing);
    /* \1 and \2 enclose what takes no columns, which libedit writes with the character behind it. */
    const char *last = prompt + strlen(prompt) - 1;
    if (colour) snprintf(shown, sizeof shown, "\1\033[1m\2%.*s\1\033[0m\2%s", (int)(last - prompt),
                         prompt, last);
    else snprintf(shown, sizeof shown, "%s", prompt);
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
    fputs("\n", stdout);
    fflush(stdout);
    return e->typed;
}

void line_editor_listen(line_editor *e) {
    if (!e->editing) watch_begin(e);
}
