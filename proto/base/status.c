#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[STATUS_KINDS] = {
    [STATUS_OK] = "ok",
    [STATUS_BAD_MESSAGE] = "bad_message",
    [STATUS_BAD_REQUEST] = "bad_request",
    [STATUS_EMPTY_PROMPT] = "empty_prompt",
    [STATUS_NOT_UTF8] = "not_utf8",
    [STATUS_BAD_ID] = "bad_id",
    [STATUS_TOO_LONG] = "too_long",
    [STATUS_BUSY] = "busy",
    [STATUS_NO_TOKENIZERD] = "no_tokenizerd",
    [STATUS_NO_MODELD] = "no_modeld",
    [STATUS_NO_SAMPLERD] = "no_samplerd",
    [STATUS_UNKNOWN_MODEL] = "unknown_model",
    [STATUS_UNKNOWN_REQUEST] = "unknown_request",
    [STATUS_UNKNOWN_POOL] = "unknown_pool",
    [STATUS_NAME_TAKEN] = "name_taken",
    [STATUS_BAD_VERSION] = "bad_version",
    [STATUS_UNSUPPORTED] = "unsupported",
    [STATUS_NO_CANDIDATE] = "no_candidate",
    [STATUS_SAMPLER_FAILED] = "sampler_failed",
    [STATUS_NO_MEMORY] = "no_memory",
    [STATUS_NOT_FOUND] = "not_found",
    [STATUS_IO] = "io",
    [STATUS_CANCELLED] = "cancelled",
    [STATUS_TIMEOUT] = "timeout",
    [STATUS_FORBIDDEN] = "forbidden",
    [STATUS_DRAINING] = "draining",
};

const char *status_name(status st) {
    return (unsigned)st < STATUS_KINDS ? names[st] : "unknown";
}

status fail(failure *f, status code, const char *format, ...) {
    f->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->message, sizeof f->message, format, arguments);
    va_end(arguments);
    return code;
}

_Noreturn void die(const char *program, const char *format, ...) {
    fprintf(stderr, "%s: ", program);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}
