#include "errors.h"

#include "proto/base/text.h"

Trivium__Error error_to_wire(const failure *f) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = (Trivium__Code)f->code;
    error.message = (char *)f->message;
    return error;
}

status error_from_wire(const Trivium__Error *error, const char *who, failure *f) {
    const int code = error ? (int)error->code : 0;      /* the generated enum may be unsigned */
    if (code <= 0 || code >= (int)STATUS_KINDS)
        return fail(f, STATUS_BAD_MESSAGE, "%s failed and did not say how", who);
    if (text_sentence(error->message, f->message, sizeof f->message) > 0)
        return f->code = (status)code;
    return fail(f, (status)code, "%s failed and did not say why", who);
}
