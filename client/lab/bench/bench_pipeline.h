/* The pipeline's own figures, as one client sees them or several at once. */
#ifndef TRIVIUM_BENCH_PIPELINE_H
#define TRIVIUM_BENCH_PIPELINE_H

#include "bench.h"

/* Measure and show. Exit codes. */
int bench_pipeline_decode(const bench_flags *flags);
int bench_pipeline_prefill(const bench_flags *flags);
int bench_pipeline_clients(const bench_flags *flags);

#endif
