/* A fake peer that joins a bound link, says one thing after another, and waits each time until the link has
 * heard it: what the link makes of that has happened by then. */
#ifndef TRIVIUM_TESTS_ASKER_H
#define TRIVIUM_TESTS_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/link/fake_peer.h"

typedef struct asker {
    loop *loop;
    fake_peer peer;             /* what it heard last is there */
    Trivium__Hello hello;       /* as it says it; set by the test before it joins */
    size_t n_hellos;            /* that were said and not answered yet */
    bool (*passes_over)(const ProtobufCMessage *m);     /* true: as if it had not come. NULL: all count */
    ProtobufCMessage *list;     /* asker_list's; owned */
    bool has_answer;            /* peer.header is a message that the test has not asked for yet */
} asker;

/* Connected, with a Hello that its test completes; it reads so many messages ahead, no more. */
void asker_connect(asker *a, loop *l, const char *address, const ProtobufCMessageDescriptor *incoming,
                   Trivium__Role role);
void asker_close(asker *a);

bool asker_joins(asker *a);     /* false: it was refused, see a->peer.control->refused */

/* Until the link has heard all that was said, or has answered with a message. */
void asker_is_heard(asker *a);
void asker_says(asker *a, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);     /* and is heard */
bool asker_is_silent(asker *a); /* it is heard, and no message waits for it */

/* The next message with a body. */
const ProtobufCMessage *asker_hears(asker *a);
/* What its first raw frame is, unpacked; valid until the next call, or until the asker is closed. */
const ProtobufCMessage *asker_list(asker *a, const ProtobufCMessageDescriptor *type);
void asker_hears_leave(asker *a);       /* past whatever comes before */

#endif
