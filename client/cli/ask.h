/* A command that is one call: open a connection, ask, show the answer, close. */
#ifndef TRIVIUM_ASK_H
#define TRIVIUM_ASK_H

#include "client/lib/client.h"
#include "flags.h"

/* Open a client for a command, which says on stderr for what it waits, unless client_set_waiting has it said elsewhere.
 * EXIT_FINE, or the exit code after its sentence was printed. */
int ask_open(client **out, const common_flags *flags);

/* Ask on that client. `handler` sees a good answer, else the sentence is printed. An exit code. */
int ask_on(client *c, const question *asked, answer_handler *handler, void *context);

/* Both, and close. */
int ask(const common_flags *flags, const question *asked, answer_handler *handler, void *context);

#endif
