/* Any bytes as messages that come through a link's socket: what ZeroMQ gives the code of proto/net is what the input says,
 * and what the code sends goes nowhere. All from wire_receive on is the real code: frames, unpacking, the link's own
 * words, the link, and what it calls.
 *
 * A target opens its sides on real sockets with a scene of tests/support, and says whom the input speaks as. An input is
 * messages, one after the other: a byte whose low three bits are the number of raw frames, a number of two bytes for the
 * length of the header and of each raw frame (little-endian; what is missing is cut), then header and raw frames. Where the
 * first byte is below 0x80 the right incarnations are put in front of the header, else it comes as it is, as a
 * stranger's does. */
#ifndef TRIVIUM_TESTS_LINK_INPUT_H
#define TRIVIUM_TESTS_LINK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common.pb-c.h"
#include "proto/net/loop.h"

typedef struct link_speaker {
    loop *loop;                 /* of the side under test */
    size_t endpoint;            /* of the side under test, which one of those that it opened, from 0 on: */
    bool bound;                 /* of the bound ones, else of the joining ones */
    uint64_t from, to;          /* incarnations of the speaker, and of the side under test */
    Trivium__Hello hello;       /* with which the speaker joins, for each input anew */
} link_speaker;

/* From now on nothing is read from sockets any more, nor sent. Leaks are looked for before ZeroMQ's sockets are torn down
 * at the end: what nobody reads any more goes with them. */
void link_input_begin(void);

/* An input: all of the three below. */
void link_input_run(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes);

/* The speaker's Hello, at the beginning of an input. */
void link_input_joins(const link_speaker *speaker);
/* All messages of the input, and a turn of the loop. */
void link_input_says(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes);
/* Its Leave, and a turn of the loop. */
void link_input_leaves(const link_speaker *speaker);

#endif
