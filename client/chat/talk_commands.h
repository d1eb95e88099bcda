/* What a line that begins with "/" does in a chat. */
#ifndef TRIVIUM_TALK_COMMANDS_H
#define TRIVIUM_TALK_COMMANDS_H

#include <stdbool.h>

#include "dialogue.h"

/* What a line says to the model; NULL: it is a command. Where somebody types, a line that begins with a "/" is a
 * command even if there is none of that name; a line from elsewhere is one only if there is. "//" stands for a
 * "/" at the beginning of a message. Several lines at once are a message as they stand: a program may begin with
 * a comment. Borrowed from `line`. */
const char *talk_message(const char *line, bool is_typed);

bool talk_is_farewell(const char *line);        /* "quit", "exit" or "q" */

typedef enum talk_next {
    TALK_ON,
    TALK_REFUSED,               /* the same, but what was asked for was not done */
    TALK_REGENERATE,            /* dialogue_regenerate is to follow */
    TALK_END,                   /* the chat is over */
} talk_next;

/* Do what a command says; what there is to tell goes to `tell`. */
talk_next talk_command(dialogue *d, const char *line, void (*tell)(void *context, const char *sentence),
                       void *context);

#endif
