#include "generation.h"

const char *finish_reason_name(finish_reason reason) {
    static const char *const names[] = {"stop", "length", "cancelled", "superseded", "error"};
    return names[reason];
}
