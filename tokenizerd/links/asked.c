#include "asked.h"

status asked_match(const requests *rs, const sender *who, const uint8_t *prefix, size_t n_bytes, request **out, failure *f) {
    status st = requests_match(rs, who->owner, prefix, n_bytes, out, f);
    return st == STATUS_UNKNOWN_REQUEST && who->is_operator ? requests_match(rs, NULL, prefix, n_bytes, out, f) : st;
}
