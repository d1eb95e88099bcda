/* The samplerds that joined: who may draw a row, and who is the least loaded. Pure.
 *
 * A sampler holds at most HIGH_WATER_ROWS sendings at a time, those that were given up included, and all of them together
 * SENT_ROWS_BYTES_MAX; further rows wait in modeld, where any sampler that has room can take them. What was given up
 * lies with a sampler until it says anything again: it reads in order. One that let a deadline pass is `hanging` until it answers
 * anything. One that drains gets a row only where nobody else of its pool and semantics answers: rows need nothing of a
 * sampler that had those before, so a text moves at once, and loses no step where none can take it. */
#ifndef TRIVIUM_SAMPLERS_H
#define TRIVIUM_SAMPLERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"

typedef struct sampler {
    char pool[NAME_BYTES_MAX + 1];
    char semantics[NAME_BYTES_MAX + 1];
    void *peer;             /* of whoever added it */
    uint32_t n_outstanding; /* sendings of rows, not answered and not given up */
    uint32_t n_given_up;    /* those that lie with it as far as we know, and that nobody waits for */
    size_t bytes_outstanding, bytes_given_up;   /* of both */
    uint64_t n_steps;       /* answered since it joined */
    bool hanging;
    bool maps_rows; /* it reads shared rows where they lie */
    bool takes_cut_rows; /* it has our rules, and draws from what the first stages leave of a row */
    bool lost;      /* it cannot be reached: nothing more goes to it */
    bool draining;  /* it takes nothing new: nothing goes to it that another may take */
    bool released;  /* it drains, and was told that nothing comes any more */
    TAILQ_ENTRY(sampler) link;
} sampler;

typedef struct samplers samplers;

samplers *samplers_new(void); /* NULL: no memory */
void samplers_free(samplers **t);

/* A sampler joined. `pool` "" is DEFAULT_POOL. STATUS_BUSY: PEERS_MAX are there;
 * STATUS_BAD_REQUEST: no semantics, or a name past NAME_BYTES_MAX; STATUS_NO_MEMORY. */
status samplers_add(samplers *t, void *peer, const char *pool, const char *semantics, sampler **out,
                    failure *f);
void samplers_remove(samplers *t, sampler *one);

/* Who takes the next row of `pool`: of equal semantics ("" accepts any), preferably not hanging, then not draining,
 * then not `avoided` (NULL: nobody), then with the fewest rows, then the one that joined first. NULL:
 * nobody is there, or the one whose turn it is has no room now. */
sampler *samplers_choose(const samplers *t, const char *pool, const char *semantics,
                         const sampler *avoided);

/* Is anybody there who answers? While nobody is, a waiting row's `wait_ms` runs. */
bool samplers_serve(const samplers *t, const char *pool, const char *semantics);
/* Is anybody there at all, even if only one that hangs? */
bool samplers_present(const samplers *t, const char *pool, const char *semantics);
/* Does this pool, with these semantics, have nobody but `one`, which drains, who answers? */
bool samplers_need(const samplers *t, const sampler *one, const char *pool, const char *semantics);
bool samplers_have_room(const samplers *t); /* any of them, of any pool */
/* May so many bytes of rows and ids leave now? One message always may, where no other is out. */
bool samplers_may_take(const samplers *t, size_t n_bytes);

/* A message of so many bytes was sent to it; it is answered or never left, or it is given up. */
void sampler_took(sampler *one, size_t n_bytes);
void sampler_released(sampler *one, size_t n_bytes, bool given_up);
void sampler_heard(sampler *one); /* it has read what was sent to it before */
/* Any answer shows that it is alive; one in time is a step done. */
void sampler_answered(sampler *one, bool in_time);
void sampler_hangs(sampler *one); /* it let a deadline pass */
void sampler_lost(sampler *one);  /* it cannot be reached */
void sampler_drains(sampler *one); /* it says that it takes nothing new */
void sampler_released_for_good(sampler *one); /* one that drains was told so: nothing goes to it any more */
void sampler_maps(sampler *one);  /* it said that it reads shared rows where they lie */
void sampler_takes_cut_rows(sampler *one); /* it said that it draws from these, too */

sampler *samplers_first(const samplers *t); /* in order of joining; NULL at the end */
sampler *samplers_next(const sampler *one);

#endif
