#include "refusals.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool refusals_address(const struct sockaddr *from, struct in6_addr *out) {
    if (from->sa_family == AF_INET6) {
        *out = ((const struct sockaddr_in6 *)from)->sin6_addr;
        return true;
    }
    if (from->sa_family != AF_INET) return false;
    *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&out->s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, sizeof(struct in_addr));
    return true;
}

static refused *find(refused_addresses *r, const struct in6_addr *address) {
    refused *unused = &r->others;
    for (refused *one = r->addresses; one < r->addresses + REFUSED_ADDRESSES_MAX; one++) {
        if (one->has_address && memcmp(&one->address, address, sizeof *address) == 0) return one;
        if (!one->has_address && unused == &r->others) unused = one;
    }
    if (unused != &r->others) *unused = (refused){.has_address = true, .address = *address};
    return unused;
}

void refusals_count(refused_addresses *r, const struct in6_addr *address, refusal why) {
    find(r, address)->n[why]++;
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
        if (one->has_address && take_due(one, now_ms, out)) return true;
    return take_due(&r->others, now_ms, out);
}

void refused_name(const refused *one, char name[REFUSED_NAME_BYTES]) {
    bool mapped = IN6_IS_ADDR_V4MAPPED(&one->address);
    int family = mapped ? AF_INET : AF_INET6;
    if (!one->has_address) snprintf(name, REFUSED_NAME_BYTES, "others");
    else inet_ntop(family, &one->address.s6_addr[mapped ? 12 : 0], name, REFUSED_NAME_BYTES);
}
