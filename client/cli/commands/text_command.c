#include "text_command.h"

#include "client/cli/input.h"
#include "client/cli/outcome.h"

option_row text_special_row(text_flags *flags) {
    return (option_row){
        .name = "no-special", .kind = OPTION_FLAG, .out = &flags->no_special,
        .help = "special tokens written in the text are plain text, whatever their type"};
}

option_row text_bos_row(text_flags *flags) {
    return (option_row){.name = "bos", .kind = OPTION_FLAG, .out = &flags->bos,
                        .help = "put the model's BOS in front, unless the text begins with it"};
}

question_text text_asked(const text_flags *flags) {
    return (question_text){.special = !flags->no_special, .bos = flags->bos};
}

int text_command(const options *o, int argc, char **argv, const text_flags *flags,
                 int (*ask_one)(void *context, const question_text *text), const call_rules *rules,
                 void *context) {
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(o, argc, argv, words, &n_words);
    if (code >= 0) return code;
    if (flags->input && n_words > 0)
        return outcome_wrong_use("--input and a text exclude each other");
    if (flags->input) return call_batch_run(&flags->common, flags->input, rules, context);
    buffer bytes = {0};
    failure f;
    if (input_read(&bytes, "the text", words[0], flags->keep_newline, &f) == STATUS_OK) {
        question_text text = text_asked(flags);
        text.bytes = (const uint8_t *)bytes.bytes;
        text.n_bytes = bytes.n_bytes;
        code = ask_one(context, &text);
    } else {
        code = outcome_failed(&f);
    }
    buffer_clear(&bytes);
    return code;
}
