/* Why a text found no model or no modeld, in a sentence that says what can be done. */
#ifndef TRIVIUM_MISSING_H
#define TRIVIUM_MISSING_H

#include "models.h"

/* Say in `f` why models_find(name, fingerprint) found nothing for wait_ms: STATUS_NO_MODELD, or
 * STATUS_UNKNOWN_MODEL when other models are here. */
status missing_model(const models *ms, const char *name, const char *fingerprint, uint32_t wait_ms, failure *f);

/* The same for a model that was here and whose modelds are gone: STATUS_NO_MODELD. */
status missing_modeld(const served_model *m, uint32_t wait_ms, failure *f);

#endif
