#include "models.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models_parts.h"
#include "proto/base/text.h"

/* ---- models ---- */

static served_model *model_new(models *ms, const model_offer *offer) {
    served_model *m = calloc(1, sizeof *m);
    shared_vocab *y =
        m ? shared_vocabs_use(ms->vocabularies, offer->vocabulary, offer->n_vocab) : NULL;
    if (!y) {
        free(m);
        return NULL;
    }
    m->home = ms;
    m->replaces_ms = INT64_MIN;
    strcpy(m->name, offer->name);
    strcpy(m->fingerprint, offer->fingerprint);
    m->n_vocab = offer->n_vocab;
    m->n_ctx = offer->n_ctx;
    m->vocabulary = y;
    return m;
}

static void model_unlink(models *ms, served_model *m) {
    served_model **place = &ms->first;
    while (*place && *place != m) place = &(*place)->next;
    if (*place) *place = m->next;
    m->next = NULL;
}

static void model_insert(models *ms, served_model *m) {
    served_model **place = &ms->first;
    while (*place) place = &(*place)->next;
    *place = m;
}

static void model_free_unused(served_model *m) {
    if (m->modelds || m->n_holders > 0) return;
    model_unlink(m->home, m);
    shared_vocabs_leave(m->home->vocabularies, m->vocabulary);
    free(m);
}

/* Does any of its modelds take something new? */
static bool is_open(const served_model *m) {
    const modeld *d = m->modelds;
    while (d && d->is_draining) d = d->next;
    return d != NULL;
}

static bool model_is(const served_model *m, const model_offer *offer) {
    return strcmp(m->name, offer->name) == 0 && strcmp(m->fingerprint, offer->fingerprint) == 0 &&
           strcmp(shared_vocab_hash(m->vocabulary), offer->vocabulary) == 0 &&
           m->n_vocab == offer->n_vocab && m->n_ctx == offer->n_ctx;
}

models *models_new(void) {
    models *ms = calloc(1, sizeof *ms);
    if (ms) ms->vocabularies = shared_vocabs_new();
    if (ms && !ms->vocabularies) models_free(&ms);
    return ms;
}

void models_free(models **ms) {
    if (!*ms) return;
    while ((*ms)->first) {
        served_model *m = (*ms)->first;
        (*ms)->first = m->next;
        for (modeld *d = m->modelds, *next; d; d = next) {
            next = d->next;
            free(d);
        }
        free(m);
    }
    shared_vocabs_free(&(*ms)->vocabularies);
    free(*ms);
    *ms = NULL;
}

/* ---- joining and leaving ---- */

static status offer_check(const models *ms, const model_offer *o, failure *f) {
    const char *const words[] = {o->name, o->fingerprint, o->vocabulary};
    const char *const what[] = {"name", "fingerprint", "vocabulary hash"};
    for (size_t i = 0; i < 3; i++)
        if (!words[i][0] || !text_is_printable(words[i], NAME_BYTES_MAX))
            return fail(f, STATUS_BAD_MESSAGE,
                        "the %s of a model must have 1 to %d bytes of printable UTF-8", what[i],
                        NAME_BYTES_MAX);
    if (o->n_vocab == 0 || o->n_vocab > N_VOCAB_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary must have 1 to %d tokens, not %u",
                    N_VOCAB_MAX, o->n_vocab);
    if (o->n_ctx == 0 || o->n_ctx > N_CTX_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a context must hold 1 to %d tokens, not %u", N_CTX_MAX,
                    o->n_ctx);
    const shared_vocab *known = shared_vocabs_find(ms->vocabularies, o->vocabulary);
    if (known && shared_vocab_size(known) != o->n_vocab)
        return fail(f, STATUS_BAD_MESSAGE, "the vocabulary %s is known with %u tokens, not %u",
                    o->vocabulary, shared_vocab_size(known), o->n_vocab);
    return STATUS_OK;
}

static const char *difference(const served_model *m, const model_offer *o) {
    if (strcmp(m->fingerprint, o->fingerprint) != 0) return "fingerprint";
    return m->n_ctx != o->n_ctx ? "context size" : "vocabulary";
}

/* An open model of this name that the offer is not. NULL: none. */
static const served_model *find_rival(const models *ms, const model_offer *o) {
    const served_model *m = ms->first;
    while (m && (!is_open(m) || strcmp(m->name, o->name) != 0 || model_is(m, o))) m = m->next;
    return m;
}

static served_model *find_same(const models *ms, const model_offer *offer) {
    served_model *m = ms->first;
    while (m && !model_is(m, offer)) m = m->next;
    return m;
}

/* Did an operator bring the rival after this one? */
static bool is_outdated(const served_model *rival, const model_offer *o) {
    return rival->replaces_ms > o->started_ms;
}

/* Those of modelds that drain are of no use to what is new, unless all of them drain. */
static bool has_samplers(const served_model *m) {
    const bool some_are_open = is_open(m);
    const modeld *d = m->modelds;
    while (d && (d->samplers != SAMPLERS_SOME || (some_are_open && d->is_draining))) d = d->next;
    return d != NULL;
}

/* Whoever was replaced has texts to end, at a tokenizerd, too, that was not there then. */
static bool yields(const served_model *rival, const served_model *own, const model_offer *o) {
    if (is_outdated(rival, o)) return served_model_vocab(rival) && has_samplers(rival);
    return !o->replaces && !is_open(own);
}

/* One that was replaced may come back as long as texts are here that it began. */
static status name_check(const models *ms, const model_offer *o, failure *f) {
    const served_model *rival = find_rival(ms, o);
    if (!rival || o->replaces || is_outdated(rival, o) || find_same(ms, o)) return STATUS_OK;
    return fail(f, STATUS_NAME_TAKEN,
                "the name '%s' is taken by a model with another %s; choose another --name, or let an operator --replace it",
                o->name, difference(rival, o));
}

/* The model that this offer is: one that is served or held, or a new one. */
static served_model *model_for(models *ms, const model_offer *offer) {
    served_model *m = find_same(ms, offer);
    if (m) return m;
    m = model_new(ms, offer);
    if (m) model_insert(ms, m);
    return m;
}

status models_join(models *ms, const model_offer *offer, uint64_t incarnation, void *peer,
                   modeld **out, failure *f) {
    status st = refusals_tell(&ms->refused, incarnation, f);
    if (st == STATUS_OK) st = offer_check(ms, offer, f);
    if (st == STATUS_OK) st = name_check(ms, offer, f);
    if (st != STATUS_OK) return st;
    modeld *d = calloc(1, sizeof *d);
    const served_model *rival = find_rival(ms, offer);
    served_model *m = d ? model_for(ms, offer) : NULL;
    if (!m) {
        free(d);
        return fail(f, STATUS_NO_MEMORY, "no memory for another modeld");
    }
    d->model = m;
    d->peer = peer;
    d->kv_tokens = offer->kv_tokens;
    d->started_ms = offer->started_ms;
    d->replaces = offer->replaces;
    d->is_draining = d->is_untold = rival && yields(rival, m, offer);
    if (offer->replaces && offer->started_ms > m->replaces_ms) m->replaces_ms = offer->started_ms;
    modeld **place = &m->modelds;
    while (*place) place = &(*place)->next;
    *place = d;
    *out = d;
    seen_names_add(&ms->seen, offer->name);
    return STATUS_OK;
}

void models_leave(modeld **leaver) {
    modeld *d = *leaver;
    if (!d) return;
    *leaver = NULL;
    assert(d->load == 0);
    served_model *m = d->model;
    modeld **place = &m->modelds;
    while (*place != d) place = &(*place)->next;
    *place = d->next;
    shared_vocab_forget(m->vocabulary, d);
    seen_names_add(&m->home->seen, m->name);        /* the latest that may come back */
    free(d);
    model_free_unused(m);
}

void modeld_drain(modeld *d) {
    d->is_draining = true;
}

void modeld_tells_samplers(modeld *d, samplers_told told) {
    d->samplers = told;
}

/* Whoever comes meanwhile without an operator's word to serve the old file yields as the others of it do. */
static bool is_replaced_by(const modeld *d, const served_model *m) {
    const bool is_meant = d->started_ms <= m->replaces_ms || (!d->replaces && d->model->replaces_ms < m->replaces_ms);
    return is_meant && (d->samplers == SAMPLERS_NONE || has_samplers(m));
}

modeld *models_replaced(models *ms) {
    for (served_model *m = ms->first; m; m = m->next) {
        if (!is_open(m) || !served_model_vocab(m)) continue;
        for (served_model *other = ms->first; other; other = other->next)
            for (modeld *d = other->modelds; d && other != m && strcmp(other->name, m->name) == 0; d = d->next)
                if (!d->is_draining && is_replaced_by(d, m)) {
                    d->is_draining = d->is_untold = true;
                    return d;
                }
    }
    return NULL;
}

modeld *models_untold(models *ms, model_awaited *awaited, const void *context) {
    for (served_model *m = ms->first; m; m = m->next)
        for (modeld *d = m->modelds; d; d = d->next) {
            if (!d->is_untold || awaited(context, m)) continue;
            d->is_untold = false;
            return d;
        }
    return NULL;
}

void models_refuse(models *ms, uint64_t incarnation, const failure *why) {
    refusals_add(&ms->refused, incarnation, why);
}

/* ---- the vocabulary's way here ---- */

modeld *models_query(models *ms) {
    for (served_model *m = ms->first; m; m = m->next) {
        if (!m->modelds || !shared_vocab_wanted(m->vocabulary)) continue;
        shared_vocab_ask(m->vocabulary, m->modelds);
        return m->modelds;
    }
    return NULL;
}

status models_piece(modeld *d, const vocab_piece *piece, bool *complete, failure *f) {
    return shared_vocab_take(d->model->vocabulary, d, piece, complete, f);
}

/* ---- looking up ---- */

const char *models_meant_name(const models *ms, const char *name, const char *fingerprint) {
    return name[0] || fingerprint[0] ? name : default_model_name(&ms->by_default);
}

/* How much of what a text needs is here. Two of a name are open only until the one that replaces the other can be used. */
static int readiness(const served_model *m) {
    return served_model_vocab(m) ? 1 + has_samplers(m) : 0;
}

/* The first of the readiest that are meant: of those that are open, or of those that are not. */
static served_model *find_meant(const models *ms, const char *name, const char *fingerprint, bool open) {
    served_model *found = NULL;
    name = models_meant_name(ms, name, fingerprint);
    if (!name[0] && !fingerprint[0]) return NULL;
    for (served_model *m = ms->first; m; m = m->next) {
        bool meant = m->modelds && is_open(m) == open && (!name[0] || strcmp(m->name, name) == 0) &&
                     (!fingerprint[0] || strcmp(m->fingerprint, fingerprint) == 0);
        if (meant && (!found || readiness(m) > readiness(found))) found = m;
    }
    return found;
}

static served_model *if_usable(served_model *m) {
    return m && served_model_vocab(m) ? m : NULL;
}

served_model *models_find_open(const models *ms, const char *name, const char *fingerprint) {
    return if_usable(find_meant(ms, name, fingerprint, true));
}

served_model *models_find(const models *ms, const char *name, const char *fingerprint) {
    served_model *m = find_meant(ms, name, fingerprint, true);
    return if_usable(m ? m : find_meant(ms, name, fingerprint, false));
}

void models_settle(models *ms) {
    ms->is_settled = true;
}

bool models_is_unknown(const models *ms, const char *name, const char *fingerprint) {
    return ms->is_settled && name[0] && !fingerprint[0] && models_count(ms) > 0 &&
           strcmp(name, default_model_name(&ms->by_default)) != 0 && !seen_names_have(&ms->seen, name);
}

bool models_is_replaced(const models *ms, const char *name, const char *fingerprint) {
    return name[0] && find_meant(ms, name, "", true) && !find_meant(ms, name, fingerprint, true) &&
           !find_meant(ms, name, fingerprint, false);
}

/* Does `a` come before `b`, which joined earlier? */
static bool precedes(const modeld *a, const modeld *b, const modeld_choice *by) {
    uint32_t rank_a = by->rank ? by->rank(a, by->wanted) : 0, rank_b = by->rank ? by->rank(b, by->wanted) : 0;
    if (rank_a != rank_b) return rank_a > rank_b;
    return a != by->avoided && (b == by->avoided || a->load < b->load);
}

typedef bool modeld_rule(const modeld *d);
static bool takes_new(const modeld *d) { return !d->is_draining; }
static bool knows_no_better(const modeld *d) { return d->is_untold; }
static bool any_will_do(const modeld *d) { return d != NULL; }

static modeld *best_of(const served_model *m, const modeld_choice *by, modeld_rule *fits) {
    modeld *best = NULL;
    for (modeld *d = m->modelds; d; d = d->next)
        if (fits(d) && (!best || precedes(d, best, by))) best = d;
    return best;
}

modeld *served_model_for_new(const served_model *m, const modeld_choice *by) {
    modeld *open = best_of(m, by, takes_new);
    return open ? open : best_of(m, by, knows_no_better);
}

modeld *served_model_for_begun(const served_model *m, const modeld_choice *by) {
    modeld *open = best_of(m, by, takes_new);
    return open ? open : best_of(m, by, any_will_do);
}

bool served_model_is_draining(const served_model *m) {
    return m->modelds && !is_open(m);
}

default_model *models_default(models *ms) {
    return &ms->by_default;
}

uint32_t models_count(const models *ms) {
    uint32_t n = 0;
    for (const served_model *m = ms->first; m; m = m->next) n += m->modelds != NULL;
    return n;
}

/* ---- who holds a model, who is at a modeld ---- */

static void model_hold(served_model *m) {
    m->n_holders++;
}

static void model_release(served_model *m) {
    assert(m->n_holders > 0);
    m->n_holders--;
    model_free_unused(m);
}

static void modeld_take(modeld *d) {
    d->load++;
}

static void modeld_give(modeld *d) {
    assert(d->load > 0);
    d->load--;
}

const serving_events models_serving = {
    .hold = model_hold,
    .release = model_release,
    .take = modeld_take,
    .give = modeld_give,
};
