#include "encode_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "tokenizerd/tokenizer/encode.h"

struct passage {
    passages *home;
    uint8_t *bytes;             /* of all segments, end to end; NULL once the encoding has its copy */
    passage_segment *segments;  /* their bytes lie there; NULL with them */
    size_t n_segments, n_bytes;
    encoding *encoding;         /* NULL before passage_start */
    int32_t first;              /* the id before the text; negative: none */
    passage_listener listener;
    bool queued;
    passage *next;              /* in the rotation */
};

struct passages {
    passage *first;             /* whose turn it is */
    size_t n_bytes;             /* of all texts that live */
    size_t n_passages;
};

passages *passages_new(void) {
    return calloc(1, sizeof(passages));
}

void passages_free(passages **ps) {
    if (!*ps) return;
    assert((*ps)->n_passages == 0);
    free(*ps);
    *ps = NULL;
}

static void queue_append(passages *ps, passage *p) {
    passage **place = &ps->first;
    while (*place) place = &(*place)->next;
    *place = p;
    p->next = NULL;
    p->queued = true;
}

static void queue_remove(passages *ps, passage *p) {
    if (!p->queued) return;
    passage **place = &ps->first;
    while (*place != p) place = &(*place)->next;
    *place = p->next;
    p->queued = false;
}

static status segments_check(const passages *ps, const passage_segment *segments, size_t n_segments,
                             size_t *n_bytes, failure *f) {
    *n_bytes = 0;
    for (size_t i = 0; i < n_segments; i++) {
        if (segments[i].n_bytes > TEXT_BYTES_MAX - *n_bytes)
            return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
        *n_bytes += segments[i].n_bytes;
    }
    if (*n_bytes > TEXTS_BYTES_MAX - ps->n_bytes)
        return fail(f, STATUS_BUSY, "texts of %zu bytes wait already; try again later",
                    ps->n_bytes);
    for (size_t i = 0; i < n_segments; i++)
        if (!text_is_utf8(segments[i].bytes, segments[i].n_bytes))
            return fail(f, STATUS_NOT_UTF8, "the text is not valid UTF-8");
    return STATUS_OK;
}

status passages_add(passages *ps, const passage_segment *segments, size_t n_segments,
                    passage_listener listener, passage **out, failure *f) {
    size_t n_bytes;
    status st = segments_check(ps, segments, n_segments, &n_bytes, f);
    if (st != STATUS_OK) return st;
    passage *p = calloc(1, sizeof *p);
    uint8_t *bytes = malloc(n_bytes + 1);
    passage_segment *own = calloc(n_segments + 1, sizeof *own);
    if (!p || !bytes || !own) {
        free(p);
        free(bytes);
        free(own);
        return fail(f, STATUS_NO_MEMORY, "no memory for a text of %zu bytes", n_bytes);
    }
    uint8_t *at = bytes;
    for (size_t i = 0; i < n_segments; i++) {
        own[i] = segments[i];
        own[i].bytes = at;
        if (own[i].n_bytes > 0) memcpy(at, segments[i].bytes, own[i].n_bytes);
        at += own[i].n_bytes;
    }
    *p = (passage){.home = ps,
                   .bytes = bytes,
                   .segments = own,
                   .n_segments = n_segments,
                   .n_bytes = n_bytes,
                   .listener = listener};
    ps->n_bytes += n_bytes;
    ps->n_passages++;
    *out = p;
    return STATUS_OK;
}

static void forget_segments(passage *p) {
    free(p->bytes);
    free(p->segments);
    p->bytes = NULL;
    p->segments = NULL;
}

void passage_free(passage **out) {
    passage *p = *out;
    if (!p) return;
    *out = NULL;
    queue_remove(p->home, p);
    p->home->n_bytes -= p->n_bytes;
    p->home->n_passages--;
    encoding_free(&p->encoding);
    forget_segments(p);
    free(p);
}

status passage_start(passage *p, const tokenizer *t, int32_t first, failure *f) {
    assert(!p->encoding);
    p->first = first;
    p->encoding = encoding_new(t);
    if (!p->encoding || (first >= 0 && encoding_add_id(p->encoding, first) != STATUS_OK))
        return fail(f, STATUS_NO_MEMORY, "no memory to encode a text");
    for (size_t i = 0; i < p->n_segments; i++) {
        const passage_segment *s = &p->segments[i];
        status st = encoding_add(p->encoding, s->bytes, s->n_bytes, s->special, f);
        if (st != STATUS_OK) return st;
    }
    forget_segments(p);
    queue_append(p->home, p);
    return STATUS_OK;
}

bool passages_turn(passages *ps) {
    passage *p = ps->first;
    if (!p) return false;
    failure why = {.code = STATUS_OK};
    bool done = false;
    status st = encoding_advance(p->encoding, ENCODE_SLICE_BYTES, &done, &why);
    queue_remove(ps, p);
    if (st == STATUS_OK && !done) queue_append(ps, p);
    else p->listener.encoded(p->listener.context, p->listener.owner, st == STATUS_OK ? NULL : &why);
    return ps->first != NULL;
}

bool passage_had_first(const passage *p) {
    size_t n_ids;
    const int32_t *ids = encoding_ids(p->encoding, &n_ids);
    return p->first >= 0 && n_ids >= 2 && ids[1] == p->first;
}

const int32_t *passage_ids(const passage *p, size_t *n_ids) {
    const int32_t *ids = encoding_ids(p->encoding, n_ids);
    if (!passage_had_first(p)) return ids;
    (*n_ids)--;
    return ids + 1;
}
