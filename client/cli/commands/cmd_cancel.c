#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "request.h"

typedef struct cancel_flags {
    common_flags common;
    char digits[REQUEST_DIGITS + 1];
} cancel_flags;

static void show(void *context, const answer *a) {
    const cancel_flags *flags = context;
    uint32_t n_tokens = answer_to_cancel(a)->n_tokens;
    if (flags->common.json) {
        json_print(json_pack("{s: s, s: i}", "request", flags->digits, "completion_tokens",
                             (int)n_tokens));
    } else {
        printf("cancelled %s after %u tokens\n", flags->digits, n_tokens);
    }
}

static int cancel(cancel_flags *flags, const char *text) {
    question asked = {.kind = ASK_CANCEL};
    return request_ask(&flags->common, text, asked.cancel.request, flags->digits, &asked, show, flags);
}

int cmd_cancel(int argc, char **argv) {
    cancel_flags flags = {0};
    common_flags_init(&flags.common);
    const options o = {
        .usage = "trivium cancel [REQUEST] [flags]",
        .summary = "End a running generation; what was written stays. The first digits of its id\n"
                   "are enough; without REQUEST, the only one that runs.\n\n"
                   "  trivium cancel 3f2a",
        .tables = {flags.common.rows},
        .n_words_max = 1,
    };
    const char *word;
    int code = request_word(&o, argc, argv, &word);
    return code >= 0 ? code : cancel(&flags, word);
}
