/* Flags that several commands share, and how they make a strategy. */
#ifndef TRIVIUM_FLAGS_H
#define TRIVIUM_FLAGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/client.h"
#include "ids.h"
#include "proto/base/limits.h"
#include "proto/base/options.h"
#include "proto/chain/strategy.h"

/* Parse argv (argv[0] is the command's name). -1: go on; else the exit code: 0 after --help, 2 with
 * a sentence for wrong use, 1 for content that is refused (an id outside every vocabulary). */
int flags_parse(const options *o, int argc, char **argv, const char **words, size_t *n_words);

/* ---- every command: --endpoint, --keys, --insecure, --wait, --owner, --json. Its rows point into it: initialise it in place.
 * ---- */

typedef struct common_flags {
    const char *endpoints[JOINS_MAX];
    size_t n_endpoints;
    const char *default_endpoint;   /* $TRIVIUM_ENDPOINT, NULL: not set */
    double wait_s;                  /* below 0: not given */
    const char *owner;              /* NULL: not given */
    bool json;
    const char *keys_folder;        /* NULL: not given */
    bool insecure;
    option_row rows[7];
} common_flags;

void common_flags_init(common_flags *flags);
/* STATUS_BAD_REQUEST for a TRIVIUM_ENDPOINT that counts and is none, and for --keys beside --insecure. */
status common_flags_check(const common_flags *flags, failure *f);
client_options common_flags_client(const common_flags *flags);

/* ---- takers and rows for tables of their own ---- */

typedef struct seed_flag {
    uint64_t seed;
    bool given;
} seed_flag;

option_take flags_take_seed;    /* seed_flag * */
/* The seed that was given; else a random one below 2^32. STATUS_IO. */
status seed_choose(const seed_flag *flag, uint64_t *out, failure *f);

option_take flags_take_name; /* const char **: of a model, session or pool, within NAME_BYTES_MAX */
option_take flags_take_id;      /* id_list *: one id more */

/* --model, which begins as $TRIVIUM_MODEL where that is a name, and --sampler of a command that has texts
 * written; what is named is borrowed from argv and the environment. */
option_row flags_model_row(const char **out);
option_row flags_pool_row(const char **out);

option_take flags_take_priority;    /* int32_t * */

/* --traceparent, which begins as $TRACEPARENT where that is one: other programs set it, and one that is malformed is not
 * this command's fault. Borrowed as above. */
option_row flags_traceparent_row(const char **out);

/* --keep-newline of a command that reads a text from stdin. */
option_row flags_newline_row(bool *out);

/* ---- strategies: a flag for each row of stage_table, --preset, --chain ---- */

enum { STAGE_FLAG_ROWS = STAGE_KINDS + 3, STAGE_FLAG_NAME_BYTES = 64,
       STAGE_FLAG_HELP_BYTES = 512 };

typedef struct stage_flags {
    strategy stages;            /* what stage flags named, in default order */
    strategy base;              /* what --chain or --preset brought */
    bool has_chain, has_preset, has_greedy;
    uint32_t preset_max_new_tokens;
    char names[STAGE_KINDS][STAGE_FLAG_NAME_BYTES];
    char helps[STAGE_KINDS][STAGE_FLAG_HELP_BYTES];
    option_row rows[STAGE_FLAG_ROWS];
} stage_flags;

void stage_flags_init(stage_flags *flags);
void stage_flags_clear(stage_flags *flags);

/* `to` is not initialised before; its own to clear afterwards, also on STATUS_NO_MEMORY. */
status stage_flags_copy(stage_flags *to, const stage_flags *from);

/* A value as it stands in a chain's JSON, as if its flag had come after the others; of a step without a value, false
 * takes it back. STATUS_BAD_REQUEST, STATUS_BAD_ID, STATUS_NO_MEMORY. */
status stage_flags_take_json(stage_flags *flags, stage_kind kind, const json_t *value, failure *f);
/* A chain in place of all that these flags have said so far. */
status stage_flags_take_chain(stage_flags *flags, const json_t *chain, failure *f);

/* After parsing: STATUS_BAD_REQUEST when --chain stands beside stage flags, --greedy or --preset. */
status stage_flags_check(const stage_flags *flags, failure *f);

/* Where a chain starts when neither --chain, --preset nor --greedy says so. */
typedef enum stage_start { START_DEFAULTS, START_EMPTY } stage_start;

/* The whole chain. `out` is initialised; cleared first. Beside --mirostat the defaults are the
 * temperature alone. */
status stage_flags_strategy(const stage_flags *flags, stage_start start, strategy *out, failure *f);

bool stage_flags_any(const stage_flags *flags);
bool stage_flags_replace(const stage_flags *flags);  /* for `tune`: they make a chain of its own */

#endif
