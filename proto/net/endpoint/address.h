/* How endpoints are written. endpoint_check (endpoint.h) is of this file, too. */
#ifndef TRIVIUM_ADDRESS_H
#define TRIVIUM_ADDRESS_H

#include <stdbool.h>

#include "proto/base/status.h"

/* What follows "ipc://", "tcp://"; NULL: it is none of these. */
const char *address_path(const char *address);
const char *address_tcp(const char *address);

/* STATUS_TOO_LONG: an ipc path over IPC_PATH_BYTES_MAX. */
status address_check_length(const char *address, failure *f);

/* tcp, and its host is a name, not a number. */
bool address_has_name(const char *address);
/* Its host and port, of a tcp address that was checked to be one to join: host [ENDPOINT_BYTES_MAX], port [PORT_BYTES]. */
void address_split(const char *address, char *host, char *port);

#endif
