/* One text between the fake client and the fake modelds of service_scene.h: "hi" and what follows. */
#ifndef TRIVIUM_TESTS_SCENE_TEXTS_H
#define TRIVIUM_TESTS_SCENE_TEXTS_H

#include "service_scene.h"

extern asker *const first_modeld, *const second_modeld;

/* ---- said ---- */

void asks_for_a_text(uint32_t wait_ms);     /* attempt 1; "." is a stop string */
void sends_a_text(uint32_t wait_ms);        /* the same, which nobody has heard yet */
void resumes(uint32_t attempt, const char *drawn);      /* from what was drawn so far */
void draws(asker *modeld, uint32_t attempt, uint32_t step, uint8_t byte);
void closes(asker *modeld, uint32_t attempt, Trivium__CloseReason reason, Trivium__Code code);
void has_begun(void);                       /* the first modeld has joined and drawn "a" */

/* ---- heard next ---- */

void is_opened(asker *modeld, uint32_t attempt, const char *text);
void is_shown(uint32_t attempt, uint32_t step, const char *text);
void is_done(uint32_t attempt, Trivium__FinishReason reason, uint32_t n_tokens);
void fails(Trivium__Code code, const char *sentence);   /* Done with an error; a part of its sentence */

#endif
