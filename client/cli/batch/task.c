#include "task.h"

#include <stdlib.h>
#include <string.h>

void task_init(task *t) {
    memset(t, 0, sizeof *t);
    strategy_init(&t->chain);
}

void task_clear(task *t) {
    ids_clear(&t->ids);
    free(t->logits);
    free(t->messages);
    strategy_clear(&t->chain);
    task_init(t);
}

status task_text(const task *t, const char *key, question_text *out, failure *f) {
    const json_t *value = json_object_get(t->line, key);
    if (!json_is_string(value)) {
        return fail(f, STATUS_BAD_REQUEST,
                    value ? "\"%s\" must be a string" : "the line has no \"%s\"", key);
    }
    out->bytes = (const uint8_t *)json_string_value(value);
    out->n_bytes = json_string_length(value);
    if (out->n_bytes <= TEXT_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
}

status task_ids(task *t, const char *key, failure *f) {
    const json_t *value = json_object_get(t->line, key);
    if (!value) return fail(f, STATUS_BAD_REQUEST, "the line has no \"%s\"", key);
    return ids_from_json(&t->ids, key, value, f);
}

status task_messages(task *t, const char *key, failure *f) {
    const json_t *list = json_object_get(t->line, key), *value;
    size_t i, n = json_array_size(list);
    if (!json_is_array(list)) return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be a list", key);
    if (n > MESSAGES_MAX)
        return fail(f, STATUS_TOO_LONG, "\"%s\" may have at most %d messages, not %zu", key, MESSAGES_MAX,
                    n);
    t->messages = calloc(n + 1, sizeof *t->messages);
    if (!t->messages) return fail(f, STATUS_NO_MEMORY, "no memory for %zu messages", n);
    json_array_foreach(list, i, value) {
        const json_t *role = json_object_get(value, "role");
        const json_t *content = json_object_get(value, "content");
        if (!json_is_string(role) || !json_is_string(content))
            return fail(f, STATUS_BAD_REQUEST,
                        "message %zu must have a \"role\" and a \"content\", which are strings",
                        i + 1);
        t->messages[i] = (conversation_message){
            .role = json_string_value(role),
            .content = (const uint8_t *)json_string_value(content),
            .n_bytes = json_string_length(content),
        };
    }
    t->n_messages = n;
    return STATUS_OK;
}

status task_uint(const task *t, const char *key, uint64_t max, uint64_t fallback, uint64_t *out,
                 failure *f) {
    const json_t *value = json_object_get(t->line, key);
    *out = fallback;
    if (!value) return STATUS_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > max) {
        return fail(f, STATUS_BAD_REQUEST, "\"%s\" must be a whole number from 0 to %llu", key,
                    (unsigned long long)max);
    }
    *out = (uint64_t)number;
    return STATUS_OK;
}
