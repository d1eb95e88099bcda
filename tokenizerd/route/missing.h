/* What a text or call lacks, in a sentence: while it waits, what for; in the end, why it was in vain, and what can be
 * done. */
#ifndef TRIVIUM_MISSING_H
#define TRIVIUM_MISSING_H

#include "models.h"
#include "proto/base/process/join_hint.h"

/* `where` is where modelds join, for the sentence says how one is started. Say in `f` why models_find or models_find_open
 * (name, fingerprint) found nothing for wait_ms: STATUS_NO_MODELD, or STATUS_UNKNOWN_MODEL when other models are here. */
status missing_model(const models *ms, const join_place *where, const char *name, const char *fingerprint, uint32_t wait_ms,
                     failure *f);

/* The same for a model that was here and whose modelds are gone, or all drain: STATUS_NO_MODELD. Another file may have
 * its name by now. */
status missing_modeld(const models *ms, const served_model *m, const join_place *where, uint32_t wait_ms, failure *f);

/* What is awaited, for up to wait_ms: whatever those do not find yet; a modeld of a model that was here, or another one
 * than those that drain, or one of the file that had its name before; or room in one; a samplerd of this pool ("": the
 * default one) and of these semantics ("": any). */
enum { AWAITED_BYTES = 1024 };
void awaited_model(const models *ms, const char *name, const char *fingerprint, uint32_t wait_ms,
                   char out[AWAITED_BYTES]);
void awaited_modeld(const models *ms, const served_model *m, uint32_t wait_ms, char out[AWAITED_BYTES]);
void awaited_room(const served_model *m, uint32_t wait_ms, char out[AWAITED_BYTES]);
typedef struct samplerd_wanted {
    const char *pool, *semantics;   /* "": the default one; any */
    bool hangs;                     /* one is there, and does not answer */
} samplerd_wanted;
void awaited_samplerd(const served_model *m, const samplerd_wanted *wanted, uint32_t wait_ms, char out[AWAITED_BYTES]);

#endif
