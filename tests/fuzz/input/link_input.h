/* Any bytes as messages that come through a link's socket: what ZeroMQ gives the code of proto/net is what the input says,
 * and what the code sends goes nowhere. All from wire_receive on is the real code: frames, unpacking, the link's own
 * words, the link, and what it calls.
 *
 * A target opens its sides on real sockets with a scene of tests/support, and says whom the input speaks as. An input is
 * messages, one after the other: a byte whose low two bits are the number of raw frames, a number of two bytes for the
 * length of the header and of each raw frame (little-endian; what is missing is cut), then header and raw frames. Where the
 * first byte has 0x04 the raw frames follow in pieces, each frame in two of them.
 *
 * Where the first byte has 0x80 the header comes as it is, as a stranger's does; else the right incarnations are put into
 * the control part that it begins with, or in front of it. Where the first byte has 0x40 the header is the number of a
 * body's field and that body: after it is put what it is about, which no input can know (the ticket, call or text that the
 * side under test named last; bits 0x38 say which of them). */
#ifndef TRIVIUM_TESTS_LINK_INPUT_H
#define TRIVIUM_TESTS_LINK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common.pb-c.h"
#include "proto/net/loop.h"
#include "proto/net/wire.h"
#include "tests/support/link/place.h"

enum { LINK_NAMES_BYTES_MAX = 64, WHICH_MAX = 7 };

/* Fields of the body with this number, packed into `out`: what it is about, number `which` of what is under way, 0 being
 * the newest. Returns how many bytes they are; 0: nothing is to be named. */
typedef size_t link_names(uint32_t body, unsigned which, uint8_t out[LINK_NAMES_BYTES_MAX]);

/* What the side under test says; valid for the call. */
typedef void link_ear(const ProtobufCMessage *message);

typedef struct link_speaker {
    loop *loop;                 /* of the side under test */
    size_t endpoint;            /* of the side under test, which one of those that it opened, from 0 on: */
    bool bound;                 /* of the bound ones, else of the joining ones */
    uint64_t from, to;          /* incarnations of the speaker, and of the side under test */
    Trivium__Hello hello;       /* with which the speaker joins, for each input anew */
    link_names *names;          /* NULL: nothing is named */
} link_speaker;

/* From now on nothing is read from sockets any more, nor sent. Leaks are looked for before ZeroMQ's sockets are torn down
 * at the end: what nobody reads any more goes with them. */
void link_input_begin(void);

/* A place of a socket, which is removed at the end. */
void link_input_removes(place *p);

/* Once, before the speaker speaks: `ear` gets each message, of this type, that the side under test sends at its endpoint. */
void link_input_listen(const link_speaker *speaker, const ProtobufCMessageDescriptor *type, link_ear *ear);

/* A message of the speaker's, as it must be, but for its control part, which is filled in. */
void link_input_tells(const link_speaker *speaker, const ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);

/* Turns of the loop: one, or until an ear stops the loop, for at most so long. */
void link_input_turn(const link_speaker *speaker);
void link_input_turns_ms(const link_speaker *speaker, uint32_t ms);

/* An input: all of the three below. */
void link_input_run(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes);

/* The speaker's Hello, at the beginning of an input. */
void link_input_joins(const link_speaker *speaker);
/* All messages of the input, and a turn of the loop. */
void link_input_says(const link_speaker *speaker, const uint8_t *bytes, size_t n_bytes);
/* Its Leave, and a turn of the loop. */
void link_input_leaves(const link_speaker *speaker);

#endif
