#include "text_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/carried/traceparent.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

void text_log(const request *r, const char *event, const char *format, ...) {
    char digits[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES], before[sizeof digits + sizeof trace + 32];
    va_list values;
    if (!log_writes(LOG_DEBUG)) return;
    text_hex(r->id, sizeof r->id, digits);
    snprintf(before, sizeof before, "request=%s%s attempt=%u ", digits, traceparent_word(r->traceparent, trace), r->attempt);
    va_start(values, format);
    log_words(LOG_DEBUG, event, before, format, values);
    va_end(values);
}
