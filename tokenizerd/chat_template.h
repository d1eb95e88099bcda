/* What a model's chat template says, read without running it: templates are programs in Jinja, of
 * which only the texts that they write, and where those stand, are looked at. Pure; linear in the
 * template's length; any bytes may come. */
#ifndef TRIVIUM_CHAT_TEMPLATE_H
#define TRIVIUM_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../proto/rt/status.h"

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

/* STATUS_NO_MEMORY; then there is nothing to clear. */
status chat_template_read(chat_template *out, const uint8_t *text, size_t n_bytes);
void chat_template_clear(chat_template *t);     /* its texts; then they are empty */

#endif
