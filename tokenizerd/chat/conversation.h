/* A conversation that is to fit: which of its messages are left out, and how a last message that is
 * still too long is cut. Pure: the caller renders, counts ids and says whether they fit. */
#ifndef TRIVIUM_CONVERSATION_H
#define TRIVIUM_CONVERSATION_H

#include <stddef.h>
#include <stdint.h>

#include "chat.h"
#include "proto/base/status.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct conversation conversation;

/* A copy of checked messages. NULL: no memory. */
conversation *conversation_new(const chat_message *messages, size_t n_messages);
void conversation_free(conversation **c);
size_t conversation_bytes(const chat_message *messages, size_t n_messages);   /* of a copy */

const chat_message *conversation_messages(const conversation *c, size_t *n_messages);

/* How many messages, the oldest after the system message, are left out in this try; at first none.
 * The last message always stays, and what stays does not begin with a reply whose question is gone,
 * unless that is the last message. */
size_t conversation_n_dropped(const conversation *c);

typedef enum conversation_next {
    CONVERSATION_AGAIN,         /* try conversation_n_dropped, which is another number now */
    CONVERSATION_FITS,          /* and conversation_n_dropped is the fewest that have to be left out */
    CONVERSATION_TOO_LONG,      /* even with only the last message left */
} conversation_next;

/* The try at hand does fit, or does not. About log2(messages) tries in all. */
conversation_next conversation_tried(conversation *c, bool fits);

/* The ids of a prompt in which only the last message stayed: the `n_cut` ids from `begin` on are to
 * be left out, so that n_ids_max or fewer remain. They are the first of the message's content, up to a
 * character's beginning, never all of them. STATUS_TOO_LONG; the sentence has the numbers. */
typedef struct prompt_ids {
    const int32_t *ids;
    size_t n_ids;
    bool has_bos;
    size_t n_head_bytes, n_tail_bytes;  /* of its text, before and after the content */
} prompt_ids;
status conversation_cut(const vocab *v, const prompt_ids *p, size_t n_ids_max, size_t *begin,
                        size_t *n_cut, failure *f);

#endif
