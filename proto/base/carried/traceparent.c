#include "traceparent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Where the parts of version 00 lie. */
enum {
    TRACE_ID_AT = 3,
    PARENT_ID_AT = 36, PARENT_ID_DIGITS = 16,
    FLAGS_AT = 53,
};

#define HEX_DIGITS "0123456789abcdef"

static bool are_digits(const char *text, size_t n_digits) {
    return strspn(text, HEX_DIGITS) >= n_digits;
}

static bool are_zeros(const char *text, size_t n_digits) {
    return strspn(text, "0") >= n_digits;
}

static bool is_none(const char *text) {
    return !text || !text[0];
}

static bool is_first_version(const char *text) {
    return text[0] == '0' && text[1] == '0';
}

/* A text that is too short fails at its end, before anything after that is read. */
static bool has_form(const char *text) {
    return are_digits(text, 2) && text[2] == '-' &&
           are_digits(text + TRACE_ID_AT, TRACE_ID_DIGITS) && text[PARENT_ID_AT - 1] == '-' &&
           are_digits(text + PARENT_ID_AT, PARENT_ID_DIGITS) && text[FLAGS_AT - 1] == '-' &&
           are_digits(text + FLAGS_AT, 2);
}

/* What is wrong with it: a sentence; NULL: nothing. It is not empty. */
static const char *fault_of(const char *text) {
    if (!has_form(text))
        return "a traceparent has 2, 32, 16 and 2 hexadecimal digits with hyphens between, letters in lower case";
    if (strncmp(text, "ff", 2) == 0) return "a traceparent has no version ff";
    const char after = text[TRACEPARENT_BYTES];
    if (is_first_version(text) && after) return "a traceparent of version 00 ends after its flags";
    if (after && after != '-') return "what comes after the flags of a traceparent begins with a hyphen";
    if (are_zeros(text + TRACE_ID_AT, TRACE_ID_DIGITS)) return "the trace id of a traceparent is not all zeros";
    if (are_zeros(text + PARENT_ID_AT, PARENT_ID_DIGITS)) return "the parent id of a traceparent is not all zeros";
    return NULL;
}

status traceparent_check(const char *text, failure *f) {
    if (is_none(text)) return STATUS_OK;
    if (strlen(text) > TRACEPARENT_BYTES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a traceparent has at most %d bytes", TRACEPARENT_BYTES_MAX);
    const char *fault = fault_of(text);
    return fault ? fail(f, STATUS_BAD_REQUEST, "%s", fault) : STATUS_OK;
}

/* Of the flags that a later version has, 00 knows the lowest bit. */
static bool is_sampled(const char *text) {
    return strchr("13579bdf", text[FLAGS_AT + 1]) != NULL;
}

void traceparent_copy(char out[TRACEPARENT_BYTES + 1], const char *text) {
    snprintf(out, TRACEPARENT_BYTES + 1, "%s", is_none(text) ? "" : text);
    if (is_none(text) || is_first_version(text)) return;
    memcpy(out, "00", 2);
    memcpy(out + FLAGS_AT, is_sampled(text) ? "01" : "00", 2);
}

const char *traceparent_word(const char *text, char out[TRACE_WORD_BYTES]) {
    out[0] = '\0';
    if (!is_none(text) && !fault_of(text))
        snprintf(out, TRACE_WORD_BYTES, " trace=%.*s", TRACE_ID_DIGITS, text + TRACE_ID_AT);
    return out;
}
