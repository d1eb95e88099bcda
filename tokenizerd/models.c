#include "models.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/rt/text.h"

typedef struct vocabulary {
    char hash[NAME_BYTES_MAX + 1];
    vocab *words;                   /* NULL before the first piece */
    bool complete;
    uint32_t n_tokens_all;          /* as its first model offered it: the same for all of them */
    uint32_t n_merges_all, n_tokens, n_merges;
    size_t n_bytes;
    modeld *asked;                  /* who is sending it; NULL: nobody */
    uint32_t n_models;              /* that speak it */
    uint64_t unused_since;          /* by the count of releases */
    struct vocabulary *next;
} vocabulary;

struct model {
    char name[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    uint32_t n_vocab, n_ctx;
    vocabulary *vocabulary;
    modeld *modelds;                /* in order of joining */
    uint32_t n_holders;
    model *next;
};

struct modeld {
    model *model;
    void *peer;
    uint32_t load;
    modeld *next;
};

typedef struct refusal {
    uint64_t incarnation;           /* 0: empty */
    failure why;
} refusal;

struct models {
    model *first;
    vocabulary *vocabularies;
    uint64_t n_releases;
    refusal refusals[REFUSALS_MAX];
    size_t next_refusal;
};

/* vocabularies */

static void vocabulary_forget_words(vocabulary *y) {
    vocab_free(&y->words);
    y->complete = false;
    y->n_tokens = y->n_merges = 0;
    y->n_bytes = 0;
    y->asked = NULL;
}

static void vocabulary_unlink(models *ms, vocabulary *y) {
    vocabulary **place = &ms->vocabularies;
    while (*place != y)
        place = &(*place)->next;
    *place = y->next;
    vocabulary_forget_words(y);
    free(y);
}

/* Of the vocabularies that no model speaks, only the latest few complete ones are worth their memory. */
static void vocabularies_trim(models *ms) {
    for (;;) {
        size_t n_unused = 0;
        vocabulary *oldest = NULL;
        for (vocabulary *y = ms->vocabularies; y; y = y->next) {
            if (y->n_models > 0)
                continue;
            n_unused++;
            if (!oldest || !y->complete || (oldest->complete && y->unused_since < oldest->unused_since))
                oldest = y;
        }
        if (!oldest || (oldest->complete && n_unused <= VOCABULARIES_KEPT_MAX))
            return;
        vocabulary_unlink(ms, oldest);
    }
}

static vocabulary *vocabulary_find(const models *ms, const char *hash) {
    vocabulary *y = ms->vocabularies;
    while (y && strcmp(y->hash, hash) != 0)
        y = y->next;
    return y;
}

static vocabulary *vocabulary_of(models *ms, const char *hash, uint32_t n_tokens) {
    vocabulary *y = vocabulary_find(ms, hash);
    if (y)
        return y;
    y = calloc(1, sizeof *y);
    if (!y)
        return NULL;
    strcpy(y->hash, hash);
    y->n_tokens_all = n_tokens;
    y->next = ms->vocabularies;
    ms->vocabularies = y;
    return y;
}

/* models */

static model *model_new(models *ms, const model_offer *offer) {
    model *m = calloc(1, sizeof *m);
    vocabulary *y = m ? vocabulary_of(ms, offer->vocabulary, offer->n_vocab) : NULL;
    if (!y) {
        free(m);
        return NULL;
    }
    strcpy(m->name, offer->name);
    strcpy(m->fingerprint, offer->fingerprint);
    m->n_vocab = offer->n_vocab;
    m->n_ctx = offer->n_ctx;
    m->vocabulary = y;
    y->n_models++;
    return m;
}

static void model_unlink(models *ms, model *m) {
    model **place = &ms->first;
    while (*place && *place != m)
        place = &(*place)->next;
    if (*place)
        *place = m->next;
    m->next = NULL;
}

static void model_append(models *ms, model *m) {
    model **place = &ms->first;
    while (*place)
        place = &(*place)->next;
    *place = m;
}

static void model_free_unused(models *ms, model *m) {
    if (m->modelds || m->n_holders > 0)
        return;
    model_unlink(ms, m);
    m->vocabulary->n_models--;
    m->vocabulary->unused_since = ++ms->n_releases;
    free(m);
    vocabularies_trim(ms);
}

static bool model_is(const model *m, const model_offer *offer) {
    return strcmp(m->name, offer->name) == 0 && strcmp(m->fingerprint, offer->fingerprint) == 0 &&
           strcmp(m->vocabulary->hash, offer->vocabulary) == 0 && m->n_vocab == offer->n_vocab &&
           m->n_ctx == offer->n_ctx;
}

models *models_new(void) {
    return calloc(1, sizeof(models));
}

void models_free(models **ms) {
    if (!*ms)
        return;
    while ((*ms)->first) {
        model *m = (*ms)->first;
        (*ms)->first = m->next;
        for (modeld *d = m->modelds, *next; d; d = next) {
            next = d->next;
            free(d);
        }
        free(m);
    }
    while ((*ms)->vocabularies)
        vocabulary_unlink(*ms, (*ms)->vocabularies);
    free(*ms);
    *ms = NULL;
}

/* joining and leaving */

static status offer_check(const models *ms, const model_offer *o, failure *f) {
    const char *const words[] = {o->name, o->fingerprint, o->vocabulary};
    const char *const what[] = {"name", "fingerprint", "vocabulary hash"};
    for (size_t i = 0; i < 3; i++)
        if (!words[i][0] || !text_is_printable(words[i], NAME_BYTES_MAX))
            return fail(f, STATUS_BAD_MESSAGE, "the %s of a model must have 1 to %d bytes of printable UTF-8",
                        what[i], NAME_BYTES_MAX);
    if (o->n_vocab == 0 || o->n_vocab > N_VOCAB_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary must have 1 to %d tokens, not %u", N_VOCAB_MAX, o->n_vocab);
    if (o->n_ctx == 0 || o->n_ctx > N_CTX_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a context must hold 1 to %d tokens, not %u", N_CTX_MAX, o->n_ctx);
    const vocabulary *known = vocabulary_find(ms, o->vocabulary);
    if (known && known->n_tokens_all != o->n_vocab)
        return fail(f, STATUS_BAD_MESSAGE, "the vocabulary %s is known with %u tokens, not %u", o->vocabulary,
                    known->n_tokens_all, o->n_vocab);
    return STATUS_OK;
}

static status refusal_check(const models *ms, uint64_t incarnation, failure *f) {
    for (size_t i = 0; i < REFUSALS_MAX; i++)
        if (ms->refusals[i].incarnation == incarnation) {
            *f = ms->refusals[i].why;
            return f->code;
        }
    return STATUS_OK;
}

static status name_check(const models *ms, const model_offer *o, failure *f) {
    for (const model *m = ms->first; m; m = m->next) {
        if (!m->modelds || strcmp(m->name, o->name) != 0 || model_is(m, o))
            continue;
        const char *differs = strcmp(m->fingerprint, o->fingerprint) != 0 ? "fingerprint"
                            : m->n_ctx != o->n_ctx ? "context size" : "vocabulary";
        return fail(f, STATUS_NAME_TAKEN, "the name '%s' is taken by a model with another %s; choose another --name",
                    o->name, differs);
    }
    return STATUS_OK;
}

/* The model that this offer is: one that is served or held, or a new one. A model that nobody served
 * until now counts as joined now. */
static model *model_for(models *ms, const model_offer *offer) {
    model *m = ms->first;
    while (m && !model_is(m, offer))
        m = m->next;
    if (m && m->modelds)
        return m;
    if (m)
        model_unlink(ms, m);
    else
        m = model_new(ms, offer);
    if (m)
        model_append(ms, m);
    return m;
}

status models_join(models *ms, const model_offer *offer, uint64_t incarnation, void *peer, modeld **out,
                   failure *f) {
    status st = refusal_check(ms, incarnation, f);
    if (st == STATUS_OK)
        st = offer_check(ms, offer, f);
    if (st == STATUS_OK)
        st = name_check(ms, offer, f);
    if (st != STATUS_OK)
        return st;
    modeld *d = calloc(1, sizeof *d);
    model *m = d ? model_for(ms, offer) : NULL;
    if (!m) {
        free(d);
        return fail(f, STATUS_NO_MEMORY, "no memory for another modeld");
    }
    d->model = m;
    d->peer = peer;
    modeld **place = &m->modelds;
    while (*place)
        place = &(*place)->next;
    *place = d;
    *out = d;
    return STATUS_OK;
}

void models_leave(models *ms, modeld **leaver) {
    modeld *d = *leaver;
    if (!d)
        return;
    *leaver = NULL;
    model *m = d->model;
    modeld **place = &m->modelds;
    while (*place != d)
        place = &(*place)->next;
    *place = d->next;
    if (m->vocabulary->asked == d)
        vocabulary_forget_words(m->vocabulary);
    free(d);
    model_free_unused(ms, m);
}

void models_refuse(models *ms, uint64_t incarnation, const failure *why) {
    ms->refusals[ms->next_refusal] = (refusal){.incarnation = incarnation, .why = *why};
    ms->next_refusal = (ms->next_refusal + 1) % REFUSALS_MAX;
}

/* the vocabulary's way here */

modeld *models_query(models *ms) {
    for (model *m = ms->first; m; m = m->next) {
        vocabulary *y = m->vocabulary;
        if (y->complete || y->asked || !m->modelds)
            continue;
        y->asked = m->modelds;
        return y->asked;
    }
    return NULL;
}

static status vocabulary_begin(vocabulary *y, const vocabulary_piece *p, failure *f) {
    if (!p->meta)
        return fail(f, STATUS_BAD_MESSAGE, "the first piece of a vocabulary must say its kind");
    if (p->n_tokens_all != y->n_tokens_all)
        return fail(f, STATUS_BAD_MESSAGE, "the vocabulary has %u tokens, the model's rows are %u wide",
                    p->n_tokens_all, y->n_tokens_all);
    if (p->n_merges_all > N_MERGES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d merges, not %u", N_MERGES_MAX, p->n_merges_all);
    vocab_meta meta = *p->meta;
    meta.n_tokens = y->n_tokens_all;
    meta.n_merges = y->n_merges_all = p->n_merges_all;
    return vocab_new(&y->words, &meta, f);
}

static status vocabulary_count(vocabulary *y, const vocab_bytes *items, size_t n_items, failure *f) {
    for (size_t i = 0; i < n_items; i++)
        y->n_bytes += items[i].n_bytes;
    if (y->n_bytes > VOCABULARY_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d bytes", VOCABULARY_BYTES_MAX);
    return STATUS_OK;
}

static status vocabulary_extend(vocabulary *y, const vocabulary_piece *p, failure *f) {
    if (p->n_tokens_all != y->n_tokens_all || p->n_merges_all != y->n_merges_all)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary disagree about its size");
    if ((p->n_tokens > 0 && p->first_token != y->n_tokens) || (p->n_merges > 0 && p->first_merge != y->n_merges) ||
        p->n_tokens > y->n_tokens_all - y->n_tokens || p->n_merges > y->n_merges_all - y->n_merges)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary are out of order");
    status st = vocabulary_count(y, p->tokens, p->n_tokens, f);
    if (st == STATUS_OK)
        st = vocabulary_count(y, p->merges, p->n_merges, f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_tokens; i++)
        st = vocab_add_token(y->words, p->tokens[i].bytes, p->tokens[i].n_bytes, (token_type)p->types[i], f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_merges; i++)
        st = vocab_add_merge(y->words, p->merges[i].bytes, p->merges[i].n_bytes, f);
    y->n_tokens += (uint32_t)p->n_tokens;
    y->n_merges += (uint32_t)p->n_merges;
    return st;
}

status models_piece(modeld *d, const vocabulary_piece *piece, bool *complete, failure *f) {
    *complete = false;
    vocabulary *y = d->model->vocabulary;
    if (y->asked != d || strcmp(piece->hash, y->hash) != 0)
        return STATUS_OK;
    status st = y->words ? STATUS_OK : vocabulary_begin(y, piece, f);
    if (st == STATUS_OK)
        st = vocabulary_extend(y, piece, f);
    bool whole = st == STATUS_OK && y->n_tokens == y->n_tokens_all && y->n_merges == y->n_merges_all;
    if (whole)
        st = vocab_finish(y->words, f);
    if (st != STATUS_OK)
        return st;                  /* `d` stays the one who was asked until it has left */
    if (whole) {
        y->complete = true;
        y->asked = NULL;
    }
    *complete = whole;
    return STATUS_OK;
}

/* looking up */

model *models_find(const models *ms, const char *name, const char *fingerprint) {
    for (model *m = ms->first; m; m = m->next) {
        bool meant = m->modelds && (!name[0] || strcmp(m->name, name) == 0) &&
                     (!fingerprint[0] || strcmp(m->fingerprint, fingerprint) == 0);
        if (meant)
            return m->vocabulary->complete ? m : NULL;
    }
    return NULL;
}

/* "'a', 'b'" of the models that are served, cut where the buffer ends. */
static void models_names(const models *ms, char *out, size_t out_bytes) {
    size_t n = 0;
    out[0] = '\0';
    for (const model *m = ms->first; m; m = m->next) {
        size_t needed = strlen(m->name) + 4;
        if (!m->modelds || n + needed >= out_bytes)
            continue;
        n += (size_t)snprintf(out + n, out_bytes - n, "%s'%s'", n > 0 ? ", " : "", m->name);
    }
}

status models_missing(const models *ms, const char *name, const char *fingerprint, uint32_t wait_ms, failure *f) {
    double wait_s = wait_ms / 1000.0;
    bool served = false;
    for (const model *m = ms->first; m; m = m->next) {
        if (!m->modelds)
            continue;
        served = true;
        if (name[0] && strcmp(m->name, name) != 0)
            continue;
        if (!fingerprint[0] || strcmp(m->fingerprint, fingerprint) == 0)
            return fail(f, STATUS_NO_MODELD, "the modeld of '%s' has not brought its whole vocabulary within %g s",
                        m->name, wait_s);
        if (name[0])
            return fail(f, STATUS_UNKNOWN_MODEL,
                        "the model '%s' that is here has another fingerprint than the one that began this text", name);
    }
    if (served && !name[0])
        return fail(f, STATUS_UNKNOWN_MODEL, "the model that began this text is not here");
    if (served) {
        char names[256];
        models_names(ms, names, sizeof names);
        return fail(f, STATUS_UNKNOWN_MODEL, "no model is named '%s'; there are: %s", name, names);
    }
    if (name[0])
        return fail(f, STATUS_NO_MODELD,
                    "no modeld of '%s' is here, and none has joined within %g s; start one with: modeld --model FILE --name %s",
                    name, wait_s, name);
    return fail(f, STATUS_NO_MODELD, "no modeld has joined within %g s; start one with: modeld --model FILE", wait_s);
}

status model_missing(const model *m, uint32_t wait_ms, failure *f) {
    return fail(f, STATUS_NO_MODELD,
                "the modeld of '%s' is gone and none has come back within %g s; "
                "start one with: modeld --model FILE --name %s", m->name, wait_ms / 1000.0, m->name);
}

model *model_hold(model *m) {
    m->n_holders++;
    return m;
}

void models_release(models *ms, model **held) {
    model *m = *held;
    if (!m)
        return;
    *held = NULL;
    assert(m->n_holders > 0);
    m->n_holders--;
    model_free_unused(ms, m);
}

modeld *model_least_loaded(const model *m) {
    modeld *least = m->modelds;
    for (modeld *d = m->modelds; d; d = d->next)
        if (d->load < least->load)
            least = d;
    return least;
}

status model_check_ids(const model *m, const int32_t *ids, size_t n_ids, failure *f) {
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= m->n_vocab)
            return fail(f, STATUS_BAD_ID, "the id %d is outside the vocabulary of '%s', which has %u tokens (0 to %u)",
                        ids[i], m->name, m->n_vocab, m->n_vocab - 1);
    return STATUS_OK;
}

model *models_first(const models *ms) { return ms->first; }
model *models_next(const model *m) { return m->next; }
modeld *model_modelds(const model *m) { return m->modelds; }
modeld *modeld_next(const modeld *d) { return d->next; }
const char *model_name(const model *m) { return m->name; }
const char *model_fingerprint(const model *m) { return m->fingerprint; }
const char *model_vocabulary(const model *m) { return m->vocabulary->hash; }
const vocab *model_vocab(const model *m) { return m->vocabulary->complete ? m->vocabulary->words : NULL; }
uint32_t model_n_vocab(const model *m) { return m->n_vocab; }
uint32_t model_n_ctx(const model *m) { return m->n_ctx; }
model *modeld_model(const modeld *d) { return d->model; }
void *modeld_peer(const modeld *d) { return d->peer; }
uint32_t modeld_load(const modeld *d) { return d->load; }
void modeld_take(modeld *d) { d->load++; }

void modeld_give(modeld *d) {
    assert(d->load > 0);
    d->load--;
}
