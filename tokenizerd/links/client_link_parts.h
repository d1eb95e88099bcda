/* What the files of client_link share: client_link.c (clients, what they say), client_link_orders.c (the same,
 * as others read it), client_link_answers.c (answers to calls), client_link_texts.c (a text, to its owner and to
 * whoever watches it), client_link_status.c (status). */
#ifndef TRIVIUM_CLIENT_LINK_PARTS_H
#define TRIVIUM_CLIENT_LINK_PARTS_H

#include "bound_link.h"
#include "text.pb-c.h"
#include "client_link.h"

struct client_link {
    bound_link bound;
    client_link_events events;
    void *context;
    uint64_t started_us;
    bool is_draining;
};

/* ---- client_link.c ---- */

/* A part of a text, or a last word: when it cannot be sent, the client is cut and resumes from what it
 * has. */
void client_link_tell(client_link *l, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                      size_t n_raw);
/* The answer to a call: when it cannot be sent, the client is told so. */
void client_link_answer(client_link *l, peer *client, uint64_t number, Trivium__TextReply *m,
                        const wire_raw *raw, size_t n_raw);

/* ---- client_link_orders.c ---- */

void client_link_generate(client_link *l, const sender *who, const Trivium__Generate *m,
                          const wire_message *message);
void client_link_tune(client_link *l, const sender *who, const Trivium__Tune *m);
void client_link_tokenize(client_link *l, const sender *who, const Trivium__Tokenize *m, const wire_message *message);
void client_link_detokenize(client_link *l, const sender *who, const Trivium__Detokenize *m,
                            const wire_message *message);
void client_link_render(client_link *l, const sender *who, const Trivium__Render *m, const wire_message *message);
void client_link_score(client_link *l, const sender *who, const Trivium__Score *m,
                       const wire_message *message);
void client_link_probe(client_link *l, const sender *who, const Trivium__Probe *m,
                       const wire_message *message);

/* ---- client_link_answers.c ---- */

Trivium__TemplateOrigin origin_to_wire(chat_origin origin);
size_t stop_to_wire(const rendered_prompt *prompt, ProtobufCBinaryData *out);   /* how many: none, or *out */

/* ---- client_link_texts.c ---- */

/* False: no memory. Else the caller frees m->strategy. */
bool change_to_wire(Trivium__StrategyChange *m, const request_change *change);

/* To one whose Generate cannot even be named: the id as it came. */
void client_link_refuse_generate(client_link *l, const sender *who, const Trivium__Generate *m,
                                 const failure *why);

#endif
