#include "errors.h"

#include <stdbool.h>

#include "proto/base/text.h"

Trivium__Error error_to_wire(const failure *f) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = (Trivium__Code)f->code;
    error.message = (char *)f->message;
    return error;
}

status error_from_wire(const Trivium__Error *error, const char *who, failure *f) {
    const int code = error ? (int)error->code : 0;      /* the generated enum may be unsigned */
    const bool is_ours = code > 0 && code < (int)STATUS_KINDS;
    const status known = is_ours ? (status)code : STATUS_BAD_MESSAGE;
    if (error && text_sentence(error->message, f->message, sizeof f->message) > 0)
        return f->code = known;
    return fail(f, known, "%s failed and did not say %s", who, is_ours ? "why" : "how");
}
