#include "client/cli/ask.h"
#include "client/cli/commands.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "proto/base/text.h"
#include "request.h"

typedef struct cancel_flags {
    common_flags common;
    char digits[REQUEST_DIGITS + 1];
} cancel_flags;

static void show(void *context, const answer *a) {
    const cancel_flags *flags = context;
    if (flags->common.json) {
        json_print(json_pack("{s: s, s: i}", "request", flags->digits, "completion_tokens",
                             (int)a->n_tokens));
    } else {
        printf("cancelled %s after %u tokens\n", flags->digits, a->n_tokens);
    }
}

static int cancel(cancel_flags *flags, const char *text) {
    client *c = NULL;
    call asked = {.kind = CALL_CANCEL};
    int code = ask_open(&c, &flags->common);
    if (code == EXIT_FINE) code = request_find(c, text, asked.request);
    if (code == EXIT_FINE) {
        text_hex(asked.request, REQUEST_BYTES, flags->digits);
        code = ask_on(c, &asked, show, flags);
    }
    client_close(&c);
    return code;
}

int cmd_cancel(int argc, char **argv) {
    cancel_flags flags = {0};
    common_flags_init(&flags.common);
    const options o = {
        .usage = "trivium cancel REQUEST [flags]",
        .summary = "End a running generation; what was written stays. The first digits of its id\n"
                   "are enough.\n\n"
                   "  trivium cancel 3f2a",
        .tables = {flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1];
    size_t n_words;
    failure f;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code >= 0) return code;
    if (n_words == 0) return outcome_wrong_use("cancel needs a request: `trivium ps` lists them");
    if (request_check(words[0], &f) != STATUS_OK) return outcome_wrong_use("%s", f.message);
    return cancel(&flags, words[0]);
}
