/* A failure ⇄ the wire's Error, the same on every link. */
#ifndef TRIVIUM_ERRORS_H
#define TRIVIUM_ERRORS_H

#include "common.pb-c.h"
#include "proto/base/status.h"

Trivium__Error error_to_wire(const failure *f);     /* borrows its sentence */

/* Fill `f` with what a peer says went wrong, its sentence made fit to be passed on, and return its code. A code
 * that we do not know, such as a newer peer may have, becomes STATUS_BAD_MESSAGE and keeps its sentence; where
 * there is none, it is said that `who` ("the modeld") failed. `error` may be NULL. */
status error_from_wire(const Trivium__Error *error, const char *who, failure *f);

#endif
