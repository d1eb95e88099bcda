/* The sockets that listen for endpoints of ours, and what may come there. */
#ifndef TRIVIUM_LISTENERS_H
#define TRIVIUM_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct listener {
    int endpoint;                   /* its number: the descriptors that listen for one have it in common */
    size_t message_bytes_max;
    bool keys;
} listener;

int listeners_new_endpoint(void);   /* a number that no other has */

/* `fd` listens as `l` says. False: there are too many that do. */
bool listeners_add(int fd, const listener *l);
bool listeners_find(int fd, listener *out);
int listeners_find_endpoint(int endpoint, listener *out);   /* the newest descriptor that listens for it; -1: none does */

/* `fd` is about to be closed. The number of the endpoint for which it was the last to listen; -1: it was not. */
int listeners_remove(int fd);

#endif
