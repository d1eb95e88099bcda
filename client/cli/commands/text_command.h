/* A command that asks about a text: its word or stdin, or each line of --input. */
#ifndef TRIVIUM_TEXT_COMMAND_H
#define TRIVIUM_TEXT_COMMAND_H

#include "client/cli/batch/call_batch.h"

typedef struct text_flags {
    common_flags common;
    const char *model, *input;  /* NULL: not given */
    bool no_special, bos, keep_newline;
} text_flags;

/* Rows for the command's table: --no-special, --bos. */
option_row text_special_row(text_flags *flags);
option_row text_bos_row(text_flags *flags);

/* The text of a question, as the flags have it: its bytes are still to come. */
question_text text_asked(const text_flags *flags);

/* Parse the command line; then ask about the one text by `ask_one`, or about each line by `rules`; both
 * get `context`. Returns an exit code. */
int text_command(const options *o, int argc, char **argv, const text_flags *flags,
                 int (*ask_one)(void *context, const question_text *text), const call_rules *rules,
                 void *context);

#endif
