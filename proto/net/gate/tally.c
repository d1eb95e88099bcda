#include "tally.h"

#include <pthread.h>
#include <string.h>

#include "proto/base/log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t n_cut[N_CUT_REASONS];     /* since the last line, */
static uint64_t cut_told_ms;            /* and when that was; 0: there was none */
static refused_addresses all_refused;

void tally_cut(cut_reason why) {
    pthread_mutex_lock(&lock);
    n_cut[why]++;
    pthread_mutex_unlock(&lock);
}

void tally_refused(const refused_way *way, refusal why) {
    pthread_mutex_lock(&lock);
    refusals_count(&all_refused, way, why);
    pthread_mutex_unlock(&lock);
}

static bool next_cut(uint64_t now_ms, size_t n[N_CUT_REASONS]) {
    pthread_mutex_lock(&lock);
    bool due = cut_told_ms == 0 || now_ms - cut_told_ms >= REFUSAL_LINE_MS, some = false;
    for (size_t i = 0; i < N_CUT_REASONS; i++) some |= n_cut[i] > 0;
    if (due && some) {
        memcpy(n, n_cut, sizeof n_cut);
        memset(n_cut, 0, sizeof n_cut);
        cut_told_ms = now_ms;
    }
    pthread_mutex_unlock(&lock);
    return due && some;
}

static bool next_refused(uint64_t now_ms, refused *out) {
    pthread_mutex_lock(&lock);
    bool found = refusals_next(&all_refused, now_ms, out);
    pthread_mutex_unlock(&lock);
    return found;
}

void tally_tell(uint64_t now_ms) {
    size_t n[N_CUT_REASONS];
    if (next_cut(now_ms, n))
        log_event(LOG_INFO, "connections_cut", "no_message=%zu never_whole=%zu no_hello=%zu crowded_out=%zu refused=%zu unread=%zu "
                  "revoked=%zu", n[CUT_ALIEN], n[CUT_STILL], n[CUT_SILENT], n[CUT_CROWDED], n[CUT_REFUSED], n[CUT_UNREAD],
                  n[CUT_REVOKED]);
    for (refused one; next_refused(now_ms, &one);) {
        char name[REFUSED_NAME_BYTES];
        refused_name(&one, name);
        log_event(LOG_INFO, "refused", "address=%s handshake=%zu silent=%zu no_hello=%zu no_message=%zu", name,
                  one.n[REFUSAL_HANDSHAKE], one.n[REFUSAL_SILENT], one.n[REFUSAL_NO_HELLO], one.n[REFUSAL_NO_MESSAGE]);
    }
}
