#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/terminal/lines.h"
#include "line_editor.h"
#include "proto/base/buffer.h"
#include "reply_json.h"
#include "proto/base/process/signals.h"
#include "screen.h"
#include "talk_commands.h"

enum { READ_BYTES = 4096 };

typedef struct talk {
    const talk_options *options;
    client *client;
    dialogue *dialogue;
    output *out;
    line_editor *editor;        /* NULL: input or output is no terminal */
    screen *screen;
    lines *input;               /* without an editor: what was read */
    bool reading;               /* the loop watches stdin for `input` */
    bool input_ended;
    bool wants_line;            /* edit one as soon as all is written */
    buffer next;                /* said while a reply was written: lines, each with its zero */
    char cut[REPLY_LIMIT_BYTES];    /* what cut the last reply, to be told after all of it; "": nothing */
    bool ending;                /* nothing more is said */
    bool interrupted;
    int code;
} talk;

static const char user_prompt[] = "You: ", reply_prompt[] = "Assistant: ";

static void settle(talk *t);

/* ---- what is shown ---- */

static void end_for(talk *t, const failure *f) {
    t->code = outcome_failed(f);
    t->ending = true;
    loop_stop(client_loop(t->client));
}

static void say(talk *t, status st) {
    failure f;
    if (fail(&f, st, "no memory to show the chat") != STATUS_OK) end_for(t, &f);
}

/* A word to whoever chats. */
static void tell(void *context, const char *sentence) {
    talk *t = context;
    say(t, screen_tell(t->screen, sentence));
}

static void show_reply(talk *t, const char *bytes, size_t n_bytes, bool is_end) {
    if (t->editor && t->ending) return;         /* the farewell is said */
    say(t, screen_show_reply(t->screen, bytes, n_bytes, is_end));
}

static void on_text(void *context, const char *bytes, size_t n_bytes) {
    talk *t = context;
    if (!t->options->json) show_reply(t, bytes, n_bytes, false);
}

static void tell_cut(talk *t) {
    if (t->cut[0]) tell(t, t->cut);
    t->cut[0] = '\0';
}

static void on_over(void *context, const dialogue_reply *reply) {
    talk *t = context;
    if (t->options->json) {
        say(t, output_json(t->out, reply_json(reply)));
    } else {
        show_reply(t, "", 0, true);
        say(t, screen_show_new_line(t->screen));
        if (reply->limit) reply_limit_sentence(reply->limit, t->cut);
        if (t->editor) tell_cut(t);
    }
    if (reply->code != STATUS_OK) {
        tell(t, reply->message);
        t->code = EXIT_FAILED;
        if (reply->code == STATUS_NO_TOKENIZERD) t->ending = true;
    }
    if (t->editor && !t->ending) say(t, screen_show_text(t->screen, "\n"));
    settle(t);
}

static void on_note(void *context, const char *sentence) {
    tell(context, sentence);
}

/* ---- what is said ---- */

/* A line that has no reply. */
static void refuse(talk *t, status code, const char *sentence) {
    if (t->options->json)
        say(t, output_json(t->out, json_pack("{s: o}", "error", json_failure(code, sentence))));
    else tell(t, sentence);
    t->code = EXIT_FAILED;
}

/* To a message; without a text, another one to the last message. */
static void ask_for_reply(talk *t, const char *text) {
    failure f;
    screen_begin_reply(t->screen, reply_prompt);
    status st = text ? dialogue_say(t->dialogue, text, strlen(text), &f) : dialogue_regenerate(t->dialogue, &f);
    if (st == STATUS_OK) return;
    refuse(t, f.code, f.message);
    if (f.code == STATUS_NO_TOKENIZERD) t->ending = true;
}

static void end(talk *t) {
    if (t->editor) say(t, screen_show_text(t->screen, "Goodbye!\n"));
    t->ending = true;
    if (dialogue_is_busy(t->dialogue)) dialogue_stop(t->dialogue);
}

static void obey(talk *t, const char *command) {
    switch (talk_command(t->dialogue, command, tell, t)) {
    case TALK_ON: break;
    case TALK_REFUSED:
        if (!t->editor) t->code = EXIT_FAILED;
        break;
    case TALK_REGENERATE: ask_for_reply(t, NULL); break;
    case TALK_END: end(t); break;
    }
}

/* A line without the blanks at its ends. */
static void take_line(talk *t, char *line) {
    line += strspn(line, " \t\r");
    size_t n_bytes = strlen(line);
    while (n_bytes > 0 && strchr(" \t\r", line[n_bytes - 1])) n_bytes--;
    line[n_bytes] = '\0';
    if (n_bytes == 0) return;
    const char *message = talk_message(line, isatty(STDIN_FILENO));
    if (talk_is_farewell(line)) end(t);
    else if (!message) obey(t, line);
    else if (!dialogue_is_busy(t->dialogue)) ask_for_reply(t, message);
    else if (t->next.n_bytes + n_bytes >= TEXT_BYTES_MAX) tell(t, "too much waits for this reply's end");
    else say(t, buffer_add(&t->next, message, strlen(message) + 1));
}

/* What waited is shown where its reply begins. */
static void take_next(talk *t) {
    size_t n_bytes = strlen(t->next.bytes);
    say(t, screen_show_prompt(t->screen, user_prompt));
    say(t, screen_show(t->screen, t->next.bytes, n_bytes));
    say(t, screen_show_text(t->screen, "\n"));
    ask_for_reply(t, t->next.bytes);
    buffer_drop(&t->next, n_bytes + 1);
}

/* ---- a terminal ---- */

static void on_line(void *context, const char *line) {
    talk *t = context;
    char *copy = line ? strdup(line) : NULL;
    say(t, screen_release(t->screen));
    if (copy) take_line(t, copy);
    else if (line) say(t, STATUS_NO_MEMORY);
    else {
        say(t, screen_show_text(t->screen, "\n"));
        end(t);
    }
    free(copy);
    dialogue_resume(t->dialogue);
    settle(t);
}

static void on_key(void *context) {
    talk *t = context;
    t->wants_line = true;
    dialogue_pause(t->dialogue);
    say(t, screen_show_new_line(t->screen));
    settle(t);
}

/* ---- a pipe ---- */

static void on_readable(void *context);

static void reading_set(talk *t, bool wanted) {
    if (wanted == t->reading) return;
    if (!wanted) loop_remove_fd(client_loop(t->client), STDIN_FILENO);
    else if (loop_add_reader(client_loop(t->client), STDIN_FILENO, on_readable, t) != 0)
        say(t, STATUS_NO_MEMORY);
    t->reading = wanted;
}

/* The next line that says something; false: more must be read first. */
static bool take_next_line(talk *t) {
    const char *line;
    size_t n_bytes;
    lines_outcome outcome = lines_next(t->input, &line, &n_bytes);
    if (outcome == LINES_NONE) return false;
    char *copy = outcome == LINES_LINE ? strndup(line, n_bytes) : NULL;
    if (outcome == LINES_TOO_LONG) {
        refuse(t, STATUS_TOO_LONG, "a line is longer than a text may be: it was left out");
    } else if (copy && memchr(line, '\0', n_bytes)) {
        refuse(t, STATUS_BAD_REQUEST, "a line with a zero byte was left out");
    } else if (copy) {
        take_line(t, copy);
    } else {
        say(t, STATUS_NO_MEMORY);
    }
    free(copy);
    return true;
}

static void on_readable(void *context) {
    talk *t = context;
    char bytes[READ_BYTES];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n > 0) {
        say(t, lines_add(t->input, bytes, (size_t)n));
    } else {
        reading_set(t, false);
        lines_end(t->input);
        t->input_ended = true;
    }
    settle(t);
}

/* ---- what comes next ---- */

static void settle_terminal(talk *t) {
    if (t->wants_line || !dialogue_is_busy(t->dialogue)) {
        t->wants_line = false;
        dialogue_pause(t->dialogue);    /* one that began since the key came, too */
        line_editor_begin(t->editor, user_prompt, screen_has_colour(t->screen));
    } else {
        line_editor_listen(t->editor);
    }
}

static void settle_pipe(talk *t) {
    while (!t->ending && !dialogue_is_busy(t->dialogue) && take_next_line(t)) {}
    if (!dialogue_is_busy(t->dialogue) && t->input_ended) t->ending = true;
    bool is_over = t->ending && !dialogue_is_busy(t->dialogue) && output_pending_bytes(t->out) == 0;
    reading_set(t, !t->ending && !t->input_ended && !dialogue_is_busy(t->dialogue));
    if (is_over) loop_stop(client_loop(t->client));
}

/* After everything that happens: what is to be done now? */
static void settle(talk *t) {
    if (t->editor && line_editor_is_editing(t->editor)) return;
    while (!t->ending && t->next.n_bytes > 0 && !dialogue_is_busy(t->dialogue)) take_next(t);
    if (output_pending_bytes(t->out) > 0) return;       /* on_progress comes back to this */
    tell_cut(t);
    if (t->ending) {
        if (!dialogue_is_busy(t->dialogue)) loop_stop(client_loop(t->client));
    } else if (t->editor) {
        settle_terminal(t);
    } else {
        settle_pipe(t);
    }
}

/* stdout took something, or failed. */
static void on_progress(void *context) {
    talk *t = context;
    failure f;
    int error = output_error(t->out);
    if (error == EPIPE) {
        t->code = EXIT_FAILED;          /* the reader has seen enough */
        t->ending = true;
        loop_stop(client_loop(t->client));
    } else if (error) {
        fail(&f, STATUS_IO, "cannot write the chat: %s", strerror(error));
        end_for(t, &f);
    } else {
        settle(t);
    }
}

/* ---- the whole ---- */

static void on_begin(void *context) {
    settle(context);
}

/* Ctrl-C takes back what is typed, else ends the reply, else the chat; without a terminal both.
 * SIGTERM ends all of it. True: it goes on. */
static bool interrupt(talk *t) {
    if (t->editor && loop_was_terminated(client_loop(t->client))) return false;
    bool was_editing = t->editor && line_editor_is_editing(t->editor);
    bool was_typed = was_editing && line_editor_drop(t->editor);
    if (was_editing) say(t, screen_release(t->screen));
    t->wants_line = false;
    bool goes_on = was_typed || (dialogue_is_busy(t->dialogue) && !t->interrupted);
    if (was_typed) dialogue_resume(t->dialogue);
    else if (dialogue_is_busy(t->dialogue)) dialogue_stop(t->dialogue);
    if (!t->editor) t->interrupted = t->ending = true;
    return goes_on && loop_once(client_loop(t->client), 0, on_begin, t) >= 0;
}

static int run(talk *t) {
    if (loop_once(client_loop(t->client), 0, on_begin, t) < 0) {
        say(t, STATUS_NO_MEMORY);
        return t->code;
    }
    while (loop_run(client_loop(t->client))) {
        if (!interrupt(t)) return EXIT_INTERRUPTED;
    }
    return t->interrupted ? EXIT_INTERRUPTED : t->code;
}

int talk_run(client *c, const dialogue_options *how, const talk_options *options) {
    static const dialogue_events heard = {.note = on_note, .text = on_text, .over = on_over};
    static const line_events typed = {.line = on_line, .key = on_key};
    bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options->json;
    talk t = {.options = options, .client = c};
    failure f;
    t.dialogue = dialogue_new(c, how, &heard, &t, &f);
    t.out = output_new(client_loop(c), STDOUT_FILENO, on_progress, &t);
    signals_rule before = signals_set(SIGNALS_HOLD_INTERRUPT);     /* until the terminal is given back */
    if (is_terminal) t.editor = line_editor_new(client_loop(c), &typed, &t);
    else t.input = lines_new(TEXT_BYTES_MAX);
    t.screen = screen_new(t.out, t.editor);
    int code = EXIT_FAILED;
    if (!t.dialogue) code = outcome_failed(&f);
    else if (t.out && (t.editor || t.input) && t.screen) code = run(&t);
    else code = outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for a chat"});
    bool is_cut = t.editor && !line_editor_is_editing(t.editor) && t.screen &&
                  !screen_is_at_line_start(t.screen);
    line_editor_free(&t.editor);
    signals_set(before);
    if (is_cut) puts("");       /* what the shell says begins a line */
    reading_set(&t, false);
    lines_free(&t.input);
    screen_free(&t.screen);
    output_free(&t.out);
    dialogue_free(&t.dialogue);
    buffer_clear(&t.next);
    return code;
}
