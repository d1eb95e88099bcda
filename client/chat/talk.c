#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "input/composer.h"
#include "input/line_editor.h"
#include "input/pipe_input.h"
#include "input/recall.h"
#include "proto/base/buffer.h"
#include "proto/base/process/signals.h"
#include "reply_json.h"
#include "screen.h"
#include "talk_commands.h"

typedef struct talk {
    const talk_options *options;
    client *client;
    dialogue *dialogue;
    output *out;
    line_editor *editor;        /* NULL: input or output is no terminal */
    recall *recall;             /* NULL without an editor */
    screen *screen;
    composer *composer;         /* of what is said */
    pipe_input *input;          /* without an editor */
    timer begins;               /* in the loop's next turn */
    bool wants_line;            /* edit one as soon as all is written */
    buffer next;                /* said while a reply was written: lines, each with its zero */
    char cut[REPLY_LIMIT_BYTES];    /* what cut the last reply, to be told after all of it; "": nothing */
    bool ending;                /* nothing more is said */
    bool interrupted;
    bool asked_again;           /* Ctrl-C came where nothing was typed, and nothing since then */
    int code;
} talk;

static const char user_prompt[] = "You: ", more_prompt[] = "...: ", reply_prompt[] = "Assistant: ";

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
    screen_begin_reply(t->screen, t->editor ? reply_prompt : "");
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

/* Only a line may be a farewell or a command. */
static void take_message(talk *t, composed said) {
    if (said.n_bytes == 0) return;
    const char *message = said.is_line ? talk_message(said.text, t->editor) : said.text;
    if (said.is_line && talk_is_farewell(said.text)) end(t);
    else if (!message) obey(t, said.text);
    else if (!dialogue_is_busy(t->dialogue) && t->next.n_bytes == 0) ask_for_reply(t, message);
    else if (t->next.n_bytes + said.n_bytes >= TEXT_BYTES_MAX) tell(t, "too much waits for this reply's end");
    else say(t, buffer_add(&t->next, message, strlen(message) + 1));
}

/* What comes back is a message as it was typed, if that was one line, else as it is said. */
static void take_whole(talk *t, const char *line) {
    composed said = composer_take(t->composer);
    if (t->recall) recall_add(t->recall, line ? line : said.text);
    take_message(t, said);
}

/* Whoever sits in front of it has seen it, and goes on. */
static void refuse_too_long(talk *t) {
    static const char sentence[] = "a message is longer than a text may be: it is left out";
    if (t->editor) tell(t, sentence);
    else refuse(t, STATUS_TOO_LONG, sentence);
}

static void take_line(talk *t, line_kind kind, const char *line, size_t n_bytes) {
    bool is_first = !composer_is_open(t->composer);
    switch (composer_add(t->composer, kind, line, n_bytes)) {
    case COMPOSER_MORE: break;
    case COMPOSER_WHOLE: take_whole(t, is_first ? line : NULL); break;
    case COMPOSER_TOO_LONG:
        refuse_too_long(t);
        if (kind != LINE_GOES_ON) break;
        composer_drop(t->composer);
        line_editor_skip_paste(t->editor);
        break;
    case COMPOSER_NO_MEMORY: say(t, STATUS_NO_MEMORY); break;
    }
}

/* The end of the input ends a message, if one is open, else the chat. */
static void take_end(talk *t) {
    if (composer_is_open(t->composer)) {
        composer_close(t->composer);
        take_whole(t, NULL);
    } else {
        end(t);
    }
}

/* What waited is shown where its reply begins. */
static void take_next(talk *t) {
    size_t n_bytes = strlen(t->next.bytes);
    say(t, screen_show_said(t->screen, user_prompt, more_prompt, t->next.bytes, n_bytes));
    ask_for_reply(t, t->next.bytes);
    buffer_drop(&t->next, n_bytes + 1);
}

/* ---- a terminal ---- */

static void on_line(void *context, line_kind kind, const char *line) {
    talk *t = context;
    t->asked_again = false;
    say(t, screen_release(t->screen));
    if (line) {
        take_line(t, kind, line, strlen(line));
    } else {
        say(t, screen_show_text(t->screen, "\n"));
        take_end(t);
    }
    if (!composer_is_open(t->composer)) dialogue_resume(t->dialogue);
    settle(t);
}

static void on_pasted(void *context, const char *text, size_t n_bytes) {
    talk *t = context;
    const char *prompt = composer_is_open(t->composer) ? more_prompt : user_prompt;
    say(t, screen_release(t->screen));
    take_line(t, LINE_GOES_ON, text, n_bytes);
    if (composer_is_open(t->composer))
        say(t, screen_show_said(t->screen, prompt, more_prompt, text, n_bytes));
    if (!composer_is_open(t->composer)) t->wants_line = true;   /* all of it is left out: as a key */
    settle(t);
}

static void on_left_out(void *context, status why) {
    talk *t = context;
    say(t, screen_release(t->screen));
    composer_drop(t->composer);
    if (why == STATUS_TOO_LONG) refuse_too_long(t);
    else say(t, why);
    t->wants_line = true;
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

/* The next line that says something; false: more must be read first. */
static bool take_next_line(talk *t) {
    const char *line;
    size_t n_bytes;
    lines_outcome outcome = pipe_input_next(t->input, &line, &n_bytes);
    if (outcome == LINES_NONE) return false;
    if (outcome == LINES_TOO_LONG) {
        refuse(t, STATUS_TOO_LONG, "a line is longer than a text may be: it was left out");
        composer_spoil(t->composer);
    } else if (n_bytes > 0 && memchr(line, '\0', n_bytes)) {
        refuse(t, STATUS_BAD_REQUEST, "a line with a zero byte was left out");
        composer_spoil(t->composer);
    } else {
        take_line(t, LINE_TYPED, line, n_bytes);
    }
    return true;
}

static void on_read(void *context, status st) {
    talk *t = context;
    say(t, st);
    settle(t);
}

/* ---- what comes next ---- */

static void settle_terminal(talk *t) {
    bool is_open = composer_is_open(t->composer);
    if (t->wants_line || is_open || !dialogue_is_busy(t->dialogue)) {
        t->wants_line = false;
        dialogue_pause(t->dialogue);    /* one that began since the key came, too */
        line_editor_begin(t->editor, is_open ? more_prompt : user_prompt, screen_has_colour(t->screen));
    } else {
        line_editor_listen(t->editor);
    }
}

static void settle_pipe(talk *t) {
    while (!t->ending && !dialogue_is_busy(t->dialogue) && take_next_line(t)) {}
    while (!t->ending && !dialogue_is_busy(t->dialogue) && pipe_input_has_ended(t->input)) {
        if (composer_is_quoted(t->composer)) tell(t, "the input ended within \"\"\": the message ends there");
        take_end(t);
    }
    bool is_over = t->ending && !dialogue_is_busy(t->dialogue) && output_pending_bytes(t->out) == 0;
    say(t, pipe_input_want(t->input, !t->ending && !dialogue_is_busy(t->dialogue)));
    if (is_over) loop_stop(client_loop(t->client));
}

/* After everything that happens: what is to be done now? */
static void settle(talk *t) {
    if (t->editor && line_editor_is_editing(t->editor)) return;
    while (!t->ending && t->next.n_bytes > 0 && !dialogue_is_busy(t->dialogue) &&
           !composer_is_open(t->composer)) take_next(t);
    if (output_pending_bytes(t->out) > 0) return;       /* on_progress comes back to this */
    tell_cut(t);
    if (t->ending && !dialogue_is_busy(t->dialogue)) loop_stop(client_loop(t->client));
    else if (!t->ending && t->editor) settle_terminal(t);
    else if (!t->ending) settle_pipe(t);
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
    talk *t = context;
    if (t->options->message && !t->ending) {
        t->ending = true;
        ask_for_reply(t, t->options->message);
    }
    settle(t);
}

/* At a prompt where nothing is typed: it may have been meant for a reply that ended just now, and a conversation
 * would be lost. So it is asked for again. */
static bool interrupt_prompt(talk *t) {
    if (t->asked_again) puts("Goodbye!");
    else tell(t, "Ctrl-D or quit ends the chat, or Ctrl-C once more");
    t->asked_again = !t->asked_again;
    return t->asked_again;
}

/* Ctrl-C takes back what is typed, else ends the reply, else, the second time, the chat; without a terminal both.
 * SIGTERM ends all of it. True: it goes on. */
static bool interrupt(talk *t) {
    if (t->editor && loop_was_terminated(client_loop(t->client))) return false;
    bool was_editing = t->editor && line_editor_is_editing(t->editor);
    bool was_typed = (t->editor && line_editor_drop(t->editor)) || composer_is_open(t->composer);
    composer_drop(t->composer);
    if (was_editing) say(t, screen_release(t->screen));
    t->wants_line = false;
    bool goes_on = was_typed || (dialogue_is_busy(t->dialogue) && !t->interrupted);
    if (goes_on) t->asked_again = false;
    else if (t->editor) goes_on = interrupt_prompt(t);
    if (was_typed) dialogue_resume(t->dialogue);
    else if (dialogue_is_busy(t->dialogue)) dialogue_stop(t->dialogue);
    if (!t->editor) t->interrupted = t->ending = true;
    if (goes_on) loop_once(client_loop(t->client), &t->begins, 0, on_begin, t);
    return goes_on;
}

static int run(talk *t) {
    if (t->editor) t->recall = recall_new(t->editor, tell, t);
    loop_once(client_loop(t->client), &t->begins, 0, on_begin, t);
    while (loop_run(client_loop(t->client))) {
        if (!interrupt(t)) return EXIT_INTERRUPTED;
    }
    return t->interrupted ? EXIT_INTERRUPTED : t->code;
}

int talk_run(client *c, const dialogue_options *how, const talk_options *options) {
    static const dialogue_events heard = {.note = tell, .text = on_text, .over = on_over};
    static const line_events typed = {.line = on_line, .pasted = on_pasted, .left_out = on_left_out,
                                      .key = on_key};
    bool reads = !options->message;
    bool is_terminal = reads && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options->json;
    talk t = {.options = options, .client = c};
    failure f;
    t.dialogue = dialogue_new(c, how, &heard, &t, &f);
    t.out = output_new(client_loop(c), STDOUT_FILENO, on_progress, &t);
    signals_rule before = signals_set(SIGNALS_HOLD_INTERRUPT);     /* until the terminal is given back */
    if (is_terminal) t.editor = line_editor_new(client_loop(c), &typed, &t);
    else if (reads) t.input = pipe_input_new(client_loop(c), TEXT_BYTES_MAX, on_read, &t);
    t.screen = screen_new(t.out, t.editor);
    t.composer = composer_new(TEXT_BYTES_MAX);
    int code = EXIT_FAILED;
    if (!t.dialogue) code = outcome_failed(&f);
    else if (t.out && (t.editor || t.input || !reads) && t.screen && t.composer) code = run(&t);
    else code = outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for a chat"});
    loop_cancel(client_loop(c), &t.begins);
    bool is_cut = t.editor && !line_editor_is_editing(t.editor) && t.screen &&
                  !screen_is_at_line_start(t.screen);
    line_editor_free(&t.editor);
    signals_set(before);
    if (is_cut) puts("");       /* what the shell says begins a line */
    pipe_input_free(&t.input);
    composer_free(&t.composer);
    recall_free(&t.recall);
    screen_free(&t.screen);
    output_free(&t.out);
    dialogue_free(&t.dialogue);
    buffer_clear(&t.next);
    return code;
}
