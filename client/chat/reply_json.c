#include "reply_json.h"

#include "client/cli/json.h"

json_t *reply_json(const dialogue_reply *reply) {
    json_t *shown = json_pack("{s: o, s: s, s: i, s: i, s: i}",
                              "text", json_bytes(reply->text, reply->n_bytes),
                              "finish_reason", reply->code == STATUS_OK
                                                   ? finish_reason_name(reply->reason) : "error",
                              "prompt_tokens", (int)reply->n_prompt,
                              "completion_tokens", (int)reply->n_tokens,
                              "dropped", (int)reply->n_dropped);
    if (shown && reply->limit)
        json_object_set_new(shown, "limit", json_string(reply_limit_name(reply->limit)));
    if (shown && reply->code != STATUS_OK)
        json_object_set_new(shown, "error", json_failure(reply->code, reply->message));
    return shown ? json_pack("{s: o}", "reply", shown) : NULL;
}
