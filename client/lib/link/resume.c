#include "resume.h"

#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"

status copy_init(request_copy *copy, const generation_request *request, failure *f) {
    copy->request = request;
    status st = strategy_copy(&copy->now.chain, request->chain);
    return st == STATUS_OK ? st : fail(f, st, "no memory for the chain");
}

void copy_clear(request_copy *copy) {
    strategy_clear(&copy->now.chain);
    strategy_clear(&copy->next.chain);
    free(copy->ids);
    *copy = (request_copy){0};
}

status copy_change_chain(request_copy *copy, const strategy *steps, bool replace, failure *f) {
    status st = strategy_change(&copy->now.chain, steps, replace, f);
    if (st != STATUS_OK) return st;
    copy->now.ordinal++;
    copy->now.step = copy_next_step(copy);
    return STATUS_OK;
}

uint32_t copy_next_step(const request_copy *copy) {
    return copy->n_ids - copy->n_prompt;
}

ProtobufCBinaryData copy_request_bytes(const request_copy *copy) {
    return (ProtobufCBinaryData){.len = REQUEST_BYTES, .data = (uint8_t *)copy->request->id};
}

/* ---- sending ---- */

/* Segments and stops as the generated code wants them. */
typedef struct generate_lists {
    Trivium__Segment *segments, **segment_list;
    ProtobufCBinaryData *stops;
} generate_lists;

static void lists_free(generate_lists *lists) {
    free(lists->segments);
    free(lists->segment_list);
    free(lists->stops);
}

static bool lists_fill(generate_lists *lists, const generation_request *r) {
    lists->segments = calloc(r->n_segments + 1, sizeof *lists->segments);
    lists->segment_list = calloc(r->n_segments + 1, sizeof *lists->segment_list);
    lists->stops = calloc(r->n_stops + 1, sizeof *lists->stops);
    if (!lists->segments || !lists->segment_list || !lists->stops) return false;
    for (size_t i = 0; i < r->n_segments; i++) {
        const generation_segment *from = &r->segments[i];
        trivium__segment__init(&lists->segments[i]);
        lists->segments[i].text = (ProtobufCBinaryData){from->n_bytes, (uint8_t *)from->text};
        lists->segments[i].special = from->special;
        lists->segment_list[i] = &lists->segments[i];
    }
    for (size_t i = 0; i < r->n_stops; i++) {
        lists->stops[i] = (ProtobufCBinaryData){strlen(r->stops[i]), (uint8_t *)r->stops[i]};
    }
    return true;
}

/* Where the text stands: nothing drawn yet, or everything that the client's copy holds. */
static void put_progress(Trivium__Generate *m, request_copy *copy, const generate_lists *lists) {
    m->change = copy->now.ordinal;
    if (!copy->started) {
        m->model = name_or_empty(copy->request->model);
        m->n_segments = copy->request->n_segments;
        m->segments = lists->segment_list;
        m->n_prompt = (uint32_t)copy->request->n_ids;
        return;
    }
    m->model = copy->model;
    m->fingerprint = copy->fingerprint;
    m->semantics = copy->semantics;
    m->n_prompt = copy->n_prompt;
    m->state = (ProtobufCBinaryData){copy->n_state, copy->state};
}

/* The frame of ids: the client's copy, else a prompt that was given as ids; empty for a text. */
static wire_raw ids_frame(const request_copy *copy) {
    if (copy->started) return (wire_raw){copy->ids, copy->n_ids * sizeof *copy->ids};
    return (wire_raw){copy->request->ids, copy->request->n_ids * sizeof *copy->request->ids};
}

static status generate_send(client *c, request_copy *copy, const generate_lists *lists,
                            Trivium__Strategy *chain, failure *f) {
    const generation_request *r = copy->request;
    Trivium__Generate m = TRIVIUM__GENERATE__INIT;
    m.request = copy_request_bytes(copy);
    m.attempt = copy->attempt;
    m.pool = name_or_empty(r->pool);
    m.session = name_or_empty(r->session);
    m.strategy = chain;
    m.seed = r->seed;
    m.max_new_tokens = r->max_new_tokens;
    m.n_stops = r->n_stops;
    m.stops = lists->stops;
    m.n_stop_ids = r->n_stop_ids;
    m.stop_ids = (int32_t *)r->stop_ids;
    m.ignore_eos = r->ignore_eos;
    m.no_cache = r->no_cache;
    m.n_candidates = r->n_candidates;
    m.wait_ms = c->wait_ms;
    put_progress(&m, copy, lists);
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_GENERATE;
    message.generate = &m;
    const wire_raw ids = ids_frame(copy);
    return client_send(c, &message, &ids, ids.n_bytes > 0 ? 1 : 0, f);
}

status copy_send(request_copy *copy, client *c, failure *f) {
    generate_lists lists = {0};
    Trivium__Strategy *chain = strategy_to_wire(&copy->now.chain);
    strategy_clear(&copy->next.chain);      /* what waited for its step is lost with the attempt */
    copy->next = (strategy_at){0};
    copy->attempt++;
    copy->first_step = copy->started ? copy_next_step(copy) : 0;
    copy->n_again = copy->n_ahead;
    status st = chain && lists_fill(&lists, copy->request)
                    ? generate_send(c, copy, &lists, chain, f)
                    : fail(f, STATUS_NO_MEMORY, "no memory for a request");
    lists_free(&lists);
    trivium__strategy__free_unpacked(chain, NULL);
    return st;
}

/* ---- what comes ---- */

static bool name_copy(char out[NAME_BYTES_MAX + 1], const char *name) {
    size_t n_bytes = strlen(name);
    if (n_bytes > NAME_BYTES_MAX) return false;
    memcpy(out, name, n_bytes + 1);
    return true;
}

bool copy_start(request_copy *copy, const wire_message *m, const Trivium__Started *started) {
    const int32_t *ids = wire_array(m, 0, started->n_prompt, sizeof *ids);
    if (!ids || started->n_prompt > TOKENIZE_IDS_MAX) return false;
    if (!name_copy(copy->model, started->model) ||
        !name_copy(copy->fingerprint, started->fingerprint))
        return false;
    size_t n_ids_max = (size_t)started->n_prompt + copy->request->max_new_tokens;
    copy->ids = malloc(n_ids_max * sizeof *copy->ids);
    if (!copy->ids) return false;
    memcpy(copy->ids, ids, started->n_prompt * sizeof *ids);
    copy->n_ids = copy->n_prompt = started->n_prompt;
    copy->started = true;
    return true;
}

bool copy_is_due(const request_copy *copy, const Trivium__Chunk *chunk) {
    if (!copy->started) return false;
    if (chunk->n_drawn == 0) return true;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    return chunk->step == copy_next_step(copy) &&
           chunk->n_drawn <= copy->request->max_new_tokens - copy_next_step(copy) &&
           last->state.len <= STATE_BYTES_MAX && strlen(chunk->semantics) <= NAME_BYTES_MAX;
}

void copy_take_change(request_copy *copy, const Trivium__StrategyChange *change) {
    if (!change || change->ordinal <= copy->now.ordinal || change->ordinal < copy->next.ordinal)
        return;
    strategy chain;
    strategy_init(&chain);
    failure f;
    /* One that cannot be read is never acknowledged, so whoever tuned will know. */
    if (strategy_from_wire(&chain, change->strategy, &f) != STATUS_OK) return;
    strategy_clear(&copy->next.chain);
    copy->next = (strategy_at){chain, change->ordinal, change->step};
}

/* A change for a step still to come waits for it: until then a resume must draw as before. */
bool copy_settle_change(request_copy *copy) {
    if (copy->next.ordinal == 0 || copy->next.step > copy_next_step(copy)) return false;
    strategy_clear(&copy->now.chain);
    copy->now = copy->next;     /* takes over the chain */
    copy->next = (strategy_at){0};
    return true;
}

void copy_take_ids(request_copy *copy, const Trivium__Chunk *chunk) {
    if (chunk->n_drawn == 0) return;
    for (size_t i = 0; i < chunk->n_drawn; i++) copy->ids[copy->n_ids++] = chunk->drawn[i]->id;
    const Trivium__Drawn *last = chunk->drawn[chunk->n_drawn - 1];
    copy->n_state = last->state.len;
    if (copy->n_state > 0) memcpy(copy->state, last->state.data, copy->n_state);
    name_copy(copy->semantics, chunk->semantics);
}

/* They were shown by an attempt that was lost after it had let go what it held back. Where that was
 * half a character, the whole one counts as shown. */
size_t copy_bytes_shown(request_copy *copy, const Trivium__Chunk *chunk) {
    size_t n = chunk->text.len < copy->n_again ? chunk->text.len : copy->n_again;
    copy->n_again -= n;
    if (chunk->n_drawn > 0) copy->n_ahead -= n;
    else copy->n_ahead += chunk->text.len - n;
    while (n > 0 && n < chunk->text.len && (chunk->text.data[n] & 0xc0) == 0x80) n++;
    return n;
}
