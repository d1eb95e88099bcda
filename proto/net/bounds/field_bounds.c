/* The table of bounds. */
#include <assert.h>
#include <pthread.h>

#include "bounds.h"
#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/wire.h"
#include "text.pb-c.h"
#include "tokens.pb-c.h"

enum {
    TOLD = 16,                      /* times a link's own bound: up to there it answers with its sentence */
    NAMES = 8192,                   /* bytes of a name; NAME_BYTES_MAX is the links' own */
    REQUEST = TOLD * REQUEST_BYTES,
    TRACEPARENT = TOLD * TRACEPARENT_BYTES_MAX,
    SENTENCE = 4096,
    DRAWN_MAX = 64 * 1024,          /* ids whose text was held back */
};

#define M(name) &trivium__##name##__descriptor

static const field_bound bounds[] = {
    /* common.proto */
    {M(error), "message", 1, SENTENCE},
    {M(leave), "why", 1, SENTENCE},
    {M(control), "more", TOLD * RAW_FRAMES_MAX, 0},
    {M(hello), "name", 1, NAMES},
    {M(hello), "host", 1, NAMES},
    {M(default_model), "name", 1, NAMES},
    {M(model_offer), "fingerprint", 1, NAMES},
    {M(model_offer), "vocabulary", 1, NAMES},
    {M(sampler_offer), "pool", 1, NAMES},
    {M(sampler_offer), "semantics", 1, NAMES},
    {M(heartbeat), "acknowledged", REQUESTS_MAX, 0},
    {M(acknowledge), "request", 1, REQUEST},
    {M(model_report), "samplers", TOLD * PEERS_MAX / 4, 0},
    {M(sampler_report), "name", 1, NAMES},
    {M(sampler_report), "pool", 1, NAMES},
    {M(sampler_report), "semantics", 1, NAMES},
    {M(sampler_report), "host", 1, NAMES},
    {M(strategy), "steps", TOLD * STAGES_MAX, 0},
    {M(step), "name", 1, NAMES},
    {M(step), "numbers", 2 * BIASES_MAX, 0},
    {M(step), "lists", TOLD, 0},
    {M(id_list), "ids", 2 * BIASES_MAX, 0},
    {M(candidate), "text", 1, TOKEN_BYTES_MAX},
    {M(drawn), "candidates", 2 * CANDIDATES_MAX, 0},
    {M(drawn), "state", 1, TOLD * STATE_BYTES_MAX},
    {M(drawn), "n_left", TOLD * STAGES_MAX, 0},
    {M(drawn), "text", 1, TOKEN_BYTES_MAX},
    {M(glimpse), "request", 1, REQUEST},
    /* text.proto */
    {M(text_request), "owner", 1, NAMES},
    {M(generate), "request", 1, REQUEST},
    {M(generate), "segments", TOLD * SEGMENTS_MAX, 0},
    {M(generate), "model", 1, NAMES},
    {M(generate), "fingerprint", 1, NAMES},
    {M(generate), "pool", 1, NAMES},
    {M(generate), "session", 1, NAMES},
    {M(generate), "state", 1, TOLD * STATE_BYTES_MAX},
    {M(generate), "semantics", 1, NAMES},
    {M(generate), "stops", TOLD * STOPS_MAX, TOLD * STOP_BYTES_MAX},
    {M(generate), "stop_ids", TOLD * STOP_IDS_MAX, 0},
    {M(generate), "messages", TOLD * MESSAGES_MAX, 0},
    {M(generate), "template", 1, NAMES},
    {M(generate), "traceparent", 1, TRACEPARENT},
    {M(started), "request", 1, REQUEST},
    {M(started), "model", 1, NAMES},
    {M(started), "fingerprint", 1, NAMES},
    {M(started), "template", 1, NAMES},
    {M(started), "stops", TOLD * STOPS_MAX, TOLD * STOP_BYTES_MAX},
    {M(chunk), "request", 1, REQUEST},
    {M(chunk), "drawn", DRAWN_MAX, 0},
    {M(chunk), "text", 1, HEADER_BYTES_MAX},
    {M(chunk), "semantics", 1, NAMES},
    {M(done), "request", 1, REQUEST},
    {M(tune), "request", 1, REQUEST},
    {M(tuned), "request", 1, REQUEST},
    {M(pause), "request", 1, REQUEST},
    {M(cancel), "request", 1, REQUEST},
    {M(cancelled), "request", 1, REQUEST},
    {M(drain), "name", 1, NAMES},
    {M(drain), "host", 1, NAMES},
    {M(drained), "name", 1, NAMES},
    {M(drained), "host", 1, NAMES},
    {M(watch), "request", 1, REQUEST},
    {M(watched), "request", 1, REQUEST},
    {M(watched), "model", 1, NAMES},
    {M(tokenize), "model", 1, NAMES},
    {M(message), "role", 1, NAMES},
    {M(render), "model", 1, NAMES},
    {M(render), "messages", TOLD * MESSAGES_MAX, 0},
    {M(render), "template", 1, NAMES},
    {M(rendered), "template", 1, NAMES},
    {M(rendered), "stops", TOLD * STOPS_MAX, TOLD * STOP_BYTES_MAX},
    {M(rendered), "model", 1, NAMES},
    {M(detokenize), "model", 1, NAMES},
    {M(detokenize), "fingerprint", 1, NAMES},
    {M(score), "model", 1, NAMES},
    {M(score), "pool", 1, NAMES},
    {M(score), "traceparent", 1, TRACEPARENT},
    {M(scored), "top", 2 * CANDIDATES_MAX, 0},
    {M(scored), "model", 1, NAMES},
    {M(scored), "fingerprint", 1, NAMES},
    {M(probe), "model", 1, NAMES},
    {M(probe), "pool", 1, NAMES},
    {M(probe), "traceparent", 1, TRACEPARENT},
    {M(request_list), "requests", REQUESTS_MAX, 0},
    {M(request_report), "request", 1, REQUEST},
    {M(request_report), "session", 1, NAMES},
    {M(request_report), "model", 1, NAMES},
    {M(request_report), "state", 1, NAMES},
    {M(request_report), "owner", 1, NAMES},
    {M(request_report), "owner_name", 1, NAMES},
    {M(daemon_list), "daemons", TOLD * PEERS_MAX, 0},
    {M(status_report), "models", PEERS_MAX, 0},
    {M(status_report), "default_model", 1, NAMES},
    {M(daemon_report), "name", 1, NAMES},
    {M(daemon_report), "host", 1, NAMES},
    {M(daemon_report), "state", 1, NAMES},
    {M(daemon_report), "model", 1, NAMES},
    {M(daemon_report), "pool", 1, NAMES},
    {M(daemon_report), "semantics", 1, NAMES},
    {M(model_summary), "name", 1, NAMES},
    {M(model_summary), "fingerprint", 1, NAMES},
    {M(waiting), "request", 1, REQUEST},
    {M(waiting), "message", 1, SENTENCE},
    /* tokens.proto */
    {M(vocabulary_query), "vocabulary", 1, NAMES},
    {M(vocabulary_piece), "vocabulary", 1, NAMES},
    {M(vocabulary_piece), "tokens", 2 * VOCABULARY_PIECE_ITEMS, TOLD * TOKEN_BYTES_MAX},
    {M(vocabulary_piece), "types", 1, 2 * VOCABULARY_PIECE_ITEMS},
    {M(vocabulary_piece), "merges", 2 * VOCABULARY_PIECE_ITEMS, TOLD * TOKEN_BYTES_MAX},
    {M(vocabulary_meta), "kind", 1, NAMES},
    {M(vocabulary_meta), "split", 1, NAMES},
    {M(vocabulary_meta), "chat_template", 1, HEADER_BYTES_MAX},
    {M(vocabulary_meta), "ends", TOLD * KEYED_ENDS_MAX, 0},
    {M(open), "request", 1, REQUEST},
    {M(open), "session", 1, NAMES},
    {M(open), "pool", 1, NAMES},
    {M(open), "state", 1, TOLD * STATE_BYTES_MAX},
    {M(open), "semantics", 1, NAMES},
    {M(open), "end_ids", TOLD * (STOP_IDS_MAX + MODEL_END_IDS_MAX), 0},
    {M(open), "traceparent", 1, TRACEPARENT},
    {M(open), "owner", 1, NAMES},
    {M(token), "request", 1, REQUEST},
    {M(token), "semantics", 1, NAMES},
    {M(retune), "request", 1, REQUEST},
    {M(retuned), "request", 1, REQUEST},
    {M(watch_text), "request", 1, REQUEST},
    {M(close), "request", 1, REQUEST},
    {M(closed), "request", 1, REQUEST},
    {M(score_ids), "pool", 1, NAMES},
    {M(score_ids), "traceparent", 1, TRACEPARENT},
    {M(score_ids), "owner", 1, NAMES},
    {M(scored_ids), "top", 2 * CANDIDATES_MAX, 0},
    {M(probe_row), "pool", 1, NAMES},
    {M(probe_row), "traceparent", 1, TRACEPARENT},
    {M(probe_row), "owner", 1, NAMES},
    {M(queued), "request", 1, REQUEST},
    {M(drain_worker), "name", 1, NAMES},
    {M(drain_worker), "host", 1, NAMES},
    /* logits.proto */
    {M(sample_request), "request", 1, REQUEST},
    {M(sample_request), "state", 1, TOLD * STATE_BYTES_MAX},
    {M(sample_request), "given", 2 * SAMPLE_ROWS_MAX, 0},
    {M(sample_request), "shared", 2 * SAMPLE_ROWS_MAX, 0},
    {M(sample_request), "drafts", 2 * SAMPLE_ROWS_MAX, 0},
    {M(sample_request), "traceparent", 1, TRACEPARENT},
    {M(sample_reply), "request", 1, REQUEST},
    {M(sample_reply), "drawn", 2 * SAMPLE_ROWS_MAX, 0},
};

#undef M

/* A hash by the field's descriptor, which is unique: made once, then only read. */
enum { N_SLOTS = 512, N_BOUNDS = sizeof bounds / sizeof *bounds };
_Static_assert(N_BOUNDS <= N_SLOTS / 2, "a search soon ends");

static struct {
    const ProtobufCFieldDescriptor *field;
    const field_bound *bound;
} slots[N_SLOTS];

static size_t slot_of(const ProtobufCFieldDescriptor *field) {
    size_t slot = (size_t)field / sizeof *field % N_SLOTS;
    while (slots[slot].field && slots[slot].field != field) slot = (slot + 1) % N_SLOTS;
    return slot;
}

static void slots_fill(void) {
    for (size_t i = 0; i < N_BOUNDS; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(bounds[i].message, bounds[i].field);
        assert(field && field_is_sized(field));
        size_t slot = slot_of(field);
        assert(!slots[slot].field);
        slots[slot].field = field;
        slots[slot].bound = &bounds[i];
    }
}

const field_bound *field_bound_of(const ProtobufCFieldDescriptor *field) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, slots_fill);
    return slots[slot_of(field)].bound;
}

bool field_is_sized(const ProtobufCFieldDescriptor *field) {
    return field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_STRING ||
           field->type == PROTOBUF_C_TYPE_BYTES;
}
