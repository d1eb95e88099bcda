#include "resume.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "proto/chain/strategy_wire.h"
#include "text_wire.h"

/* A strategy, its ordinal, and the first step that it draws. */
typedef struct strategy_at {
    strategy chain;
    uint32_t ordinal, step;
} strategy_at;

struct resume_state {
    const generation_request *request;      /* borrowed */
    uint32_t attempt;           /* 0 before the first was sent */
    bool started;               /* prompt ids, model, fingerprint and what follows are known */
    uint32_t max_new_tokens;    /* as they are used */
    ProtobufCBinaryData stops[STOPS_MAX];   /* [n_stops], of the form of a conversation; each owned */
    size_t n_stops;
    uint32_t first_step;        /* of this attempt */
    size_t n_ahead;             /* bytes shown beyond the ids' text: held back, then let go */
    size_t n_again;             /* of them, still to come again in this attempt; not shown twice */
    int32_t *ids;               /* [n_ids], prompt first; room for max_new_tokens more; owned */
    uint32_t n_ids, n_prompt;
    char model[NAME_BYTES_MAX + 1], semantics[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    uint8_t state[STATE_BYTES_MAX];     /* of the sampler, after the last id */
    size_t n_state;             /* bytes */
    strategy_at now;            /* draws the next step */
    strategy_at next;           /* tuned, for a step not yet drawn; ordinal 0: none */
};

resume_state *resume_new(const generation_request *request, failure *f) {
    resume_state *s = calloc(1, sizeof *s);
    if (!s) {
        fail(f, STATUS_NO_MEMORY, "no memory for a request");
        return NULL;
    }
    s->request = request;
    s->max_new_tokens = request->max_new_tokens;
    if (strategy_copy(&s->now.chain, request->chain) == STATUS_OK) return s;
    fail(f, STATUS_NO_MEMORY, "no memory for the chain");
    resume_free(&s);
    return NULL;
}

void resume_free(resume_state **s) {
    if (!*s) return;
    strategy_clear(&(*s)->now.chain);
    strategy_clear(&(*s)->next.chain);
    for (size_t i = 0; i < (*s)->n_stops; i++) free((*s)->stops[i].data);
    free((*s)->ids);
    free(*s);
    *s = NULL;
}

const uint8_t *resume_id(const resume_state *s) {
    return s->request->id;
}

uint32_t resume_attempt(const resume_state *s) {
    return s->attempt;
}

uint32_t resume_next_step(const resume_state *s) {
    return s->n_ids - s->n_prompt;
}

uint32_t resume_n_drawn(const resume_state *s) {
    return resume_next_step(s) - s->first_step;
}

bool resume_has_started(const resume_state *s) {
    return s->started;
}

const char *resume_model(const resume_state *s) {
    return s->model;
}

uint32_t resume_n_prompt(const resume_state *s) {
    return s->n_prompt;
}

const strategy *resume_chain(const resume_state *s) {
    return &s->now.chain;
}

uint32_t resume_ordinal(const resume_state *s) {
    return s->now.ordinal;
}

status resume_change_chain(resume_state *s, const strategy *stages, bool replace, failure *f) {
    status st = strategy_change(&s->now.chain, stages, replace, f);
    if (st != STATUS_OK) return st;
    s->now.ordinal++;
    s->now.step = resume_next_step(s);
    return STATUS_OK;
}

/* ---- sending ---- */

/* Segments, messages and stops as the generated code wants them, and the text of the first two. */
typedef struct generate_lists {
    Trivium__Segment *segments, **segment_list;
    wire_messages messages;
    ProtobufCBinaryData *stops;
    size_t n_stops;
    buffer text;                /* of segments */
} generate_lists;

static void lists_free(generate_lists *lists) {
    free(lists->segments);
    free(lists->segment_list);
    wire_messages_clear(&lists->messages);
    free(lists->stops);
    buffer_clear(&lists->text);
}

/* Those that were asked for, then those of the form, once it is known. */
static bool stops_fill(generate_lists *lists, const resume_state *s) {
    const generation_request *r = s->request;
    lists->stops = calloc(r->n_stops + s->n_stops + 1, sizeof *lists->stops);
    if (!lists->stops) return false;
    for (size_t i = 0; i < r->n_stops; i++)
        lists->stops[lists->n_stops++] = bytes_of((const uint8_t *)r->stops[i], strlen(r->stops[i]));
    for (size_t i = 0; i < s->n_stops; i++) lists->stops[lists->n_stops++] = s->stops[i];
    return true;
}

static bool segments_fill(generate_lists *lists, const generation_request *r) {
    lists->segments = calloc(r->n_pieces + 1, sizeof *lists->segments);
    lists->segment_list = calloc(r->n_pieces + 1, sizeof *lists->segment_list);
    if (!lists->segments || !lists->segment_list) return false;
    for (size_t i = 0; i < r->n_pieces; i++) {
        const generation_piece *from = &r->pieces[i];
        trivium__segment__init(&lists->segments[i]);
        lists->segments[i].n_bytes = (uint32_t)from->n_bytes;
        lists->segments[i].special = from->special;
        lists->segment_list[i] = &lists->segments[i];
        if (buffer_add(&lists->text, from->text, from->n_bytes) != STATUS_OK) return false;
    }
    return true;
}

/* The prompt is said until it is known as ids. */
static bool lists_fill(generate_lists *lists, const resume_state *s) {
    const generation_request *r = s->request;
    if (!stops_fill(lists, s)) return false;
    if (s->started) return true;
    if (r->conversation) return wire_messages_fill(&lists->messages, r->conversation) == STATUS_OK;
    return segments_fill(lists, r);
}

static void put_conversation(Trivium__Generate *m, const generation_request *r, const generate_lists *lists) {
    const conversation_prompt *said = r->conversation;
    m->n_messages = said->n_messages;
    m->messages = lists->messages.list;
    m->template_ = name_or_empty(said->form);
    m->n_ids_max = said->n_ids_max;
    m->n_reply = said->n_reply;
    m->as_room_allows = r->as_room_allows;
}

/* Where the text stands: nothing drawn yet, or all that is kept. */
static void put_progress(Trivium__Generate *m, const resume_state *s, const generate_lists *lists) {
    m->change = s->now.ordinal;
    if (!s->started) {
        m->model = name_or_empty(s->request->model);
        m->n_segments = s->request->n_pieces;
        m->segments = lists->segment_list;
        m->n_prompt = (uint32_t)s->request->n_ids;
        if (s->request->conversation) put_conversation(m, s->request, lists);
        return;
    }
    m->model = name_or_empty(s->model);
    m->fingerprint = name_or_empty(s->fingerprint);
    m->semantics = name_or_empty(s->semantics);
    m->n_prompt = s->n_prompt;
    m->state = bytes_of(s->state, s->n_state);
}

/* The frame that goes along: the ids so far, else the prompt, which was given as text or as ids. */
static wire_raw prompt_frame(const resume_state *s, const generate_lists *lists) {
    const generation_request *r = s->request;
    if (s->started) return (wire_raw){s->ids, s->n_ids * sizeof *s->ids};
    if (r->conversation) return (wire_raw){lists->messages.text.bytes, lists->messages.text.n_bytes};
    if (r->n_pieces > 0) return (wire_raw){lists->text.bytes, lists->text.n_bytes};
    return (wire_raw){r->ids, r->n_ids * sizeof *r->ids};
}

static status generate_send(const resume_state *s, text_link *link, const generate_lists *lists,
                            Trivium__Strategy *chain, failure *f) {
    const generation_request *r = s->request;
    Trivium__Generate m = TRIVIUM__GENERATE__INIT;
    m.request = bytes_of(r->id, REQUEST_BYTES);
    m.attempt = s->attempt;
    m.pool = name_or_empty(r->pool);
    m.session = name_or_empty(r->session);
    m.strategy = chain;
    m.seed = r->seed;
    m.max_new_tokens = s->max_new_tokens;
    m.n_stops = lists->n_stops;
    m.stops = lists->stops;
    m.n_stop_ids = r->n_stop_ids;
    m.stop_ids = (int32_t *)r->stop_ids;
    m.ignore_eos = r->ignore_eos;
    m.no_cache = r->no_cache;
    m.n_candidates = r->n_candidates;
    m.priority = r->priority;
    m.traceparent = name_or_empty(r->traceparent);
    m.wait_ms = text_link_wire_wait_ms(link);
    put_progress(&m, s, lists);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_GENERATE;
    message.generate = &m;
    const wire_raw prompt = prompt_frame(s, lists);
    const bool has_text = !s->started && (r->n_pieces > 0 || r->conversation);
    return text_link_send(link, &message, &prompt, has_text || prompt.n_bytes > 0 ? 1 : 0, f);
}

status resume_send(resume_state *s, text_link *link, failure *f) {
    generate_lists lists = {0};
    Trivium__Strategy *chain = strategy_to_wire(&s->now.chain);
    strategy_clear(&s->next.chain);      /* what waited for its step is lost with the attempt */
    s->next = (strategy_at){0};
    s->attempt++;
    s->first_step = s->started ? resume_next_step(s) : 0;
    s->n_again = s->n_ahead;
    status st = chain && lists_fill(&lists, s)
                    ? generate_send(s, link, &lists, chain, f)
                    : fail(f, STATUS_NO_MEMORY, "no memory for a request");
    lists_free(&lists);
    trivium__strategy__free_unpacked(chain, NULL);
    return st;
}

/* ---- what comes ---- */

static bool name_keep(char out[NAME_BYTES_MAX + 1], const char *name) {
    size_t n_bytes = strlen(name);
    if (n_bytes > NAME_BYTES_MAX) return false;
    memcpy(out, name, n_bytes + 1);
    return true;
}

static bool stops_keep(resume_state *s, const Trivium__Started *started) {
    if (started->n_stops + s->request->n_stops > STOPS_MAX) return false;
    for (size_t i = 0; i < started->n_stops; i++) {
        const ProtobufCBinaryData *stop = &started->stops[i];
        uint8_t *copy = malloc(stop->len + 1);
        if (!copy) return false;
        if (stop->len > 0) memcpy(copy, stop->data, stop->len);
        s->stops[s->n_stops++] = (ProtobufCBinaryData){stop->len, copy};
    }
    return true;
}

/* What tokenizerd made of a conversation. */
static bool conversation_keep(resume_state *s, const Trivium__Started *started) {
    if (started->max_new_tokens == 0 || started->max_new_tokens > s->max_new_tokens) return false;
    s->max_new_tokens = started->max_new_tokens;
    return stops_keep(s, started);
}

bool resume_start(resume_state *s, const wire_message *m, const Trivium__Started *started) {
    const int32_t *ids = wire_array(m, 0, started->n_prompt, sizeof *ids);
    if (!ids || started->n_prompt > TOKENIZE_IDS_MAX) return false;
    if (!name_keep(s->model, started->model) ||
        !name_keep(s->fingerprint, started->fingerprint))
        return false;
    if (s->request->conversation && !conversation_keep(s, started)) return false;
    size_t n_ids_max = (size_t)started->n_prompt + s->max_new_tokens;
    s->ids = malloc(n_ids_max * sizeof *s->ids);
    if (!s->ids) return false;
    memcpy(s->ids, ids, started->n_prompt * sizeof *ids);
    s->n_ids = s->n_prompt = started->n_prompt;
    s->started = true;
    return true;
}

bool resume_is_due(const resume_state *s, const Trivium__Chunk *chunk) {
    if (!s->started) return false;
    if (chunk->n_drawn == 0) return true;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    return chunk->step == resume_next_step(s) &&
           chunk->n_drawn <= s->max_new_tokens - resume_next_step(s) &&
           last->state.len <= STATE_BYTES_MAX && strlen(chunk->semantics) <= NAME_BYTES_MAX;
}

void resume_take_change(resume_state *s, const Trivium__StrategyChange *change) {
    if (!change || change->ordinal <= s->now.ordinal || change->ordinal < s->next.ordinal)
        return;
    strategy chain;
    strategy_init(&chain);
    failure f;
    /* One that cannot be read is never acknowledged, so whoever tuned will know. */
    if (strategy_from_wire(&chain, change->strategy, &f) != STATUS_OK) return;
    strategy_clear(&s->next.chain);
    s->next = (strategy_at){chain, change->ordinal, change->step};
}

/* A change for a step still to come waits for it: until then a resume must draw as before. */
bool resume_settle_change(resume_state *s) {
    if (s->next.ordinal == 0 || s->next.step > resume_next_step(s)) return false;
    strategy_clear(&s->now.chain);
    s->now = s->next;     /* takes over the chain */
    s->next = (strategy_at){0};
    return true;
}

void resume_take_ids(resume_state *s, const Trivium__Chunk *chunk) {
    if (chunk->n_drawn == 0) return;
    for (size_t i = 0; i < chunk->n_drawn; i++) s->ids[s->n_ids++] = chunk->drawn[i]->id;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    s->n_state = last->state.len;
    if (s->n_state > 0) memcpy(s->state, last->state.data, s->n_state);
    name_keep(s->semantics, chunk->semantics);
}

/* They were shown by an attempt that was lost after it had let go what it held back. Where that was
 * half a character, the whole one counts as shown. */
size_t resume_bytes_shown(resume_state *s, const Trivium__Chunk *chunk) {
    size_t n = chunk->text.len < s->n_again ? chunk->text.len : s->n_again;
    s->n_again -= n;
    if (chunk->n_drawn > 0) s->n_ahead -= n;
    else s->n_ahead += chunk->text.len - n;
    while (n > 0 && n < chunk->text.len && (chunk->text.data[n] & 0xc0) == 0x80) n++;
    return n;
}
