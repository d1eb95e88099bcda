#include "address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "endpoint.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

_Static_assert(IPC_PATH_BYTES_MAX == sizeof((struct sockaddr_un){0}.sun_path) - 1,
               "what a Unix socket's address holds");

static const char *after(const char *text, const char *prefix) {
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

const char *address_path(const char *address) {
    return after(address, "ipc://");
}

const char *address_tcp(const char *address) {
    return after(address, "tcp://");
}

static status check_ipc_path(const char *path, failure *f) {
    /* '@' names a socket outside the file system, '*' one in a folder of ZeroMQ's own: neither can
     * have a lock beside it or a folder that keeps others out. */
    if (path[0] == 0 || path[0] == '@' || path[0] == '*')
        return fail(f, STATUS_BAD_REQUEST, "ipc://%s names no socket file", path);
    return STATUS_OK;
}

/* From 1 to 65535; a bind may leave it to the system, too. */
static bool is_port(const char *text, bool binds) {
    if (strcmp(text, "*") == 0 || strcmp(text, "0") == 0) return binds;
    size_t n_digits = strspn(text, "0123456789");
    unsigned long port = n_digits <= 5 && text[n_digits] == 0 ? strtoul(text, NULL, 10) : 0;
    return port >= 1 && port <= UINT16_MAX;
}

/* "[::1]", "[fe80::2%eth0]". */
static bool is_ipv6(const char *host, size_t n_bytes) {
    char inner[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;
    if (n_bytes < 2 || host[n_bytes - 1] != ']') return false;
    const char *zone = memchr(host, '%', n_bytes);
    size_t n_inner = (zone ? (size_t)(zone - host) : n_bytes - 1) - 1;
    if (n_inner >= sizeof inner || (zone && zone + 2 >= host + n_bytes)) return false;
    memcpy(inner, host + 1, n_inner);
    return inet_pton(AF_INET6, inner, &address) == 1;
}

/* What looks like a number is one: 300.0.0.1 is no name. */
static bool is_host(const char *text, size_t n_bytes, bool binds) {
    static const char digits[] = "0123456789.", letters[] = "abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char host[ENDPOINT_BYTES_MAX];
    struct in_addr address;
    if (n_bytes == 0) return false;
    if (text[0] == '[') return is_ipv6(text, n_bytes);
    memcpy(host, text, n_bytes); /* the whole was checked to be shorter */
    host[n_bytes] = 0;
    if (strcmp(host, "*") == 0) return binds;
    if (strspn(host, digits) == n_bytes) return inet_pton(AF_INET, host, &address) == 1;
    return strspn(host, letters) == n_bytes;
}

static status check_tcp(const char *tcp, bool binds, failure *f) {
    const char *end = strrchr(tcp, ']'), *colon = strrchr(end ? end : tcp, ':');
    if (!colon && is_host(tcp, strlen(tcp), binds))
        return fail(f, STATUS_BAD_REQUEST, "tcp://%s has no port: write tcp://%s:PORT", tcp, tcp);
    if (!colon || !is_host(tcp, (size_t)(colon - tcp), binds))
        return fail(f, STATUS_BAD_REQUEST,
                    "tcp://%s names no host: write tcp://HOST:PORT, an IPv6 address in brackets", tcp);
    if (is_port(colon + 1, binds)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "tcp://%s: a port is a whole number from 1 to %d%s", tcp,
                UINT16_MAX, binds ? ", or * or 0 for any that is free" : "");
}

/* "tcp://a:1,tcp://b:1", or with a blank between. */
static bool is_several(const char *address) {
    for (const char *at = strpbrk(address, ", ;"); at; at = strpbrk(at + 1, ", ;")) {
        const char *next = at + strspn(at, ", ;");
        if (address_path(next) || address_tcp(next)) return true;
    }
    return false;
}

status endpoint_check(const char *address, bool binds, failure *f) {
    if (strlen(address) >= ENDPOINT_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "an endpoint of %zu bytes is longer than %d",
                    strlen(address), ENDPOINT_BYTES_MAX - 1);
    if (!text_is_printable(address, ENDPOINT_BYTES_MAX))
        return fail(f, STATUS_BAD_REQUEST, "an endpoint has no control characters");
    if (is_several(address))
        return fail(f, STATUS_BAD_REQUEST, "%s is more than one endpoint: several take a flag each (--endpoint, --join)", address);
    const char *path = address_path(address), *tcp = address_tcp(address);
    if (path) return check_ipc_path(path, f);
    if (tcp) return check_tcp(tcp, binds, f);
    return fail(f, STATUS_BAD_REQUEST, "%s is no endpoint: write ipc:///PATH or tcp://HOST:PORT",
                address);
}

status address_check_length(const char *address, failure *f) {
    const char *path = address_path(address);
    if (!path || strlen(path) <= IPC_PATH_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "the socket path %s has %zu bytes, and %d is the longest there is", path,
                strlen(path), IPC_PATH_BYTES_MAX);
}

bool address_has_name(const char *address) {
    const char *tcp = address_tcp(address);
    return tcp && tcp[0] != '[' && tcp[strspn(tcp, "0123456789.")] != ':';
}

void address_split(const char *address, char *host, char *port) {
    const char *tcp = address_tcp(address), *colon = strrchr(tcp, ':');
    snprintf(host, ENDPOINT_BYTES_MAX, "%.*s", (int)(colon - tcp), tcp);
    snprintf(port, PORT_BYTES, "%s", colon + 1);
}
