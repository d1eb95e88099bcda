/* A reply as `chat --json` shows it. */
#ifndef TRIVIUM_REPLY_JSON_H
#define TRIVIUM_REPLY_JSON_H

#include <jansson.h>

#include "dialogue.h"

/* {"reply": {"text": "…", …}}; the caller's. NULL: no memory. */
json_t *reply_json(const dialogue_reply *reply);

#endif
