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

/* From here on memory that is freed in pieces of RESOURCES_PIECE_BYTES or more goes back to the system at once. The C
 * library would keep more and more of it where large pieces come and go. Before any thread is started. */
enum { RESOURCES_PIECE_BYTES = 256 * 1024 };
void resources_give_back(void);

#endif
