/* tokenizerd's service: text in from clients, ids out to the modelds that joined, and back. */
#ifndef TRIVIUM_TOKENIZERD_SERVICE_H
#define TRIVIUM_TOKENIZERD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "tokenizerd/owners/holdings.h"

typedef struct service service;

typedef struct service_options {
    const char *name;               /* as status shows it */
    const char *bind_clients, *bind_models;     /* endpoints */
    const char *default_model;      /* that requests without a name mean; NULL: the one that joined first */
    uint32_t heartbeat_ms;
    keys *keys;                     /* for endpoints over tcp; NULL: there are none */
    double drain_s;                 /* in which what is under way may end after SIGTERM */
    bool insecure;                  /* tcp without keys is allowed */
    owner_limits limits;            /* of each owner */
} service_options;

/* Bind both endpoints and attach to the loop. The loop and what the options point to are borrowed.
 * The failure says which endpoint and why. */
status service_new(service **out, loop *l, const service_options *options, failure *f);

/* As default_model of the options; NULL: the one that joined first again. */
void service_set_default_model(service *s, const char *name);

/* As limits of the options, from now on. */
void service_set_limits(service *s, const owner_limits *limits);

/* Says Leave to all: clients resume elsewhere from their own copies. NULL is fine. */
const char *service_clients_at(const service *s);   /* where it listens, with the port that * became */
const char *service_models_at(const service *s);
void service_free(service **s);

#endif
