/* What a line that begins with "/" does in a chat. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "talk.h"

typedef struct telling {
    void (*tell)(void *context, const char *sentence);
    void *context;
} telling;

static void tell(const telling *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(const telling *to, const char *format, ...) {
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    to->tell(to->context, sentence);
}

static void tell_strategy(const dialogue *d, const telling *to) {
    char *line = json_strategy_line(dialogue_strategy(d));
    tell(to, "strategy: %s", line ? line : "");
    free(line);
}

static bool is_flag(const stage_flags *stages, const char *name) {
    const option_row *row = stages->rows;
    while (row->name && strcmp(row->name, name) != 0) row++;
    return row->name != NULL;
}

/* "temperature 0.3", read as the strategy flag that it is. */
static status set_parse(const char *rest, stage_flags *stages, strategy *out, failure *f) {
    char name[STAGE_FLAG_NAME_BYTES + 2] = "--";
    size_t n_bytes = strcspn(rest, " =");
    if (n_bytes == 0 || n_bytes >= STAGE_FLAG_NAME_BYTES || strncmp(rest, "help", n_bytes) == 0)
        return fail(f, STATUS_BAD_REQUEST, "/set takes a name and a value, as /set temperature 0.3");
    memcpy(name + 2, rest, n_bytes);
    for (char *at = name + 2; *at; at++) {
        if (*at == '_') *at = '-';
    }
    if (!is_flag(stages, name + 2))
        return fail(f, STATUS_BAD_REQUEST, "there is no %s to /set: `trivium chat --help` lists what "
                    "there is", name + 2);
    const char *value = rest + n_bytes + strspn(rest + n_bytes, " =");
    const options o = {.usage = "/set NAME VALUE", .summary = "", .tables = {stages->rows}};
    char *argv[] = {(char *)"/set", name, (char *)value, NULL};
    size_t n_words;
    status st = options_parse(&o, *value ? 3 : 2, argv, NULL, &n_words, f);
    if (st == STATUS_OK) st = stage_flags_check(stages, f);
    return st == STATUS_OK ? stage_flags_strategy(stages, START_EMPTY, out, f) : st;
}

static void set(dialogue *d, const char *rest, const telling *to) {
    if (!*rest) {
        tell_strategy(d, to);
        return;
    }
    failure f;
    stage_flags stages;
    strategy change;
    stage_flags_init(&stages);
    strategy_init(&change);
    status st = set_parse(rest, &stages, &change, &f);
    if (st == STATUS_OK) st = dialogue_tune(d, &change, stage_flags_replace(&stages), &f);
    if (st != STATUS_OK) tell(to, "%s", f.message);
    stage_flags_clear(&stages);
    strategy_clear(&change);
}

static void undo(dialogue *d, const char *rest, const telling *to) {
    (void)rest;
    if (dialogue_is_busy(d)) tell(to, "a reply is being written: Ctrl-C ends it");
    else if (transcript_undo(dialogue_transcript(d))) tell(to, "your last message is taken back");
    else tell(to, "there is nothing to take back");
}

static void save(dialogue *d, const char *rest, const telling *to) {
    failure f;
    if (!*rest) tell(to, "/save needs a file, as /save talk.jsonl");
    else if (transcript_save(dialogue_transcript(d), rest, &f) != STATUS_OK) tell(to, "%s", f.message);
    else tell(to, "saved in %s", rest);
}

static void help(dialogue *d, const char *rest, const telling *to);

typedef struct chat_command {
    const char *name, *usage, *help;
    void (*run)(dialogue *d, const char *rest, const telling *to);
} chat_command;

static const chat_command commands[] = {
    {"set", "/set NAME VALUE", "another strategy: /set temperature 0.3; also during a reply", set},
    {"undo", "/undo", "take back your last message and its reply", undo},
    {"save", "/save FILE", "write the conversation, one JSON object a message", save},
    {"help", "/help", "show this; quit, exit or q ends", help},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help(dialogue *d, const char *rest, const telling *to) {
    (void)d;
    (void)rest;
    for (int i = 0; i < N_COMMANDS; i++) tell(to, "%-16s  %s", commands[i].usage, commands[i].help);
    tell(to, "%-16s  %s", "\"\"\"", "begins a message of several lines, and ends it");
    tell(to, "%-16s  %s", "\\", "at the end of a line: the message goes on in the next one");
}

void talk_command(dialogue *d, const char *line, void (*tell_to)(void *context, const char *sentence),
                  void *context) {
    const telling to = {tell_to, context};
    const char *name = line + 1;
    size_t n_bytes = strcspn(name, " ");
    const char *rest = name + n_bytes + strspn(name + n_bytes, " ");
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strlen(commands[i].name) != n_bytes || strncmp(commands[i].name, name, n_bytes) != 0)
            continue;
        commands[i].run(d, rest, &to);
        return;
    }
    tell(&to, "there is no /%.*s: /help lists what there is", (int)n_bytes, name);
}
