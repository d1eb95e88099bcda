#include "joining.h"

#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"

struct joining {
    loop *loop;
    wakeup *turn;
    models *models;
    modeld_link *modelds;
    timer return_timer;         /* not set: whoever knew a tokenizerd before this one has had time to come back */
    bool has_news;
};

static void models_change(joining *j) {
    j->has_news = true;
    wakeup_set(j->turn, 0);
}

/* ---- the default model ---- */

static void default_tell(joining *j, const modeld *d) {
    modeld_link_default(j->modelds, d, models_default(j->models));
}

static void defaults_tell(joining *j) {
    log_event(LOG_INFO, "first_model", "name=\"%s\"", models_default(j->models)->first);
    for (const served_model *m = models_first(j->models); m; m = models_next(m))
        for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) default_tell(j, d);
}

/* What it heard from a tokenizerd before us counts before its own joining, and so does what others have
 * heard that are still to come back. */
static void default_learn(joining *j, const modeld *joiner, const modeld_hello *hello) {
    default_model *known = models_default(j->models);
    bool is_news = hello->first_model &&
                   default_model_heard(known, hello->first_model, hello->first_since_ms);
    if (!timer_is_set(&j->return_timer) &&
        default_model_joined(known, hello->offer.name, clock_since_1970_ms()))
        is_news = true;
    if (is_news) defaults_tell(j);
    else if (known->first[0]) default_tell(j, joiner);
}

/* Where nobody knows of a default model, this is a beginning. */
static void on_return_over(void *context) {
    joining *j = context;
    const served_model *m = models_first(j->models);
    models_settle(j->models);
    models_change(j);           /* what waits for an unknown model has waited long enough */
    while (m && !served_model_modelds(m)) m = models_next(m);
    if (!m || !default_model_joined(models_default(j->models), served_model_name(m),
                                    clock_since_1970_ms()))
        return;
    defaults_tell(j);
}

joining *joining_new(loop *l, wakeup *turn, models *ms, modeld_link *modelds, uint32_t return_ms) {
    joining *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    *j = (joining){.loop = l, .turn = turn, .models = ms, .modelds = modelds};
    loop_once(l, &j->return_timer, return_ms, on_return_over, j);
    return j;
}

void joining_free(joining **j) {
    if (!*j) return;
    loop_cancel((*j)->loop, &(*j)->return_timer);
    free(*j);
    *j = NULL;
}

/* ---- coming and going ---- */

status joining_joined(joining *j, const modeld_hello *hello, void *record, modeld **out, failure *f) {
    status st = models_join(j->models, &hello->offer, hello->incarnation, record, out, f);
    if (st != STATUS_OK) return st;
    default_learn(j, *out, hello);
    models_change(j);
    return STATUS_OK;
}

void joining_left(joining *j, modeld *d) {
    models_leave(&d);
    models_change(j);
}

/* Once a model is usable that takes the place of another one. */
static void replace(joining *j) {
    for (modeld *d; (d = models_replaced(j->models)) != NULL;) {
        log_event(LOG_INFO, "model_replaced", "name=\"%s\" fingerprint=%s", served_model_name(modeld_model(d)),
                  served_model_fingerprint(modeld_model(d)));
        models_change(j);
    }
}

static samplers_told samplers_of(const modeld *d) {
    switch (modeld_link_samplerd(d, DEFAULT_POOL, "")) {
    case SAMPLERD_ABSENT: return SAMPLERS_NONE;
    case SAMPLERD_ANSWERS: return SAMPLERS_SOME;
    default: return SAMPLERS_UNTOLD;
    }
}

void joining_samplers_changed(joining *j, modeld *d) {
    modeld_tells_samplers(d, samplers_of(d));
    replace(j);
}

/* What has met its model and is not at a modeld yet. */
typedef struct met_texts {
    const generating *texts;
    const answering *calls;
} met_texts;

static bool is_awaited(const void *context, const served_model *m) {
    const met_texts *met = context;
    return generating_awaits(met->texts, m) || answering_awaits(met->calls, m);
}

void joining_tell(joining *j, const generating *g, const answering *a) {
    const met_texts met = {g, a};
    for (modeld *d; (d = models_untold(j->models, is_awaited, &met)) != NULL;)
        modeld_link_ask_to_drain(j->modelds, d, 0, NULL, 0, NULL);
}

/* ---- vocabularies ---- */

void joining_ask(joining *j) {
    replace(j);                 /* of a vocabulary that was here already */
    for (modeld *d; (d = models_query(j->models)) != NULL;)
        modeld_link_query(j->modelds, d, served_model_vocabulary(modeld_model(d)));
}

status joining_piece(joining *j, modeld *d, const vocab_piece *piece, failure *f) {
    bool complete = false;
    status st = models_piece(d, piece, &complete, f);
    if (st != STATUS_OK || !complete) return st;
    log_event(LOG_INFO, "model_ready", "name=\"%s\" tokens=%u", served_model_name(modeld_model(d)),
              served_model_n_vocab(modeld_model(d)));
    replace(j);
    models_change(j);
    return STATUS_OK;
}

/* ---- news ---- */

bool joining_take_news(joining *j) {
    bool had_news = j->has_news;
    j->has_news = false;
    return had_news;
}
