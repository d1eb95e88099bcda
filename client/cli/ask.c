#include "ask.h"

#include <stdio.h>
#include <unistd.h>

#include "outcome.h"

/* Where the text goes to the same terminal, its line ends first. */
static void tell_waiting(void *context, const char *sentence, bool in_text) {
    (void)context;
    bool cuts_a_line = in_text && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
    fprintf(stderr, "%strivium: %s\n", cuts_a_line ? "\n" : "", sentence);
}

int ask_open(client **out, const common_flags *flags) {
    failure f;
    if (common_flags_check(flags, &f) != STATUS_OK) return outcome_wrong_use("%s", f.message);
    client_options how = common_flags_client(flags);
    how.waiting = tell_waiting;
    status st = client_open(out, &how, &f);
    if (st == STATUS_OK) return EXIT_FINE;
    outcome_failed(&f);
    return st == STATUS_BAD_REQUEST ? EXIT_WRONG_USE : EXIT_FAILED;
}

int ask_on(client *c, const question *asked, answer_handler *handler, void *context) {
    failure f;
    status st = client_ask(c, asked, handler, context, &f);
    if (st == STATUS_OK) return EXIT_FINE;
    return st == STATUS_CANCELLED ? EXIT_INTERRUPTED : outcome_failed(&f);
}

int ask(const common_flags *flags, const question *asked, answer_handler *handler, void *context) {
    client *c = NULL;
    int code = ask_open(&c, flags);
    if (code == EXIT_FINE) code = ask_on(c, asked, handler, context);
    client_close(&c);
    return code;
}
