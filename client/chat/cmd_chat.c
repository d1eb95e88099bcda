#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/flags.h"
#include "client/cli/input.h"
#include "client/cli/outcome.h"
#include "client/lib/random.h"
#include "talk.h"

enum {
    HISTORY_TOKENS_MIN = 8,
};

typedef struct chat_flags {
    common_flags common;
    stage_flags stages;
    seed_flag seed;
    const char *model, *pool, *form, *system;
    uint64_t max_history_tokens, max_new_tokens;    /* 0: not given */
} chat_flags;

/* Who answers: the model that is asked for, or the default one. */
static void greet(void *context, const answer *a) {
    dialogue_options *how = context;
    const char *name = how->model ? how->model : answer_to_status(a)->default_model;
    printf("%s%squit ends, /help tells more.\n\n", name, *name ? " answers. " : "");
    how->greeted = *name != '\0';
    fflush(stdout);
}

static int chat_open(const chat_flags *flags, const strategy *chain, uint64_t seed, const char *message) {
    dialogue_options how = {
        .model = flags->model, .pool = flags->pool, .form = flags->form, .system = flags->system,
        .chain = chain, .seed = seed,
        .max_history_tokens = (uint32_t)flags->max_history_tokens,
        .max_new_tokens = (uint32_t)flags->max_new_tokens,
    };
    const question asked = {.kind = ASK_STATUS};
    client *c = NULL;
    int code = ask_open(&c, &flags->common);
    bool is_talk = !message && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !flags->common.json;
    if (code == EXIT_FINE && is_talk) code = ask_on(c, &asked, greet, &how);
    if (code == EXIT_FINE) code = talk_run(c, &how, &(talk_options){flags->common.json, message});
    client_close(&c);
    return code;
}

/* The message that the command line has, with its zero. */
static status message_read(buffer *out, const char *word, failure *f) {
    if (input_read(out, "the message", word, false, f) != STATUS_OK) return f->code;
    if (out->n_bytes > 0 && memchr(out->bytes, '\0', out->n_bytes))
        return fail(f, STATUS_BAD_REQUEST, "the message has a zero byte");
    return buffer_add(out, "", 1) == STATUS_OK ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for the message");
}

static int chat_parsed(chat_flags *flags, const char *word) {
    buffer message = {0};
    failure f;
    strategy chain;
    uint64_t seed;
    strategy_init(&chain);
    status st = stage_flags_check(&flags->stages, &f);
    if (st == STATUS_OK) st = stage_flags_strategy(&flags->stages, START_DEFAULTS, &chain, &f);
    int code = EXIT_FINE;
    if (st != STATUS_OK) code = outcome_wrong_use("%s", f.message);
    else if (seed_choose(&flags->seed, &seed, &f) != STATUS_OK) code = outcome_failed(&f);
    else if (word && message_read(&message, word, &f) != STATUS_OK) code = outcome_failed(&f);
    else code = chat_open(flags, &chain, seed, message.bytes);
    strategy_clear(&chain);
    buffer_clear(&message);
    return code;
}

int cmd_chat(int argc, char **argv) {
    chat_flags flags = {0};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    const option_row rows[] = {
        {.name = "system", .kind = OPTION_TEXT, .value_name = "TEXT", .out = &flags.system,
         .help = "what the model is told first; it is never left out"},
        {.name = "max-history-tokens", .kind = OPTION_UINT, .value_name = "N",
         .out = &flags.max_history_tokens, .min = HISTORY_TOKENS_MIN, .max = N_CTX_MAX,
         .help = "of a prompt; the oldest messages are left out first (what the context holds, with room "
                 "for a reply)"},
        {.name = "max-new-tokens", .letter = 'n', .kind = OPTION_UINT, .value_name = "N",
         .out = &flags.max_new_tokens, .min = 1, .max = MAX_NEW_TOKENS_MAX,
         .help = "of a reply; never more than the rest of the context, and a quarter of the KV-cache"},
        {.name = "chat-template", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.form,
         .take = flags_take_name, .help = "chatml, llama3 or plain, instead of the model's own"},
        {.name = "seed", .kind = OPTION_CALL, .value_name = "N", .out = &flags.seed,
         .take = flags_take_seed, .help = "of the first reply; the next ones count on from it"},
        flags_model_row(&flags.model),
        flags_pool_row(&flags.pool),
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium chat [MESSAGE|-] [flags]",
        .summary = "Talk with a model. quit, exit or q ends, Ctrl-C ends a reply. With MESSAGE, or \"-\" for\n"
                   "all of stdin, that is all that is said, and the reply all that is printed.\n"
                   "What is pasted is one message: Enter sends it. \"\"\" begins a message of several\n"
                   "lines and ends it, a \\ at the end of a line goes on in the next. What is typed\n"
                   "is kept in ~/.local/state/trivium/chat_history; TRIVIUM_HISTORY=FILE keeps it\n"
                   "elsewhere, TRIVIUM_HISTORY= nowhere.\n"
                   "/set temperature 0.3 changes the strategy, also of the reply that is being\n"
                   "written; /regenerate, /undo, /clear, /show, /save FILE, /load FILE, /help. From\n"
                   "a pipe, each line is a message, also one that begins with a / but is no command;\n"
                   "//… is a message that begins with one /. With --json each reply is a line\n"
                   "{\"reply\": {\"text\": …, …}}. --preset sets the strategy alone.\n\n"
                   "  trivium chat --system 'You answer in one sentence.'",
        .tables = {rows, flags.stages.rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *word = NULL;
    size_t n_words;
    int code = flags_parse(&o, argc, argv, &word, &n_words);
    if (code < 0) code = chat_parsed(&flags, word);
    stage_flags_clear(&flags.stages);
    return code;
}
