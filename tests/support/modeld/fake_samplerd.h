/* A samplerd that does what a test says: a fake_peer that joins a modeld. */
#ifndef TRIVIUM_TESTS_FAKE_SAMPLERD_H
#define TRIVIUM_TESTS_FAKE_SAMPLERD_H

#include "tests/support/link/fake_peer.h"
#include "logits.pb-c.h"

/* Connects, says Hello with this offer, and is answered. Its name is "fake", its incarnation a new one. */
void fake_samplerd_join(fake_peer *f, loop *l, const char *address, const char *pool,
                        const char *semantics);
/* The same, and it takes cut rows. */
void fake_samplerd_join_for_cut_rows(fake_peer *f, loop *l, const char *address, const char *semantics);

/* The next request that comes; valid until the next is heard. */
const Trivium__SampleRequest *fake_samplerd_hears(fake_peer *f, loop *l);

void fake_samplerd_says(fake_peer *f, Trivium__LogitsReply *m, const wire_raw *raw, size_t n_raw);
/* The answer to this ticket: an id for each of n_rows, one more from row to row, with -1 as its
 * log-probability and no state; or an error. */
void fake_samplerd_draws(fake_peer *f, uint64_t ticket, uint32_t n_rows, int32_t id);
void fake_samplerd_fails(fake_peer *f, uint64_t ticket, Trivium__Code code, const char *why);

#endif
