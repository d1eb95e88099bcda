#include "request.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "client/cli/ask.h"
#include "client/cli/outcome.h"
#include "proto/base/text.h"

typedef struct search {
    const char *text;
    uint8_t *found;
    size_t n_found;
} search;

status request_check(const char *text, failure *f) {
    size_t n_digits = strlen(text);
    if (n_digits > 0 && n_digits <= REQUEST_DIGITS &&
        strspn(text, "0123456789abcdefABCDEF") == n_digits) {
        return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST,
                "a request is named by the first of its %d hexadecimal digits, "
                "as `trivium ps` shows them; not %.40s",
                REQUEST_DIGITS, text);
}

int request_word(const options *o, int argc, char **argv, const char **word) {
    size_t n_words;
    failure f;
    int code = flags_parse(o, argc, argv, word, &n_words);
    if (code >= 0) return code;
    if (n_words == 0)
        return outcome_wrong_use("%s needs a request: `trivium ps` lists them", argv[0]);
    return request_check(*word, &f) == STATUS_OK ? -1 : outcome_wrong_use("%s", f.message);
}

static void on_list(void *context, const answer *a) {
    search *s = context;
    const list_answer *list = answer_to_list(a);
    for (size_t i = 0; i < list->n_requests; i++) {
        char digits[REQUEST_DIGITS + 1];
        text_hex(list->requests[i].request, REQUEST_BYTES, digits);
        if (strncasecmp(digits, s->text, strlen(s->text)) != 0) continue;
        memcpy(s->found, list->requests[i].request, REQUEST_BYTES);
        s->n_found++;
    }
}

int request_find(client *c, const char *text, uint8_t out[REQUEST_BYTES]) {
    if (strlen(text) == REQUEST_DIGITS) {
        text_unhex(text, out, REQUEST_BYTES);
        return EXIT_FINE;
    }
    search s = {.text = text, .found = out};
    int code = ask_on(c, &(question){.kind = ASK_LIST}, on_list, &s);
    if (code != EXIT_FINE || s.n_found == 1) return code;
    failure f;
    if (s.n_found == 0)
        fail(&f, STATUS_UNKNOWN_REQUEST, "no request that runs begins with %s", text);
    else
        fail(&f, STATUS_UNKNOWN_REQUEST, "%zu requests begin with %s: give more of its digits",
             s.n_found, text);
    return outcome_failed(&f);
}

int request_ask(const common_flags *flags, const char *text, uint8_t request[REQUEST_BYTES],
                char digits[REQUEST_DIGITS + 1], const question *asked, answer_handler *handler,
                void *context) {
    client *c = NULL;
    int code = ask_open(&c, flags);
    if (code == EXIT_FINE) code = request_find(c, text, request);
    if (code == EXIT_FINE) {
        text_hex(request, REQUEST_BYTES, digits);
        code = ask_on(c, asked, handler, context);
    }
    client_close(&c);
    return code;
}
