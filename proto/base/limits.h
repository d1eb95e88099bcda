/* Every bound of the protocol and of the daemons, by name. A build with -DTINY_LIMITS=1 shrinks the
 * tables so that tests reach their edges with a handful of requests. */
#ifndef TRIVIUM_LIMITS_H
#define TRIVIUM_LIMITS_H

#include <stdint.h>

#ifndef TINY_LIMITS
#define TINY_LIMITS 0
#endif

/* The newest version of the protocol that this build speaks. It may be given on make's command line: a build of the next
 * version works beside one of this. */
#ifndef PROTOCOL_VERSION_MAX
#define PROTOCOL_VERSION_MAX 2
#endif

enum {
    PROTOCOL_VERSION_MIN = 2,       /* the oldest */

    /* identities and names */
    REQUEST_BYTES = 16,
    NAME_BYTES_MAX = 128,           /* of a daemon, model, pool, session or semantics */
    OWNER_BYTES_MAX = NAME_BYTES_MAX + 5,   /* "name:" and a name, "key:" and a key, "uid:" and a number */
    STATE_BYTES_MAX = 4096,         /* what a sampler keeps between two steps */
    ENDPOINT_BYTES_MAX = 256,
    IPC_PATH_BYTES_MAX = 107,       /* what a Unix socket's address holds */
    TRACEPARENT_BYTES = 55,         /* of version 00, the form in which it is carried */
    TRACEPARENT_BYTES_MAX = 512,    /* of a later version, which may be longer */
    PRIORITY_MIN = -10,             /* of a text; higher is sooner */
    PRIORITY_MAX = 10,

    /* texts and ids */
    TEXT_BYTES_MAX = TINY_LIMITS ? 4096 : 16 * 1024 * 1024,
    TOKENIZE_IDS_MAX = TINY_LIMITS ? 1024 : 2000000,
    N_VOCAB_MAX = 512 * 1024,
    N_CTX_MAX = 1024 * 1024,
    N_MERGES_MAX = 1024 * 1024,
    TOKEN_BYTES_MAX = 4096,         /* one vocabulary entry, in the file's spelling */
    CHAT_TEMPLATE_BYTES_MAX = 256 * 1024,
    SEGMENTS_MAX = TINY_LIMITS ? 8 : 4096,
    MESSAGES_MAX = TINY_LIMITS ? 8 : 4096,  /* of one conversation */
    MAX_NEW_TOKENS_MAX = N_CTX_MAX,
    STOPS_MAX = 64,
    STOP_BYTES_MAX = 1024,
    STOP_IDS_MAX = 256,
    MODEL_END_IDS_MAX = 64,         /* ids of a vocabulary that end a text */
    KEYED_ENDS_MAX = 24,            /* of these, what a file's keys name besides eos, eot and eom */
    CANDIDATES_MAX = 1024,
    CANDIDATE_TEXT_BYTES_MAX = 64,  /* of a token that a candidate stands for; the rest is left out */

    /* strategies */
    STAGES_MAX = 32,
    STAGE_NUMBERS_MAX = 8,          /* except logit_bias, which has one for each id */
    BIASES_MAX = 65536,
    LIST_IDS_MAX = 4096,            /* of all id lists of a stage, with their ends */

    /* messages */
    MESSAGE_BYTES_MAX = 1 << 20,    /* all its frames, but for rows (the logits link) */
    RAWS_BYTES_MAX = 128 << 10,     /* its raw frames: where there is more, it goes in pieces */
    PIECE_BYTES_MAX = 256 << 10,
    SENT_PIECE_BYTES = TINY_LIMITS ? PIECE_BYTES_MAX : 32 << 10,    /* of ours; each that comes is a sign of life, on a narrow road, too */
    PIECES_BYTES_MAX = 50 << 20,    /* on their way to one process, of all peers, with their headers */
    PIECES_STILL_MS = TINY_LIMITS ? 300 : 10000,        /* in which one must follow the other, */
    PIECES_SLACK_MS = TINY_LIMITS ? 100 : 2000,         /* and where others need the room: how late it may be whole, */
    PIECES_BYTES_A_MS = 1 << 10,    /* at so many bytes a millisecond */
    HEADER_BYTES_MAX = MESSAGE_BYTES_MAX - RAWS_BYTES_MAX,
    UNPACKED_BYTES_MAX = (64 << 10) + (8 << 20) + 2 * HEADER_BYTES_MAX, /* of a header, in memory */
    FRAMES_MAX = 3,                 /* a header and at most two raw frames */
    RAW_BYTES_MAX = 16 * 1024 * 1024,   /* a raw frame: of rows, or put together from pieces */
    ANSWER_BYTES_MAX = HEADER_BYTES_MAX + 8 * N_VOCAB_MAX,  /* of a sampler: a probability for each id */
    VOCABULARY_PIECE_ITEMS = TINY_LIMITS ? 64 : 8192,
    SCORE_ROWS = TINY_LIMITS ? 2 : 8,   /* rows in one SampleRequest of a score */
    SAMPLE_ROWS_MAX = 64,

    /* queues and tables */
    TURN_BYTES_MAX = 256 * 1024,    /* taken from one socket before the others get their turn, or one message */
    HIGH_WATER_MESSAGES = 16,       /* a peer, each way; what is more waits in its outbox, which is measured in bytes */
    HIGH_WATER_ROWS = 8,            /* the logits link */
    HIGH_WATER_TOKENS = TINY_LIMITS ? 16 : 256, /* from modeld to tokenizerd, which takes about two of these in a turn of its loop */
    SHARED_ROWS_MAX = TINY_LIMITS ? 2 : 32, /* texts whose rows samplerds on the host read in place */
    SMALL_MESSAGE_BYTES_MAX = 256,  /* in memory; larger ones are counted in bytes on their way to a peer */
    OUTBOX_MESSAGES_MAX = TINY_LIMITS ? 16 : 32768, /* small ones, too: more than a modeld says while its tokenizerd may be silent */
    OUTBOX_BYTES_MAX = TINY_LIMITS ? 8 << 20 : 25 << 20,   /* to one peer: waiting, and on its way */
    OUTBOXES_BYTES_MAX = TINY_LIMITS ? 16 << 20 : 44 << 20,  /* to all peers of a process */
    PEERS_MAX = TINY_LIMITS ? 4 : 768,
    CONNECTIONS_MAX = TINY_LIMITS ? 16 : 832,   /* accepted by one daemon, of strangers, too */
    CONNECTION_BYTES = 104 << 10,   /* that ZeroMQ holds for one which is used: two pipes of two chunks, two buffers, keys; measured */
    DESCRIPTORS_MAX = 4096,         /* to which a lower limit is raised */
    REFUSED_ADDRESSES_MAX = TINY_LIMITS ? 2 : 64,   /* that the log tells apart, of those that were refused within a minute */
    FAULTS_NAMED_MAX = TINY_LIMITS ? 2 : 8, /* files of a folder within a minute: each has a line of the log, the others one */
    RECEIVED_BYTES_MAX = 16 << 20,  /* received by one daemon and not taken yet; where that is full, each has a share of as much */
    REQUESTS_MAX = TINY_LIMITS ? 4 : 1024,  /* tokenizerd's table of generations */
    CALLS_MAX = TINY_LIMITS ? 4 : 4096,     /* tokenize, score, probe, … under way */
    WATCHES_MAX = TINY_LIMITS ? 4 : 256,    /* of all watchers, in one tokenizerd */
    GENERATIONS_MAX = TINY_LIMITS ? 3 : 64, /* under way at once in one client */
    CHANGES_MAX = TINY_LIMITS ? 4 : 16,     /* tunes of one request that nobody has acknowledged yet */
    TEXTS_BYTES_MAX = TINY_LIMITS ? 8192 : 28 << 20,    /* texts that wait to be encoded, in all */
    REQUESTS_BYTES_MAX = TINY_LIMITS ? 128 * 1024 : 20 << 20,   /* ids, stops and strategies of requests, in all */
    CALLS_BYTES_MAX = TINY_LIMITS ? 4 << 20 : 24 << 20, /* ids and rows of calls under way, and conversations, in all */
    SAMPLERS_REPORTED_MAX = TINY_LIMITS ? 8 : 2048, /* by all modelds together; of others status does not tell */
    REPORTS_BYTES_MAX = TINY_LIMITS ? 4096 : 2 << 20,   /* of the newest reports of all modelds */
    ENCODE_SLICE_BYTES = TINY_LIMITS ? 64 : 64 * 1024,  /* encoded between two looks at the sockets, */
    ENCODE_SLICE_MS = 4,                    /* if that takes no longer than this */
    BRIEF_BYTES_MAX = TINY_LIMITS ? 256 : 256 * 1024,   /* of a text that is encoded beside larger ones */
    BRIEF_OPEN_BYTES_MAX = 4 * BRIEF_BYTES_MAX, /* of those that are encoded at once */
    VOCABULARY_BYTES_MAX = 48 << 20,        /* tokens and merges of one vocabulary */
    VOCABULARIES_KEPT_MAX = TINY_LIMITS ? 1 : 4,    /* kept for a model that may come back */
    VOCABULARIES_BYTES_MAX = 60 << 20,      /* of all vocabularies, with their tables */
    REFUSALS_MAX = TINY_LIMITS ? 2 : 16,    /* modelds that were cut and are still to be told why */
    SEEN_NAMES_MAX = TINY_LIMITS ? 2 : 64,  /* of models that may come back */
    NO_MEMORY_HELLOS = TINY_LIMITS ? 2 : 10,    /* of a modeld, that are refused before it may try again */
    SEQUENCES_MAX = TINY_LIMITS ? 4 : 256,  /* open in one modeld */
    OPEN_TEXTS_BYTES_MAX = TINY_LIMITS ? 1 << 20 : 32 << 20,    /* what the texts of one modeld hold: ids, strategies, … */
    OPEN_CALLS_BYTES_MAX = TINY_LIMITS ? 8 << 20 : 24 << 20,    /* what its scores and probes hold, or their answers will */
    ROWS_BYTES_MAX = TINY_LIMITS ? 16 << 20 : 60 << 20, /* rows of logits of its texts and scores, but for shared ones */
    SENT_ROWS_BYTES_MAX = TINY_LIMITS ? 16 << 20 : 48 << 20,    /* rows and ids at its samplers, not yet answered */
    ENDED_MAX = TINY_LIMITS ? 8 : 4096,     /* ended requests remembered, so that none is re-opened */
    BATCH_ROWS_MAX = TINY_LIMITS ? 8 : 512, /* rows of one forward pass */
    PAGE_TOKENS = TINY_LIMITS ? 16 : 64,    /* positions in one KV page */
    THREADS_MAX = 256,
    DRAWERS_MAX = 64,               /* threads of a samplerd that draw */
    DRAWERS_DEFAULT_MAX = 6,        /* without --threads */
    JOINS_MAX = 16,                 /* --join, --endpoint; links of a daemon, one for each address */
    NAME_ADDRESSES_MAX = TINY_LIMITS ? 8 : 256,     /* of one host's name */
    LOOKUPS_MAX = 2 * JOINS_MAX,    /* of names, under way in one process: a mute name server may keep each for a minute */
    PORT_BYTES = 6,                 /* "65535" */
    ADDRESS_BYTES = 80,             /* an endpoint in numbers: "tcp://[fe80::…%interface]:65535" */
    AUTHORISED_MAX = TINY_LIMITS ? 8 : 1024,    /* keys that may join one link */

    /* time */
    HEARTBEAT_MS = 500,
    HEARTBEAT_MS_MIN = 20,
    HEARTBEAT_MS_MAX = 60000,
    LIVENESS = 3,                   /* heartbeats missed until a peer is lost */
    RETURN_HEARTBEATS = 2,          /* of a new tokenizerd, in which the modelds of the one before come back */
    WAIT_MS = 10000,                /* for a missing worker */
    WAIT_MS_MAX = 24 * 3600 * 1000,
    NAME_ASK_MS = 5000,             /* until a name is looked up again, */
    NAME_ASK_MS_MIN = 1000,         /* where a link of it was lost, or nothing was found */
    REFUSED_AGAIN_MS = TINY_LIMITS ? 8000 : 30000,  /* until one that refused a modeld for good is asked again, where a name leads to it */
    JOIN_TURN_MS = TINY_LIMITS ? 300 : 2500,    /* of an address that is not joined, where others wait for a link */
    REJOIN_MS_MIN = 100,            /* from one try to join to the next, at least; twice as long after each that fails, */
    REJOIN_MS_MAX = 5000,           /* up to this */
    DRAIN_MS = 30000,               /* in which what is under way at a daemon that drains may end */
    DRAIN_MS_MAX = 24 * 3600 * 1000,
    DRAINS_MAX = 16,                /* ends of daemons that are waited for at a time, at each daemon */
    NOTICE_MS = 1000,               /* until whoever waits is told for what */
    STEP_DEADLINE_MS = 2000,        /* for one answer of a sampler */
    STEP_TRIES_MAX = 5,             /* deadlines passed and wrong answers of one step */
    STEP_LOSSES_MAX = 8,            /* samplers lost with the rows of one step */
    REOPENS_MAX = 5,                /* in a row without a new token: it may be what ends its modelds */
    MOVES_MAX = 8,                  /* the same of moves to one that has samplerds: its rows may be what ends these */
    BUSY_RETRY_MS = 200,            /* until a text that has begun is tried again where there was no room */
    TURN_MS_MAX = 5,                /* after which no other message is taken from one socket in this turn */
};

#define DEFAULT_POOL "default"      /* of samplerds: what "" names */
#define SEED_MAX ((uint64_t)1 << 53) /* seeds lie below it, so that JSON numbers hold them */

_Static_assert(PROTOCOL_VERSION_MAX >= PROTOCOL_VERSION_MIN, "a build speaks some version");
_Static_assert(PAGE_TOKENS % 16 == 0, "keys lie in panels of 16 positions");
_Static_assert((uint64_t)N_VOCAB_MAX * 4 * SCORE_ROWS <= RAW_BYTES_MAX, "a score's rows fit a frame");
_Static_assert((uint64_t)N_VOCAB_MAX * 4 * SCORE_ROWS <= ROWS_BYTES_MAX, "any score finds room for its rows");
_Static_assert(MESSAGE_BYTES_MAX < RECEIVED_BYTES_MAX && ANSWER_BYTES_MAX < RECEIVED_BYTES_MAX, "any message can be received");
_Static_assert(SENT_PIECE_BYTES <= PIECE_BYTES_MAX, "whoever takes pieces takes ours");
_Static_assert(UNPACKED_BYTES_MAX + 2 * RAW_BYTES_MAX < PIECES_BYTES_MAX, "any message can be put together");
_Static_assert(CALLS_BYTES_MAX <= OUTBOX_BYTES_MAX, "what calls hold fits on its way to one modeld");
_Static_assert(OPEN_CALLS_BYTES_MAX <= OUTBOX_BYTES_MAX, "their answers fit on their way to one tokenizerd");
_Static_assert((uint64_t)TOKENIZE_IDS_MAX * 8 <= RAW_BYTES_MAX, "ids and log-probabilities fit a frame");

#endif
