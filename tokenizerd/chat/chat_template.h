/* What a model's chat template says: which form it is of, proved by running it (chat_proof.h).
 * Pure; bounded whatever bytes come. */
#ifndef TRIVIUM_CHAT_TEMPLATE_H
#define TRIVIUM_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

typedef enum chat_form {
    CHAT_NO_FORM,
    CHAT_CHATML,                /* <|im_start|>user\n … <|im_end|>\n */
    CHAT_LLAMA3,                /* <|start_header_id|>user<|end_header_id|>\n\n … <|eot_id|> */
    CHAT_PLAIN,                 /* User: …\nAssistant: */
    CHAT_FORMS,
} chat_form;

typedef struct chat_text {      /* NULL: there is none */
    uint8_t *bytes;
    size_t n_bytes;
} chat_text;

typedef struct chat_template {
    chat_form form;             /* CHAT_NO_FORM: not recognised, and the rest is empty */
    bool writes_bos;
    chat_text system;           /* its own, for a conversation that has none; owned */
    chat_text dates;            /* before each system text (Llama 3.1 and later); owned */
} chat_template;

typedef struct chat_template_source {           /* borrowed for the call */
    const uint8_t *text, *bos, *eos;            /* of the template and of two tokens */
    size_t n_text, n_bos, n_eos;                /* 0: there is none */
} chat_template_source;

/* A template is recognised when it writes, in each conversation that we render and that it does not
 * refuse, what the form writes, to the byte. STATUS_NO_MEMORY; then there is nothing to clear. */
status chat_template_read(chat_template *out, const chat_template_source *source);
void chat_template_clear(chat_template *t);     /* its texts; then they are empty */

#endif
