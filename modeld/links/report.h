/* How this modeld is doing, as `status` shows it: put together anew for each heartbeat. */
#ifndef TRIVIUM_MODELD_REPORT_H
#define TRIVIUM_MODELD_REPORT_H

#include <stdint.h>

#include "common.pb-c.h"
#include "modeld/sched/samplers.h"

typedef struct report report;

typedef struct report_figures {
    uint32_t kv_pages_used, kv_pages;
    uint32_t n_sequences; /* open */
    uint32_t n_queued;    /* of them, those without pages yet */
    uint64_t n_drawn;     /* tokens since the start */
    uint64_t n_garbage;   /* messages dropped because they could not be read, or made no sense */
} report_figures;

/* Fills in all figures, as of now. */
typedef void report_source(void *context, report_figures *out);

/* `table` is borrowed: samplers that a samplerd_link put there. NULL: no memory. */
report *report_new(const samplers *table, report_source *source, void *context);
void report_free(report **r); /* NULL is fine */

Trivium__ModelReport *report_fill(report *r); /* valid until the next call */

#endif
