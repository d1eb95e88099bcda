/* Modelds: joining, vocabularies, what they say. */
#include <stdlib.h>

#include "service_parts.h"

static void default_tell(service *s, const modeld *d) {
    modeld_link_default(s->modelds, d, models_default(s->models));
}

static void defaults_tell(service *s) {
    log_event(LOG_INFO, "first_model", "name=\"%s\"", models_default(s->models)->first);
    for (const served_model *m = models_first(s->models); m; m = models_next(m))
        for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) default_tell(s, d);
}

/* What it heard of a tokenizerd before us counts before its own joining, as does what others heard who are
 * still to come back. */
static void default_learn(service *s, const modeld *joiner, const modeld_hello *hello) {
    default_model *known = models_default(s->models);
    bool is_news = hello->first_model &&
                   default_model_heard(known, hello->first_model, hello->first_since_ms);
    if (s->return_timer < 0 &&
        default_model_joined(known, hello->offer.name, clock_since_1970_ms()))
        is_news = true;
    if (is_news) defaults_tell(s);
    else if (known->first[0]) default_tell(s, joiner);
}

/* Nobody knows of one: this is a beginning. */
void modelds_returned(void *context) {
    service *s = context;
    const served_model *m = models_first(s->models);
    s->return_timer = -1;
    while (m && !served_model_modelds(m)) m = models_next(m);
    if (!m || !default_model_joined(models_default(s->models), served_model_name(m),
                                    clock_since_1970_ms()))
        return;
    defaults_tell(s);
    s->models_changed = true;
    service_wake(s);
}

static void models_change(service *s) {
    s->models_changed = true;
    service_wake(s);
}

status modeld_joined(service *s, const modeld_hello *hello, void *record, modeld **out, failure *f) {
    status st = models_join(s->models, &hello->offer, hello->incarnation, record, out, f);
    if (st != STATUS_OK) return st;
    default_learn(s, *out, hello);
    models_change(s);
    return STATUS_OK;
}

void modeld_left(service *s, modeld *d) {
    generating_of_modeld_lost(s, d);
    calls_of_modeld_lost(s, d);
    models_leave(&d);
    models_change(s);
}

/* ---- vocabularies ---- */

void vocabularies_ask(service *s) {
    for (modeld *d; (d = models_query(s->models)) != NULL;)
        modeld_link_query(s->modelds, d, served_model_vocabulary(modeld_model(d)));
}

status modeld_piece(service *s, modeld *d, const vocab_piece *piece, failure *f) {
    bool complete = false;
    status st = models_piece(d, piece, &complete, f);
    if (st != STATUS_OK || !complete) return st;
    log_event(LOG_INFO, "model_ready", "name=\"%s\" tokens=%u", served_model_name(modeld_model(d)),
              served_model_n_vocab(modeld_model(d)));
    models_change(s);
    return STATUS_OK;
}
