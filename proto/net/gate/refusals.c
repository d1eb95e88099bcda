#include "refusals.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool take_address(const struct sockaddr *from, struct in6_addr *out, uint16_t *port) {
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        *out = six->sin6_addr;
        *port = ntohs(six->sin6_port);
        return true;
    }
    if (from->sa_family != AF_INET) return false;
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&out->s6_addr[12], &four->sin_addr, sizeof(struct in_addr));
    *port = ntohs(four->sin_port);
    return true;
}

bool refusals_way(const struct sockaddr *from, const struct sockaddr *to, refused_way *out) {
    uint16_t unused;
    return take_address(from, &out->from, &unused) && take_address(to, &out->to, &out->to_port);
}

static bool is_same(const refused_way *one, const refused_way *other) {
    return memcmp(&one->from, &other->from, sizeof one->from) == 0 && memcmp(&one->to, &other->to, sizeof one->to) == 0 &&
           one->to_port == other->to_port;
}

static refused *find(refused_addresses *r, const refused_way *way) {
    refused *unused = &r->others;
    for (refused *one = r->addresses; one < r->addresses + REFUSED_ADDRESSES_MAX; one++) {
        if (one->has_way && is_same(&one->way, way)) return one;
        if (!one->has_way && unused == &r->others) unused = one;
    }
    if (unused != &r->others) *unused = (refused){.has_way = true, .way = *way};
    return unused;
}

void refusals_count(refused_addresses *r, const refused_way *way, refusal why) {
    find(r, way)->n[why]++;
}

static bool was_refused(const refused *one) {
    for (size_t i = 0; i < N_REFUSALS; i++)
        if (one->n[i] > 0) return true;
    return false;
}

static bool take_due(refused *one, uint64_t now_ms, refused *out) {
    bool due = one->told_ms == 0 || now_ms - one->told_ms >= REFUSAL_LINE_MS;
    if (!due) return false;
    *out = *one;
    memset(one->n, 0, sizeof one->n);
    one->told_ms = now_ms;
    if (was_refused(out)) return true;
    *one = (refused){0};
    return false;
}

bool refusals_next(refused_addresses *r, uint64_t now_ms, refused *out) {
    for (refused *one = r->addresses; one < r->addresses + REFUSED_ADDRESSES_MAX; one++)
        if (one->has_way && take_due(one, now_ms, out)) return true;
    return take_due(&r->others, now_ms, out);
}

static void print(const struct in6_addr *address, char out[INET6_ADDRSTRLEN]) {
    bool mapped = IN6_IS_ADDR_V4MAPPED(address);
    inet_ntop(mapped ? AF_INET : AF_INET6, &address->s6_addr[mapped ? 12 : 0], out, INET6_ADDRSTRLEN);
}

void refused_name(const refused *one, char name[REFUSED_NAME_BYTES]) {
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    if (!one->has_way) {
        snprintf(name, REFUSED_NAME_BYTES, "others");
        return;
    }
    print(&one->way.from, from);
    print(&one->way.to, to);
    bool is_six = strchr(to, ':') != NULL;
    snprintf(name, REFUSED_NAME_BYTES, "%s endpoint=tcp://%s%s%s:%u", from, is_six ? "[" : "", to, is_six ? "]" : "",
             one->way.to_port);
}
