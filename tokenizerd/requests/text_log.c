#include "text_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/carried/traceparent.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

void text_log(const request *r, const char *event, const char *format, ...) {
    char digits[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES], words[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    text_hex(r->id, sizeof r->id, digits);
    log_event(LOG_DEBUG, event, "request=%s%s attempt=%u %s", digits, traceparent_word(r->traceparent, trace), r->attempt,
              words);
}
