/* Ids to text as it is written: control tokens are silent, half characters and possible beginnings of a
 * stop string are held back, and a stop string ends the text before its first byte. Once the text of the
 * ids so far has a stop, it ends where the first one begins. Unknown and unused tokens are silent, too;
 * user-defined and foreign ones are text.
 *
 * A pure function of (vocabulary, stops, ids): feeding the same ids again gives the same texts, which is
 * how a resumed request finds its place. */
#ifndef TRIVIUM_STREAM_H
#define TRIVIUM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct stream stream;

typedef struct stream_text {
    const uint8_t *bytes;       /* may be shown now: valid UTF-8; valid until the next call */
    size_t n_bytes;
    bool stopped;               /* a stop string was completed; nothing more will be shown */
} stream_text;

/* Stops are copied; empty ones are refused at the edge. NULL: no memory. */
stream *stream_new(const vocab *v, const uint8_t *const *stops, const size_t *stop_bytes, size_t n_stops);
void stream_free(stream **s);

/* One more id (in range). Bytes that are no character become U+FFFD. STATUS_NO_MEMORY. */
status stream_feed(stream *s, int32_t id, stream_text *out);

/* No more ids: what was held back is let go (an incomplete character becomes U+FFFD). */
status stream_end(stream *s, stream_text *out);

#endif
