/* The modelds that joined, by model name, and the vocabularies that they brought. Pure: no sockets.
 *
 * Several modelds may serve one name when fingerprint, vocabulary and sizes are equal; another model of the name may take its
 * place, once it can be used without a wait: what began goes on at the old one, what is new begins at the new one. The younger
 * process has the name, in whichever order they join: both may join again at any time. A modeld that drains takes nothing new; a model of which all modelds
 * drain is not open, which is to anything new as if nobody served it: another model may join by its name. A model lives as
 * long as a modeld serves it or somebody holds it, so that a text under way waits for exactly the model that wrote its first
 * part. A vocabulary is kept by its hash, so that a re-join is cheap. */
#ifndef TRIVIUM_MODELS_H
#define TRIVIUM_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "default_model.h"
#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "shared_vocabs.h"
#include "tokenizerd/requests/serving.h"

typedef struct models models;

typedef struct model_offer {    /* what a modeld's Hello says; borrowed */
    const char *name, *fingerprint, *vocabulary;
    uint32_t n_vocab, n_ctx;
    uint64_t kv_tokens;         /* positions that its KV-cache holds; 0: not told */
    bool replaces;              /* an operator wants it in the place of another model of its name */
    int64_t started_ms;         /* when its process began, by our clock, which may be before that did */
} model_offer;

models *models_new(void);                   /* NULL: no memory */
void models_free(models **ms);              /* and all modelds and models, held or not */

/* A modeld joined; `peer` is the caller's word for it. `incarnation` names its process: one that
 * was cut with models_refuse hears why. STATUS_NAME_TAKEN, STATUS_BAD_MESSAGE for an offer out of
 * its bounds, STATUS_NO_MEMORY, or the code of its refusal. */
status models_join(models *ms, const model_offer *offer, uint64_t incarnation, void *peer,
                   modeld **out, failure *f);
void modeld_drain(modeld *d);       /* it takes nothing new until it leaves */

/* What it reports of samplerds of the default pool that answer. */
typedef enum samplers_told { SAMPLERS_UNTOLD, SAMPLERS_NONE, SAMPLERS_SOME } samplers_told;
void modeld_tells_samplers(modeld *d, samplers_told told);

/* The next modeld whose model another one takes the place of: that has its vocabulary here, and a samplerd, unless this one has
 * none either. From here on it drains; it is to be told by models_untold. NULL: none. */
modeld *models_replaced(models *ms);
/* One whose name has gone to another one, before it joined or since: it drains, and is to be told now, for nobody waits to
 * begin there. Each once; NULL: no more. */
typedef bool model_awaited(const void *context, const served_model *m);
modeld *models_untold(models *ms, model_awaited *awaited, const void *context);
void models_leave(modeld **d);      /* requests and calls must have left it before */

/* Remember why the process `incarnation` was cut: its Hellos are refused with this sentence; with STATUS_NO_MEMORY
 * the next NO_MEMORY_HELLOS of them, and then it may try again. */
void models_refuse(models *ms, uint64_t incarnation, const failure *why);

/* The next modeld to be asked for its vocabulary; NULL: none. It counts as asked from here on. Call
 * it after every join, leave and piece. */
modeld *models_query(models *ms);

/* A piece came from `d`; one that nobody asked for is ignored. *complete: with it the vocabulary
 * can be used. STATUS_UNSUPPORTED, STATUS_BAD_MESSAGE, …: `d` cannot be used, cut it. */
status models_piece(modeld *d, const vocab_piece *piece, bool *complete, failure *f);

/* Which name counts where none is given. Whoever calls models_join must tell it, too. */
default_model *models_default(models *ms);

/* A model that is served, open if there is such a one, and has its vocabulary: enough for texts to become ids, and back.
 * name "": the one that has the fingerprint, or without one the default model, and never another one in its place;
 * fingerprint "": any. NULL: none yet. */
served_model *models_find(const models *ms, const char *name, const char *fingerprint);
/* The same for what is to begin at a modeld: one that is open. */
served_model *models_find_open(const models *ms, const char *name, const char *fingerprint);

/* From here on whoever knew the tokenizerd before this one has had time to come back. */
void models_settle(models *ms);

/* Is it in vain to wait for what models_find does not find? True when there are others, and this is a name alone that is
 * not the default's and has never been here, after models_settle. */
bool models_is_unknown(const models *ms, const char *name, const char *fingerprint);

/* Is it in vain to wait for a model of this name and fingerprint, for the name is another model's now? */
bool models_is_replaced(const models *ms, const char *name, const char *fingerprint);

/* The name that is meant; "": whatever has the fingerprint, or, without one, nobody knows yet. */
const char *models_meant_name(const models *ms, const char *name, const char *fingerprint);

/* How requests, calls and watches hold models, and how the load of modelds is counted. */
extern const serving_events models_serving;

/* Which of several modelds: those of the highest rank, of these another one than `avoided` if there is one, then the one with
 * the least under way. */
typedef struct modeld_choice {
    const modeld *avoided;              /* NULL: nobody */
    uint32_t (*rank)(const modeld *d, const void *wanted);      /* NULL: they are alike */
    const void *wanted;
} modeld_choice;

/* The modeld of this model that takes something new: where none is open, one that has not been told that it drains, for what
 * met its model before. NULL: none is here. */
modeld *served_model_for_new(const served_model *m, const modeld_choice *by);
/* The same for a text that has begun, which none but its model can go on with: where none is open, one that drains. */
modeld *served_model_for_begun(const served_model *m, const modeld_choice *by);
bool served_model_is_draining(const served_model *m);   /* it is served, and not open */

uint32_t models_count(const models *ms);    /* that are served */

/* In order of joining, including those that are only held. */
served_model *models_first(const models *ms);
served_model *models_next(const served_model *m);
modeld *served_model_modelds(const served_model *m);      /* the first that serves it, NULL: none */
modeld *modeld_next(const modeld *d);

const char *served_model_name(const served_model *m);
const char *served_model_fingerprint(const served_model *m);
const char *served_model_vocabulary(const served_model *m);   /* its hash */
const tokenizer *served_model_tokenizer(const served_model *m);     /* NULL: its vocabulary is on its way */
const vocab *served_model_vocab(const served_model *m);   /* the same */
const chat_template *served_model_template(const served_model *m);  /* with the vocabulary */
uint32_t served_model_n_vocab(const served_model *m);
uint32_t served_model_n_ctx(const served_model *m);
uint64_t served_model_kv_tokens(const served_model *m);     /* the least of its modelds; 0: none told */
model_facts served_model_facts(const served_model *m);      /* what texts need of it, with its vocabulary */

served_model *modeld_model(const modeld *d);
void *modeld_peer(const modeld *d);
bool modeld_is_draining(const modeld *d);
uint32_t modeld_load(const modeld *d);      /* sequences and calls that are under way there */

#endif
