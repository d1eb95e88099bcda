#include "talk_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "proto/base/nearest.h"
#include "proto/base/text.h"
#include "transcript_file.h"

enum { SENTENCE_BYTES = 1024 };

typedef struct telling {
    void (*tell)(void *context, const char *sentence);
    void *context;
} telling;

static void tell(const telling *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(const telling *to, const char *format, ...) {
    char written[SENTENCE_BYTES], sentence[2 * SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(written, sizeof written, format, arguments);
    va_end(arguments);
    text_sentence(written, sentence, sizeof sentence);
    to->tell(to->context, sentence);
}

static talk_next refuse(const telling *to, const char *sentence) {
    tell(to, "%s", sentence);
    return TALK_REFUSED;
}

static const char is_busy[] = "a reply is being written: Ctrl-C ends it";

/* ---- /set ---- */

static void tell_strategy(const dialogue *d, const telling *to) {
    char *line = json_strategy_line(dialogue_facts_of(d).chain);
    tell(to, "strategy: %s", line ? line : "");
    free(line);
}

static bool is_flag(const stage_flags *stages, const char *name) {
    const option_row *row = stages->rows;
    while (row->name && strcmp(row->name, name) != 0) row++;
    return row->name != NULL;
}

static status refuse_name(const stage_flags *stages, const char *name, failure *f) {
    nearest meant = nearest_begin(name, strlen(name));
    for (const option_row *row = stages->rows; row->name; row++) nearest_try(&meant, row->name);
    if (meant.name)
        return fail(f, STATUS_BAD_REQUEST, "there is no %s to /set: did you mean %s?", name, meant.name);
    return fail(f, STATUS_BAD_REQUEST, "there is no %s to /set, only what a strategy is made of, as temperature, top-k, "
                "top-p, repetition-penalty, preset or greedy, and system", name);
}

/* "temperature 0.3", read as the strategy flag that it is; "parameter" before it is what others want there. */
static status set_parse(const char *rest, stage_flags *stages, strategy *out, failure *f) {
    static const char before[] = "parameter ";
    char name[STAGE_FLAG_NAME_BYTES + 2] = "--";
    if (strncmp(rest, before, sizeof before - 1) == 0) rest += sizeof before - 1;
    size_t n_bytes = strcspn(rest, " =");
    if (n_bytes == 0 || n_bytes >= STAGE_FLAG_NAME_BYTES || strncmp(rest, "help", n_bytes) == 0)
        return fail(f, STATUS_BAD_REQUEST, "/set takes a name and a value, as /set temperature 0.3");
    memcpy(name + 2, rest, n_bytes);
    for (char *at = name + 2; *at; at++) {
        if (*at == '_') *at = '-';
    }
    if (!is_flag(stages, name + 2)) return refuse_name(stages, name + 2, f);
    const char *value = rest + n_bytes + strspn(rest + n_bytes, " =");
    const options o = {.usage = "/set NAME VALUE", .summary = "", .tables = {stages->rows}};
    char *argv[] = {(char *)"/set", name, (char *)value, NULL};
    size_t n_words;
    status st = options_parse(&o, *value ? 3 : 2, argv, NULL, &n_words, f);
    if (st == STATUS_OK) st = stage_flags_check(stages, f);
    return st == STATUS_OK ? stage_flags_strategy(stages, START_EMPTY, out, f) : st;
}

/* The text after "system"; NULL: something else is to be set. */
static const char *system_of(const char *rest) {
    static const char name[] = "system";
    size_t n_name = sizeof name - 1;
    if (strncmp(rest, name, n_name) != 0 || (rest[n_name] && !text_is_blank((uint8_t)rest[n_name]))) return NULL;
    for (rest += n_name; text_is_blank((uint8_t)*rest); rest++) {}
    return rest;
}

static talk_next set_system(dialogue *d, const char *text, const telling *to) {
    if (dialogue_is_busy(d)) return refuse(to, is_busy);
    if (!*text) return refuse(to, "/set system needs a text, as /set system You answer in one sentence.");
    if (!text_is_utf8((const uint8_t *)text, strlen(text))) return refuse(to, "the text is not UTF-8");
    if (transcript_set_system(dialogue_transcript(d), text, strlen(text)) != STATUS_OK)
        return refuse(to, "no memory for the text");
    tell(to, "the system message holds from your next message on");
    return TALK_ON;
}

static talk_next set(dialogue *d, const char *rest, const telling *to) {
    const char *system = system_of(rest);
    if (system) return set_system(d, system, to);
    if (!*rest) {
        tell_strategy(d, to);
        return TALK_ON;
    }
    failure f;
    stage_flags stages;
    strategy change;
    stage_flags_init(&stages);
    strategy_init(&change);
    status st = set_parse(rest, &stages, &change, &f);
    if (st == STATUS_OK) st = dialogue_tune(d, &change, stage_flags_replace(&stages), &f);
    stage_flags_clear(&stages);
    strategy_clear(&change);
    return st == STATUS_OK ? TALK_ON : refuse(to, f.message);
}

/* ---- what was said ---- */

static talk_next regenerate(dialogue *d, const char *rest, const telling *to) {
    (void)rest;
    return dialogue_is_busy(d) ? refuse(to, is_busy) : TALK_REGENERATE;
}

static talk_next undo(dialogue *d, const char *rest, const telling *to) {
    (void)rest;
    if (dialogue_is_busy(d)) return refuse(to, is_busy);
    if (!transcript_undo(dialogue_transcript(d))) return refuse(to, "there is nothing to take back");
    tell(to, "your last message is taken back");
    return TALK_ON;
}

static talk_next clear(dialogue *d, const char *rest, const telling *to) {
    (void)rest;
    if (dialogue_is_busy(d)) return refuse(to, is_busy);
    transcript_clear(dialogue_transcript(d));
    tell(to, "a new conversation begins");
    return TALK_ON;
}

/* ---- files ---- */

/* Where ~/ at its beginning is the user's home folder; malloc'ed, NULL: no memory. */
static char *path_of(const char *rest) {
    const char *home = strncmp(rest, "~/", 2) == 0 ? getenv("HOME") : NULL;
    char *path = NULL;
    return asprintf(&path, "%s%s", home ? home : "", home ? rest + 1 : rest) < 0 ? NULL : path;
}

static talk_next save_to(dialogue *d, const char *path, const telling *to) {
    failure f;
    if (transcript_save(dialogue_transcript(d), path, &f) != STATUS_OK) return refuse(to, f.message);
    tell(to, "saved in %s", path);
    return TALK_ON;
}

static talk_next load_from(dialogue *d, const char *path, const telling *to) {
    failure f;
    transcript *here = dialogue_transcript(d), *loaded = transcript_load(path, &f);
    if (!loaded) return refuse(to, f.message);
    if (transcript_replace(here, &loaded) != STATUS_OK) return refuse(to, "no memory for the conversation");
    size_t n = transcript_count(here);
    tell(to, "loaded %zu message%s from %s", n, n == 1 ? "" : "s", path);
    return TALK_ON;
}

static talk_next with_path(dialogue *d, const char *rest, const telling *to,
                           talk_next (*run)(dialogue *d, const char *path, const telling *to)) {
    char *path = path_of(rest);
    talk_next next = path ? run(d, path, to) : refuse(to, "no memory for the file's name");
    free(path);
    return next;
}

static talk_next save(dialogue *d, const char *rest, const telling *to) {
    if (!*rest) return refuse(to, "/save needs a file, as /save talk.jsonl");
    return with_path(d, rest, to, save_to);
}

static talk_next load(dialogue *d, const char *rest, const telling *to) {
    if (dialogue_is_busy(d)) return refuse(to, is_busy);
    if (!*rest) return refuse(to, "/load needs a file, as /load talk.jsonl");
    return with_path(d, rest, to, load_from);
}

/* ---- what holds ---- */

static void tell_limits(const dialogue_facts *now, const telling *to) {
    if (now->max_history_tokens > 0)
        tell(to, "history: at most %u tokens (--max-history-tokens)", now->max_history_tokens);
    else tell(to, "history: what the context holds, with room for a reply");
    const reply_limit l = reply_limit_of(0, now->n_ctx, now->kv_tokens, now->max_new_tokens);
    if (now->max_new_tokens > 0 && l.kind == LIMIT_MAX_NEW_TOKENS)
        tell(to, "a reply: at most %u tokens (--max-new-tokens)", l.n_tokens);
    else if (l.kind == LIMIT_KV_QUARTER)
        tell(to, "a reply: at most %u tokens, a quarter of the KV-cache", l.n_tokens);
    else tell(to, "a reply: at most what the prompt leaves of the context");
}

static void tell_system(const transcript *said, const telling *to) {
    const conversation_message *system = transcript_system(said);
    if (system) tell(to, "system message: %.*s", (int)system->n_bytes, (const char *)system->content);
    else tell(to, "system message: none but the template's own");
}

static talk_next show(dialogue *d, const char *rest, const telling *to) {
    (void)rest;
    const dialogue_facts now = dialogue_facts_of(d);
    const transcript *said = dialogue_transcript(d);
    if (now.n_ctx > 0)
        tell(to, "model: %s, a context of %u tokens, a KV-cache of %llu", now.model, now.n_ctx,
             (unsigned long long)now.kv_tokens);
    else tell(to, "model: %s", *now.model ? now.model : "the default one");
    tell_strategy(d, to);
    tell(to, "seed of the next reply: %llu", (unsigned long long)now.seed);
    tell_limits(&now, to);
    tell(to, "messages: %zu, of which the model sees %zu", transcript_count(said), transcript_count_seen(said));
    tell_system(said, to);
    return TALK_ON;
}

/* ---- all of them ---- */

static talk_next help(dialogue *d, const char *rest, const telling *to);

static talk_next bye(dialogue *d, const char *rest, const telling *to) {
    (void)d;
    (void)rest;
    (void)to;
    return TALK_END;
}

typedef struct chat_command {
    const char *name;
    const char *usage, *help;   /* NULL: another name of one that is listed */
    talk_next (*run)(dialogue *d, const char *rest, const telling *to);
} chat_command;

static const chat_command commands[] = {
    {"set", "/set NAME VALUE", "another strategy: /set temperature 0.3; also during a reply", set},
    {"set", "/set system TEXT", "what the model is told first, from your next message on", set},
    {"regenerate", "/regenerate", "another reply to your last message, with the next seed", regenerate},
    {"undo", "/undo", "take back your last message and its reply", undo},
    {"clear", "/clear", "a new conversation; the system message stays", clear},
    {"show", "/show", "model, strategy, seed, limits, messages, system message", show},
    {"save", "/save FILE", "write the conversation, one JSON object a message", save},
    {"load", "/load FILE", "go on with a conversation that was saved; ~/ is your home", load},
    {"help", "/help, /?", "show this", help},
    {"?", NULL, NULL, help},
    {"bye", "/bye", "end, as quit, exit, q, /quit and /exit do", bye},
    {"quit", NULL, NULL, bye},
    {"exit", NULL, NULL, bye},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static talk_next help(dialogue *d, const char *rest, const telling *to) {
    (void)d;
    (void)rest;
    for (int i = 0; i < N_COMMANDS; i++)
        if (commands[i].usage) tell(to, "%-16s  %s", commands[i].usage, commands[i].help);
    tell(to, "%-16s  %s", "\"\"\"", "begins a message of several lines, and ends it");
    tell(to, "%-16s  %s", "\\", "at the end of a line: the message goes on in the next one");
    tell(to, "A message that begins with / is typed with two of them: //");
    return TALK_ON;
}

/* The bytes of the name after the "/". */
static size_t name_bytes(const char *line) {
    return strcspn(line + 1, " \t");
}

static const chat_command *command_of(const char *line) {
    size_t n_bytes = name_bytes(line);
    for (int i = 0; i < N_COMMANDS; i++)
        if (strlen(commands[i].name) == n_bytes && strncmp(commands[i].name, line + 1, n_bytes) == 0)
            return &commands[i];
    return NULL;
}

bool talk_is_farewell(const char *line) {
    return strcasecmp(line, "quit") == 0 || strcasecmp(line, "exit") == 0 || strcasecmp(line, "q") == 0;
}

const char *talk_message(const char *line, bool is_typed) {
    if (*line != '/' || strchr(line, '\n')) return line;
    if (line[1] == '/') return line + 1;
    return is_typed || command_of(line) ? NULL : line;
}

static talk_next tell_unknown(const char *name, size_t n_bytes, const telling *to) {
    nearest meant = nearest_begin(name, n_bytes);
    for (int i = 0; i < N_COMMANDS; i++) nearest_try(&meant, commands[i].name);
    if (meant.name)
        tell(to, "there is no /%.*s: did you mean /%s? /help lists what there is", (int)n_bytes, name, meant.name);
    else tell(to, "there is no /%.*s: /help lists what there is", (int)n_bytes, name);
    return TALK_REFUSED;
}

talk_next talk_command(dialogue *d, const char *line, void (*tell_to)(void *context, const char *sentence),
                       void *context) {
    const telling to = {tell_to, context};
    const chat_command *command = command_of(line);
    const char *rest = line + 1 + name_bytes(line);
    while (text_is_blank((uint8_t)*rest)) rest++;
    return command ? command->run(d, rest, &to) : tell_unknown(line + 1, name_bytes(line), &to);
}
