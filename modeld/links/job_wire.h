/* What a tokenizerd asks for, as a job: its texts, scores and probes, from messages of the tokens link (proto/tokens.proto).
 *
 * All that a job points to is the message's. Whose it is (`from`), what its tokenizerd has not read, and the strategy, which
 * may be refused in a sentence of its own, are the caller's to fill in. False: the message has not the frames that the
 * schema says, or a text no name. */
#ifndef TRIVIUM_MODELD_JOB_WIRE_H
#define TRIVIUM_MODELD_JOB_WIRE_H

#include <stdbool.h>

#include "modeld/sched/job.h"
#include "proto/net/wire.h"
#include "tokens.pb-c.h"

bool job_from_open(job *out, const Trivium__Open *m, const wire_message *message);
bool job_from_score(job *out, const Trivium__ScoreIds *m, const wire_message *message);
bool job_from_probe(job *out, const Trivium__ProbeRow *m, const wire_message *message);

#endif
