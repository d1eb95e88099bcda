/* What is to be copied to which host, once a set of keys has changed. */
#ifndef TRIVIUM_COPIES_H
#define TRIVIUM_COPIES_H

#include <jansson.h>

#include "client/lib/keygen.h"

/* For a person, on stdout: each host whose part changed, with a line to copy and paste; whoever gets another
 * secret server key first. names[n]: these too, whether anything changed or not. */
void copies_print(const char *folder, const keygen_report *report, const char *const *names, size_t n);

/* The same as a list: [{"host": "b", "folder": "keys/hosts/b"}]. NULL: no memory. */
json_t *copies_json(const char *folder, const keygen_report *report, const char *const *names, size_t n);

#endif
