/* What the files of modeld_link share: modeld_link.c (modelds, what they say), modeld_link_requests.c (what
 * they are told). */
#ifndef TRIVIUM_MODELD_LINK_PARTS_H
#define TRIVIUM_MODELD_LINK_PARTS_H

#include "bound_link.h"
#include "modeld_link.h"
#include "tokens.pb-c.h"

/* The link's record of a modeld: the user of its peer, and the peer of its modeld. */
typedef struct joiner {
    peer *peer;
    modeld *modeld;
    Trivium__ModelReport *report;   /* its last one; NULL: none yet */
    size_t n_report_bytes;          /* packed */
    bool is_cut;                    /* not all of its samplers had room in it */
    struct joiner *next;
} joiner;

struct modeld_link {
    bound_link bound;
    modeld_link_events events;
    void *context;
    bool has_keys;                  /* over tcp */
    joiner *joiners;
    size_t n_report_bytes, n_reported;  /* of all reports: packed, and their samplers */
    uint64_t refused_last;          /* incarnation of the modeld that was refused last */
};

#endif
