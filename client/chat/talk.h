/* Whoever chats, at a terminal or through a pipe: lines in, replies out. A terminal shows the prompt
 * only while nothing is written. Whoever types during a reply makes it rest until the line is done, so that
 * a new strategy draws from where the screen stopped; a message that is said then waits for the reply's
 * end. A pipe's next line is read when the reply to the last one is out. */
#ifndef TRIVIUM_TALK_H
#define TRIVIUM_TALK_H

#include "dialogue.h"

typedef struct talk_options {
    bool json;                  /* a reply is a line {"reply": {…}} */
    const char *message;        /* all that is said, and stdin is left alone; NULL: stdin has what is said */
} talk_options;

/* Chat until the end of the input, "quit", "exit", "q" or Ctrl-C, or until the one message has its reply. Returns an
 * exit code. */
int talk_run(client *c, const dialogue_options *how, const talk_options *options);

#endif
