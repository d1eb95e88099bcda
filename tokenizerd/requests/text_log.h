/* What the log says of a text, at level debug: each line has its id, as `ps` shows it, its trace's id, if
 * it has a traceparent, and its attempt. */
#ifndef TRIVIUM_TEXT_LOG_H
#define TRIVIUM_TEXT_LOG_H

#include "request.h"

/* As log_event: text_log(r, "opened", "step=%u", step). */
void text_log(const request *r, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
