#include "request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/cli/ask.h"
#include "client/cli/outcome.h"
#include "proto/base/text.h"

enum { FOUND_SHOWN = 4, DIGITS_SHOWN = 8 };

typedef struct search {
    const char *text;           /* NULL: any */
    uint8_t *found;
    size_t n_found;
    char shown[FOUND_SHOWN][DIGITS_SHOWN + 1];  /* the first digits of the first ones */
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
    *word = NULL;
    int code = flags_parse(o, argc, argv, word, &n_words);
    if (code >= 0 || !*word) return code;
    return request_check(*word, &f) == STATUS_OK ? -1 : outcome_wrong_use("%s", f.message);
}

static void on_list(void *context, const answer *a) {
    search *s = context;
    const list_answer *list = answer_to_list(a);
    for (size_t i = 0; i < list->n_requests; i++) {
        char digits[REQUEST_DIGITS + 1];
        text_hex(list->requests[i].request, REQUEST_BYTES, digits);
        if (s->text && strncasecmp(digits, s->text, strlen(s->text)) != 0) continue;
        memcpy(s->found, list->requests[i].request, REQUEST_BYTES);
        if (s->n_found < FOUND_SHOWN) memcpy(s->shown[s->n_found], digits, DIGITS_SHOWN);
        s->n_found++;
    }
}

/* Several run, and none was named: "2 texts run: name one, as 3f2a91bc or 77e0014d". */
static int fail_ambiguous(const search *s) {
    failure f;
    char shown[FOUND_SHOWN * (DIGITS_SHOWN + sizeof " or ")];
    size_t n_shown = s->n_found < FOUND_SHOWN ? s->n_found : FOUND_SHOWN, n_bytes = 0;
    for (size_t i = 0; i < n_shown; i++) {
        const char *between = i == 0 ? "" : i + 1 < s->n_found ? ", " : " or ";
        n_bytes += (size_t)snprintf(shown + n_bytes, sizeof shown - n_bytes, "%s%s", between,
                                    s->shown[i]);
    }
    fail(&f, STATUS_UNKNOWN_REQUEST, "%zu texts run: name one, as %s%s", s->n_found, shown,
         n_shown < s->n_found ? ", \u2026: `trivium ps` lists them" : "");
    return outcome_failed(&f);
}

static int fail_unknown(const search *s) {
    failure f;
    if (!s->text)
        fail(&f, STATUS_UNKNOWN_REQUEST, "no text runs");
    else if (s->n_found == 0)
        fail(&f, STATUS_UNKNOWN_REQUEST, "no request that runs begins with %s", s->text);
    else
        fail(&f, STATUS_UNKNOWN_REQUEST, "%zu requests begin with %s: give more of its digits",
             s->n_found, s->text);
    return outcome_failed(&f);
}

int request_find(client *c, const char *text, uint8_t out[REQUEST_BYTES]) {
    if (text && strlen(text) == REQUEST_DIGITS) {
        text_unhex(text, out, REQUEST_BYTES);
        return EXIT_FINE;
    }
    search s = {.text = text, .found = out};
    int code = ask_on(c, &(question){.kind = ASK_LIST}, on_list, &s);
    if (code != EXIT_FINE || s.n_found == 1) return code;
    return !text && s.n_found > 1 ? fail_ambiguous(&s) : fail_unknown(&s);
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
