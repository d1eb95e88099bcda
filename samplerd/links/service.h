/* samplerd as a service: joins modelds, answers each SampleRequest with the ids drawn from its
 * rows. It keeps nothing between two requests. */
#ifndef TRIVIUM_SAMPLERD_SERVICE_H
#define TRIVIUM_SAMPLERD_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"
#include "proto/numeric/cpu.h"

typedef struct service service;

typedef struct service_options {
    const char *const *joins;   /* [n_joins] endpoints of modelds, 1 to JOINS_MAX of them */
    size_t n_joins;
    const char *name;           /* at most NAME_BYTES_MAX bytes, UTF-8 */
    const char *pool;           /* likewise; "" is the default pool */
    uint32_t heartbeat_ms;
    bool map_rows;              /* read a modeld's rows where they lie, if it is on this host */
    isa isa;                    /* that the machine has (cpu_isa) */
} service_options;

/* Joins all endpoints and attaches to the loop. The loop and the texts of the options must outlive
 * the service. */
status service_new(service **out, loop *l, const service_options *options, failure *f);
void service_free(service **s);     /* says Leave to all; sets *s = NULL; NULL is fine */

#endif
