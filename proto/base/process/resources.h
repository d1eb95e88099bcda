/* What a process may have of the machine: file descriptors, threads, memory. The libraries that carry the
 * messages end the process where they get none, so this is checked before they begin. */
#ifndef TRIVIUM_RESOURCES_H
#define TRIVIUM_RESOURCES_H

#include <stddef.h>

#include "proto/base/status.h"

/* Are there the descriptors, threads and memory that n_endpoints sockets and what hangs on them need at
 * start? The limit of descriptors is raised first, as far as it goes and to DESCRIPTORS_MAX at most. STATUS_IO or STATUS_NO_MEMORY with a
 * sentence that names the limit. */
status resources_check(size_t n_endpoints, failure *f);

/* The threads and memory alone: checked again before a library takes them, where much was allocated since. */
status resources_check_memory(failure *f);

#endif
