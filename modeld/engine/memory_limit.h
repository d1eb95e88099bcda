/* How much memory this process can have, and how much of it keys and values get beside the weights. */
#ifndef TRIVIUM_MEMORY_LIMIT_H
#define TRIVIUM_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"

#define KV_BYTES_DEFAULT (UINT64_C(1) << 30)

typedef struct memory_limit {
    uint64_t n_bytes;           /* UINT64_MAX: not known */
    bool of_group;              /* a control group's; else the machine's own */
} memory_limit;

/* The machine's memory, or the least that a control group of this process, or one above it, allows
 * (versions 1 and 2), whichever is less. Reads ROOT/proc and ROOT/sys/fs/cgroup; `root` is "" for those of
 * this machine. */
memory_limit memory_limit_read(const char *root);

/* Check that weights and *kv_bytes of keys and values can be had together. *kv_bytes 0: choose
 * KV_BYTES_DEFAULT, or half of what the weights leave where that is less. STATUS_NO_MEMORY: the sentence
 * has both numbers. */
status memory_limit_share(const memory_limit *l, uint64_t weight_bytes, uint64_t *kv_bytes,
                          failure *f);

#endif
